use std::sync::Arc;

use lockgate_http::resolver::Resolver;
use lockgate_plugin::Secrets;
use lockgate_resource::{Id, Kind, Record, Resources, Revision};
use lockgate_secret::{Keeper, Settings};
use serde_json::{Value, json};

use super::Referred;

/// As long as a block of 16 bytes is in base64.
const SEALED: &str = "c2VhbGVkIHNlYWxlZCAxNg==";

struct Opener;

impl Secrets for Opener {
    fn open(&self, sealed: &str) -> Option<String> {
        (sealed == SEALED).then(|| "$secret://gcp/1/a/b".to_owned())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "KEY").then(|| "of-the-environment".to_owned())
    }
}

fn referred() -> Referred {
    let resolver = Resolver::new(tokio::runtime::Handle::current(), []);
    Referred::new(Keeper::new(resolver, Settings::default()), Arc::new(Opener))
}

fn put(resources: &mut Resources, kind: Kind, id: &str, value: Value) {
    let modified = Revision(resources.revision.0 + 1);
    resources.insert(Record { kind, id: Id::of(kind, id).unwrap(), value, created: modified, modified });
}

#[tokio::test]
async fn what_refers_to_nothing_passes_as_it_is() {
    let (referred, mut resources) = (referred(), Resources::default());
    let route = json!({"uri": "/$secret://x", "plugins": {"p": {"a": "$env://KEY"}}});
    put(&mut resources, Kind::Route, "1", route);
    referred.look(&resources);
    let filled = referred.fill(&resources);
    assert!(filled.refused.is_empty() && filled.resources.shares(&resources, Kind::Route));
}

#[tokio::test]
async fn a_variable_stands_in_a_certificate_and_untouched_records_stay_the_same() {
    let (referred, mut resources) = (referred(), Resources::default());
    let ssl = json!({"cert": "c", "key": "$ENV://KEY", "client": {"ca": "$env://KEY"}});
    put(&mut resources, Kind::Ssl, "1", ssl);
    put(&mut resources, Kind::Ssl, "2", json!({"cert": "c", "key": "k"}));
    referred.look(&resources);
    let first = referred.fill(&resources).resources;
    let expected = json!({"cert": "c", "key": "of-the-environment", "client": {"ca": "of-the-environment"}});
    assert_eq!(first.get(Kind::Ssl, "1").unwrap().value, expected);
    assert!(Arc::ptr_eq(first.get(Kind::Ssl, "2").unwrap(), resources.get(Kind::Ssl, "2").unwrap()));
    let again = referred.fill(&resources).resources;
    assert!(again.shares(&first, Kind::Ssl), "nothing has changed");
    put(&mut resources, Kind::Ssl, "2", json!({"cert": "d", "key": "k"}));
    referred.look(&resources);
    let third = referred.fill(&resources);
    assert!(Arc::ptr_eq(third.resources.get(Kind::Ssl, "1").unwrap(), first.get(Kind::Ssl, "1").unwrap()));
    assert_eq!(third.mask("bad of-the-environment".to_owned()), "bad $ENV://KEY");
}

#[tokio::test]
async fn what_refers_to_nothing_that_is_there_keeps_its_last_good_form_or_is_left_out() {
    let (referred, mut resources) = (referred(), Resources::default());
    put(&mut resources, Kind::Ssl, "1", json!({"key": "$env://KEY"}));
    referred.look(&resources);
    let good = referred.fill(&resources).resources;
    put(&mut resources, Kind::Ssl, "1", json!({"key": "$env://NONE"}));
    let plugins = json!({"plugins": {"key-auth": {"key": "$secret://vault/1/jack/key"}}});
    put(&mut resources, Kind::Consumer, "jack", plugins);
    put(&mut resources, Kind::GlobalRule, "1", json!({"plugins": {"p": [SEALED]}}));
    put(&mut resources, Kind::PluginConfig, "1", json!({"plugins": {"p": {"a": "$secret://x"}}}));
    referred.look(&resources);
    let filled = referred.fill(&resources);
    assert!(Arc::ptr_eq(filled.resources.get(Kind::Ssl, "1").unwrap(), good.get(Kind::Ssl, "1").unwrap()));
    assert!(filled.resources.get(Kind::Consumer, "jack").is_none());
    let mut said: Vec<&str> = filled.refused.iter().map(|refused| refused.reason.as_str()).collect();
    said.sort_unstable();
    let expected = [
        "key refers to $env://NONE, but there is no such variable",
        "plugins.key-auth.key refers to $secret://vault/1/jack/key, but there is no secret manager vault/1",
        "plugins.p.0 refers to $secret://gcp/1/a/b, but there is no secret manager gcp/1",
        "plugins.p.a refers to $secret://x, but $secret://x is not $secret://MANAGER/ID/KEY",
    ];
    assert_eq!(said, expected);
    resources.remove(Kind::Consumer, &Id::of(Kind::Consumer, "jack").unwrap(), Revision(9));
    referred.look(&resources);
    assert_eq!(referred.fill(&resources).refused.len(), 3);
}
