//! The label sets of a family, each with what every thread has counted for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Room;
use super::number::Part;

/// A label set.
#[derive(Debug)]
pub(super) struct Series<N> {
    /// Its text, as it stands between the braces.
    pub(super) labels: Box<str>,
    /// By thread. Only who makes a part, and who reads them all, takes the lock.
    parts: Mutex<Vec<(u64, Arc<N>)>>,
}

/// The label sets of a family, in the order of their texts.
#[derive(Debug)]
pub(super) struct Table<N>(Mutex<BTreeMap<Box<str>, Arc<Series<N>>>>);

impl<N> Default for Table<N> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<N: Part> Table<N> {
    /// The part of a thread; `None` where there is no room for another label set.
    pub(super) fn part(
        &self,
        labels: String,
        thread: u64,
        room: &Room,
        make: impl FnOnce() -> N,
    ) -> Option<Arc<N>> {
        let labels = labels.into_boxed_str();
        let mut all = lock(&self.0);
        let series = match all.get(&labels) {
            Some(series) => series.clone(),
            None if room.take() => {
                let series = Arc::new(Series { labels: labels.clone(), parts: Mutex::default() });
                all.insert(labels, series.clone());
                series
            }
            None => return None,
        };
        drop(all);
        let mut parts = lock(&series.parts);
        if let Some((_, part)) = parts.iter().find(|(of, _)| *of == thread) {
            return Some(part.clone());
        }
        let part = Arc::new(make());
        parts.push((thread, part.clone()));
        Some(part)
    }

    /// All label sets as they are now.
    pub(super) fn all(&self) -> Vec<Arc<Series<N>>> {
        lock(&self.0).values().cloned().collect()
    }

    /// Gives up what nothing was added to for so long; says how many that were.
    pub(super) fn expire(&self, after: Duration, now: u64) -> usize {
        let oldest = u64::try_from(after.as_nanos()).ok().and_then(|after| now.checked_sub(after));
        let Some(oldest) = oldest.filter(|_| !after.is_zero()) else { return 0 };
        let mut all = lock(&self.0);
        let before = all.len();
        all.retain(|_, series| {
            let parts = lock(&series.parts);
            // One that has just been made is about to be added to.
            parts.iter().any(|(_, part)| part.touched() >= oldest || part.touched() == 0)
        });
        before - all.len()
    }
}

impl<N: Part> Series<N> {
    /// What all threads have counted.
    pub(super) fn sum(&self) -> N::Sum {
        let mut sum = N::Sum::default();
        for (_, part) in lock(&self.parts).iter() {
            part.add_to(&mut sum);
        }
        sum
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
