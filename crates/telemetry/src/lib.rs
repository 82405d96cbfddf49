//! What is counted, timed and written down.

pub mod access_log;
pub mod clock;
pub mod metric;
pub mod text;
