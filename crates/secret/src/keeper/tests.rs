use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockgate_http::resolver::Resolver;
use lockgate_resource::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Keeper, Settings};
use crate::Reference;

const PATIENCE: Duration = Duration::from_secs(10);

/// Answers every request with what it is told to at the moment, and counts them.
#[derive(Clone, Default)]
struct Vault {
    answer: Arc<Mutex<(u16, String)>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Vault {
    async fn start() -> (Self, SocketAddr) {
        let (vault, listener) = (Self::default(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let (address, this) = (listener.local_addr().unwrap(), vault.clone());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                this.asked.lock().unwrap().push(String::from_utf8(head).unwrap());
                let (status, body) = this.answer.lock().unwrap().clone();
                let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).await.unwrap();
            }
        });
        (vault, address)
    }

    fn says(&self, status: u16, body: &Value) {
        *self.answer.lock().unwrap() = (status, body.to_string());
    }

    fn has(&self, data: &Value) {
        self.says(200, &json!({"data": data}));
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn keeper(settings: Settings) -> Keeper {
    let keeper = Keeper::new(Resolver::new(tokio::runtime::Handle::current(), []), settings);
    tokio::spawn(keeper.clone().run());
    keeper
}

fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap().unwrap()
}

fn want(keeper: &Keeper, manager: Option<Value>, texts: &[&str]) {
    let managers = manager.map(|value| ("vault/1".to_owned(), Secret::from_value(&value)));
    let wanted: BTreeSet<_> = texts.iter().map(|text| reference(text)).collect();
    keeper.want(managers.into_iter().collect::<BTreeMap<_, _>>(), wanted);
}

fn at(address: SocketAddr) -> Value {
    json!({"id": "vault/1", "uri": format!("http://{address}"), "prefix": "kv/apisix", "token": "t"})
}

const KEY: &str = "$secret://vault/1/jack/key";

#[tokio::test]
async fn secrets_of_one_place_are_asked_for_once() {
    let (vault, address) = Vault::start().await;
    vault.has(&json!({"key": "k", "cert": "c"}));
    let keeper = keeper(Settings::default());
    let texts = [KEY, "$secret://vault/1/jack/cert", "$secret://vault/1/jack/none"];
    want(&keeper, Some(at(address)), &texts);
    keeper.settle(PATIENCE).await;
    let values = texts.map(|text| keeper.value(&reference(text)));
    assert_eq!(values[..2], [Ok("k".to_owned()), Ok("c".to_owned())]);
    assert_eq!(values[2], Err("the secret has no text under none".to_owned()));
    let asked = vault.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with("GET /v1/kv/apisix/jack HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].contains("x-vault-token: t\r\n"), "{}", asked[0]);
}

#[tokio::test]
async fn a_value_is_asked_for_again_and_another_one_is_news() {
    let (vault, address) = Vault::start().await;
    vault.has(&json!({"key": "old"}));
    let keeper = keeper(Settings { ttl: Duration::from_millis(20), ..Settings::default() });
    want(&keeper, Some(at(address)), &[KEY]);
    keeper.settle(PATIENCE).await;
    assert_eq!(keeper.value(&reference(KEY)), Ok("old".to_owned()));
    let mut news = keeper.news();
    vault.has(&json!({"key": "new"}));
    tokio::time::timeout(PATIENCE, news.changed()).await.unwrap().unwrap();
    assert_eq!(keeper.value(&reference(KEY)), Ok("new".to_owned()));
}

#[tokio::test]
async fn a_manager_that_is_away_leaves_the_last_value_and_no_manager_leaves_none() {
    let (vault, address) = Vault::start().await;
    vault.has(&json!({"key": "k"}));
    let keeper = keeper(Settings { ttl: Duration::from_millis(5), ..Settings::default() });
    want(&keeper, Some(at(address)), &[KEY]);
    keeper.settle(PATIENCE).await;
    vault.says(503, &json!({"errors": ["Vault is sealed"]}));
    vault.asked();
    while vault.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(keeper.value(&reference(KEY)), Ok("k".to_owned()));
    want(&keeper, None, &[KEY]);
    assert_eq!(keeper.value(&reference(KEY)), Err("there is no secret manager vault/1".to_owned()));
}

#[tokio::test]
async fn what_was_never_had_says_why_until_its_manager_is_mended() {
    let (vault, address) = Vault::start().await;
    vault.says(403, &json!({"errors": ["permission denied"]}));
    let keeper = keeper(Settings::default());
    want(&keeper, Some(at(address)), &[KEY]);
    keeper.settle(PATIENCE).await;
    assert_eq!(keeper.value(&reference(KEY)), Err("Vault answers 403 permission denied".to_owned()));
    vault.has(&json!({"key": "k"}));
    let mut mended = at(address);
    mended["token"] = json!("another");
    want(&keeper, Some(mended), &[KEY]);
    keeper.settle(PATIENCE).await;
    assert_eq!(keeper.value(&reference(KEY)), Ok("k".to_owned()));
}

#[tokio::test]
async fn no_more_secrets_are_kept_than_there_may_be() {
    let keeper = keeper(Settings { count: 1, ..Settings::default() });
    want(&keeper, None, &["$secret://vault/1/a/a", "$secret://vault/1/b/b"]);
    let last = reference("$secret://vault/1/b/b");
    assert_eq!(keeper.value(&last), Err("more than 1 secrets are referred to".to_owned()));
    let gcp = BTreeMap::from([("gcp/1".to_owned(), Secret::from_value(&json!({"id": "gcp/1"})))]);
    let wanted = reference("$secret://gcp/1/name/key");
    keeper.want(gcp, BTreeSet::from([wanted.clone()]));
    keeper.settle(PATIENCE).await;
    assert_eq!(keeper.value(&wanted), Err("secrets of gcp are not fetched yet".to_owned()));
}
