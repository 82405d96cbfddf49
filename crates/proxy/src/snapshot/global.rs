//! Global rules, compiled: one pipeline that runs before that of any route, and where there is no route.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockgate_plugin::{BuildContext, Pipeline};
use lockgate_resource::{GlobalRule, Id, Kind, Record, RefusedResource, Resources};

use super::Compiler;
use super::compile::refusal;

/// The global rules that are live.
#[derive(Clone, Default)]
pub(super) struct GlobalRules {
    rules: BTreeMap<Id, LiveRule>,
    /// The plugins of all of them; `None` where there is none, so that a request has nothing to run.
    pub(super) pipeline: Option<Arc<Pipeline>>,
}

/// A rule in its last good form.
#[derive(Clone)]
struct LiveRule {
    source: Arc<Record>,
    pipeline: Arc<Pipeline>,
}

impl GlobalRules {
    /// Brings them up to the resources. `renewed` are the plugins whose metadata is another.
    pub(super) fn renew(
        &mut self,
        resources: &Resources,
        renewed: &BTreeSet<Id>,
        compiler: &Compiler,
        build: &BuildContext,
        refused: &mut Vec<RefusedResource>,
    ) {
        let before = std::mem::take(&mut self.rules);
        let mut has_changed = resources.of(Kind::GlobalRule).len() != before.len();
        for (id, record) in resources.of(Kind::GlobalRule) {
            let old = before.get(id);
            let is_same = |live: &&LiveRule| {
                Arc::ptr_eq(&live.source, record)
                    && !renewed.iter().any(|plugin| live.pipeline.has(plugin.as_str()))
            };
            if let Some(same) = old.filter(is_same) {
                self.rules.insert(id.clone(), same.clone());
                continue;
            }
            has_changed = true;
            let made =
                GlobalRule::from_value(&record.value).and_then(|rule| self.no_twin(rule)).and_then(|rule| {
                    let before = old.map(|old| &*old.pipeline);
                    Pipeline::build(&rule.plugins, &compiler.registry, build, before)
                });
            match (made, old) {
                (Ok(pipeline), _) => {
                    let rule = LiveRule { source: record.clone(), pipeline: Arc::new(pipeline) };
                    self.rules.insert(id.clone(), rule);
                }
                (Err(reason), old) => {
                    refused.push(refusal(record, reason));
                    self.rules.extend(old.map(|old| (id.clone(), old.clone())));
                }
            }
        }
        if has_changed {
            let all = Pipeline::join(self.rules.values().map(|rule| &*rule.pipeline));
            self.pipeline = Some(all).filter(|all| !all.is_empty()).map(Arc::new);
        }
    }

    /// A plugin runs once for a request, whoever wrote two rules with it past the Admin API.
    fn no_twin(&self, rule: GlobalRule) -> Result<GlobalRule, String> {
        let twin = rule.plugins.keys().find_map(|name| {
            let (id, _) = self.rules.iter().find(|(_, other)| other.pipeline.has(name))?;
            Some((name, id))
        });
        match twin {
            Some((name, id)) => Err(format!("plugin '{name}' already exists in global rule with id '{id}'")),
            None => Ok(rule),
        }
    }
}

#[cfg(test)]
mod tests {
    use lockgate_resource::{Id, Kind, Revision};
    use serde_json::json;

    use crate::snapshot::bench::Bench;

    const NONE: [String; 0] = [];

    #[test]
    fn rules_are_one_pipeline_that_is_there_only_with_them() {
        let mut bench = Bench::new();
        assert!(bench.snapshot.global().is_none());
        assert_eq!(bench.put(Kind::GlobalRule, "1", json!({"plugins": {"greeter": {}}})), NONE);
        assert!(bench.snapshot.global().is_some_and(|global| global.has("greeter")));
        bench.put(Kind::Route, "1", json!({"uri": "/1", "plugins": {}}));
        assert_eq!(bench.seen(), [None], "a change of something else builds nothing anew");
        bench.resources.remove(Kind::GlobalRule, &Id::new("1").unwrap(), Revision(9));
        assert_eq!(bench.compile(), NONE);
        assert!(bench.snapshot.global().is_none());
    }

    #[test]
    fn a_bad_rule_keeps_its_last_good_form_and_is_told_of_until_it_is_mended() {
        let mut bench = Bench::new();
        bench.put(Kind::GlobalRule, "1", json!({"plugins": {"greeter": {}}}));
        let told = ["1: unknown plugin [nope]"];
        assert_eq!(bench.put(Kind::GlobalRule, "1", json!({"plugins": {"nope": {}}})), told);
        assert_eq!(bench.put(Kind::Route, "1", json!({"uri": "/1", "plugins": {}})), told);
        assert!(bench.snapshot.global().is_some_and(|global| global.has("greeter")));
        assert_eq!(bench.put(Kind::GlobalRule, "1", json!({"plugins": {}})), NONE);
        assert!(bench.snapshot.global().is_none());
    }

    #[test]
    fn a_plugin_in_two_rules_runs_in_the_first() {
        let mut bench = Bench::new();
        bench.put(Kind::GlobalRule, "1", json!({"plugins": {"greeter": {}}}));
        let told = ["2: plugin 'greeter' already exists in global rule with id '1'"];
        assert_eq!(bench.put(Kind::GlobalRule, "2", json!({"plugins": {"greeter": {}}})), told);
        bench.resources.remove(Kind::GlobalRule, &Id::new("1").unwrap(), Revision(9));
        assert_eq!(bench.compile(), NONE);
        assert!(bench.snapshot.global().is_some_and(|global| global.has("greeter")));
    }

    #[test]
    fn a_change_of_a_plugin_config_renews_only_routes_that_use_it() {
        let mut bench = Bench::new();
        let config = |words| json!({"plugins": {"greeter": {"greeting": words}}});
        bench.put(Kind::PluginConfig, "p", config("a"));
        bench.put(Kind::PluginConfig, "q", config("a"));
        for (id, config) in [("1", "p"), ("2", "q")] {
            let route = json!({"uri": format!("/{id}"), "plugins": {}, "plugin_config_id": config});
            assert_eq!(bench.put(Kind::Route, id, route), NONE);
        }
        let before = ["1", "2"].map(|id| bench.snapshot.routes[id].clone());
        bench.put(Kind::PluginConfig, "p", config("b"));
        let after = ["1", "2"].map(|id| bench.snapshot.routes[id].clone());
        assert!(!std::sync::Arc::ptr_eq(&before[0], &after[0]));
        assert!(std::sync::Arc::ptr_eq(&before[1], &after[1]));
        let missing = json!({"uri": "/3", "plugins": {}, "plugin_config_id": "nope"});
        assert_eq!(bench.put(Kind::Route, "3", missing), ["3: plugin_config [nope] does not exist"]);
    }
}
