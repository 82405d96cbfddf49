//! Secrets that are wanted, each fetched when it is new and again in the background.

mod entry;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockgate_http::resolver::Resolver;
use lockgate_resource::Secret;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

use crate::Reference;
use crate::batch::{self, Batch, Outcomes};
use crate::call::Caller;
use entry::Entry;

/// Calls under way at once.
const CALLS: usize = 16;

/// How secrets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a value is good before it is asked for again.
    pub ttl: Duration,
    /// How long it is waited at most, after failures, until a secret is asked for again. The first wait is 1 s.
    pub negative_ttl: Duration,
    /// How long a call may take.
    pub timeout: Duration,
    /// How many secrets may be referred to.
    pub count: usize,
}

impl Default for Settings {
    /// 300 s and 60 s as in APISIX, 5 s, and 4096.
    fn default() -> Self {
        Self {
            ttl: Duration::from_mins(5),
            negative_ttl: Duration::from_mins(1),
            timeout: Duration::from_secs(5),
            count: 4096,
        }
    }
}

/// Keeps the secrets that are wanted. A clone is the same one.
#[derive(Clone)]
pub struct Keeper(Arc<Inner>);

struct Inner {
    caller: Caller,
    settings: Settings,
    state: Mutex<State>,
    /// What is wanted is another, or a call has ended.
    turned: Notify,
    /// Counts the outcomes that change what is known.
    news: watch::Sender<u64>,
    calls: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    managers: BTreeMap<String, Result<Arc<Secret>, String>>,
    entries: BTreeMap<Reference, Entry>,
}

impl Keeper {
    /// With no secrets yet. They are fetched as long as [`Keeper::run`] runs.
    pub fn new(resolver: Resolver, settings: Settings) -> Self {
        let caller = Caller { resolver, timeout: settings.timeout };
        Self(Arc::new(Inner {
            caller,
            settings,
            state: Mutex::default(),
            turned: Notify::new(),
            news: watch::Sender::new(0),
            calls: Arc::new(Semaphore::new(CALLS)),
        }))
    }

    /// Says which secrets are wanted from now on, and who manages them, by id (`vault/1`). A manager that cannot be
    /// read is an error that says why. Secrets of a manager that is another than before are fetched anew.
    pub fn want(&self, managers: BTreeMap<String, Result<Secret, String>>, wanted: BTreeSet<Reference>) {
        let now = Instant::now();
        let mut state = self.state();
        let before = std::mem::take(&mut state.managers);
        state.managers = managers.into_iter().map(|(id, read)| same(&before, id, read)).collect();
        let State { managers, entries } = &mut *state;
        let known = std::mem::take(entries);
        *entries = wanted
            .into_iter()
            .take(self.0.settings.count)
            .map(|reference| {
                let manager = managers.get(reference.manager());
                let entry = known.get(&reference).cloned().unwrap_or_else(|| Entry::new(now));
                let is_same = is_same(before.get(reference.manager()), manager);
                let entry = if is_same { entry } else { entry.renewed(now) };
                let entry = entry.of(reference.manager(), manager);
                (reference, entry)
            })
            .collect();
        drop(state);
        self.0.turned.notify_one();
    }

    /// The value of a secret that is wanted, as it was fetched last; or why there is none.
    pub fn value(&self, reference: &Reference) -> Result<String, String> {
        match self.state().entries.get(reference) {
            Some(entry) => entry.value(),
            None => Err(format!("more than {} secrets are referred to", self.0.settings.count)),
        }
    }

    /// Whether each secret that is wanted has been asked for by now.
    fn is_settled(&self) -> bool {
        self.state().entries.values().all(Entry::is_settled)
    }

    /// Waits until each secret that is wanted has been asked for once, but no longer than `patience`.
    pub async fn settle(&self, patience: Duration) {
        let mut news = self.news();
        let settled = async {
            while !self.is_settled() {
                if news.changed().await.is_err() {
                    break;
                }
            }
        };
        // Who was waited for in vain comes as news later.
        let _ = tokio::time::timeout(patience, settled).await;
    }

