//! From resources to a snapshot. What has not changed since the snapshot before is taken from it, so a change
//! costs what it touches; what cannot be compiled keeps its last good form, or is left out, and is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockgate_plugin::{BuildContext, Condition, Pipeline, RouteNames};
use lockgate_resource::{
    Id, Kind, PluginConfig, Plugins, Record, RefusedResource, Resources, Route, Service, Status,
};

use super::identity::{is_any_renewed, is_renewed};
use super::metadata::LiveMetadata;
use super::route::{CompiledRoute, Sources, next_number};
use super::upstream::CompiledUpstream;
use super::{Certificates, Compiler, SharedUpstream, Snapshot, timeouts};
use crate::router::{MethodSet, Router, Rule};

impl Compiler {
    /// Compiles everything.
    pub fn compile(&self, resources: &Resources, previous: &Snapshot) -> (Snapshot, Vec<RefusedResource>) {
        let mut refused = Vec::new();
        let mut metadata = previous.metadata.clone();
        let renewed = metadata.renew(resources, &self.registry, &self.build, &mut refused);
        let upstreams = self.upstreams(resources, previous, &mut refused);
        let service_upstreams = self.service_upstreams(resources, previous, &mut refused);
        let known = (&previous.certificates, &previous.resources);
        let secrets = &*self.build.secrets;
        let certificates = Certificates::compile(resources, known, &self.tls, secrets, &mut refused);
        let mut global = previous.global.clone();
        global.renew(resources, &renewed, self, &self.build_with(&metadata), &mut refused);
        let mut consumers = previous.consumers.clone();
        consumers.renew(
            (resources, &previous.resources),
            !renewed.is_empty(),
            self,
            &self.build_with(&metadata),
            &mut refused,
        );
        let mut next = Snapshot {
            routing: self.routing,
            global,
            certificates,
            revision: resources.revision,
            router: self.router(previous),
            resources: resources.clone(),
            routes: previous.routes.clone(),
            any_logs: previous.any_logs,
            refused: BTreeSet::new(),
            upstreams,
            service_upstreams,
            consumers,
            identity: Arc::default(),
            attended: previous.attended.clone(),
            metadata,
        };
        self.routes(previous, &renewed, &mut next, &mut refused);
        self.attend(previous, &mut next);
        (next, refused)
    }

    /// The router to go on from. Another order comes with another start only, when nothing is in it yet.
    fn router(&self, previous: &Snapshot) -> Router<Arc<CompiledRoute>> {
        if previous.router.kind() == self.routing.router {
            return previous.router.clone();
        }
        Router::new(self.routing.router)
    }

    pub(super) fn build_with(&self, metadata: &LiveMetadata) -> BuildContext {
        BuildContext { metadata: metadata.metadata.clone(), ..self.build.clone() }
    }

    /// Brings the routes of `next`, which are those of `previous`, up to its resources.
    /// `renewed` are the plugins whose metadata is another.
    fn routes(
        &self,
        previous: &Snapshot,
        renewed: &BTreeSet<Id>,
        next: &mut Snapshot,
        refused: &mut Vec<RefusedResource>,
    ) {
        let resources = next.resources.clone();
        let (changed, gone) = resources.changes(&previous.resources, Kind::Route);
        for id in gone {
            next.attended.put(Kind::Route, &id, None, self.build.resolver.runtime());
            if let Some(rule) = next.routes.remove(&id).and_then(|route| route.rule.clone()) {
                next.router.remove(&rule);
            }
        }
        let shares = |kind| resources.shares(&previous.resources, kind);
        let parts = [Kind::Service, Kind::Upstream, Kind::PluginConfig];
        let is_certified = !is_any_renewed(&resources, previous);
        let again: Vec<_> = if parts.into_iter().all(shares) && renewed.is_empty() && is_certified {
            let refused = previous.refused.iter();
            refused.filter_map(|id| resources.get(Kind::Route, id.as_str())).collect()
        } else {
            // A route changes with what it refers to.
            resources.of(Kind::Route).values().collect()
        };
        for record in changed.into_iter().chain(again) {
            // One that was refused may be made of the same records, and of metadata that it could not be built with.
            let is_open = previous.refused.contains(&record.id) || is_renewed(record, &resources, previous);
            if let Err(reason) = self.renew(record, renewed, is_open, next)
                && next.refused.insert(record.id.clone())
            {
                refused.push(refusal(record, reason));
            }
        }
    }

