//! For clusters: resources in etcd, under the keys and in the JSON of APISIX, so that both may share one prefix.
//!
//! etcd is spoken to by its JSON gateway (`/v3/…`, etcd 3.4 and later), as APISIX does. A write is one transaction,
//! which also holds what it refers to; what is served comes from the watch alone, on every node alike.

mod client;
mod follow;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lockgate_resource::{Id, Kind, Resources, Revision, check_references, check_unused, references};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{Answer, Change, Condition, Expect, Store, StoreError};
use client::Client;
use follow::Follower;
use wire::{Keys, encoded, revision_of};

/// How often a write is tried that others keep getting in the way of.
const ATTEMPTS: usize = 8;
/// How long is waited to see what got in a write's way.
const BEHIND: Duration = Duration::from_millis(200);
/// How long a write waits to be seen by this node's own watch. It is kept by then, seen or not.
const SEEN: Duration = Duration::from_secs(5);

/// Where etcd is, and how it is spoken to.
#[derive(Clone)]
pub struct EtcdSettings {
    /// Its members, as `http://` or `https://` addresses: the next is asked where one does not answer.
    pub hosts: Vec<String>,
    /// What all keys begin with: `/apisix`.
    pub prefix: String,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long a watch may be silent before it is begun anew: so a connection that is only half there is noticed.
    pub watch_timeout: Duration,
    /// User and password, where etcd asks for them.
    pub user: Option<(String, String)>,
    /// TLS for `https://`.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The name that certificates are verified for, where it is not the host's.
    pub server_name: Option<String>,
}

impl fmt::Debug for EtcdSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdSettings")
            .field("hosts", &self.hosts)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// Keeps resources in etcd. While etcd is away, what was read last is still there, and writes are refused.
pub struct EtcdStore {
    client: Arc<Client>,
    keys: Keys,
    resources: Arc<watch::Sender<Resources>>,
    condition: watch::Receiver<Condition>,
    follower: JoinHandle<()>,
}

impl EtcdStore {
    /// Reads everything, and goes on following changes on the runtime it is called on. Where etcd does not answer,
    /// it says so and begins with nothing: what there is comes as soon as etcd does.
    pub async fn open(settings: EtcdSettings) -> Result<Arc<Self>, StoreError> {
        let keys = Keys::new(&settings.prefix);
        let client = Arc::new(Client::new(settings).map_err(StoreError::Unavailable)?);
        let resources = Arc::new(watch::Sender::new(Resources::default()));
        let (sender, condition) = watch::channel(Condition::default());
        let mut follower = Follower::new(client.clone(), keys.clone(), resources.clone(), sender);
        if let Err(failure) = follower.read_all().await {
            tracing::error!(%failure, "etcd cannot be read; it is tried again");
            follower.note(&failure);
        }
        let follower = tokio::spawn(follower.run());
        Ok(Arc::new(Self { client, keys, resources, condition, follower }))
    }

    async fn make(&self, change: &Change, expect: Expect) -> Result<Revision, StoreError> {
        // What it goes with cannot be told before anything was read.
        if let Some(obstacle) = self.condition.borrow().obstacle() {
            return Err(StoreError::Unavailable(obstacle));
        }
        let lease = self.lease(change).await?;
        let made = self.try_to_make(change, expect, lease.as_ref()).await;
        if let (Some(lease), Err(_)) = (&lease, &made) {
            // Nothing depends on it: what is not given back ends by itself.
            drop(self.client.call("/v3/lease/revoke", &json!({"ID": lease})).await);
        }
        made
    }

