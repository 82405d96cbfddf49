//! Where resources are kept: in a file of this gateway, in etcd, or in memory, from a file or a call.

mod left;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use lockgate_http::tls;
use lockgate_store::document::Format;
use lockgate_store::{
    Check, EtcdSettings, EtcdStore, RedbStore, StandaloneFile, StandaloneStore, Store, StoreError,
};

use crate::settings::{Deployment, DeploymentRole, Etcd, Provider, Settings};

/// The store, and the file it is in, where it is one.
pub(crate) struct Kept {
    store: Arc<dyn Store>,
    file: Option<Arc<RedbStore>>,
    source: Option<Source>,
    /// What the Admin API is told, and where it is left for the next process.
    told: Option<(Arc<StandaloneStore>, PathBuf)>,
}

/// The file that everything is read from.
struct Source {
    store: Arc<StandaloneStore>,
    path: PathBuf,
    format: Format,
}

impl Kept {
    /// Opens what the settings name: by default the file in the data directory. `follows` says whether another process
    /// has handed over to this one.
    pub(crate) async fn open(settings: &Settings, data_dir: &Path, follows: bool) -> anyhow::Result<Self> {
        match &settings.deployment.provider {
            Provider::Redb => {
                let file = RedbStore::open(&file_in(data_dir))?;
                for record in file.unreadable() {
                    tracing::error!(%record, "a record of the store cannot be read and is left out");
                }
                Ok(Self { store: file.clone(), file: Some(file), source: None, told: None })
            }
            Provider::Etcd(etcd) => {
                let store = EtcdStore::open(settings_of(etcd)?).await.context("deployment.etcd")?;
                Ok(Self { store, file: None, source: None, told: None })
            }
            Provider::Standalone(format) => Ok(Self::standalone(settings, *format, data_dir, follows)),
        }
    }

    /// A traditional gateway without the file is told its configuration by the Admin API, as APISIX is.
    fn standalone(settings: &Settings, format: Format, data_dir: &Path, follows: bool) -> Self {
        let Deployment { role, folder, .. } = &settings.deployment;
        let path = folder.join(format.file_name());
        let is_by_api = *role == DeploymentRole::Traditional && settings.admin.enabled && !path.exists();
        if is_by_api {
            tracing::warn!("there is no {}: PUT /apisix/admin/configs says what is served", path.display());
            let (store, path) = (StandaloneStore::of_api(), left::file_in(data_dir));
            if let Err(error) = left::take(&store, &path, follows) {
                tracing::error!(path = %path.display(), %error, "what the process before was told is lost");
            }
            return Self { store: store.clone(), file: None, source: None, told: Some((store, path)) };
        }
        let store = StandaloneStore::of_file(&path);
        Self { store: store.clone(), file: None, source: Some(Source { store, path, format }), told: None }
    }

    /// Reads the file that everything is from, where there is one, and looks at it from then on. It blocks.
    pub(crate) fn begin(&self, check: impl FnOnce() -> Box<Check>) {
        let Some(Source { store, path, format }) = &self.source else { return };
        let env = |name: &str| std::env::var(name).ok();
        let mut file = StandaloneFile::new(path.clone(), *format, store.clone(), check(), env);
        file.look();
        tokio::spawn(file.follow());
    }

    /// The store itself.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The file it is in, where it is in one.
    pub(crate) fn file(&self) -> Option<&Arc<RedbStore>> {
        self.file.as_ref()
    }

    /// Lets the next process have it. etcd is anybody's at any time.
    pub(crate) async fn release(&self) -> Result<(), StoreError> {
        if let Some((store, path)) = &self.told {
            left::leave(store, path).map_err(|error| StoreError::Unavailable(explain(path, &error)))?;
        }
        match &self.file {
            Some(file) => file.release().await,
            None => Ok(()),
        }
    }

    /// Has it back from a process that has ended.
    pub(crate) async fn resume(&self) -> Result<(), StoreError> {
        if let Some((_, path)) = &self.told {
            left::take_away(path).map_err(|error| StoreError::Unavailable(explain(path, &error)))?;
        }
        match &self.file {
            Some(file) => file.resume().await,
            None => Ok(()),
        }
    }
}

fn explain(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// The store's file in a data directory.
pub(crate) fn file_in(data_dir: &Path) -> PathBuf {
    data_dir.join("lockgate.redb")
}

fn settings_of(etcd: &Etcd) -> anyhow::Result<EtcdSettings> {
    let tls = match &etcd.tls.identity {
        None => tls::client_config(etcd.tls.verify),
        Some((cert, key)) => {
            let read = |path: &Path| {
                fs::read_to_string(path).with_context(|| format!("deployment.etcd.tls: {}", path.display()))
            };
            tls::client_config_as(etcd.tls.verify, &read(cert)?, &read(key)?)
                .map_err(|reason| anyhow::anyhow!("deployment.etcd.tls: {reason}"))?
        }
    };
    let is_tls = etcd.hosts.iter().any(|host| host.starts_with("https:"));
    Ok(EtcdSettings {
        hosts: etcd.hosts.clone(),
        prefix: etcd.prefix.clone(),
        timeout: etcd.timeout,
        watch_timeout: etcd.watch_timeout,
        user: etcd.user.as_ref().map(|(user, password)| (user.clone(), password.0.clone())),
        tls: is_tls.then_some(tls),
        server_name: etcd.tls.name.clone(),
    })
}
