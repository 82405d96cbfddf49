//! Which route answers, which node serves it, and what a client reads when none does.

mod failures;
mod matching;
mod upstreams;
