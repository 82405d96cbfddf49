//! What is taken of certificates, and who gets to see their keys.

use lockgate_resource::{Id, Kind, Record, Resources, Revision};
use lockgate_store::Store;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};

use super::harness::Api;

/// A certificate and its key in PEM, good until the end of a year.
fn issued(until: i32) -> (String, String) {
    let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    params.not_after = date_time_ymd(until, 12, 31);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

async fn put(api: &Api, path: &str, body: &Value) -> (u16, Value) {
    let answer = api.call("PUT", path, body.to_string()).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn the_keys_of_a_certificate_rest_sealed_and_are_never_shown() {
    let api = Api::new();
    let ((cert, key), (other_cert, other_key)) = (issued(2090), issued(2090));
    let body = json!({"snis": ["a.example", "*.b.example"], "cert": cert, "key": key,
        "certs": [other_cert], "keys": [other_key]});
    let (status, answer) = put(&api, "/ssls/1", &body).await;
    assert_eq!((status, &answer["value"]["cert"]), (201, &json!(cert)));
    let stored = api.store.watch().borrow().get(Kind::Ssl, "1").unwrap().value.to_string();
    let shown = [
        answer.to_string(),
        stored,
        api.call("GET", "/ssls/1", "").await.text,
        api.call("GET", "/ssls", "").await.text,
        api.call("PATCH", "/ssls/1", json!({"desc": "d"}).to_string()).await.text,
        api.call("PATCH", "/ssls/1/key", json!(key).to_string()).await.text,
    ];
    for text in shown {
        assert!(text.contains("BEGIN CERTIFICATE"), "{text}");
        assert!(!text.contains("PRIVATE KEY"), "{text}");
    }
    let value = &api.call("GET", "/ssls/1", "").await.json()["value"];
    assert_eq!((value.get("key"), value.get("keys"), &value["desc"]), (None, None, &json!("d")));
}

#[tokio::test]
async fn keys_are_not_shown_where_nothing_is_sealed() {
    let api = Api::with(|admin| admin.keyring = None);
    let (cert, key) = issued(2090);
    let (status, answer) = put(&api, "/ssls/1", &json!({"sni": "a.example", "cert": cert, "key": key})).await;
    assert_eq!((status, &answer["value"]["key"]), (201, &json!("******")));
    let tls = json!({"client_cert": cert, "client_key": key});
    let (status, answer) = put(&api, "/upstreams/1", &json!({"nodes": {}, "tls": tls})).await;
    assert_eq!((status, &answer["value"]["tls"]["client_key"]), (201, &json!("******")));
    let answer = api.call("GET", "/upstreams/1", "").await.json();
    assert_eq!(answer["value"]["tls"]["client_key"], "******");
}

#[tokio::test]
async fn an_upstream_that_was_shown_can_be_put_back() {
    let api = Api::new();
    let (cert, key) = issued(2090);
    let body = json!({"nodes": {}, "tls": {"client_cert": cert, "client_key": key}});
    assert_eq!(put(&api, "/upstreams/1", &body).await.0, 201);
    let mut shown = api.call("GET", "/upstreams/1", "").await.json()["value"].take();
    let sealed = shown["tls"]["client_key"].clone();
    assert!(sealed.as_str().is_some_and(|sealed| !sealed.contains("PRIVATE")), "{sealed}");
    let fields = shown.as_object_mut().unwrap();
    fields.retain(|name, _| !name.ends_with("_time"));
    let (status, answer) = put(&api, "/upstreams/1", &shown).await;
    assert_eq!((status, &answer["value"]["tls"]["client_key"]), (200, &sealed));
    let (status, answer) = put(&api, "/routes/1", &json!({"uri": "/", "upstream": body})).await;
    assert_eq!((status, &answer["value"]["upstream"]["tls"]["client_key"]), (201, &sealed));
}

#[tokio::test]
async fn certificates_that_cannot_serve_are_refused_with_the_reason() {
    let api = Api::new();
    let ((cert, key), (other_cert, other_key), (old_cert, old_key)) =
        (issued(2090), issued(2090), issued(2020));
    let nonsense = "x".repeat(200);
    let with = |more: Value| {
        let mut body = json!({"sni": "a.example", "cert": cert, "key": key});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let rows = [
        (with(json!({"key": other_key})), "key is not the one of cert"),
        (with(json!({"key": nonsense})), "key has no private key in PEM"),
        (with(json!({"cert": old_cert, "key": old_key})), "cert"),
        (with(json!({"certs": [other_cert]})), "mismatched number of certs and keys"),
        (
            with(json!({"certs": [other_cert], "keys": [key]})),
            "failed to handle cert-key pair[1]: key is not",
        ),
        (with(json!({"client": {"ca": nonsense}})), "failed to validate client_cert: ca"),
    ];
    for (body, why) in rows {
        let (status, answer) = put(&api, "/ssls/1", &body).await;
        let said = answer["error_msg"].as_str().unwrap();
        assert!(status == 400 && said.starts_with(why), "{said}");
        assert!(!said.contains("BEGIN"), "{said}");
    }
    let tls = json!({"client_cert": cert, "client_key": other_key});
    let (_, answer) = put(&api, "/upstreams/1", &json!({"nodes": {}, "tls": tls})).await;
    assert_eq!(answer["error_msg"], "tls.client_key is not the one of cert");
}

#[tokio::test]
async fn a_certificate_that_expired_meanwhile_can_still_be_switched_off() {
    let (cert, key) = issued(2020);
    let mut resources = Resources::default();
    let value = json!({"id": "1", "sni": "a.example", "cert": cert, "key": key});
    let (created, modified) = (Revision(1), Revision(1));
    resources.insert(Record { kind: Kind::Ssl, id: Id::new("1").unwrap(), value, created, modified });
    let api = Api::refusing(resources, Vec::new());
    let answer = api.call("PATCH", "/ssls/1", json!({"status": 0}).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn only_a_certificate_for_upstreams_can_be_referred_to_and_then_stays() {
    let api = Api::new();
    let (cert, key) = issued(2090);
    for (path, usage) in [("/ssls/s", "server"), ("/ssls/c", "client")] {
        let body = json!({"type": usage, "sni": "a.example", "cert": cert, "key": key});
        assert_eq!(put(&api, path, &body).await.0, 201);
    }
    let upstream = |id: &str| json!({"nodes": {}, "tls": {"client_cert_id": id}});
    let (_, answer) = put(&api, "/upstreams/u", &upstream("s")).await;
    assert_eq!(answer["error_msg"], "failed to fetch ssl info by ssl id [s], wrong ssl type");
    assert_eq!(put(&api, "/upstreams/u", &upstream("c")).await.0, 201);
    let answer = api.call("DELETE", "/ssls/c", "").await.json();
    assert_eq!(answer["error_msg"], "can not delete this ssl, upstream [u] is still using it now");
    assert_eq!(api.call("DELETE", "/ssls/c?force=true", "").await.status, 200);
}
