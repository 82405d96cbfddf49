//! Plugin metadata, checked when it changes: a bad one keeps its last good form, or is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockgate_plugin::{BuildContext, Metadata, Registry};
use lockgate_resource::{Id, Kind, Record, RefusedResource, Resources};
use serde_json::Value;

/// The metadata that is live, and the records it is made of.
#[derive(Clone, Default)]
pub(super) struct LiveMetadata {
    pub(super) metadata: Metadata,
    sources: BTreeMap<Id, Arc<Record>>,
}

impl LiveMetadata {
    /// Brings it up to the resources. Answers with the plugins whose metadata is another now.
    pub(super) fn renew(
        &mut self,
        resources: &Resources,
        registry: &Registry,
        build: &BuildContext,
        refused: &mut Vec<RefusedResource>,
    ) -> BTreeSet<Id> {
        let mut changed = BTreeSet::new();
        let records = resources.of(Kind::PluginMetadata);
        for id in self.sources.keys().filter(|id| !records.contains_key(*id)) {
            changed.insert(id.clone());
            self.metadata.remove(id.as_str());
        }
        self.sources.retain(|id, _| records.contains_key(id));
        for (id, record) in records {
            if self.sources.get(id).is_some_and(|live| Arc::ptr_eq(live, record)) {
                continue;
            }
            match registry.metadata(id.as_str(), &bare(&record.value), &*build.secrets) {
                Ok(value) => {
                    self.metadata.insert(id.as_str(), value);
                    self.sources.insert(id.clone(), record.clone());
                    changed.insert(id.clone());
                }
                Err(reason) => refused.push(super::compile::refusal(record, reason)),
            }
        }
        changed
    }
}

/// What was written, without what every resource has.
fn bare(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| !matches!(name.as_str(), "id" | "create_time" | "update_time"));
    }
    value
}

#[cfg(test)]
mod tests {
    use lockgate_resource::{Id, Kind, Revision};
    use serde_json::json;

    use crate::snapshot::bench::Bench;

    #[test]
    fn a_plugin_is_built_anew_when_its_metadata_changes_and_only_then() {
        let mut bench = Bench::new();
        let none: [String; 0] = [];
        for (id, plugins) in [("1", json!({"greeter": {}})), ("2", json!({}))] {
            assert_eq!(
                bench.put(Kind::Route, id, json!({"uri": format!("/{id}"), "plugins": plugins})),
                none
            );
        }
        assert_eq!(bench.seen(), [None]);
        assert_eq!(
            bench.put(Kind::PluginMetadata, "greeter", json!({"id": "greeter", "greeting": "hi"})),
            none
        );
        assert_eq!(bench.seen(), [Some("hi".to_owned())]);
        bench.put(Kind::Route, "2", json!({"uri": "/3", "plugins": {}}));
        bench.put(
            Kind::PluginMetadata,
            "greeter",
            json!({"id": "greeter", "greeting": "hi", "create_time": 1}),
        );
        assert!(bench.seen().is_empty(), "what it reads is the same");
        bench.resources.remove(Kind::PluginMetadata, &Id::new("greeter").unwrap(), Revision(9));
        assert_eq!(bench.compile(), none);
        assert_eq!(bench.seen(), [None]);
    }

    #[test]
    fn a_route_that_cannot_be_built_with_new_metadata_keeps_its_last_good_form_and_is_told_of() {
        let mut bench = Bench::new();
        bench.put(Kind::Route, "1", json!({"uri": "/1", "plugins": {"greeter": {}}}));
        let told = ["1: plugin greeter: greeting is rude"];
        assert_eq!(bench.put(Kind::PluginMetadata, "greeter", json!({"greeting": "rude"})), told);
        assert_eq!(
            bench.put(Kind::Route, "2", json!({"uri": "/2", "plugins": {}})),
            told,
            "until it is mended"
        );
        assert!(bench.snapshot.routes.contains_key("1"));
        let none: [String; 0] = [];
        assert_eq!(bench.put(Kind::PluginMetadata, "greeter", json!({"greeting": "hi"})), none);
        assert_eq!(bench.seen(), [None, Some("hi".to_owned())]);
    }

    #[test]
    fn bad_metadata_keeps_its_last_good_form_and_stops_nothing() {
        let mut bench = Bench::new();
        bench.put(Kind::Route, "1", json!({"uri": "/1", "plugins": {"greeter": {}}}));
        bench.put(Kind::PluginMetadata, "greeter", json!({"id": "greeter", "greeting": "hi"}));
        for bad in [json!({"greeting": 5}), json!({"x": 1}), json!("text"), json!(null), json!([])] {
            let refused = bench.put(Kind::PluginMetadata, "greeter", bad.clone());
            assert!(refused.len() == 1 && refused[0].starts_with("greeter: "), "{bad}: {refused:?}");
        }
        let refused = bench.put(Kind::PluginMetadata, "no-such-plugin", json!({"id": "no-such-plugin"}));
        assert_eq!(refused.len(), 2, "each is told of until it is mended: {refused:?}");
        bench.seen();
        assert_eq!(bench.put(Kind::Route, "2", json!({"uri": "/2", "plugins": {"greeter": {}}})).len(), 2);
        assert_eq!(bench.seen(), [Some("hi".to_owned())]);
    }
}
