//! What the file store promises: nothing acknowledged is lost, nothing damaged is touched.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lockgate_resource::{Id, Kind, Record, Revision};
use redb::{Database, TableDefinition};
use serde_json::{Value, json};

use super::file::{META, RECORDS};
use super::{RedbStore, UnreadableRecord};
use crate::{Change, Expect, Store, StoreError};

fn put(id: u64, value: Value) -> Change {
    Change::Put { kind: Kind::Route, id: Id::new(&id.to_string()).unwrap(), value, ttl: None }
}

fn delete(id: u64) -> Change {
    Change::Delete { kind: Kind::Route, id: Id::new(&id.to_string()).unwrap() }
}

fn record(store: &RedbStore, id: &str) -> Option<Arc<Record>> {
    store.watch().borrow().get(Kind::Route, id).cloned()
}

/// A store that somebody closed after three changes.
async fn closed(path: &Path) {
    let store = RedbStore::open(path).unwrap();
    store.commit(put(1, json!({"uri": "/old"})), Expect::Absent).await.unwrap();
    store.commit(put(2, json!({"uri": "/two"})), Expect::Absent).await.unwrap();
    store.commit(put(1, json!({"uri": "/new", "desc": "é"})), Expect::Anything).await.unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/lockgate.redb");
    closed(&path).await;
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.watch().borrow().revision, Revision(3));
    let one = record(&store, "1").unwrap();
    assert_eq!(one.value, json!({"uri": "/new", "desc": "é"}));
    assert_eq!((one.created, one.modified), (Revision(1), Revision(3)));
    assert_eq!(store.commit(delete(1), Expect::Unchanged(Revision(3))).await.unwrap(), Revision(4));
    drop(store);
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(record(&store, "1"), None);
    assert_eq!(store.watch().borrow().revision, Revision(4), "a deletion counts as well");
    assert_eq!(store.commit(put(1, json!({})), Expect::Absent).await.unwrap(), Revision(5));
    assert_eq!(record(&store, "1").unwrap().created, Revision(5));
}

#[tokio::test]
async fn a_watch_shows_a_change_when_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&folder.path().join("lockgate.redb")).unwrap();
    let mut watch = store.watch();
    let revision = store.commit(put(1, json!({"uri": "/"})), Expect::Anything).await.unwrap();
    assert!(watch.has_changed().unwrap());
    assert_eq!(watch.borrow_and_update().revision, revision);
}

#[tokio::test]
async fn one_refused_change_does_not_hinder_those_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockgate.redb");
    let store = RedbStore::open(&path).unwrap();
    let (first, conflict, missing, second) = tokio::join!(
        store.commit(put(1, json!({})), Expect::Absent),
        store.commit(put(1, json!({})), Expect::Absent),
        store.commit(delete(7), Expect::Anything),
        store.commit(put(2, json!({})), Expect::Absent),
    );
    assert_eq!((first.unwrap(), second.unwrap()), (Revision(1), Revision(2)));
    assert!(matches!(conflict, Err(StoreError::Conflict(key)) if key == "/apisix/routes/1"));
    assert!(matches!(missing, Err(StoreError::Missing(key)) if key == "/apisix/routes/7"));
    drop(store);
    assert_eq!(RedbStore::open(&path).unwrap().watch().borrow().of(Kind::Route).len(), 2);
}

#[tokio::test]
async fn a_file_that_is_in_use_is_not_opened_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockgate.redb");
    let store = RedbStore::open(&path).unwrap();
    let refused = RedbStore::open(&path).unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    store.commit(put(1, json!({})), Expect::Anything).await.unwrap();
}

/// Changes a closed file behind the store's back.
fn tamper(path: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

fn set_row(path: &Path, key: &str, json: &str) {
    tamper(path, |transaction| {
        transaction.open_table(RECORDS).unwrap().insert(key, (1, 1, json.as_bytes())).unwrap();
    });
}

#[tokio::test]
async fn what_cannot_be_read_is_reported_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockgate.redb");
    closed(&path).await;
    set_row(&path, "/apisix/routes/2", "{\"uri\":");
    set_row(&path, "/apisix/routes/3", "[]");
    set_row(&path, "/apisix/novelties/1", "{}");
    for _ in 0..2 {
        let store = RedbStore::open(&path).unwrap();
        assert!(record(&store, "1").is_some(), "the rest is there");
        let reasons = ["knows no novelties", "its JSON is broken", "not an object"];
        for (UnreadableRecord { reason, .. }, expected) in store.unreadable().iter().zip(reasons) {
            assert!(reason.contains(expected), "{reason}");
        }
        let keys: Vec<_> = store.unreadable().iter().map(|record| record.key.as_str()).collect();
        assert_eq!(keys, ["/apisix/novelties/1", "/apisix/routes/2", "/apisix/routes/3"]);
        store.commit(put(9, json!({})), Expect::Anything).await.unwrap();
    }
    let store = RedbStore::open(&path).unwrap();
    store.commit(put(2, json!({"uri": "/two"})), Expect::Anything).await.unwrap();
    drop(store);
    assert_eq!(RedbStore::open(&path).unwrap().unreadable().len(), 2);
}

