//! Names to addresses: pinned ones first, then DNS, asked again when its time to live has passed.
//!
//! A name that has addresses keeps answering with them while it is asked again, so only the first request to a
//! name waits for DNS.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use hickory_resolver::TokioResolver;
use tokio::runtime::Handle;

/// How long an answer is kept at least and at most, whatever DNS says.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);
/// How long a name that does not resolve any more is served from its last answer before it is asked again.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Resolves names; a clone shares everything.
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Handle,
    dns: Result<TokioResolver, String>,
    pinned: HashMap<(String, u16), SocketAddr>,
    names: Mutex<HashMap<(String, u16), Weak<Name>>>,
}

/// A name and what it resolves to, shared by every peer that has it.
pub(crate) struct Name {
    host: Box<str>,
    port: u16,
    resolver: Resolver,
    known: ArcSwapOption<Known>,
    is_refreshing: AtomicBool,
    next: AtomicUsize,
}

pub(crate) struct Known {
    addresses: Vec<SocketAddr>,
    until: Instant,
}

impl Resolver {
    /// Asks DNS on `runtime`; `pinned` names are never asked for, and the first of two that are alike counts.
    pub fn new(runtime: Handle, pinned: impl IntoIterator<Item = ((String, u16), SocketAddr)>) -> Self {
        let dns = TokioResolver::builder_tokio()
            .and_then(hickory_resolver::ResolverBuilder::build)
            .map_err(|error| error.to_string());
        let mut first = HashMap::new();
        for ((host, port), to) in pinned {
            first.entry((host.to_ascii_lowercase(), port)).or_insert(to);
        }
        Self { inner: Arc::new(Inner { runtime, dns, pinned: first, names: Mutex::default() }) }
    }

    /// Where work for a resolver's users runs off the request path.
    pub fn runtime(&self) -> &Handle {
        &self.inner.runtime
    }

    /// The addresses of a host, an IPv6 address in brackets or not, for those who connect by themselves.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match (self.pinned(bare, port), bare.parse()) {
            (Some(address), _) => Ok(vec![address]),
            (None, Ok(ip)) => Ok(vec![SocketAddr::new(ip, port)]),
            (None, Err(_)) => self.name(bare, port).addresses().await,
        }
    }

    pub(crate) fn pinned(&self, host: &str, port: u16) -> Option<SocketAddr> {
        self.inner.pinned.get(&(host.to_ascii_lowercase(), port)).copied()
    }

    pub(crate) fn name(&self, host: &str, port: u16) -> Arc<Name> {
        let mut names = self.inner.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|_, name| name.strong_count() > 0);
        let key = (host.to_ascii_lowercase(), port);
        if let Some(name) = names.get(&key).and_then(Weak::upgrade) {
            return name;
        }
        let name = Arc::new(Name {
            host: host.into(),
            port,
            resolver: self.clone(),
            known: ArcSwapOption::empty(),
            is_refreshing: AtomicBool::new(false),
            next: AtomicUsize::new(0),
        });
        names.insert(key, Arc::downgrade(&name));
        name
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Name {
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The addresses in the order to try them: it moves on by one with each call.
    pub(crate) async fn addresses(self: &Arc<Self>) -> Result<Vec<SocketAddr>, String> {
        let known = match self.known.load_full() {
            Some(known) if Instant::now() < known.until => known,
            Some(known) => {
                self.refresh_aside();
                known
            }
            None => self.refresh().await?,
        };
        let mut addresses = known.addresses.clone();
        let shift = self.next.fetch_add(1, Ordering::Relaxed) % addresses.len().max(1);
        addresses.rotate_left(shift);
        Ok(addresses)
    }

    /// Whether a connection to this address is still one to this name.
    pub(crate) fn is_current(&self, address: SocketAddr) -> bool {
        self.known.load().as_ref().is_none_or(|known| known.addresses.contains(&address))
    }

    fn refresh_aside(self: &Arc<Self>) {
        if !self.is_refreshing.swap(true, Ordering::AcqRel) {
            let this = self.clone();
            self.resolver.inner.runtime.spawn(async move {
                if let Err(reason) = this.look_up().await {
                    tracing::warn!(
                        host = &*this.host,
                        reason,
                        "name does not resolve any more, its last addresses serve"
                    );
                    this.keep_for(AFTER_FAILURE);
                }
                this.is_refreshing.store(false, Ordering::Release);
            });
        }
    }

    async fn refresh(self: &Arc<Self>) -> Result<Arc<Known>, String> {
        let this = self.clone();
        let task = self.resolver.inner.runtime.spawn(async move { this.look_up().await });
        task.await.map_err(|_| "the resolver is stopping".to_owned())?
    }

    async fn look_up(&self) -> Result<Arc<Known>, String> {
        let dns = self.resolver.inner.dns.as_ref().map_err(Clone::clone)?;
        let answer = dns.lookup_ip(&*self.host).await.map_err(|error| error.to_string())?;
        let mut addresses: Vec<_> = answer.iter().map(|ip| SocketAddr::new(ip, self.port)).collect();
        // IPv4 first: a host without IPv6 would pay for each connection attempt.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        if addresses.is_empty() {
            return Err("it has no addresses".to_owned());
        }
        let time_to_live = answer.valid_until().saturating_duration_since(Instant::now());
        let until = Instant::now() + time_to_live.clamp(SHORTEST, LONGEST);
        let known = Arc::new(Known { addresses, until });
        self.known.store(Some(known.clone()));
        Ok(known)
    }

    fn keep_for(&self, time: Duration) {
        if let Some(known) = self.known.load_full() {
            let addresses = known.addresses.clone();
            self.known.store(Some(Arc::new(Known { addresses, until: Instant::now() + time })));
        }
    }
}
