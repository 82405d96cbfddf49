//! How requests find their route, as the settings say: the same for every snapshot.

use lockgate_http::path;
use lockgate_plugin::ContentLimits;

use crate::router::Kind;

/// How requests find their route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// In which order routes are looked at.
    pub router: Kind,
    /// How paths are read beside the normal way.
    pub paths: path::Options,
    /// How much of a body is read where a condition asks for it.
    pub content: ContentLimits,
}
