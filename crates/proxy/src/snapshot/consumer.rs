//! Who may call, by key and by name, and what of plugins comes with them: a change costs what it touches.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use http::StatusCode;
use imbl::{HashMap as Shared, OrdMap};
use lockgate_plugin::{BuildContext, Consumer, Credential, Error, Layer, Pipeline};
use lockgate_resource::{Id, Kind, Plugins, Record, RefusedResource, Resources};

use super::compile::refusal;
use super::{CompiledRoute, Compiler, Snapshot};

/// How many pairs of a route and a consumer a worker keeps merged.
const PAIRS: usize = 4096;

/// The kinds in the order in which they need each other.
const KINDS: [Kind; 3] = [Kind::ConsumerGroup, Kind::Consumer, Kind::Credential];

/// Everybody who may call.
#[derive(Clone, Default)]
pub(super) struct Consumers {
    by_name: OrdMap<Id, Arc<CompiledConsumer>>,
    groups: OrdMap<Id, Arc<Layer>>,
    /// By the plugin, then by the key. The maps hash with a key of their own, and nothing is compared but what
    /// hashes alike: the time of a look-up says nothing of the keys there are.
    keys: BTreeMap<String, Shared<Box<[u8]>, Arc<Credential>>>,
    /// What each consumer and credential has in `keys`.
    claims: OrdMap<(usize, Id), Arc<Vec<Claim>>>,
    refused: BTreeSet<(usize, Id)>,
}

/// A consumer, and the plugins that come with it.
struct CompiledConsumer {
    consumer: Arc<Consumer>,
    layer: Option<Layer>,
}

/// A key of a plugin.
type Claim = (String, String);

impl Consumers {
    /// The credential with this key.
    pub(super) fn credential(&self, plugin: &str, key: &[u8]) -> Option<&Arc<Credential>> {
        self.keys.get(plugin)?.get(key)
    }

    /// A consumer by name.
    pub(super) fn consumer(&self, name: &str) -> Option<&Arc<Consumer>> {
        self.by_name.get(name).map(|compiled| &compiled.consumer)
    }

    /// Takes on what has changed from the second set to the first. `all` says that plugins have to be built anew though
    /// nothing has. Who cannot be compiled may not call, as what was taken back may be why.
    pub(super) fn renew(
        &mut self,
        (resources, before): (&Resources, &Resources),
        all: bool,
        compiler: &Compiler,
        build: &BuildContext,
        refused: &mut Vec<RefusedResource>,
    ) {
        let mut due = Vec::new();
        let again = std::mem::take(&mut self.refused);
        for kind in KINDS {
            let (changed, gone) = resources.changes(before, kind);
            for id in gone {
                self.forget(kind, &id);
            }
            let mut records: BTreeMap<&Id, &Arc<Record>> =
                changed.into_iter().map(|record| (&record.id, record)).collect();
            let again = again.iter().filter(|(of, _)| *of == kind as usize);
            records.extend(again.filter_map(|(_, id)| resources.of(kind).get_key_value(id)));
            if all && kind != Kind::Credential {
                records.extend(resources.of(kind).iter());
            }
            due.extend(records.into_values());
        }
        let previous = self.clone();
        // A key may go from one to another in one change.
        for record in &due {
            self.forget(record.kind, &record.id);
        }
        for record in due {
            if let Err(reason) = self.take(record, &previous, compiler, build) {
                self.refused.insert((record.kind as usize, record.id.clone()));
                refused.push(refusal(record, reason));
            }
        }
    }

    fn forget(&mut self, kind: Kind, id: &Id) {
        match kind {
            Kind::Consumer => drop(self.by_name.remove(id)),
            Kind::ConsumerGroup => drop(self.groups.remove(id)),
            _ => {}
        }
        let claims = self.claims.remove(&(kind as usize, id.clone()));
        for (plugin, key) in claims.iter().flat_map(|claims| claims.iter()) {
            if let Some(keys) = self.keys.get_mut(plugin) {
                keys.remove(key.as_bytes());
            }
        }
    }

    fn take(
        &mut self,
        record: &Record,
        previous: &Self,
        compiler: &Compiler,
        build: &BuildContext,
    ) -> Result<(), String> {
        let id = &record.id;
        match record.kind {
            Kind::ConsumerGroup => {
                let group = lockgate_resource::ConsumerGroup::from_value(&record.value)?;
                let before = previous.groups.get(id).map(|layer| &**layer);
                let layer = Layer::build(&group.plugins, &compiler.registry, build, before)?;
                self.groups.insert(id.clone(), Arc::new(layer));
            }
            Kind::Consumer => self.take_consumer(record, previous, compiler, build)?,
            _ => {
                let read = lockgate_resource::Credential::from_value(&record.value)?;
                let name = id.parent().unwrap_or_default();
                if !self.by_name.contains_key(name) {
                    return Err(format!("consumer [{name}] does not exist"));
                }
                let (credentials, _) = sorted(read.plugins, (name, Some(id.own())), compiler)?;
                self.claim(record, credentials)?;
            }
        }
        Ok(())
    }

