//! How a running gateway hands its sockets and its store to the next one, with no connection refused or lost.
//!
//! ```text
//! the one that runs                            the next one
//!   starts it, its standard input a socket ──►
//!   Hello, Socket…, End ─────────────────────► reads its settings, binds what it lacks
//!   ◄──────────────────────────────────────── NeedStore
//!   refuses changes, closes the store
//!   Store ───────────────────────────────────► opens it, compiles, starts its workers
//!   ◄──────────────────────────────────────── Ready
//!   Go ──────────────────────────────────────► accepts
//!   accepts no more, lets its connections end
//!   ◄──────────────────────────────────────── Serving
//! ```
//!
//! Both have the same sockets, not new ones at the same address: who waits to be accepted is in the socket. Before
//! `Go` anything may fail, and the one that runs opens its store again and goes on.

mod channel;
mod give;
mod take;

pub(crate) use channel::Role;
pub(crate) use give::{Program, Successor};
pub(crate) use take::{Predecessor, Taken};

/// Tells the next gateway the process id of the one whose sockets it is to take.
const VARIABLE: &str = "LOCKGATE_HAND_OVER";
