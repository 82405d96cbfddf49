//! Documents read and written.

use lockgate_resource::{Kind, Record, Resources, Revision};
use serde_json::{Value, json};

use super::{Format, Item, document, from_yaml, items, to_yaml};

fn nothing(_: &str) -> Option<String> {
    None
}

fn keys(items: &[Item]) -> Vec<String> {
    items.iter().map(|item| item.kind.key(&item.id)).collect()
}

#[test]
fn resources_are_named_by_id_username_or_place() {
    let yaml = "\
routes:
  - uri: /a
    modifiedIndex: 7
  - {id: 5, uri: /b}
consumers:
  - id: rose/credentials/c1
    plugins: {key-auth: {key: x}}
  - {id: rose, username: rose}
secrets:
  - {id: vault/1, prefix: kv, token: root, uri: 'http://127.0.0.1:8200'}
plugin_metadata:
  - id: http-logger
plugins:
  - name: key-auth
upstreams: {}
services:
odd: 1
#END
";
    let read = items(&Format::Yaml.read(yaml, &nothing).unwrap()).unwrap();
    assert_eq!(
        keys(&read.items),
        [
            "/apisix/routes/arr_1",
            "/apisix/routes/5",
            "/apisix/plugin_metadata/http-logger",
            "/apisix/consumers/rose/credentials/c1",
            "/apisix/consumers/rose",
            "/apisix/secrets/vault/1",
        ]
    );
    assert_eq!(read.items[0].value, json!({"uri": "/a", "id": "arr_1"}));
    assert_eq!((read.items[0].index, read.items[1].index), (Some(7), None));
    assert_eq!(read.items[1].value["id"], "5", "an id is a text");
    assert_eq!(read.items[3].value["id"], "c1");
    assert_eq!(read.items[4].value, json!({"username": "rose"}));
    assert_eq!(read.items[5].value["id"], "vault/1");
    assert_eq!(read.warnings.len(), 2, "{:?}", read.warnings);
    assert!(read.warnings[0].starts_with("odd: ") && read.warnings[1].starts_with("plugins: "));
}

#[test]
fn every_mistake_is_named_with_its_place() {
    let document = json!({
        "routes": [{"id": "a"}, 7, {"id": "a"}, {"id": "a b"}],
        "services": "x",
        "consumers": [{"plugins": {}}],
        "secrets": [{"id": "vault"}],
    });
    let mistakes = items(&document).unwrap_err();
    let begins = [
        "routes[1]: expected a mapping",
        "routes[2]: route a is there twice",
        "routes[3].id: \"a b\": an id has",
        "services: expected a list",
        "consumers[0].username: has to be given",
        "secrets[0].id: \"vault\"",
    ];
    assert_eq!(mistakes.len(), begins.len(), "{mistakes:?}");
    for (mistake, begin) in mistakes.iter().zip(begins) {
        assert!(mistake.starts_with(begin), "{mistake}");
    }
}

#[test]
fn a_file_has_to_be_whole() {
    let broken = Format::Yaml.read("routes: []\n", &nothing).unwrap_err();
    assert!(broken.contains("#END"), "{broken}");
    assert!(Format::Yaml.read("routes: []\n#END  \n\n", &nothing).is_ok());
    let broken = Format::Yaml.read("routes:\n  - uri: [\n#END", &nothing).unwrap_err();
    assert!(broken.contains("line"), "{broken}");
    assert!(Format::Json.read("{\"routes\": [", &nothing).unwrap_err().contains("line 1"));
    assert_eq!(Format::Yaml.read("#END", &nothing), Ok(Value::Null));
}

#[test]
fn the_environment_is_asked_in_texts_and_names() {
    let env = |name: &str| match name {
        "NODE" => Some("127.0.0.1:1980".to_owned()),
        "WEIGHT" => Some("3".to_owned()),
        _ => None,
    };
    let yaml = "a:\n  \"${{NODE}}\": ${{WEIGHT}}\nb: \"${{WEIGHT}}\"\nc: ${{X:=d}}\n#END";
    assert_eq!(
        Format::Yaml.read(yaml, &env).unwrap(),
        json!({"a": {"127.0.0.1:1980": 3}, "b": "3", "c": "d"})
    );
    let text = r#"{"a": {"${{NODE}}": "${{WEIGHT}}"}, "c": "${{X:=d}}"}"#;
    assert_eq!(Format::Json.read(text, &env).unwrap(), json!({"a": {"127.0.0.1:1980": 3}, "c": "d"}));
    let unset = Format::Yaml.read("a: 1\nb: ${{NONE}}\n#END", &env).unwrap_err();
    assert_eq!(unset, "line 2: the environment variable NONE is not set");
    let unset = Format::Json.read(r#"{"a": ["${{NONE}}"]}"#, &env).unwrap_err();
    assert_eq!(unset, "a[0]: the environment variable NONE is not set");
}

#[test]
fn what_is_written_reads_back_whatever_it_is() {
    let odd = json!({
        "routes": [{
            "id": "1", "uri": "/*", "desc": "yes", "n": "0123", "nothing": "null", "tilde": "~", "empty": "",
            "long": "x ".repeat(90), "lines": "a\n  b\n\nc\n\n", "tab": "\ta", "hash": "a # b", "colon": "a: b",
            "pem": "-----BEGIN X-----\nMIIE\n-----END X-----\n", "trailing": "a ", "quote": "\"'", "float": 1.5,
            "whole": 1.0, "large": 18_446_744_073_709_551_615_u64, "list": [[], {}, [1, [2]]], "nul": null,
            "date": "2026-01-01", "variable": "${{X}}", "at": "@a", "star": "*a", "unicode": "é\u{2028}\u{feff}",
        }],
    });
    let yaml = to_yaml(&odd).unwrap();
    assert_eq!(from_yaml(&yaml).unwrap(), odd, "{yaml}");
}

#[test]
fn a_document_of_resources_has_one_order_and_reads_back() {
    let rows = [
        (Kind::Credential, "joe/c1", json!({"id": "c1", "plugins": {"key-auth": {"key": "k"}}})),
        (Kind::Consumer, "joe", json!({"username": "joe", "create_time": 1})),
        (Kind::Route, "b", json!({"uri": "/b", "id": "b", "upstream_id": "u"})),
        (Kind::Route, "a", json!({"uri": "/a"})),
        (Kind::Upstream, "u", json!({"id": "u", "nodes": {"127.0.0.1:1": 1}})),
        (Kind::Secret, "vault/1", json!({"id": "vault/1", "token": "t"})),
    ];
    let mut resources = Resources::default();
    for (kind, id, value) in rows {
        let id = lockgate_resource::Id::of(kind, id).unwrap();
        resources.insert(Record { kind, id, value, created: Revision(1), modified: Revision(1) });
    }
    let written = document(&resources, &|_, _| ());
    assert_eq!(written["consumers"][1]["id"], "joe/credentials/c1");
    assert_eq!(written["routes"][0]["id"], "a");
    let mut again = Resources::default();
    for Item { kind, id, value, .. } in items(&from_yaml(&to_yaml(&written).unwrap()).unwrap()).unwrap().items
    {
        again.insert(Record { kind, id, value, created: Revision(2), modified: Revision(2) });
    }
    assert_eq!(to_yaml(&document(&again, &|_, _| ())), to_yaml(&written));
    let same =
        |id: &str| again.get(Kind::Route, id).unwrap().value == resources.get(Kind::Route, id).unwrap().value;
    assert!(same("b") && again.get(Kind::Credential, "joe/c1").is_some());
}
