//! The model beside a gateway with each store.

use std::sync::atomic::{AtomicU32, Ordering};

use lockgate_tests::{Gateway, Settings, eventually};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::process::Etcd;
use crate::state::{Call, State, ask, calls};

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, max_shrink_iters: 8, failure_persistence: None, ..Config::default() })
}

/// The same calls to both: the same answers, and the same state at every restart and at the end.
fn beside(mut gateway: Gateway, calls: &[Call]) -> Result<(), TestCaseError> {
    let mut state = State::default();
    for call in calls.iter().chain([&Call::Restart]) {
        prop_assert_eq!(ask(&mut gateway, call), state.call(call), "{:?} of {:?}", call, state);
        if matches!(call, Call::Restart) {
            prop_assert_eq!(&State::of(&gateway), &state);
        }
    }
    Ok(())
}

#[test]
fn the_file_of_a_gateway_says_what_the_model_says() {
    let tried = runner(12).run(&calls(60), |calls| beside(Gateway::start(), &calls));
    tried.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn etcd_says_what_the_model_says() {
    let (etcd, count) = (Etcd::start(), AtomicU32::new(0));
    let tried = runner(8).run(&calls(50), |calls| {
        let prefix = format!("/model{}", count.fetch_add(1, Ordering::Relaxed));
        let settings = Settings::new()
            .set("deployment.role_traditional.config_provider", json!("etcd"))
            .set("deployment.etcd.host", json!([format!("http://127.0.0.1:{}", etcd.port)]))
            .set("deployment.etcd.prefix", json!(prefix));
        beside(Gateway::with(settings), &calls)
    });
    tried.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_file_of_the_users_says_what_the_model_says() {
    let settings = || {
        let provider = json!("yaml");
        Settings::new()
            .set("deployment.role_traditional.config_provider", provider)
            .beside("apisix.yaml", "#END")
    };
    let tried = runner(2).run(&prop::collection::vec(calls(12), 1..5), |steps| {
        let (mut gateway, mut state) = (Gateway::with(settings()), State::default());
        for step in &steps {
            for call in step {
                state.call(call);
            }
            gateway.write("apisix.yaml", &state.file());
            if step.iter().any(|call| matches!(call, Call::Restart)) {
                gateway.crash_and_restart();
                prop_assert_eq!(&State::of(&gateway), &state);
            }
            eventually("the file is followed", || (State::of(&gateway) == state).then_some(()));
        }
        Ok(())
    });
    tried.unwrap_or_else(|error| panic!("{error}"));
}