/// Opens the file and expects a refusal that leaves every byte of it in its place.
fn refusal(path: &Path) -> StoreError {
    let before = std::fs::read(path).unwrap();
    let error = RedbStore::open(path).expect_err("it should be refused");
    assert_eq!(std::fs::read(path).unwrap(), before, "the file was changed");
    error
}

#[tokio::test]
async fn a_later_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockgate.redb");
    closed(&path).await;
    tamper(&path, |transaction| {
        transaction.open_table(META).unwrap().insert("format", 2).unwrap();
    });
    let error = refusal(&path).to_string();
    assert!(error.ends_with("lockgate.redb has format 2; this version reads up to 1"), "{error}");
}

#[test]
fn what_is_no_store_is_reported_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockgate.redb");
    let junk = "apisix: {}\n".repeat(1000);
    for content in [&b""[..], b"x", b"redb", junk.as_bytes(), &[0; 8192]] {
        std::fs::write(&path, content).unwrap();
        let error = refusal(&path);
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
    std::fs::remove_file(&path).unwrap();
    let other: TableDefinition<'_, u64, u64> = TableDefinition::new("meta");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(other).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = refusal(&path);
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

/// Numbers that look random and are the same in every run.
fn noise(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    }
}

#[tokio::test]
async fn damage_is_reported_and_left_or_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockgate.redb");
    closed(&path).await;
    let sound = std::fs::read(&path).unwrap();
    let mut pick = noise(1);
    let mut reported = 0;
    for round in 0..400 {
        let mut spoilt = sound.clone();
        match round % 4 {
            0 => spoilt.truncate(pick(sound.len())),
            1 => (0..8).for_each(|_| spoilt[pick(512)] ^= 1 << pick(8)),
            _ => (0..64).for_each(|_| spoilt[pick(sound.len())] ^= 1 << pick(8)),
        }
        std::fs::write(&path, &spoilt).unwrap();
        match RedbStore::open(&path) {
            Ok(store) => {
                let one = record(&store, "1").expect("a change is lost unnoticed");
                assert_eq!(one.value, json!({"uri": "/new", "desc": "é"}), "round {round}");
                assert_eq!(store.watch().borrow().revision, Revision(3), "round {round}");
            }
            Err(error) => {
                reported += 1;
                assert!(error.to_string().contains("lockgate.redb"), "{error}");
                assert_eq!(std::fs::read(&path).unwrap(), spoilt, "round {round}: the file was changed");
            }
        }
    }
    assert!(reported > 100, "only {reported} reported");
}

/// The variable that names the store of the process that is killed.
const VICTIM: &str = "LOCKGATE_TEST_VICTIM";
/// The routes that the victim writes in turn: change number `n` puts route `n % ROUTES`.
const ROUTES: u64 = 40;

#[tokio::test]
#[ignore = "runs in a process of its own, to be killed"]
async fn victim() {
    let Some(path) = std::env::var_os(VICTIM) else {
        return;
    };
    let store = RedbStore::open(Path::new(&path)).unwrap();
    let mut out = std::io::stdout();
    loop {
        let next = store.watch().borrow().revision.0 + 1;
        let change = |n: u64| store.commit(put(n % ROUTES, json!({"n": n})), Expect::Anything);
        let (a, b, c) = tokio::join!(change(next), change(next + 1), change(next + 2));
        for revision in [a, b, c] {
            writeln!(out, "\nkept {}", revision.unwrap()).unwrap();
            out.flush().unwrap();
        }
    }
}

