//! Whether nodes are well: asked by checkers, and seen in passing.

mod active;
mod passive;
mod report;
mod state;

pub use report::{NodeReport, Report, report};
pub use state::{Counter, Status};

pub(crate) use active::{Plan, watch};
pub(crate) use passive::Passive;
pub(crate) use state::{NodeHealth, Seen};