    /// Changes whenever a secret has another value, or why it has none is known for the first time.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.0.news.subscribe()
    }

    /// Fetches what is wanted, each time it is due. It never ends.
    pub async fn run(self) {
        loop {
            let (batches, next) = self.due(Instant::now());
            for batch in batches {
                let keeper = self.clone();
                tokio::spawn(async move { keeper.fetch(batch).await });
            }
            let turned = self.0.turned.notified();
            match next {
                Some(next) => {
                    tokio::select! {
                        () = turned => {}
                        () = tokio::time::sleep_until(next) => {}
                    }
                }
                None => turned.await,
            }
        }
    }

    async fn fetch(&self, batch: Batch) {
        // The semaphore is never closed.
        let _turn = self.0.calls.acquire().await;
        let manager = batch.manager.clone();
        let outcomes = batch::fetch(&self.0.caller, batch).await;
        if self.note(&manager, outcomes) {
            self.0.news.send_modify(|count| *count += 1);
        }
        self.0.turned.notify_one();
    }

    /// What is to be fetched now, and when something is due next. What lies beside a secret that is due is fetched
    /// with it: a certificate and its key should be of one time.
    fn due(&self, now: Instant) -> (Vec<Batch>, Option<Instant>) {
        let mut state = self.state();
        let State { managers, entries } = &mut *state;
        let mut places: BTreeMap<(&str, &str), (bool, Vec<&Reference>)> = BTreeMap::new();
        for (reference, entry) in entries.iter().filter(|(_, entry)| !entry.is_asked) {
            if let Some(Ok(manager)) = managers.get(reference.manager()) {
                let place = (reference.manager(), batch::place(manager, reference));
                let (is_due, references) = places.entry(place).or_default();
                *is_due |= entry.due <= now;
                references.push(reference);
            }
        }
        let due = places.into_iter().filter(|(_, (is_due, _))| *is_due);
        let batches: Vec<Batch> = due
            .filter_map(|((manager, _), (_, references))| {
                let manager = managers.get(manager)?.as_ref().ok()?.clone();
                Some(Batch { manager, references: references.into_iter().cloned().collect() })
            })
            .collect();
        for reference in batches.iter().flat_map(|batch| &batch.references) {
            if let Some(entry) = entries.get_mut(reference) {
                entry.is_asked = true;
            }
        }
        let has_manager =
            |(reference, _): &(&Reference, &Entry)| matches!(managers.get(reference.manager()), Some(Ok(_)));
        let waiting = entries.iter().filter(has_manager).filter(|(_, entry)| !entry.is_asked);
        (batches, waiting.map(|(_, entry)| entry.due).min())
    }

    /// Takes in what came of a call. Answers whether anything is known that was not.
    fn note(&self, manager: &Arc<Secret>, outcomes: Outcomes) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let State { managers, entries } = &mut *state;
        let mut has_news = false;
        for (reference, outcome) in outcomes {
            let Some(entry) = entries.get_mut(&reference) else { continue };
            entry.is_asked = false;
            let current = managers.get(reference.manager()).and_then(|read| read.as_ref().ok());
            // Of a manager that is another by now, nothing is taken: it is asked again.
            if current.is_some_and(|current| Arc::ptr_eq(current, manager)) {
                if let Err(why) = &outcome {
                    tracing::warn!(%reference, why, "secret is not fetched");
                }
                has_news |= entry.note(outcome, now, &self.0.settings);
            }
        }
        has_news
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Read = Result<Arc<Secret>, String>;

/// The manager that was there before, where it is the same as what was read now.
fn same(before: &BTreeMap<String, Read>, id: String, read: Result<Secret, String>) -> (String, Read) {
    let read = read.map(|secret| match before.get(&id) {
        Some(Ok(known)) if **known == secret => known.clone(),
        _ => Arc::new(secret),
    });
    (id, read)
}

fn is_same(before: Option<&Read>, now: Option<&Read>) -> bool {
    match (before, now) {
        (Some(Ok(before)), Some(Ok(now))) => Arc::ptr_eq(before, now),
        (Some(Err(before)), Some(Err(now))) => before == now,
        (None, None) => true,
        _ => false,
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keeper of {} secrets", self.state().entries.len())
    }
}
