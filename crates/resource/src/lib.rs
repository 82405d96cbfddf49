//! What users write: the kinds of resource, their fields in APISIX's names, and what makes a set of them sound.

mod check;
mod field;
mod id;
mod node;
mod route;
mod schema;
mod schemas;
mod service;
mod set;
mod upstream;

pub use check::{check, check_references, check_unused, read_id, references, user_of};
pub use field::{Labels, Plugins, Timeout};
pub use id::{Id, InvalidId, Kind, Revision};
pub use node::Node;
pub use route::{Route, Status};
pub use schema::{InvalidSchema, Schema};
pub use service::Service;
pub use set::{Applied, Record, RefusedResource, Resources};
pub use upstream::{Balance, HashOn, KeepalivePool, PassHost, Scheme, Tls, Upstream};
