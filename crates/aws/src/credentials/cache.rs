//! Credentials, kept fresh: fetched once for all who share a source, renewed off the request path well before
//! they expire, and read without a lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use lockgate_http::resolver::Resolver;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::AbortHandle;

use super::failure::CredentialsFailure;
use super::fetch::Providers;
use super::source::CredentialSource;
use super::{Credentials, Fetch, Fetched};

/// How many sources are asked at once.
const AT_ONCE: usize = 16;
/// No two fetches for a source are closer than this.
const SHORTEST: Duration = Duration::from_millis(500);
/// Credentials that do not expire are looked for again after this, as files may have changed.
const WITHOUT_EXPIRY: Duration = Duration::from_mins(5);
/// After a failure the wait doubles, from the first to the second.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// Credentials that AWS refuses are asked for again at once, unless they are newer than this.
const YOUNG: Duration = Duration::from_secs(10);
/// The machine may have slept: the clock on the wall is looked at this often.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// The credentials of every source in use. A source is kept for as long as somebody holds its [`Provider`].
pub struct CredentialCache {
    runtime: Handle,
    fetch: Arc<dyn Fetch>,
    places: Arc<Semaphore>,
    entries: Mutex<HashMap<CredentialSource, Weak<Entry>>>,
}

/// The credentials of one source, as fresh as they are; a clone shares them.
#[derive(Clone)]
pub struct Provider(Arc<Entry>);

/// Ends the renewal when nobody holds it any more.
struct Entry {
    state: Arc<State>,
    task: AbortHandle,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct State {
    source: CredentialSource,
    live: ArcSwapOption<Live>,
    /// Whether a fetch is under way.
    is_fetching: watch::Sender<bool>,
    report: Mutex<Report>,
    /// Somebody wants new credentials before it is time.
    wanted: Notify,
}

/// Credentials that are good until they expire.
pub struct Live {
    credentials: Credentials,
    /// In seconds since 1970.
    expires: Option<u64>,
}

impl Live {
    /// The credentials.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }
}

/// How a source does, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What gave the credentials: `imds`, where the source is `default`. `None` before any were given.
    pub provider: Option<&'static str>,
    /// When they were given.
    pub refreshed: Option<SystemTime>,
    /// When they end; `None` where they do not.
    pub expires: Option<SystemTime>,
    /// When they are asked for again.
    pub next: Option<SystemTime>,
    /// When the last fetch failed and why; `None` once one has gone well since.
    pub failure: Option<(SystemTime, CredentialsFailure)>,
    /// How many fetches failed since one went well.
    pub failures: u32,
}

impl CredentialCache {
    /// An empty cache, whose work is done on the resolver's runtime.
    pub fn new(resolver: Resolver) -> Self {
        Self::with(resolver.runtime().clone(), Arc::new(Providers::new(resolver)))
    }

    pub(super) fn with(runtime: Handle, fetch: Arc<dyn Fetch>) -> Self {
        Self { runtime, fetch, places: Arc::new(Semaphore::new(AT_ONCE)), entries: Mutex::default() }
    }

    /// The provider of a source. The first to ask for it begins the fetching.
    pub fn provider(&self, source: &CredentialSource) -> Provider {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(source).and_then(Weak::upgrade) {
            return Provider(entry);
        }
        if entries.len() == entries.capacity() {
            entries.retain(|_, entry| entry.strong_count() > 0);
        }
        let state = Arc::new(State {
            source: source.clone(),
            live: ArcSwapOption::empty(),
            is_fetching: watch::Sender::new(true),
            report: Mutex::default(),
            wanted: Notify::new(),
        });
        let task =
            self.runtime.spawn(keep(state.clone(), self.fetch.clone(), self.places.clone())).abort_handle();
        let entry = Arc::new(Entry { state, task });
        entries.insert(source.clone(), Arc::downgrade(&entry));
        Provider(entry)
    }

    /// Every source in use and how it does, in the order of their texts.
    pub fn reports(&self) -> Vec<(CredentialSource, Report)> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let live = entries.values().filter_map(Weak::upgrade);
        let mut reports: Vec<_> =
            live.map(|entry| (entry.state.source.clone(), entry.state.report().clone())).collect();
        drop(entries);
        reports.sort_by_cached_key(|(source, _)| source.to_string());
        reports
    }
}

