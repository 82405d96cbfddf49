//! `lockgate store`: everything that is kept, as a text and back, while no gateway has it.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use lockgate_admin::{Admin, examine_all, open_secrets, order, seal_secrets};
use lockgate_resource::{Id, Kind, Resources};
use lockgate_store::document::{Item, document, from_yaml, items, to_yaml};
use lockgate_store::{Change, Expect, RedbStore, StoreError};

use crate::settings::{Provider, Settings};
use crate::store::{Kept, file_in};
use crate::{app, environment};

/// A file to import is never longer than this, in bytes.
const LONGEST: u64 = 512 << 20;

pub(crate) const EXAMPLES: &str = "\
Examples:
  lockgate store export > resources.yaml        everything, in the form of apisix.yaml, secrets sealed
  lockgate store import resources.yaml          put what it has, leave the rest
  lockgate store import --replace - < all.yaml  put what it has, delete the rest
  lockgate store compact                        give unused space back

Where the settings name etcd, all but compact goes there:
  lockgate store export -c conf/config.yaml";

/// What may be done to a store.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Print everything that is kept, in the form of APISIX's apisix.yaml
    ///
    /// Kinds and ids have one order, so that two of them can be compared. Secrets are sealed: whoever imports them
    /// needs the same keys (`encryption.key` of the data directory, or `apisix.data_encryption.keyring`).
    Export(ExportOptions),
    /// Keep what a file says
    ///
    /// All of it is checked before any of it is kept. A file store takes all of it or nothing; etcd takes one
    /// resource at a time, those that others refer to first.
    Import(ImportOptions),
    /// Give the unused space of the file in the data directory back
    Compact(Where),
}

/// Which store is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct Where {
    /// The settings that `lockgate run` is started with
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data directory that `lockgate run` is started with
    #[arg(long, value_name = "DIR", default_value = "lockgate-data")]
    pub(crate) data_dir: PathBuf,
}

/// Options of `lockgate store export`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExportOptions {
    #[command(flatten)]
    pub(crate) at: Where,
    /// Print secrets as they were written
    #[arg(long)]
    pub(crate) reveal_secrets: bool,
}

/// Options of `lockgate store import`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportOptions {
    /// The file, or - for standard input
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) at: Where,
    /// Delete what the file does not have
    #[arg(long)]
    pub(crate) replace: bool,
}

/// Does what is asked.
pub(crate) fn run(command: &StoreCommand) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            StoreCommand::Export(options) => export(options).await,
            StoreCommand::Import(options) => import(options).await,
            StoreCommand::Compact(at) => compact(at),
        }
    })
}

impl Where {
    fn settings(&self) -> anyhow::Result<Settings> {
        let (settings, _) = Settings::load(self.config.as_deref(), environment).context("settings")?;
        crate::start_log(settings.log_level);
        Ok(settings)
    }

    /// The store, read, and what looks at its resources.
    async fn open(&self, settings: &Settings) -> anyhow::Result<(Kept, Admin)> {
        let kept = Kept::open(settings, &self.data_dir, false)
            .await
            .map_err(|error| explain(error, &self.data_dir))?;
        let admin = app::offline(settings, &self.data_dir, Arc::clone(kept.store()))?;
        kept.begin(|| app::check(&admin));
        let condition = kept.store().condition().borrow().clone();
        match condition.obstacle().or(condition.trouble) {
            Some(trouble) => bail!(trouble),
            None => Ok((kept, admin)),
        }
    }
}

/// Says what to do where a gateway has the file.
fn explain(error: anyhow::Error, data_dir: &Path) -> anyhow::Error {
    match error.downcast_ref() {
        Some(StoreError::Locked { .. }) => error.context(format!(
            "a gateway runs with the data directory {}: stop it first, or ask its Admin API",
            data_dir.display()
        )),
        _ => error,
    }
}

/// The file of resources, which has to be there.
fn existing(at: &Where) -> anyhow::Result<PathBuf> {
    let path = file_in(&at.data_dir);
    if !path.exists() {
        bail!("there is no store at {}; --data-dir says where it is", path.display());
    }
    Ok(path)
}

async fn export(options: &ExportOptions) -> anyhow::Result<()> {
    let settings = options.at.settings()?;
    if settings.deployment.provider == Provider::Redb {
        existing(&options.at)?;
    }
    let (kept, admin) = options.at.open(&settings).await?;
    let resources = kept.store().watch().borrow().clone();
    let document = document(&resources, &|kind, value| {
        if options.reveal_secrets {
            open_secrets(&admin, kind, value);
        } else {
            seal_secrets(&admin, kind, value);
        }
    });
    let yaml = to_yaml(&document).map_err(|why| anyhow::anyhow!("the resources cannot be written: {why}"))?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}\n#END", yaml.trim_end_matches('\n'))
        .and_then(|()| out.flush())
        .context("standard output")
}

