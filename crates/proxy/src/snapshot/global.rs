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
            let is_same = |old: &&LiveRule| {
                Arc::ptr_eq(&old.source, record)
                    && !renewed.iter().any(|plugin| old.pipeline.has(plugin.as_str()))
            };
            if let Some(same) = old.filter(is_same) {
                self.rules.insert(id.clone(), same.clone());
                continue;
            }
            has_changed = true;
            let built =
                GlobalRule::from_value(&record.value).and_then(|rule| self.no_twin(rule)).and_then(|rule| {
                    let before = old.map(|old| &*old.pipeline);
                    Pipeline::build(&rule.plugins, &compiler.registry, build, before)
                });
            match (built, old) {
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
