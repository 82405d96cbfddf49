//! HTTP/3 in a build without it: there is nothing to listen on.

use std::rc::Rc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::worker::{Phase, Shared};

/// An address at which HTTP/3 is served: never, in this build.
pub enum QuicListener {}

pub(super) fn watch(_: Vec<QuicListener>, _: &Rc<Shared>, _: &watch::Receiver<Phase>) -> Vec<JoinHandle<()>> {
    Vec::new()
}