    /// Compiles a route, unless it is made of the same records as the one that is there.
    /// `is_open` says that its newest form was refused before.
    fn renew(
        &self,
        record: &Arc<Record>,
        renewed: &BTreeSet<Id>,
        is_open: bool,
        next: &mut Snapshot,
    ) -> Result<(), String> {
        let before = next.routes.get(&record.id).cloned();
        let sources = sources(&next.resources, &next.upstreams, record)?;
        let is_same = |before: &CompiledRoute| {
            before.sources.are(&sources)
                && has_upstream(before, next)
                && !renewed.iter().any(|plugin| before.pipeline.has(plugin.as_str()))
        };
        if !is_open && before.as_deref().is_some_and(is_same) {
            return Ok(());
        }
        let route = self.route(&record.id, sources, next, before.as_deref())?;
        let route = swap_rule(&mut next.router, before.as_deref(), route)?;
        next.any_logs |= route.pipeline.logs();
        let own = route.upstream.as_ref().filter(|_| route.has_own_upstream);
        next.attended.put(Kind::Route, &record.id, own, self.build.resolver.runtime());
        next.routes.insert(record.id.clone(), route);
        Ok(())
    }

    fn route(
        &self,
        id: &Id,
        sources: Sources,
        next: &Snapshot,
        previous: Option<&CompiledRoute>,
    ) -> Result<CompiledRoute, String> {
        let route = Route::from_value(&sources.route.value)?;
        let service =
            sources.service.as_ref().map(|record| Service::from_value(&record.value)).transpose()?;
        let config = sources.plugin_config.as_ref();
        let config = config.map(|record| PluginConfig::from_value(&record.value)).transpose()?;
        let build = self.build_with(&next.metadata);
        let pipeline = Pipeline::build(
            &merged(service.as_ref(), config.as_ref(), &route),
            &self.registry,
            &build,
            previous.map(|previous| &previous.pipeline),
        )?;
        let of_service = sources.service.as_ref().filter(|_| {
            service.as_ref().is_some_and(|service| service.upstream.is_some()) && route.upstream_id.is_none()
        });
        let upstream = match (&route.upstream, of_service, sources.upstream.as_ref()) {
            (Some(own), ..) => {
                let before = previous.and_then(|previous| previous.upstream.as_ref());
                let own = self.identified(own.clone(), &next.resources)?;
                Some(CompiledUpstream::compile(&own, self.keep_alive, &self.build, before)?)
            }
            (None, Some(service), _) => {
                let shared = next.service_upstreams.get(&service.id);
                let shared =
                    shared.ok_or_else(|| format!("the upstream of service [{}] is refused", service.id))?;
                Some(shared.compiled.clone())
            }
            (None, None, Some(record)) => {
                next.upstreams.get(&record.id).map(|shared| shared.compiled.clone())
            }
            (None, None, None) => None,
        };
        let written = upstream.as_ref().and_then(|upstream| upstream.timeouts);
        let rule =
            (route.status == Status::Enabled).then(|| rule(id, &route, service.as_ref())).transpose()?;
        Ok(CompiledRoute {
            id: id.clone(),
            number: next_number(),
            names: names(&route, service.as_ref()),
            pipeline,
            timeouts: route.timeout.as_ref().map(timeouts).or(written).unwrap_or_default(),
            has_own_upstream: route.upstream.is_some(),
            upstream,
            allows_websocket: allows_websocket(&sources, &route, service.as_ref()),
            rule: rule.map(Arc::new),
            sources,
        })
    }
}

/// Whether a route has its shared upstream as it is now: that may be another though its record is the same.
fn has_upstream(route: &CompiledRoute, next: &Snapshot) -> bool {
    let Sources { upstream, service, .. } = &route.sources;
    let shared = match (upstream, service) {
        _ if route.has_own_upstream => None,
        (Some(record), _) => next.upstreams.get(&record.id),
        (None, Some(service)) => next.service_upstreams.get(&service.id),
        (None, None) => None,
    };
    match (shared, &route.upstream) {
        (Some(shared), Some(upstream)) => Arc::ptr_eq(&shared.compiled, upstream),
        _ => true,
    }
}

