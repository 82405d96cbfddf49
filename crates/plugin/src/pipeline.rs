//! The plugins of one route, sorted into phases when the configuration changes: a phase nobody takes part in
//! costs nothing.

mod layer;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use lockgate_http::{Body, Request, Response, name};
use lockgate_telemetry::clock;
use serde_json::{Map, Value};

pub use layer::Layer;

use crate::condition::Condition;
use crate::erased::{Erased, Running};
use crate::{BuildContext, Error, Flow, Phase, Registry, RequestContext, meta};

/// The plugins of one route.
#[derive(Default)]
pub struct Pipeline {
    rewrite: Vec<Arc<Step>>,
    access: Vec<Arc<Step>>,
    before_proxy: Vec<Arc<Step>>,
    header_filter: Vec<Arc<Step>>,
    body_filter: Vec<Arc<Step>>,
    log: Vec<Arc<Step>>,
    steps: Vec<Arc<Step>>,
    asks_content: bool,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.steps.iter().map(|step| &step.name)).finish()
    }
}

/// A plugin in a pipeline.
struct Step {
    name: Box<str>,
    /// What was written, to see whether it has changed.
    config: Value,
    /// What was written of it in general, to see the same.
    metadata: Option<Arc<Value>>,
    priority: i32,
    plugin: Arc<dyn Erased>,
    filter: Option<Condition>,
    error_response: Option<ErrorResponse>,
}

/// The body that replaces a plugin's own when it refuses.
struct ErrorResponse {
    content_type: &'static str,
    body: Bytes,
}

impl Pipeline {
    /// Builds the plugins that `configs` names, all but the disabled ones. A plugin whose configuration and
    /// metadata are those of `previous` is kept as it is, with all it has counted and cached.
    pub fn build(
        configs: &Map<String, Value>,
        registry: &Registry,
        cx: &BuildContext,
        previous: Option<&Self>,
    ) -> Result<Self, String> {
        let mut steps = Vec::with_capacity(configs.len());
        for (name, config) in configs {
            let kept = previous.and_then(|previous| previous.step(name, config));
            let kept = kept.filter(|step| step.metadata.as_ref() == cx.metadata.of(name));
            match kept {
                Some(step) => steps.push(step.clone()),
                None => steps.extend(Step::build(name, config, registry, cx)?.map(Arc::new)),
            }
        }
        Ok(Self::sorted(steps))
    }

    /// One pipeline of the plugins of several, which have no plugin in common.
    pub fn join<'a>(pipelines: impl IntoIterator<Item = &'a Self>) -> Self {
        Self::sorted(pipelines.into_iter().flat_map(|pipeline| pipeline.steps.iter().cloned()).collect())
    }

    fn sorted(mut steps: Vec<Arc<Step>>) -> Self {
        // Of equal priority, the name decides, so that every node runs them in one order.
        steps.sort_by(|a, b| (Reverse(a.priority), &a.name).cmp(&(Reverse(b.priority), &b.name)));
        let taking = |phase| {
            let takes = |step: &&Arc<Step>| step.plugin.phases().contains(&phase);
            steps.iter().filter(takes).cloned().collect::<Vec<_>>()
        };
        Self {
            rewrite: taking(Phase::Rewrite),
            access: taking(Phase::Access),
            before_proxy: taking(Phase::BeforeProxy),
            header_filter: taking(Phase::HeaderFilter),
            body_filter: taking(Phase::BodyFilter),
            log: taking(Phase::Log),
            asks_content: steps.iter().any(|step| step.filter.as_ref().is_some_and(Condition::asks_content)),
            steps,
        }
    }

    /// Whether there is no plugin.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether a condition on a plugin asks for [`RequestContext::read_content`].
    pub fn asks_content(&self) -> bool {
        self.asks_content
    }

    fn step(&self, name: &str, config: &Value) -> Option<&Arc<Step>> {
        self.steps.iter().find(|step| &*step.name == name && step.config == *config)
    }

    /// Runs the phase of that name; the first answer ends it.
    pub async fn rewrite(&self, request: &mut Request, cx: &mut RequestContext) -> Result<Flow, Error> {
        run(&self.rewrite, request, cx, |plugin, request, cx| plugin.rewrite(request, cx)).await
    }

    /// Runs the phase of that name; the first answer ends it.
    pub async fn access(&self, request: &mut Request, cx: &mut RequestContext) -> Result<Flow, Error> {
        run(&self.access, request, cx, |plugin, request, cx| plugin.access(request, cx)).await
    }

    /// Runs the phase of that name; the first answer ends it.
    pub async fn before_proxy(&self, request: &mut Request, cx: &mut RequestContext) -> Result<Flow, Error> {
        run(&self.before_proxy, request, cx, |plugin, request, cx| plugin.before_proxy(request, cx)).await
    }

    /// Runs the phase of that name.
    pub fn header_filter(&self, request: &Request, response: &mut Response, cx: &mut RequestContext) {
        for step in &self.header_filter {
            if step.applies(request, cx) {
                step.plugin.header_filter(response, cx);
            }
        }
    }

    /// Runs the phase of that name.
    pub fn body_filter(&self, request: &Request, response: &mut Response, cx: &mut RequestContext) {
        for step in &self.body_filter {
            if step.applies(request, cx) {
                let body = std::mem::take(&mut response.body);
                response.body = step.plugin.body_filter(body, cx);
            }
        }
    }

    /// Whether a plugin of this name is among them.
    pub fn has(&self, name: &str) -> bool {
        self.steps.iter().any(|step| &*step.name == name)
    }

    /// Whether any plugin looks at what happened.
    pub fn logs(&self) -> bool {
        !self.log.is_empty()
    }

    /// Runs the phase of that name. Plugins that look once a request only are left to `others`.
    pub fn log(&self, request: &Request, cx: &RequestContext, others: Option<&Self>) {
        for step in self.log.iter().filter(|step| step.applies(request, cx)) {
            let has_twin = |others: &Self| step.plugin.logs_once() && others.has(&step.name);
            if !others.is_some_and(has_twin) {
                step.plugin.log(request, cx);
            }
        }
    }
}

