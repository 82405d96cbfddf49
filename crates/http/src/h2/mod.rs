//! HTTP/2 over the `h2` crate: the same heads and bodies as HTTP/1.1.

pub(crate) mod client;
pub(crate) mod convert;

mod exchange;
mod guard;
mod incoming;
mod interim;
mod outflow;
mod server;
mod settings;

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

use std::cell::RefCell;

pub(crate) use client::ResponseBody;
pub(crate) use incoming::IncomingBody;
pub(crate) use interim::Interims;
pub(crate) use server::serve;
pub use settings::Http2Settings;

use crate::h1::Connection;
use crate::h1::server::read_more;

/// How a client that knows the server speaks HTTP/2 begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether a connection begins with the preface; reads on while that is open. `None` when the connection, or the time
/// for that, is over first.
pub(crate) async fn has_preface(shared: &RefCell<Connection>) -> Option<bool> {
    loop {
        {
            let connection = shared.borrow();
            let data = connection.data();
            let len = data.len().min(PREFACE.len());
            if data[..len] != PREFACE[..len] || len == PREFACE.len() {
                return Some(len == PREFACE.len() && data[..len] == *PREFACE);
            }
        }
        if !read_more(shared).await {
            return None;
        }
    }
}
