//! Puts secrets that are kept elsewhere in the place of references to them, before anything is compiled.

mod places;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockgate_plugin::{Secrets, variable};
use lockgate_resource::{Id, Kind, Record, RefusedResource, Resources, Secret};
use lockgate_secret::{Keeper, Reference};
use tokio::sync::watch;

use places::{Place, Source};

/// How long a change waits for the secrets that it refers to. Those that come later go live by themselves.
const PATIENCE: Duration = Duration::from_secs(1);

/// The secrets that resources refer to.
pub(crate) struct Referred {
    keeper: Keeper,
    opener: Arc<dyn Secrets>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was looked through last.
    seen: Resources,
    /// What was made of the resources last, and of which ones.
    made: Resources,
    made_of: Resources,
    referrers: BTreeMap<(Kind, Id), Referrer>,
}

/// A resource that refers to secrets.
struct Referrer {
    source: Arc<Record>,
    places: Vec<Place>,
    /// Its last good form.
    live: Option<Live>,
}

/// What a resource was made of, and what became of it.
struct Live {
    source: Arc<Record>,
    texts: Vec<String>,
    record: Arc<Record>,
}

/// Resources with secrets in them.
pub(crate) struct Filled {
    pub(crate) resources: Resources,
    /// Those whose newest form refers to what cannot be had.
    pub(crate) refused: Vec<RefusedResource>,
    /// Each secret, and the reference to be shown in its place.
    masks: Vec<(String, String)>,
}

impl Filled {
    /// The text without any of the secrets.
    pub(crate) fn mask(&self, mut text: String) -> String {
        for (secret, reference) in &self.masks {
            text = text.replace(secret, reference);
        }
        text
    }
}

impl Referred {
    /// None yet. What is sealed, and what the environment has, `opener` knows.
    pub(crate) fn new(keeper: Keeper, opener: Arc<dyn Secrets>) -> Self {
        Self { keeper, opener, state: Mutex::default() }
    }

    /// Fetches what is referred to, as long as the runtime runs.
    pub(crate) fn begin(&self) {
        tokio::spawn(self.keeper.clone().run());
    }

    /// Changes when a secret is another.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.keeper.news()
    }

    /// Looks through what is new, and waits, but not for long, for the secrets that it refers to.
    pub(crate) async fn gather(&self, resources: &Resources) {
        if self.look(resources) {
            self.keeper.settle(PATIENCE).await;
        }
    }

    /// Looks through what is new. Answers whether another set of secrets may be wanted.
    fn look(&self, resources: &Resources) -> bool {
        let mut state = self.state();
        let State { seen, referrers, .. } = &mut *state;
        let mut is_other = !resources.shares(seen, Kind::Secret);
        for kind in places::KINDS {
            let (changed, gone) = resources.changes(seen, kind);
            for id in gone {
                is_other |= referrers.remove(&(kind, id)).is_some();
            }
            for record in changed {
                let key = (kind, record.id.clone());
                let places = places::of(record, &*self.opener);
                if places.is_empty() {
                    is_other |= referrers.remove(&key).is_some();
                    continue;
                }
                is_other = true;
                let live = referrers.remove(&key).and_then(|old| old.live);
                referrers.insert(key, Referrer { source: record.clone(), places, live });
            }
        }
        *seen = resources.clone();
        if is_other {
            let places = referrers.values().flat_map(|referrer| &referrer.places);
            let wanted =
                places.filter_map(|place| place.reference().cloned()).collect::<BTreeSet<Reference>>();
            self.keeper.want(self.managers(resources), wanted);
        }
        is_other
    }

    fn managers(&self, resources: &Resources) -> BTreeMap<String, Result<Secret, String>> {
        let read = |(id, record): (&Id, &Arc<Record>)| {
            let mut value = record.value.clone();
            for field in value.as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
                let Some(text) = field.as_str() else { continue };
                match variable(text, &*self.opener) {
                    Some(Ok(found)) => *field = found.into(),
                    Some(Err(why)) => return (id.to_string(), Err(format!("{text}: {why}"))),
                    None => {}
                }
            }
            (id.to_string(), Secret::from_value(&value))
        };
        resources.of(Kind::Secret).iter().map(read).collect()
    }

    /// The resources with every secret that is known in its place. One whose secrets cannot be had keeps its last good
    /// form, or is left out.
    pub(crate) fn fill(&self, resources: &Resources) -> Filled {
        let mut state = self.state();
        let State { made, made_of, referrers, .. } = &mut *state;
        let (mut refused, mut masks, mut touched) = (Vec::new(), Vec::new(), BTreeSet::new());
        for ((kind, id), referrer) in referrers.iter_mut() {
            match self.texts(referrer) {
                Ok(texts) => {
                    masks.extend(referrer.masks(&texts));
                    if referrer.renew(texts) {
                        touched.insert(*kind);
                    }
                }
                Err(reason) => {
                    let modified = referrer.source.modified;
                    refused.push(RefusedResource { kind: *kind, id: id.clone(), modified, reason });
                }
            }
        }
        let mut filled = resources.clone();
        let kinds: BTreeSet<Kind> = referrers.keys().map(|(kind, _)| *kind).collect();
        for kind in kinds {
            if resources.shares(made_of, kind) && !touched.contains(&kind) {
                filled.adopt(kind, made);
                continue;
            }
            for ((_, id), referrer) in referrers.iter().filter(|((of, _), _)| *of == kind) {
                match &referrer.live {
                    Some(live) => filled.put(live.record.clone()),
                    None => drop(filled.remove(kind, id, resources.revision)),
                }
            }
        }
        (*made, *made_of) = (filled.clone(), resources.clone());
        // A secret that is part of another one would leave the rest of it to be read.
        masks.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        Filled { resources: filled, refused, masks }
    }

    /// What stands at each place of a resource, or why it cannot be had.
    fn texts(&self, referrer: &Referrer) -> Result<Vec<String>, String> {
        let text = |place: &Place| {
            let found = match &place.source {
                Source::Manager(reference) => self.keeper.value(reference),
                Source::Here(found) => found.clone(),
            };
            found.map_err(|why| format!("{} refers to {}, but {why}", place.name(), place.written))
        };
        referrer.places.iter().map(text).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Referrer {
    fn masks<'a>(&'a self, texts: &'a [String]) -> impl Iterator<Item = (String, String)> + 'a {
        let pairs = texts.iter().zip(&self.places).filter(|(text, _)| !text.is_empty());
        pairs.map(|(text, place)| (text.clone(), place.written.clone()))
    }

    /// Puts texts in. Answers whether it is another resource by that.
    fn renew(&mut self, texts: Vec<String>) -> bool {
        let is_same = |live: &Live| Arc::ptr_eq(&live.source, &self.source) && live.texts == texts;
        if self.live.as_ref().is_some_and(is_same) {
            return false;
        }
        let mut record = Record::clone(&self.source);
        for (place, text) in self.places.iter().zip(&texts) {
            if let Some(value) = record.value.pointer_mut(&place.pointer) {
                *value = text.as_str().into();
            }
        }
        self.live = Some(Live { source: self.source.clone(), texts, record: Arc::new(record) });
        true
    }
}
