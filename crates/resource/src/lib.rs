//! What users write: the kinds of resource, their fields in APISIX's names, and what makes a set of them sound.

mod id;
mod schema;
mod set;

pub use id::{Id, InvalidId, Kind, Revision};
pub use schema::{InvalidSchema, Schema};
pub use set::{Applied, Record, RefusedResource, Resources};
