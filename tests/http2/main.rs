//! HTTP/2 by its specification: frame sequences as bytes, and what the gateway and its upstream make of each.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod sequences;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod strictness;
#[cfg(test)]
mod upstreams;
#[cfg(test)]
mod websocket;
