//! The Admin API, called in-process.

mod calls;
mod harness;
mod limits;
mod matrix;