/// What a route is made of; an error when it refers to something that is not there.
fn sources(
    resources: &Resources,
    upstreams: &BTreeMap<Id, SharedUpstream>,
    route: &Arc<Record>,
) -> Result<Sources, String> {
    let named = |record: &Record, field: &str| lockgate_resource::read_id(&record.value[field]);
    let service = match named(route, "service_id") {
        None => None,
        Some(id) => Some(
            resources
                .get(Kind::Service, id.as_str())
                .cloned()
                .ok_or_else(|| format!("service [{id}] does not exist"))?,
        ),
    };
    let plugin_config = match named(route, "plugin_config_id") {
        None => None,
        Some(id) => Some(
            resources
                .get(Kind::PluginConfig, id.as_str())
                .cloned()
                .ok_or_else(|| format!("plugin_config [{id}] does not exist"))?,
        ),
    };
    let has_own = |record: &Record| record.value.get("upstream").is_some();
    let upstream_id = named(route, "upstream_id").or_else(|| {
        let service = service.as_deref().filter(|_| !has_own(route))?;
        named(service, "upstream_id").filter(|_| !has_own(service))
    });
    let upstream = match upstream_id {
        None => None,
        // The record that is live, which is the last good one where the newest was refused.
        Some(id) => Some(
            upstreams
                .get(&id)
                .map(|shared| shared.source.clone())
                .ok_or_else(|| format!("upstream [{id}] does not exist"))?,
        ),
    };
    Ok(Sources { route: route.clone(), service, plugin_config, upstream })
}

/// What the route says, or, where it says nothing, its service.
fn allows_websocket(sources: &Sources, route: &Route, service: Option<&Service>) -> bool {
    if sources.route.value.get("enable_websocket").is_some() {
        return route.enable_websocket;
    }
    service.and_then(|service| service.enable_websocket).unwrap_or_default()
}

/// The plugins of a service, over them those of the plugin config, and over both those of the route.
fn merged(service: Option<&Service>, config: Option<&PluginConfig>, route: &Route) -> Plugins {
    let mut plugins = service.map(|service| service.plugins.clone()).unwrap_or_default();
    plugins.extend(config.map(|config| config.plugins.clone()).unwrap_or_default());
    plugins.extend(route.plugins.clone());
    plugins
}

fn names(route: &Route, service: Option<&Service>) -> RouteNames {
    let name = |name: Option<&String>| name.cloned().unwrap_or_default();
    RouteNames {
        name: name(route.name.as_ref()),
        service_id: route.service_id.as_ref().map(Id::to_string).unwrap_or_default(),
        service_name: name(service.and_then(|service| service.name.as_ref())),
        uris: route.uris.clone(),
        hosts: hosts(route, service).clone(),
    }
}

/// The route's own, or its service's where it has none.
fn hosts<'a>(route: &'a Route, service: Option<&'a Service>) -> &'a Vec<String> {
    match service {
        Some(service) if route.hosts.is_empty() => &service.hosts,
        _ => &route.hosts,
    }
}

fn rule(id: &Id, route: &Route, service: Option<&Service>) -> Result<Rule, String> {
    let condition =
        if route.vars.is_empty() { None } else { Some(Condition::parse(&route.vars.clone().into())?) };
    let methods =
        MethodSet::parse(route.methods.iter().map(String::as_str)).map_err(|error| error.to_string())?;
    Ok(Rule {
        id: id.to_string(),
        uris: route.uris.clone(),
        hosts: hosts(route, service).clone(),
        methods: Some(methods),
        remote_addrs: route.remote_addrs.clone(),
        condition,
        priority: i32::try_from(route.priority)
            .map_err(|_| format!("priority {} is out of range", route.priority))?,
    })
}

/// Puts the route into the router in place of what was there. A rule the router refuses changes nothing.
fn swap_rule(
    router: &mut Router<Arc<CompiledRoute>>,
    before: Option<&CompiledRoute>,
    route: CompiledRoute,
) -> Result<Arc<CompiledRoute>, String> {
    let route = Arc::new(route);
    let old = before.and_then(|before| before.rule.as_ref());
    let mut changed = router.clone();
    if let Some(old) = old {
        changed.remove(old);
    }
    if let Some(rule) = &route.rule {
        changed.insert(rule, route.clone()).map_err(|error| error.to_string())?;
    }
    *router = changed;
    Ok(route)
}

pub(super) fn refusal(record: &Record, reason: String) -> RefusedResource {
    RefusedResource { kind: record.kind, id: record.id.clone(), modified: record.modified, reason }
}
