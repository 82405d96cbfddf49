//! What a consumer or its group lays over the plugins of a route.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Pipeline;
use crate::{BuildContext, Registry};

/// The plugins of a consumer or a consumer group.
pub struct Layer {
    pipeline: Pipeline,
    /// All that are named, also those that are disabled here, so that they do not run below either.
    names: BTreeSet<String>,
}

impl Layer {
    /// Builds the plugins that `configs` names, as [`Pipeline::build`] does.
    pub fn build(
        configs: &Map<String, Value>,
        registry: &Registry,
        cx: &BuildContext,
        previous: Option<&Self>,
    ) -> Result<Self, String> {
        let pipeline = Pipeline::build(configs, registry, cx, previous.map(|previous| &previous.pipeline))?;
        Ok(Self { pipeline, names: configs.keys().cloned().collect() })
    }
}

impl Pipeline {
    /// These plugins with layers over them, the first on top: of plugins of one name, the topmost runs. The rewrite
    /// phase, in which the consumer was found, is over for what is here already and is not run again.
    #[must_use]
    pub fn under(&self, layers: &[&Layer]) -> Self {
        let mut steps = Vec::new();
        let mut named = BTreeSet::new();
        for layer in layers {
            let own = layer.pipeline.steps.iter().filter(|step| !named.contains(&*step.name));
            steps.extend(own.cloned());
            named.extend(layer.names.iter().map(String::as_str));
        }
        steps.extend(self.steps.iter().filter(|step| !named.contains(&*step.name)).cloned());
        let mut merged = Self::sorted(steps);
        merged.rewrite.retain(|step| !self.has(&step.name));
        merged
    }
}
