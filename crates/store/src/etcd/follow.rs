//! How this node learns of changes: everything once, then the watch from there on, and everything again where the watch
//! cannot go on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use lockgate_resource::{Id, Kind, Resources, Revision};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::client::{Client, Failure};
use super::wire::{Entry, Keys, number, revision_of};
use crate::Condition;

/// How many keys are read at once.
const PAGE: usize = 1000;
/// How long is waited before etcd is tried again: at first, and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

pub(super) struct Follower {
    client: Arc<Client>,
    keys: Keys,
    resources: Arc<watch::Sender<Resources>>,
    condition: watch::Sender<Condition>,
    /// Everything up to this revision was seen; `None` where everything has to be read.
    seen: Option<Revision>,
    /// Which cluster that was.
    cluster: u64,
}

/// Why a watch ended.
enum End {
    /// It was silent: it may go on where it was.
    Silent,
    /// What it would go on from is not in etcd's history: compacted, or another cluster's, or not yet written.
    Lost(&'static str),
    Failed(Failure),
}

impl Follower {
    pub(super) fn new(
        client: Arc<Client>,
        keys: Keys,
        resources: Arc<watch::Sender<Resources>>,
        condition: watch::Sender<Condition>,
    ) -> Self {
        Self { client, keys, resources, condition, seen: None, cluster: 0 }
    }

    /// Notes that etcd is away.
    pub(super) fn note(&self, failure: &Failure) {
        self.condition.send_modify(|condition| condition.trouble = Some(failure.to_string()));
    }

    /// Follows for as long as it is let.
    pub(super) async fn run(mut self) {
        let mut pause = PATIENCE.0;
        loop {
            let failure = match self.seen {
                None => self.read_all().await.err(),
                Some(seen) => match self.watch(seen).await {
                    End::Silent => None,
                    End::Lost(why) => {
                        tracing::warn!(
                            revision = seen.0,
                            why,
                            "the watch cannot go on: everything is read again"
                        );
                        self.seen = None;
                        None
                    }
                    End::Failed(failure) => Some(failure),
                },
            };
            let Some(failure) = failure else {
                pause = PATIENCE.0;
                continue;
            };
            tracing::warn!(%failure, "etcd is away: what was read last is served");
            self.note(&failure);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PATIENCE.1);
        }
    }

    /// Reads everything at one revision. What is unchanged keeps its record, so nothing of it is compiled again.
    pub(super) async fn read_all(&mut self) -> Result<(), Failure> {
        let (mut first, end) = self.keys.all();
        let (mut at, mut next) = (None, self.resources.borrow().clone());
        let mut there: BTreeSet<(Kind, Id)> = BTreeSet::new();
        loop {
            let revision = at.map_or(0, |Revision(revision)| revision).to_string();
            let page =
                json!({"key": first, "range_end": end, "limit": PAGE.to_string(), "revision": revision});
            let answer = self.client.call("/v3/kv/range", &page).await?;
            at.get_or_insert(revision_of(&answer["header"]));
            self.cluster = number(&answer["header"]["cluster_id"]);
            let kvs = answer["kvs"].as_array().map(Vec::as_slice).unwrap_or_default();
            for kv in kvs {
                if let Some(resource) = self.keys.resource(&kv["key"]) {
                    there.insert(resource);
                }
                self.take(&mut next, kv);
            }
            match (answer["more"] == true, kvs.last()) {
                // A key and a zero byte is what comes right after the key.
                (true, Some(last)) => first = after(&last["key"])?,
                _ => break,
            }
        }
        let revision = at.unwrap_or_default();
        for kind in Kind::ALL {
            let gone: Vec<_> =
                next.of(kind).keys().filter(|id| !there.contains(&(kind, (*id).clone()))).cloned().collect();
            for id in gone {
                next.remove(kind, &id, revision);
            }
        }
        // A store that was restored may be at an older revision than before.
        next.revision = revision;
        self.resources.send_replace(next);
        self.condition.send_replace(Condition::SOUND);
        self.seen = Some(revision);
        Ok(())
    }

    /// Takes changes in until the watch ends.
    async fn watch(&mut self, from: Revision) -> End {
        let (first, end) = self.keys.all();
        let start = (from.0 + 1).to_string();
        let create = json!({"create_request": {"key": first, "range_end": end, "start_revision": start}});
        let mut messages = match self.client.stream("/v3/watch", &create).await {
            Ok(messages) => messages,
            Err(failure) => return End::Failed(failure),
        };
        self.condition.send_if_modified(|condition| condition.trouble.take().is_some());
        loop {
            let message = match tokio::time::timeout(self.client.watch_timeout(), messages.next()).await {
                Err(_) => return End::Silent,
                Ok(Ok(Some(message))) => message,
                Ok(Ok(None)) => return End::Failed(Failure::Away("the watch has ended".to_owned())),
                Ok(Err(failure)) => return End::Failed(failure),
            };
            let result = &message["result"];
            if message.get("error").is_some() {
                return End::Failed(Failure::Garbled(message["error"]["message"].to_string()));
            }
            if number(&result["compact_revision"]) > 0 {
                return End::Lost("etcd has compacted its history");
            }
            let header = &result["header"];
            if number(&header["cluster_id"]) != self.cluster || revision_of(header) < from {
                return End::Lost("etcd was restored");
            }
            if result["canceled"] == true {
                return End::Failed(Failure::Away(result["cancel_reason"].to_string()));
            }
            self.apply(result);
        }
    }

    /// Makes the changes of one message, all at once.
    fn apply(&mut self, result: &Value) {
        let Some(events) = result["events"].as_array().filter(|events| !events.is_empty()) else {
            return;
        };
        // The header tells the revision etcd is at, which may be beyond what it has sent.
        let revision = events
            .iter()
            .map(|event| number(&event["kv"]["mod_revision"]))
            .max()
            .map_or(Revision(0), Revision);
        self.resources.send_modify(|resources| {
            for event in events {
                let kv = &event["kv"];
                if event["type"] != "DELETE" {
                    self.take(resources, kv);
                } else if let Some((kind, id)) = self.keys.resource(&kv["key"]) {
                    resources.remove(kind, &id, Revision(number(&kv["mod_revision"])));
                }
            }
            resources.revision = resources.revision.max(revision);
        });
        self.seen = self.seen.max(Some(revision));
    }

    /// Takes one key's value in, unless it is there as it is.
    fn take(&self, resources: &mut Resources, kv: &Value) {
        match self.keys.entry(kv) {
            Entry::Resource(record) => {
                let known = resources.get(record.kind, record.id.as_str());
                if known.is_none_or(|known| **known != record) {
                    resources.insert(record);
                }
            }
            Entry::Other => {}
            Entry::Unreadable(key, reason) => {
                tracing::error!(key, reason, "resource in etcd cannot be read and keeps its last good form");
            }
        }
    }
}

/// The key right after this one, both encoded.
fn after(key: &Value) -> Result<String, Failure> {
    use base64::Engine;
    let decoded = base64::engine::general_purpose::STANDARD.decode(key.as_str().unwrap_or_default());
    let mut bytes = decoded.map_err(|_| Failure::Garbled("a key is not base64".to_owned()))?;
    bytes.push(0);
    Ok(super::encoded(&bytes))
}
