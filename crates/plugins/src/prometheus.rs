//! `prometheus`: counts requests, for the export server to show.

use std::cell::RefCell;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lockgate_http::Request;
use lockgate_plugin::{
    BuildContext, BuildError, MetadataType, Phase, Plugin, RequestContext, RouteNames, Variable,
};
use lockgate_telemetry::metric::{
    Extra, Family, Key, Label, LabelSet, Labelled, MetricSettings, Metrics, Pinned, Sample,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// What users write under `prometheus`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Config {
    /// Whether `route` and `service` are names, where there are any, in place of ids.
    #[serde(default)]
    prefer_name: bool,
}

/// What users write once for the plugin.
#[derive(Default, Deserialize, JsonSchema)]
struct Metadata {
    /// Labels whose values are left empty, by metric: what differs in them alone becomes one.
    #[serde(default)]
    disabled_labels: DisabledLabels,
}

/// Labels by metric. Those that tell what is counted (`code`, `type`) cannot be left empty.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DisabledLabels {
    /// Of `http_status`.
    #[serde(default)]
    http_status: Vec<StatusLabel>,
    /// Of `http_latency`.
    #[serde(default)]
    http_latency: Vec<OtherLabel>,
    /// Of `bandwidth`.
    #[serde(default)]
    bandwidth: Vec<OtherLabel>,
}

/// A label of `http_status`.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum StatusLabel {
    Route,
    MatchedUri,
    MatchedHost,
    Service,
    Consumer,
    Node,
    RequestType,
    RequestLlmModel,
    LlmModel,
    ResponseSource,
}

/// A label of the other metrics.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OtherLabel {
    Route,
    Service,
    Consumer,
    Node,
    RequestType,
    RequestLlmModel,
    LlmModel,
}

/// How requests are counted.
pub(crate) struct Prometheus {
    metrics: Arc<Metrics>,
    /// Tells it from every other one: what it counts is labelled by its own configuration.
    number: u64,
    prefer_name: bool,
    disabled: [LabelSet; 3],
    /// The values of labels that the settings add.
    extra: Box<[Variable]>,
}

/// Who made an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A node or a function.
    Upstream,
    /// The gateway, for a node that gave none: what nginx does in APISIX.
    Failure,
    /// The gateway, for itself.
    Gateway,
}

thread_local! {
    static EXTRA: RefCell<Extra> = RefCell::default();
}

impl Plugin for Prometheus {
    const NAME: &'static str = "prometheus";
    const PRIORITY: i32 = 500;
    const PHASES: &'static [Phase] = &[Phase::Log];
    const LOGS_ONCE: bool = true;
    type Config = Config;

    fn build(config: Config, cx: &BuildContext) -> Result<Self, BuildError> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let metrics = cx.shared.get(|| Metrics::new(MetricSettings::default()));
        let disabled = cx.metadata.get::<Metadata>(Self::NAME).unwrap_or_default().disabled_labels;
        let families = [Family::Status, Family::Latency, Family::Bandwidth];
        let labels =
            families.into_iter().flat_map(|family| &family.settings(metrics.settings()).extra_labels);
        let variable = |name: &str| {
            Variable::parse(name).ok_or_else(|| BuildError(format!("there is no variable ${name}")))
        };
        let extra = labels.map(|label| variable(&label.variable)).collect::<Result<_, _>>()?;
        Ok(Self {
            number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            prefer_name: config.prefer_name,
            disabled: disabled.sets(),
            extra,
            metrics,
        })
    }

    fn metadata() -> Option<MetadataType> {
        Some(MetadataType::of::<Metadata>())
    }

    fn log(&self, request: &Request, cx: &RequestContext) {
        let source = Source::of(cx);
        let sample = Sample {
            request: cx.duration,
            upstream: cx.upstream.duration,
            ingress: cx.bytes_received,
            egress: cx.body_bytes_sent + u64::from(cx.head_bytes_sent),
        };
        let key = self.key(cx, source);
        let describe = |describe: &mut dyn FnMut(&Labelled<'_>, Pinned)| self.describe(cx, source, describe);
        if self.extra.is_empty() {
            return self.metrics.record(key, &Extra::default(), &sample, describe);
        }
        EXTRA.with_borrow_mut(|extra| {
            extra.clear();
            for variable in &self.extra {
                extra.add(|out| {
                    let at = out.len();
                    if !variable.write(request, cx, out) {
                        out.truncate(at);
                    }
                });
            }
            self.metrics.record(key, extra, &sample, describe);
        });
    }
}

