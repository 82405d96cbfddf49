//! The settings a test's gateway starts with.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::gateway::ADMIN_KEY;

/// Settings of one gateway; what is not set here is the program's default.
#[derive(Clone, Default)]
pub struct Settings {
    pub(crate) patches: Vec<(String, Value)>,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) data: Option<PathBuf>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) program: Option<PathBuf>,
    pub(crate) beside: Vec<(String, String)>,
    pub(crate) lacks_admin: bool,
    pub(crate) lacks_proxy: bool,
}

impl Settings {
    /// The defaults: one worker, one listener for HTTP/1.1 and HTTP/2, Admin API with a known key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key by its dotted path, for instance `nginx_config.worker_processes`.
    #[must_use]
    pub fn set(mut self, path: &str, value: Value) -> Self {
        self.patches.push((path.to_owned(), value));
        self
    }

    /// Adds a command line argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Maps a name to an address as `--resolve HOST:PORT:ADDRESS:PORT` does.
    #[must_use]
    pub fn resolve(self, mapping: impl Into<String>) -> Self {
        self.argument("--resolve").argument(mapping)
    }

    /// Writes a file beside the settings before the first start.
    #[must_use]
    pub fn beside(mut self, name: &str, text: impl Into<String>) -> Self {
        self.beside.push((name.to_owned(), text.into()));
        self
    }

    /// Does not wait for the Admin API, as these settings have none.
    #[must_use]
    pub fn without_admin(mut self) -> Self {
        self.lacks_admin = true;
        self
    }

    /// Does not wait for the data plane, as these settings have none.
    #[must_use]
    pub fn without_proxy(mut self) -> Self {
        self.lacks_proxy = true;
        self
    }

    /// Sets a variable in the program's environment.
    #[must_use]
    pub fn environment(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Uses this data directory in place of a fresh one.
    #[must_use]
    pub fn data(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data = Some(directory.into());
        self
    }

    /// Starts with this file, which takes the variables `LOCKGATE_IP`, `LOCKGATE_PORT`, `LOCKGATE_ADMIN_PORT`,
    /// `LOCKGATE_CONTROL_PORT` and `LOCKGATE_METRICS_PORT`.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Starts this program in place of the one under test, a link to it as a rule.
    #[must_use]
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = Some(path.into());
        self
    }

    /// The configuration file, with these ports of the data plane, the Admin API, the Control API, probes and metrics;
    /// JSON is YAML.
    pub(crate) fn render(&self, [proxy, admin, control, status, metrics]: [u16; 5]) -> String {
        let mut file = json!({
            "apisix": {
                "node_listen": [{"ip": "127.0.0.1", "port": proxy, "enable_http2": true}],
                "ssl": {"enable": false},
                "control": {"ip": "127.0.0.1", "port": control},
                "status": {"ip": "127.0.0.1", "port": status},
            },
            "deployment": {"admin": {
                "admin_key": [{"name": "admin", "key": ADMIN_KEY, "role": "admin"}],
                "admin_listen": {"ip": "127.0.0.1", "port": admin},
            }},
            "nginx_config": {"worker_processes": 1},
            "plugin_attr": {"prometheus": {"export_addr": {"ip": "127.0.0.1", "port": metrics}}},
        });
        for (path, value) in &self.patches {
            let mut at = &mut file;
            for key in path.split('.') {
                at = &mut at[key];
            }
            *at = value.clone();
        }
        serde_json::to_string_pretty(&file).expect("a JSON value can be written")
    }
}
