//! The Admin API, called in-process.

mod calls;
mod certificates;
mod harness;
mod limits;
mod matrix;
