//! The labels of a request, and their text in each family.

use super::exposition::escape;
use super::settings::{FamilySettings, MetricSettings};

/// A family of metrics that requests are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `http_status`
    Status,
    /// `http_latency`
    Latency,
    /// `bandwidth`
    Bandwidth,
}

/// A label of a request, in the order in which they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// `code`
    Code,
    /// `route`
    Route,
    /// `matched_uri`
    MatchedUri,
    /// `matched_host`
    MatchedHost,
    /// `service`
    Service,
    /// `consumer`
    Consumer,
    /// `node`
    Node,
    /// `request_type`
    RequestType,
    /// `request_llm_model`
    RequestLlmModel,
    /// `llm_model`
    LlmModel,
    /// `response_source`
    ResponseSource,
}

/// Some labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelSet(u16);

/// A request as its labels show it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Labelled<'a> {
    /// The status of its answer.
    pub code: u16,
    /// The route it matched, by id or by name.
    pub route: &'a str,
    /// The uri of the route that matched.
    pub matched_uri: &'a str,
    /// The host of the route that matched.
    pub matched_host: &'a str,
    /// The service of the route, by id or by name.
    pub service: &'a str,
    /// Who called.
    pub consumer: &'a str,
    /// The address of the node that was asked.
    pub node: &'a str,
    /// Who made the answer.
    pub response_source: &'a str,
    /// The labels whose values are left empty, of each family.
    pub disabled: [LabelSet; 3],
}

use Label::{
    Code, Consumer, LlmModel, MatchedHost, MatchedUri, Node, RequestLlmModel, RequestType, ResponseSource,
    Route, Service,
};

const STATUS: [Label; 11] = [
    Code,
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
];

/// Those of the others, behind their `type`.
const OTHERS: [Label; 7] = [Route, Service, Consumer, Node, RequestType, RequestLlmModel, LlmModel];

impl Family {
    fn labels(self) -> &'static [Label] {
        match self {
            Self::Status => &STATUS,
            Self::Latency | Self::Bandwidth => &OTHERS,
        }
    }

    /// What is particular of it.
    pub fn settings(self, all: &MetricSettings) -> &FamilySettings {
        match self {
            Self::Status => &all.status,
            Self::Latency => &all.latency,
            Self::Bandwidth => &all.bandwidth,
        }
    }

    /// Whether it has a label of this name.
    pub fn has(self, name: &str) -> bool {
        let is_type = self != Self::Status && name == "type";
        is_type || name == "le" || self.labels().iter().any(|label| label.name() == name)
    }
}

impl Label {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Code => "code",
            Route => "route",
            MatchedUri => "matched_uri",
            MatchedHost => "matched_host",
            Service => "service",
            Consumer => "consumer",
            Node => "node",
            RequestType => "request_type",
            RequestLlmModel => "request_llm_model",
            LlmModel => "llm_model",
            ResponseSource => "response_source",
        }
    }
}

impl FromIterator<Label> for LabelSet {
    fn from_iter<I: IntoIterator<Item = Label>>(labels: I) -> Self {
        Self(labels.into_iter().fold(0, |set, label| set | 1 << label as u16))
    }
}

impl LabelSet {
    fn has(self, label: Label) -> bool {
        self.0 & 1 << label as u16 != 0
    }
}

impl Labelled<'_> {
    fn value(&self, label: Label) -> &str {
        match label {
            // Written as a number.
            Code | RequestLlmModel | LlmModel => "",
            Route => self.route,
            MatchedUri => self.matched_uri,
            MatchedHost => self.matched_host,
            Service => self.service,
            Consumer => self.consumer,
            Node => self.node,
            RequestType => "traditional_http",
            ResponseSource => self.response_source,
        }
    }

    /// The text of its labels in a family, as it stands between the braces.
    pub(super) fn text<'e>(
        &self,
        family: Family,
        settings: &FamilySettings,
        extra: impl Iterator<Item = &'e [u8]>,
    ) -> String {
        let mut out = String::with_capacity(256);
        let disabled = self.disabled[family as usize];
        for &label in family.labels() {
            if !out.is_empty() {
                out.push(',');
            }
            out.push_str(label.name());
            out.push_str("=\"");
            match label {
                Code => out.push_str(&self.code.to_string()),
                label if disabled.has(label) => {}
                label => escape(&mut out, self.value(label)),
            }
            out.push('"');
        }
        for (label, value) in settings.extra_labels.iter().zip(extra) {
            out.push(',');
            out.push_str(&label.name);
            out.push_str("=\"");
            escape(&mut out, &String::from_utf8_lossy(value));
            out.push('"');
        }
        out
    }
}
