//! Lambda functions as processes of this machine: they speak the Lambda Runtime API to us, and we answer for them
//! as Lambda, its function URLs and API Gateway do.
//!
//! [`start`] opens one loopback listener for all functions, on a thread of its own. A call goes
//!
//! ```text
//! front (Invoke API, function URL, API Gateway) ──► pool ──► environment ──► Runtime API ──► process
//!       bytes ⇄ event                               which?   one at a time   next, response
//! ```
//!
//! Everything runs on that one thread, so nothing is locked. An environment is a process in a group of its own
//! with a Runtime API of its own on a loopback port; it handles one call at a time. Whatever ends it (a crash,
//! a time-out, too much memory, a change of its files, the end of the program) goes through one place,
//! `environment/life.rs`, which ends the whole group and answers the call it had.

mod body;
mod bootstrap;
mod description;
mod environment;
mod events;
mod front;
mod id;
mod invocation;
mod log;
mod pool;
mod process;
mod report;
mod runtime_api;
mod server;
mod watch;

pub use description::{Auth, Concurrency, Description, InvalidDescription, Name, Program, Runtime};
pub use front::access::{Check, Denied, SignedRequest};
pub use log::{Line, Origin, Sink};
pub use server::{Running, ServerSettings, StartError, start};