    /// What ends a resource that is not to live for good: etcd counts in whole seconds.
    async fn lease(&self, change: &Change) -> Result<Option<Value>, StoreError> {
        let Change::Put { ttl: Some(ttl), .. } = change else { return Ok(None) };
        let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0));
        let answer = self.client.call("/v3/lease/grant", &json!({"TTL": seconds.to_string()})).await;
        let answer = answer.map_err(|failure| StoreError::Unavailable(failure.to_string()))?;
        Ok(Some(answer["ID"].clone()))
    }

    async fn try_to_make(
        &self,
        change: &Change,
        expect: Expect,
        lease: Option<&Value>,
    ) -> Result<Revision, StoreError> {
        let (Change::Put { kind, id, .. } | Change::Delete { kind, id }) = change;
        let mut fresh = self.resources.subscribe();
        for _ in 0..ATTEMPTS {
            let seen = self.resources.borrow().clone();
            holds(&seen, change, expect)?;
            let request = self.transaction(change, expect, &seen, lease);
            let answer = self.client.call("/v3/kv/txn", &request).await;
            let answer = answer.map_err(|failure| StoreError::Unavailable(failure.to_string()))?;
            if answer["succeeded"] == true {
                let revision = revision_of(&answer["header"]);
                // What this node knows is what it has seen: so a write is read by whoever made it.
                let is_seen = fresh.wait_for(|resources| resources.revision >= revision);
                let _ = tokio::time::timeout(SEEN, is_seen).await;
                return Ok(revision);
            }
            // Something got in its way that this node has not seen yet.
            let has_moved = fresh.wait_for(|resources| resources.revision > seen.revision);
            let _ = tokio::time::timeout(BEHIND, has_moved).await;
        }
        Err(StoreError::Conflict(kind.key(id)))
    }

    /// The change, and what must hold for it when etcd makes it.
    fn transaction(&self, change: &Change, expect: Expect, seen: &Resources, lease: Option<&Value>) -> Value {
        let (Change::Put { kind, id, .. } | Change::Delete { kind, id }) = change;
        let key = self.keys.of(*kind, id);
        let mut compare = Vec::new();
        match expect {
            Expect::Anything => {}
            Expect::Absent => compare.push(json!({"key": key, "target": "CREATE", "create_revision": "0"})),
            Expect::Unchanged(revision) => {
                compare.push(json!({"key": key, "target": "MOD", "mod_revision": revision.0.to_string()}));
            }
        }
        let operation = match change {
            Change::Put { value, .. } => {
                compare.extend(references(value).iter().map(|(kind, id)| self.exists(*kind, id)));
                compare.extend(parent(*kind, id).map(|consumer| self.exists(Kind::Consumer, &consumer)));
                let mut put = json!({"key": key, "value": encoded(value.to_string().as_bytes())});
                if let Some(lease) = lease {
                    put["lease"] = lease.clone();
                }
                json!({"request_put": put})
            }
            Change::Delete { .. } => {
                compare.push(self.exists(*kind, id));
                // Who is not used by anything that this node has seen must not be used by anything newer.
                if check_unused(seen, *kind, id.as_str()).is_ok() {
                    let newer = (seen.revision.0 + 1).to_string();
                    let (first, end) = self.keys.all();
                    compare.push(json!({"key": first, "range_end": end, "target": "MOD", "result": "LESS", "mod_revision": newer}));
                }
                json!({"request_delete_range": {"key": key}})
            }
        };
        json!({"compare": compare, "success": [operation]})
    }

    fn exists(&self, kind: Kind, id: &Id) -> Value {
        json!({"key": self.keys.of(kind, id), "target": "CREATE", "result": "GREATER", "create_revision": "0"})
    }
}

/// Whether the change may be made, as far as this node knows.
fn holds(seen: &Resources, change: &Change, expect: Expect) -> Result<(), StoreError> {
    let (Change::Put { kind, id, .. } | Change::Delete { kind, id }) = change;
    let current = seen.get(*kind, id.as_str());
    let is_expected = match expect {
        Expect::Anything => true,
        Expect::Absent => current.is_none(),
        Expect::Unchanged(revision) => current.is_some_and(|record| record.modified == revision),
    };
    let conflict = || StoreError::Conflict(kind.key(id));
    if !is_expected {
        return Err(conflict());
    }
    match change {
        Change::Put { value, .. } => {
            let has_parent =
                parent(*kind, id).is_none_or(|id| seen.get(Kind::Consumer, id.as_str()).is_some());
            let is_sound = has_parent && check_references(seen, value).is_ok();
            is_sound.then_some(()).ok_or_else(conflict)
        }
        Change::Delete { .. } if current.is_none() => Err(StoreError::Missing(kind.key(id))),
        Change::Delete { .. } => Ok(()),
    }
}

/// The consumer that a credential belongs to.
fn parent(kind: Kind, id: &Id) -> Option<Id> {
    id.parent()
        .filter(|_| kind == Kind::Credential)
        .and_then(|consumer| Id::of(Kind::Consumer, consumer).ok())
}

impl Store for EtcdStore {
    fn commit(&self, change: Change, expect: Expect) -> Answer<'_, Revision> {
        Box::pin(async move { self.make(&change, expect).await })
    }

    fn watch(&self) -> watch::Receiver<Resources> {
        self.resources.subscribe()
    }

    fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.clone()
    }
}

impl Drop for EtcdStore {
    fn drop(&mut self) {
        self.follower.abort();
    }
}
