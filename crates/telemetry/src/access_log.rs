//! The access log: a line a request, from a template compiled once, written off the request path.

mod template;
mod writer;

#[cfg(test)]
mod tests;

pub use template::{Escape, InvalidFormat, Template};
pub use writer::{AccessLog, Writer};