async fn run(
    steps: &[Arc<Step>],
    request: &mut Request,
    cx: &mut RequestContext,
    phase: impl for<'a> Fn(&'a dyn Erased, &'a mut Request, &'a mut RequestContext) -> Running<'a>,
) -> Result<Flow, Error> {
    for step in steps {
        if !step.applies(request, cx) {
            continue;
        }
        let flow = match phase(&*step.plugin, request, cx) {
            Running::Over(flow) => flow,
            Running::UnderWay(running) => end(running).await,
        };
        if let Flow::Respond(response) = flow? {
            return Ok(Flow::Respond(step.finish(response)));
        }
    }
    Ok(Flow::Continue)
}

/// Waits for a phase to end. What follows must not reckon from before the wait.
async fn end<T>(mut running: impl Future<Output = T> + Unpin) -> T {
    let mut has_waited = false;
    let result = std::future::poll_fn(|task| {
        let polled = Pin::new(&mut running).poll(task);
        has_waited |= polled.is_pending();
        polled
    })
    .await;
    if has_waited {
        clock::now();
    }
    result
}

impl Step {
    /// `None` for a plugin that is disabled.
    fn build(
        name: &str,
        config: &Value,
        registry: &Registry,
        cx: &BuildContext,
    ) -> Result<Option<Self>, String> {
        let registered = registry.get(name).ok_or_else(|| format!("unknown plugin [{name}]"))?;
        let (meta, bare) = meta::split(config.clone())?;
        if meta.disable {
            return Ok(None);
        }
        let failed = |reason: String| format!("plugin {name}: {reason}");
        Ok(Some(Self {
            name: name.into(),
            config: config.clone(),
            metadata: cx.metadata.of(name).cloned(),
            priority: meta.priority.unwrap_or(registered.priority()),
            plugin: registered.build(&bare, cx).map_err(|error| failed(error.0))?,
            filter: meta.filter.as_ref().map(Condition::parse).transpose().map_err(failed)?,
            error_response: meta.error_response.map(ErrorResponse::new),
        }))
    }

    fn applies(&self, request: &Request, cx: &RequestContext) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.holds(request, cx))
    }

    fn finish(&self, mut response: Response) -> Response {
        if let Some(replacement) = self.error_response.as_ref().filter(|_| response.status.as_u16() >= 400) {
            response.body = Body::full(replacement.body.clone());
            // A content type of ours is a valid value.
            let _ = response.headers.set(name::CONTENT_TYPE, replacement.content_type.as_bytes());
        }
        response
    }
}

impl ErrorResponse {
    fn new(written: Value) -> Self {
        match written {
            Value::String(text) => Self { content_type: "text/plain; charset=utf-8", body: text.into() },
            value => Self { content_type: "application/json", body: value.to_string().into() },
        }
    }
}
