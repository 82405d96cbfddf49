//! The parsers beside other people's: httparse for heads, the letter of the RFC for chunks, hyper for connections.
//! A bounded run of what `fuzz/` does without an end. `SEED` and `ROUNDS` make it another one, or a longer one.

#[cfg(test)]
mod allowed;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod heads;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod random;
#[cfg(test)]
mod runs;
