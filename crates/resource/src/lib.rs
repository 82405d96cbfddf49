//! What users write: the kinds of resource, their fields in APISIX's names, and what makes a set of them sound.

mod id;
mod set;

pub use id::{Id, InvalidId, Kind, Revision};
pub use set::{Applied, Record, RefusedResource, Resources};
