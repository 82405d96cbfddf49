//! Where resources are kept: in a file of this gateway, or in etcd.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use lockgate_http::tls;
use lockgate_store::{EtcdSettings, EtcdStore, RedbStore, Store, StoreError};

use crate::settings::Etcd;

/// The store, and the file it is in, where it is one.
pub(crate) struct Kept {
    store: Arc<dyn Store>,
    file: Option<Arc<RedbStore>>,
}

impl Kept {
    /// Opens etcd where the settings name it, and the file in the data directory otherwise.
    pub(crate) async fn open(etcd: Option<&Etcd>, data_dir: &Path) -> anyhow::Result<Self> {
        if let Some(etcd) = etcd {
            let store = EtcdStore::open(settings(etcd)?).await.context("deployment.etcd")?;
            return Ok(Self { store, file: None });
        }
        let file = RedbStore::open(&data_dir.join("lockgate.redb"))?;
        for record in file.unreadable() {
            tracing::error!(%record, "a record of the store cannot be read and is left out");
        }
        Ok(Self { store: file.clone(), file: Some(file) })
    }

    /// The store itself.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Lets the next process have it. etcd is anybody's at any time.
    pub(crate) async fn release(&self) -> Result<(), StoreError> {
        match &self.file {
            Some(file) => file.release().await,
            None => Ok(()),
        }
    }

    /// Has it back from a process that has ended.
    pub(crate) async fn resume(&self) -> Result<(), StoreError> {
        match &self.file {
            Some(file) => file.resume().await,
            None => Ok(()),
        }
    }
}

fn settings(etcd: &Etcd) -> anyhow::Result<EtcdSettings> {
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
