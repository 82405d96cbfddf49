//! Conversations by chance: a client, the engine and an upstream follow a plan, and every body arrives as it was sent.

#[cfg(test)]
mod client;
#[cfg(test)]
mod plan;
#[cfg(test)]
#[path = "../engine/support.rs"]
#[expect(dead_code, reason = "the engine's tests use the rest of it")]
mod support;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod wire;

use std::rc::Rc;

use proptest::prelude::*;

use crate::plan::{Plan, plan};
use crate::support::{Proxy, on_a_worker, until};

/// Plays a conversation; what differs from the plan fails, and so does what hangs.
fn play(plan: &Plan) {
    on_a_worker(async {
        let proxy = Proxy::start().await;
        let socket = proxy.connect().await;
        let log = upstream::Log::default();
        let conversation = async {
            client::play(socket, plan).await;
            // The client is gone, and nobody may wait for it: its connection has the service while it lasts.
            until(|| Rc::strong_count(&proxy.service) == 1).await;
        };
        tokio::select! {
            () = conversation => {}
            () = upstream::play(&proxy.upstream, plan, &log) => unreachable!("it accepts for ever"),
        }
        log.check(plan);
    });
}

/// How many conversations; `ROUNDS` says otherwise.
fn rounds() -> u32 {
    std::env::var("ROUNDS").ok().and_then(|value| value.parse().ok()).unwrap_or(150)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: rounds(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_body_of_a_conversation_arrives_as_it_was_sent(plan in plan()) {
        play(&plan);
    }
}