impl Prometheus {
    /// What the labels are made of. A consumer is told by where it lies.
    #[inline]
    fn key(&self, cx: &RequestContext, source: Source) -> Key {
        let consumer = cx.consumer.as_ref().map_or(0, |consumer| Arc::as_ptr(consumer) as usize as u64);
        let (high, low) = node(cx).map_or((0, 0), halves);
        let host = cx.matched_host.map_or(0, NonZeroU32::get);
        let matched = u64::from(cx.matched_uri) << 32 | u64::from(host);
        let answer = u64::from(cx.status) << 8 | source as u64;
        Key::new([self.number, cx.route_number, consumer, high, low, matched, answer])
    }

    fn describe(&self, cx: &RequestContext, source: Source, describe: &mut dyn FnMut(&Labelled<'_>, Pinned)) {
        let unnamed = RouteNames::default();
        let RouteNames { name, service_id, service_name, .. } = cx.names().unwrap_or(&unnamed);
        let prefers = |name: &str| self.prefer_name && !name.is_empty();
        let address = node(cx).map(|ip| ip.to_string()).unwrap_or_default();
        let labelled = Labelled {
            code: cx.status,
            route: if prefers(name) { name } else { cx.route_id() },
            matched_uri: cx.matched_uri().unwrap_or_default(),
            matched_host: cx.matched_host().unwrap_or_default(),
            service: if prefers(service_name) { service_name } else { service_id },
            consumer: cx.consumer.as_ref().map_or("", |consumer| &consumer.name),
            node: &address,
            response_source: source.name(),
            disabled: self.disabled,
        };
        describe(&labelled, cx.consumer.clone().map(|consumer| consumer as _));
    }
}

impl Source {
    fn of(cx: &RequestContext) -> Self {
        match (cx.upstream.status, cx.upstream.is_node) {
            (0, false) => Self::Gateway,
            (0, true) => Self::Failure,
            _ => Self::Upstream,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Failure => "nginx",
            Self::Gateway => "apisix",
        }
    }
}

/// The node that was asked. Functions have too many addresses to be told apart by them.
fn node(cx: &RequestContext) -> Option<IpAddr> {
    cx.upstream.address.filter(|_| cx.upstream.is_node).map(|address| address.ip().to_canonical())
}

fn halves(ip: IpAddr) -> (u64, u64) {
    let bits = match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    #[expect(clippy::cast_possible_truncation, reason = "the other half is beside it")]
    ((bits >> 64) as u64, bits as u64)
}

impl DisabledLabels {
    fn sets(&self) -> [LabelSet; 3] {
        let others = |labels: &[OtherLabel]| labels.iter().map(|label| Label::from(*label)).collect();
        let status = self.http_status.iter().map(|label| Label::from(*label)).collect();
        [status, others(&self.http_latency), others(&self.bandwidth)]
    }
}

impl From<StatusLabel> for Label {
    fn from(label: StatusLabel) -> Self {
        match label {
            StatusLabel::Route => Self::Route,
            StatusLabel::MatchedUri => Self::MatchedUri,
            StatusLabel::MatchedHost => Self::MatchedHost,
            StatusLabel::Service => Self::Service,
            StatusLabel::Consumer => Self::Consumer,
            StatusLabel::Node => Self::Node,
            StatusLabel::RequestType => Self::RequestType,
            StatusLabel::RequestLlmModel => Self::RequestLlmModel,
            StatusLabel::LlmModel => Self::LlmModel,
            StatusLabel::ResponseSource => Self::ResponseSource,
        }
    }
}

impl From<OtherLabel> for Label {
    fn from(label: OtherLabel) -> Self {
        match label {
            OtherLabel::Route => Self::Route,
            OtherLabel::Service => Self::Service,
            OtherLabel::Consumer => Self::Consumer,
            OtherLabel::Node => Self::Node,
            OtherLabel::RequestType => Self::RequestType,
            OtherLabel::RequestLlmModel => Self::RequestLlmModel,
            OtherLabel::LlmModel => Self::LlmModel,
        }
    }
}
