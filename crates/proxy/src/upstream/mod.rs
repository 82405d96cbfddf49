//! Sending a request to a node of an upstream.

pub(crate) mod forward;
