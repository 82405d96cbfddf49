//! What breaks: peers that reset, stall, lie, repeat themselves or never answer. Each request gets one clear end.

#[cfg(test)]
mod cuts;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod stalls;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tunnels;
#[cfg(test)]
mod uploads;
#[cfg(test)]
mod upstreams;