/// Starts the victim, kills it after so many acknowledgements and so many microseconds, and gives the last
/// revision that it had acknowledged.
fn kill_after(path: &Path, acknowledgements: usize, micros: usize) -> Option<u64> {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "redb::tests::victim", "--ignored", "--nocapture"])
        .env(VICTIM, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut kept = lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("kept ").and_then(|n| n.parse().ok()));
    let before = kept.by_ref().take(acknowledgements).last();
    std::thread::sleep(Duration::from_micros(micros.try_into().unwrap()));
    victim.kill().unwrap();
    let last = kept.last().or(before);
    victim.wait().unwrap();
    last
}

#[test]
fn acknowledged_changes_survive_fifty_kills() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockgate.redb");
    let mut pick = noise(2);
    let mut revision = 0;
    for round in 0..50 {
        let acknowledged = kill_after(&path, pick(25), pick(4000)).unwrap_or(revision);
        let store = RedbStore::open(&path).unwrap();
        let resources = store.watch().borrow().clone();
        revision = resources.revision.0;
        assert!(
            revision >= acknowledged,
            "round {round}: {acknowledged} was acknowledged, {revision} is there"
        );
        assert!(store.unreadable().is_empty(), "{:?}", store.unreadable());
        for n in (revision.saturating_sub(ROUTES) + 1)..=revision {
            let found = record(&store, &(n % ROUTES).to_string()).expect("a change is lost");
            assert_eq!((found.modified.0, &found.value["n"]), (n, &json!(n)), "round {round}");
        }
    }
    assert!(revision > 300, "the victim got {revision} changes done");
}

/// The variable that names the store of the process that may not write long files.
const CRAMPED: &str = "LOCKGATE_TEST_CRAMPED";

#[tokio::test]
#[ignore = "runs in a process of its own, with a limit on the length of files"]
async fn cramped() {
    let Some(path) = std::env::var_os(CRAMPED) else {
        return;
    };
    let store = RedbStore::open(Path::new(&path)).unwrap();
    let long = json!({"desc": "x".repeat(8 << 10)});
    let mut kept = 0;
    let error = loop {
        match store.commit(put(kept, long.clone()), Expect::Absent).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 10_000, "the limit does not hold");
    };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert_eq!(store.watch().borrow().of(Kind::Route).len() as u64, kept, "what failed is not shown");
    let again = store.commit(put(kept, long), Expect::Absent).await.unwrap_err();
    assert!(matches!(again, StoreError::Unavailable(_)), "{again}");
    let room = ["--fsize=unlimited", "--pid", &std::process::id().to_string()].map(str::to_owned);
    assert!(Command::new("prlimit").args(room).status().unwrap().success());
    for id in 0..kept / 2 {
        store.commit(delete(id), Expect::Anything).await.expect("there is room again");
    }
    println!("\nkept {kept}");
}

#[test]
fn a_full_disk_refuses_changes_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockgate.redb");
    // A write beyond the limit fails as one on a full disk does, once its signal is ignored.
    let output = Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -S -f 800; exec \"$0\" --exact redb::tests::cramped --ignored --nocapture",
        ])
        .arg(std::env::current_exe().unwrap())
        .env(CRAMPED, &path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let kept = said.lines().find_map(|line| line.strip_prefix("kept ")).and_then(|n| n.parse::<u64>().ok());
    let kept = kept.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
    let store = RedbStore::open(&path).unwrap();
    let resources = store.watch().borrow().clone();
    assert_eq!(resources.of(Kind::Route).len() as u64, kept - kept / 2);
    assert_eq!(resources.revision.0, kept + kept / 2);
}

#[tokio::test]
async fn a_released_file_can_be_opened_elsewhere_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lockgate.redb");
    let store = RedbStore::open(&path).unwrap();
    store.commit(put(1, json!({"uri": "/one"})), Expect::Absent).await.unwrap();
    store.release().await.unwrap();
    let refused = store.commit(put(2, json!({})), Expect::Anything).await;
    assert!(matches!(refused, Err(StoreError::HandedOver { .. })), "{refused:?}");
    assert!(record(&store, "1").is_some(), "what it held can be read");
    let next = RedbStore::open(&path).unwrap();
    next.commit(put(2, json!({"uri": "/two"})), Expect::Absent).await.unwrap();
    assert!(matches!(store.resume().await, Err(StoreError::Locked { .. })));
    drop(next);
    store.resume().await.unwrap();
    assert!(record(&store, "2").is_some(), "what the other process wrote counts");
    assert_eq!(store.commit(delete(1), Expect::Anything).await.unwrap(), Revision(3));
}
