//! Which route answers, which node serves it, and what a client reads when none does.

mod conditions;
mod failures;
mod guide;
mod matching;
mod routers;
mod shared;
mod upstreams;