async fn import(options: &ImportOptions) -> anyhow::Result<()> {
    let settings = options.at.settings()?;
    let text = read(&options.file)?;
    let name = options.file.display();
    let document = from_yaml(&text).map_err(|why| anyhow::anyhow!("{name}: {why}"))?;
    let tell = |mistakes: Vec<String>| anyhow::anyhow!("{name}: nothing is kept\n{}", mistakes.join("\n"));
    let read = items(&document).map_err(tell)?;
    app::prepare(&options.at.data_dir)?;
    let (kept, admin) = options.at.open(&settings).await?;
    if let Some(standalone) = kept.store().standalone() {
        bail!(standalone.read_only());
    }
    let held = kept.store().watch().borrow().clone();
    let others = if options.replace { Resources::default() } else { held.clone() };
    let mistakes = examine_all(&admin, &read.items, others, &held);
    if !mistakes.is_empty() {
        return Err(tell(mistakes));
    }
    for warning in read.warnings {
        writeln!(io::stderr(), "{name}: {warning}")?;
    }
    let (puts, unchanged) = puts(&admin, read.items, &held);
    let deletes = if options.replace { deletes(&held, &unchanged, &puts) } else { Vec::new() };
    let told = format!("{} put, {} deleted, {} unchanged", puts.len(), deletes.len(), unchanged.len());
    keep(&kept, puts.into_iter().chain(deletes).collect()).await?;
    writeln!(io::stderr(), "{told}").context("standard error")
}

fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(LONGEST).read_to_string(&mut text)
    } else {
        fs::File::open(file).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
    };
    let length = read.with_context(|| file.display().to_string())?;
    if length as u64 == LONGEST {
        bail!("{} is longer than {} MiB", file.display(), LONGEST >> 20);
    }
    Ok(text)
}

/// What has to be put, sealed and in an order in which it can be made, and the names of what is there already.
fn puts(admin: &Admin, mut items: Vec<Item>, held: &Resources) -> (Vec<Change>, Vec<(Kind, Id)>) {
    items.sort_by_cached_key(|item| order(item.kind, &item.id));
    let (mut puts, mut unchanged) = (Vec::new(), Vec::new());
    for Item { kind, id, mut value, .. } in items {
        seal_secrets(admin, kind, &mut value);
        if held.get(kind, id.as_str()).is_some_and(|record| record.value == value) {
            unchanged.push((kind, id));
        } else {
            puts.push(Change::Put { kind, id, value, ttl: None });
        }
    }
    (puts, unchanged)
}

/// What is neither put nor stays, those that refer to others first.
fn deletes(held: &Resources, unchanged: &[(Kind, Id)], puts: &[Change]) -> Vec<Change> {
    let put = puts.iter().filter_map(|change| match change {
        Change::Put { kind, id, .. } => Some((*kind, id.clone())),
        Change::Delete { .. } => None,
    });
    let there: std::collections::HashSet<_> = unchanged.iter().cloned().chain(put).collect();
    let all = Kind::ALL.into_iter().flat_map(|kind| held.of(kind).keys().map(move |id| (kind, id.clone())));
    let mut gone: Vec<_> = all.filter(|name| !there.contains(name)).collect();
    gone.sort_by_cached_key(|(kind, id)| std::cmp::Reverse(order(*kind, id)));
    gone.into_iter().map(|(kind, id)| Change::Delete { kind, id }).collect()
}

async fn keep(kept: &Kept, changes: Vec<Change>) -> anyhow::Result<()> {
    if let Some(file) = kept.file() {
        file.commit_all(changes).await?;
        return Ok(());
    }
    for change in changes {
        let (Change::Put { kind, id, .. } | Change::Delete { kind, id }) = &change;
        let key = kind.key(id);
        let kept = kept.store().commit(change, Expect::Anything).await;
        kept.with_context(|| format!("{key} is not kept, and what follows it neither"))?;
    }
    Ok(())
}

fn compact(at: &Where) -> anyhow::Result<()> {
    let settings = at.settings()?;
    if settings.deployment.provider != Provider::Redb {
        bail!(
            "the settings name another store than the file in the data directory: there is nothing to compact"
        );
    }
    let path = existing(at)?;
    let size = |path: &Path| fs::metadata(path).map(|about| about.len());
    let before = size(&path)?;
    RedbStore::compact(&path).map_err(|error| explain(error.into(), &at.data_dir))?;
    writeln!(io::stdout(), "{before} bytes before, {} now", size(&path)?).context("standard output")
}
