//! The cache's own clockwork, with fetches by script and a clock that is turned by hand.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;

use super::super::{Credentials, CredentialsFailure, Fetch, Fetched, Fetching};
use super::{AT_ONCE, CredentialCache, LAST_RETRY, YOUNG, back_off, renewal};
use crate::credentials::{CredentialSource, Origin};

/// Answers a fetch each time it is let to: with a life, or with a failure where there is none.
struct Script {
    answers: Mutex<VecDeque<Option<Duration>>>,
    gate: Semaphore,
    fetches: AtomicUsize,
}

impl Script {
    fn new(answers: &[Option<Duration>]) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.iter().copied().collect()),
            gate: Semaphore::new(0),
            fetches: AtomicUsize::new(0),
        })
    }
}

impl Fetch for Script {
    fn fetch<'a>(&'a self, _: &'a CredentialSource) -> Fetching<'a> {
        Box::pin(async move {
            let number = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
            self.gate.acquire().await.unwrap().forget();
            let Some(life) = self.answers.lock().unwrap().pop_front().flatten() else {
                return Err(CredentialsFailure::of("script", "it says so"));
            };
            let credentials = Credentials::new(&format!("AKID{number}"), "secret", None).unwrap();
            Ok(Fetched { credentials, expires: Some(SystemTime::now() + life), provider: "script" })
        })
    }
}

const HOUR: Duration = Duration::from_hours(1);
const PATIENCE: Duration = Duration::from_secs(5);

fn source(origin: Origin) -> CredentialSource {
    CredentialSource::new(origin, Vec::new(), "us-east-1", None)
}

fn cache(script: &Arc<Script>) -> CredentialCache {
    CredentialCache::with(tokio::runtime::Handle::current(), script.clone())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn one_fetch_serves_all_who_share_a_source() {
    let script = Script::new(&[Some(HOUR)]);
    let cache = cache(&script);
    let (one, other) = (cache.provider(&source(Origin::Default)), cache.provider(&source(Origin::Default)));
    assert!(one.current(now()).is_none());
    script.gate.add_permits(1);
    one.fetched(PATIENCE).await;
    let (one, other) = (one.current(now()).unwrap(), other.current(now()).unwrap());
    assert!(Arc::ptr_eq(&one, &other));
    assert_eq!(one.credentials().access_key(), "AKID1");
    assert_eq!(script.fetches.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn credentials_serve_until_they_expire_and_no_longer() {
    let script = Script::new(&[Some(HOUR)]);
    let provider = cache(&script).provider(&source(Origin::Default));
    script.gate.add_permits(1);
    provider.fetched(PATIENCE).await;
    assert!(provider.current(now() + 3590).is_some());
    assert!(provider.current(now() + 3601).is_none());
}

#[tokio::test]
async fn old_credentials_serve_while_new_ones_are_fetched_and_when_that_fails() {
    let script = Script::new(&[Some(Duration::from_mins(1)), None]);
    let cache = cache(&script);
    let provider = cache.provider(&source(Origin::Default));
    script.gate.add_permits(1);
    provider.fetched(PATIENCE).await;
    // What the clockwork would do at 80 % of the life.
    let state = provider.0.state.clone();
    let pause = state.fail(CredentialsFailure::of("script", "it says so"));
    assert!(pause <= Duration::from_secs(1));
    assert!(provider.current(now()).is_some());
    let report = cache.reports().remove(0).1;
    assert_eq!((report.failures, report.provider), (1, Some("script")));
    assert_eq!(report.failure.unwrap().1.to_string(), "script: it says so");
}

#[tokio::test]
async fn a_failure_is_known_at_once_and_tried_again() {
    let script = Script::new(&[None, Some(HOUR)]);
    let provider = cache(&script).provider(&source(Origin::Container));
    assert_eq!(provider.tried(), "container", "nothing has been tried yet");
    script.gate.add_permits(2);
    provider.fetched(PATIENCE).await;
    assert!(provider.current(now()).is_none());
    assert_eq!(provider.tried(), "script");
    while provider.current(now()).is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(script.fetches.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_fetch_waits_no_longer_than_told() {
    let script = Script::new(&[Some(HOUR)]);
    let provider = cache(&script).provider(&source(Origin::Default));
    let begun = tokio::time::Instant::now();
    provider.fetched(PATIENCE).await;
    assert_eq!(begun.elapsed(), PATIENCE);
    assert!(provider.current(now()).is_none());
}

#[tokio::test]
async fn a_source_that_nobody_holds_is_forgotten() {
    let script = Script::new(&[]);
    let cache = cache(&script);
    let provider = cache.provider(&source(Origin::Default));
    let state = Arc::downgrade(&provider.0.state);
    assert_eq!(cache.reports().len(), 1);
    drop(provider);
    assert!(cache.reports().is_empty());
    while state.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn credentials_that_are_refused_are_fetched_again_unless_they_are_young() {
    let script = Script::new(&[Some(HOUR), Some(HOUR)]);
    let provider = cache(&script).provider(&source(Origin::Default));
    script.gate.add_permits(2);
    provider.fetched(PATIENCE).await;
    tokio::task::yield_now().await;
    provider.renew();
    tokio::task::yield_now().await;
    assert_eq!(script.fetches.load(Ordering::SeqCst), 1);
    provider.0.state.report().refreshed = Some(SystemTime::now() - YOUNG);
    provider.renew();
    while provider.current(now()).is_some_and(|live| live.credentials().access_key() == "AKID1") {
        tokio::task::yield_now().await;
    }
    assert_eq!(script.fetches.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn many_sources_are_not_asked_all_at_once() {
    let script = Script::new(&[None; 20]);
    let cache = cache(&script);
    let profile = |number: u32| source(Origin::Profile(Some(number.to_string().into())));
    let providers: Vec<_> = (0..20).map(|number| cache.provider(&profile(number))).collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(script.fetches.load(Ordering::SeqCst), AT_ONCE);
    script.gate.add_permits(20);
    for provider in providers {
        provider.fetched(PATIENCE).await;
    }
    assert!(script.fetches.load(Ordering::SeqCst) >= 20);
}

#[test]
fn renewal_is_at_four_fifths_of_a_life_or_a_little_before() {
    for life in [HOUR, Duration::from_secs(10)] {
        let at = renewal(life);
        assert!(at <= life * 4 / 5 && at >= life * 3 / 4, "{at:?} of {life:?}");
    }
    assert_eq!(renewal(Duration::ZERO), super::SHORTEST);
}

#[test]
fn waits_after_failures_double_up_to_a_bound() {
    for (failures, seconds) in [(1, 1), (2, 2), (3, 4), (4, 8), (40, 30), (u32::MAX, 30)] {
        let (wait, most) = (back_off(failures), Duration::from_secs(seconds));
        assert!(wait <= most && wait >= most * 15 / 16 && most <= LAST_RETRY, "{failures}: {wait:?}");
    }
}
