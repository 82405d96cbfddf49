//! A bounded run of what the targets in `fuzz/` do without an end, with the same inputs each time. `SEED` and `ROUNDS`
//! make it another one, or a longer one. The differential targets have theirs in `differential`.

#[cfg(test)]
mod chunked;
#[cfg(test)]
mod h2_frames;
#[cfg(test)]
mod mutate;
#[cfg(test)]
mod path;
#[cfg(test)]
mod proxy_protocol;
#[cfg(test)]
mod request_head;
#[cfg(test)]
mod response_head;
#[cfg(test)]
mod runs;