    fn take_consumer(
        &mut self,
        record: &Record,
        previous: &Self,
        compiler: &Compiler,
        build: &BuildContext,
    ) -> Result<(), String> {
        let read = lockgate_resource::Consumer::from_value(&record.value)?;
        let missing = read.group_id.as_ref().filter(|id| !self.groups.contains_key(id.as_str()));
        if let Some(id) = missing {
            return Err(format!("consumer group [{id}] does not exist"));
        }
        let (credentials, others) = sorted(read.plugins, (record.id.as_str(), None), compiler)?;
        let before = previous.by_name.get(&record.id).and_then(|before| before.layer.as_ref());
        let layer = (!others.is_empty()).then(|| Layer::build(&others, &compiler.registry, build, before));
        let layer = layer.transpose()?;
        self.claim(record, credentials)?;
        let group_id = read.group_id.map(|id| id.to_string());
        let custom_id = read.labels.get("custom_id").cloned();
        let consumer = Arc::new(Consumer::new(read.username, group_id, custom_id, layer.is_some()));
        self.by_name.insert(record.id.clone(), Arc::new(CompiledConsumer { consumer, layer }));
        Ok(())
    }

    /// Puts credentials in, unless one of them is somebody else's.
    fn claim(&mut self, record: &Record, credentials: Vec<(Claim, Credential)>) -> Result<(), String> {
        for ((plugin, key), _) in &credentials {
            if let Some(owner) = self.credential(plugin, key.as_bytes()) {
                let of = match &owner.id {
                    Some(id) => format!("credential: {id} of consumer: {}", owner.consumer),
                    None => format!("consumer: {}", owner.consumer),
                };
                return Err(format!("duplicate key of plugin {plugin} found with {of}"));
            }
        }
        let mut claims = Vec::with_capacity(credentials.len());
        for (claim, credential) in credentials {
            let keys = self.keys.entry(claim.0.clone()).or_default();
            keys.insert(claim.1.as_bytes().into(), Arc::new(credential));
            claims.push(claim);
        }
        if !claims.is_empty() {
            self.claims.insert((record.kind as usize, record.id.clone()), Arc::new(claims));
        }
        Ok(())
    }
}

/// What shows who calls, and the plugins that run for the requests.
fn sorted(
    plugins: Plugins,
    (consumer, id): (&str, Option<&str>),
    compiler: &Compiler,
) -> Result<(Vec<(Claim, Credential)>, Plugins), String> {
    let (mut credentials, mut others) = (Vec::new(), Plugins::default());
    for (name, config) in plugins {
        if compiler.registry.get(&name).is_none_or(|plugin| !plugin.is_auth()) {
            others.insert(name, config);
            continue;
        }
        let checked = compiler.registry.credential(&name, &config, &*compiler.build.secrets);
        let (key, config) = checked
            .map_err(|why| format!("plugin {name}: {why}"))?
            .ok_or_else(|| format!("plugin {name}: a secret that it refers to is not at hand"))?;
        let id = id.map(str::to_owned);
        credentials.push(((name, key), Credential::new(consumer.to_owned(), id, config)));
    }
    Ok((credentials, others))
}

/// What a worker has merged, of one snapshot.
#[derive(Default)]
struct Pairs {
    identity: Option<Arc<()>>,
    merged: HashMap<(usize, usize), Rc<Pipeline>>,
}

thread_local! {
    static MERGED: RefCell<Pairs> = RefCell::default();
}

impl Snapshot {
    /// The plugins of a route with those of the consumer and its group over them; `None` where these have none. A pair
    /// is merged once by each worker, and kept while its snapshot is the one that is asked.
    pub(crate) fn merged(
        &self,
        route: &CompiledRoute,
        consumer: &Arc<Consumer>,
    ) -> Result<Option<Rc<Pipeline>>, Error> {
        let Some(own) = self.consumers.by_name.get(consumer.name.as_str()) else { return Ok(None) };
        let group = match &consumer.group_id {
            None => None,
            Some(id) => Some(self.consumers.groups.get(id.as_str()).ok_or_else(|| Error {
                status: StatusCode::SERVICE_UNAVAILABLE,
                message: format!("consumer group [{id}] does not exist"),
            })?),
        };
        let layers: Vec<&Layer> = own.layer.iter().chain(group.map(|group| &**group)).collect();
        if layers.is_empty() {
            return Ok(None);
        }
        MERGED.with_borrow_mut(|pairs| {
            let is_same = pairs.identity.as_ref().is_some_and(|known| Arc::ptr_eq(known, &self.identity));
            if !is_same || pairs.merged.len() >= PAIRS {
                pairs.merged.clear();
                pairs.identity = Some(self.identity.clone());
            }
            // Both live as long as the snapshot, so nobody else has their places meanwhile.
            let pair = (std::ptr::from_ref(route).addr(), Arc::as_ptr(own).addr());
            let merged = pairs.merged.entry(pair);
            Ok(Some(merged.or_insert_with(|| Rc::new(route.pipeline.under(&layers))).clone()))
        })
    }
}

#[cfg(test)]
mod tests;
