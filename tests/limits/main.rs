//! What one client may ask: each bound is settable, and what lies beyond it is refused or waits.

mod connections;
mod memory;
mod messages;
mod spread;
mod uploads;
