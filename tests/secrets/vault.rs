//! What stands in for Vault: reads of version 1 of its key-value engine, by one token.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lockgate_tests::{FakeUpstream, Then};
use serde_json::{Value, json};

/// The token that it takes.
pub(crate) const TOKEN: &str = "token-of-the-gateway";

#[derive(Default)]
struct State {
    secrets: BTreeMap<String, Value>,
    is_away: bool,
}

pub(crate) struct Vault {
    state: Arc<Mutex<State>>,
    upstream: FakeUpstream,
}

impl Vault {
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let held = state.clone();
        let upstream = FakeUpstream::start(move |request, connection| {
            let state = held.lock().unwrap_or_else(PoisonError::into_inner);
            let path = request.target().strip_prefix("/v1/kv/apisix/").unwrap_or_default();
            let (status, body) = match state.secrets.get(path) {
                _ if state.is_away => ("503 Service Unavailable", json!({"errors": ["Vault is sealed"]})),
                _ if request.head.get("x-vault-token") != Some(TOKEN) => {
                    ("403 Forbidden", json!({"errors": ["permission denied"]}))
                }
                Some(data) => ("200 OK", json!({"lease_duration": 2_764_800, "data": data})),
                None => ("404 Not Found", json!({"errors": []})),
            };
            connection.answer(status, &[], body.to_string()).map(|()| Then::Keep)
        });
        Self { state, upstream }
    }

    /// Puts a secret at a path below `kv/apisix`.
    pub(crate) fn has(&self, path: &str, data: &Value) {
        self.state().secrets.insert(path.to_owned(), data.clone());
    }

    pub(crate) fn is_away(&self, is: bool) {
        self.state().is_away = is;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The targets that were asked for since this was asked last.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.upstream.pending().iter().map(|request| request.target().to_owned()).collect()
    }

    /// How it is reached, with the token from the environment.
    pub(crate) fn resource(&self) -> Value {
        json!({"uri": format!("http://{}", self.upstream.node()), "prefix": "kv/apisix", "token": "$ENV://TOKEN"})
    }
}
