//! The engine as a proxy between two sockets: what clients, upstreams and networks do to it.

#[cfg(test)]
mod client;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod h2;
#[cfg(test)]
mod h2_between;
#[cfg(test)]
mod h2_node;
#[cfg(test)]
mod h2_upstream;
#[cfg(test)]
mod h3;
#[cfg(test)]
mod server;
#[cfg(test)]
mod support;
#[cfg(test)]
mod switch;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod upload;
