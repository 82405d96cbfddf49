//! Which node a request goes to.

mod round_robin;

pub(crate) use round_robin::RoundRobin;