impl std::fmt::Debug for CredentialCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialCache")
    }
}

impl Provider {
    /// The credentials, where there are some that are good at this time, in seconds since 1970. It never waits.
    pub fn current(&self, unix_seconds: u64) -> Option<Arc<Live>> {
        let live = self.0.state.live.load_full()?;
        live.expires.is_none_or(|expires| unix_seconds < expires).then_some(live)
    }

    /// Waits for the fetch to end that is under way, where one is, but not for longer than `patience`.
    pub async fn fetched(&self, patience: Duration) {
        let mut is_fetching = self.0.state.is_fetching.subscribe();
        // Where it takes too long, the caller sees that there is nothing.
        let _ = tokio::time::timeout(patience, is_fetching.wait_for(|is| !is)).await;
    }

    /// Has new credentials fetched, because AWS has refused these. Those that were given within the last seconds
    /// are not asked for again.
    pub fn renew(&self) {
        let state = &self.0.state;
        let refreshed = state.report().refreshed;
        if refreshed.is_some_and(|refreshed| refreshed.elapsed().is_ok_and(|age| age >= YOUNG)) {
            state.wanted.notify_waiters();
        }
    }

    /// Why there are no credentials: what was tried.
    pub fn tried(&self) -> String {
        match &self.0.state.report().failure {
            Some((_, failure)) => failure.tried(),
            None => self.0.state.source.origin().name().to_owned(),
        }
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provider of {}", self.0.state.source)
    }
}

/// Fetches for as long as it is not ended.
async fn keep(state: Arc<State>, fetch: Arc<dyn Fetch>, places: Arc<Semaphore>) {
    loop {
        state.is_fetching.send_replace(true);
        let place = places.acquire().await;
        let fetched = fetch.fetch(&state.source).await;
        drop(place);
        let pause = match fetched {
            Ok(fetched) => state.take(fetched),
            Err(failure) => state.fail(failure),
        };
        let due = SystemTime::now() + pause;
        state.report().next = Some(due);
        state.is_fetching.send_replace(false);
        while let Ok(rest) = due.duration_since(SystemTime::now())
            && !rest.is_zero()
        {
            let is_wanted = tokio::time::timeout(rest.min(LONGEST_SLEEP), state.wanted.notified()).await;
            if is_wanted.is_ok() {
                break;
            }
        }
    }
}

impl State {
    fn report(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes what was fetched live; answers with how long it may stay so.
    fn take(&self, fetched: Fetched) -> Duration {
        let now = SystemTime::now();
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let live = Live { credentials: fetched.credentials, expires: fetched.expires.map(seconds) };
        self.live.store(Some(Arc::new(live)));
        let mut report = self.report();
        if report.failures > 0 {
            tracing::info!(source = %self.source, "aws credentials are there again");
        }
        *report = Report {
            provider: Some(fetched.provider),
            refreshed: Some(now),
            expires: fetched.expires,
            ..Report::default()
        };
        match fetched.expires {
            Some(expires) => renewal(expires.duration_since(now).unwrap_or_default()),
            None => WITHOUT_EXPIRY,
        }
    }

    /// Notes a failure; answers with how long to wait. What was live stays so.
    fn fail(&self, failure: CredentialsFailure) -> Duration {
        let mut report = self.report();
        report.failures = report.failures.saturating_add(1);
        let pause = back_off(report.failures);
        let (source, failures) = (&self.source, report.failures);
        tracing::warn!(%source, failures, retry = ?pause, "no aws credentials: {failure}");
        report.failure = Some((SystemTime::now(), failure));
        pause
    }
}

/// At 80 % of the life that is left, a little earlier by chance so that many gateways do not ask at once.
fn renewal(life: Duration) -> Duration {
    spread(life * 4 / 5).max(SHORTEST)
}

fn back_off(failures: u32) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    spread(doubled.min(LAST_RETRY))
}

/// Up to a sixteenth less. The clock's last digits are chance enough.
fn spread(time: Duration) -> Duration {
    let chance = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos() % 1024;
    time.saturating_sub(time / 16 * chance / 1024)
}

#[cfg(test)]
mod tests;
