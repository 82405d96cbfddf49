//! What is answered: APISIX's envelopes, and the one body for everything that can go wrong.

use axum::body::Body;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use lockgate_resource::{Id, Kind, Record};
use lockgate_store::StoreError;
use serde_json::{Value, json};

use crate::{ApiVersion, target};

const SERVER: &str = concat!("lockgate/", env!("CARGO_PKG_VERSION"));

/// An answer.
pub(crate) struct Reply {
    status: StatusCode,
    body: Vec<u8>,
    is_preflight: bool,
    shows_version: bool,
    tag: Option<String>,
    /// Whether the same call is worth another try soon.
    is_for_now: bool,
    /// What else stands in its head.
    more: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Self {
            status,
            body: body.to_string().into_bytes(),
            is_preflight: false,
            shows_version: false,
            tag: None,
            is_for_now: false,
            more: Vec::new(),
        }
    }

    /// An answer without a body.
    pub(crate) fn empty() -> Self {
        Self::words("")
    }

    /// An answer in words: APISIX gives a few so, with the content type of all others.
    pub(crate) fn words(words: &str) -> Self {
        Self {
            status: StatusCode::OK,
            body: words.into(),
            is_preflight: false,
            shows_version: false,
            tag: None,
            is_for_now: false,
            more: Vec::new(),
        }
    }

    /// The answer to a browser that asks whether it may call.
    pub(crate) fn preflight() -> Self {
        Self { is_preflight: true, ..Self::empty() }
    }

    /// The answer of a resource, which names the version of the API.
    pub(crate) fn of_resource(self) -> Self {
        Self { shows_version: true, ..self }
    }

    /// The answer with the tag of the revision it shows.
    pub(crate) fn tagged(self, tag: String) -> Self {
        Self { tag: Some(tag), ..self }
    }

    /// The answer with one more field in its head, in place of one of that name.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.more.push((name, value));
        self
    }

    /// The same status with nothing behind it.
    pub(crate) fn without_body(self) -> Self {
        Self { body: Vec::new(), ..self }
    }

    pub(crate) fn into_response(self, cors: bool, version: ApiVersion) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let mut set =
            |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
        set(header::SERVER, SERVER);
        set(header::CONTENT_TYPE, if self.is_preflight { "text/plain" } else { "application/json" });
        if self.shows_version {
            set(HeaderName::from_static("x-api-version"), version.name());
        }
        if cors {
            set(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
            set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
            set(header::ACCESS_CONTROL_MAX_AGE, "3600");
        }
        if self.is_preflight {
            set(header::ACCESS_CONTROL_ALLOW_METHODS, "POST, GET, PUT, OPTIONS, DELETE, PATCH");
            set(header::ACCESS_CONTROL_ALLOW_HEADERS, "*");
        } else if cors {
            set(header::ACCESS_CONTROL_EXPOSE_HEADERS, "*");
        }
        if self.is_for_now {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        for (name, value) in self.more {
            headers.insert(name, value);
        }
        if let Some(tag) = self.tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
            headers.insert(header::ETAG, tag);
        }
        response
    }
}

impl ApiVersion {
    const fn name(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }

    /// The answer about one resource. `action` is what version 2 calls the call.
    pub(crate) fn one(self, action: &str, mut body: Value) -> Value {
        let Some(fields) = body.as_object_mut().filter(|_| self == Self::V2) else {
            return body;
        };
        fields.retain(|name, _| name != "createdIndex" && name != "modifiedIndex");
        let warnings = fields.shift_remove("warnings");
        let mut answer = json!({"action": action});
        match fields.shift_remove("deleted") {
            Some(deleted) => {
                fields.insert("action".to_owned(), Value::from(action));
                fields.insert("deleted".to_owned(), deleted);
                fields.insert("node".to_owned(), json!({}));
                answer = body;
            }
            None => answer["node"] = body,
        }
        if let Some(warnings) = warnings {
            answer["warnings"] = warnings;
        }
        answer
    }

    /// The answer about many resources that stand below `key`.
    pub(crate) fn many(self, key: &str, list: Vec<Value>, total: usize) -> Value {
        match self {
            Self::V2 => {
                let mut body = json!({"action": "get", "node": {"dir": true, "key": key}});
                body["node"]["nodes"] = Value::Array(list);
                body
            }
            Self::V3 => {
                let mut body = json!({"list": []});
                body["list"] = Value::Array(list);
                body["total"] = json!(total);
                body
            }
        }
    }
}

/// A stored resource, as GET shows it: secrets in `value` are opened.
pub(crate) fn stored(record: &Record, value: Value) -> Value {
    let mut body = json!({
        "key": record.kind.key(&record.id),
        "modifiedIndex": record.modified.0,
        "createdIndex": record.created.0,
    });
    body["value"] = value;
    body
}

/// What a change wrote, as PUT, POST and PATCH show it: secrets in `value` are sealed.
pub(crate) fn written(kind: Kind, id: &Id, value: Value, warnings: &[String]) -> Value {
    let mut body = json!({"key": kind.key(id)});
    body["value"] = value;
    if !warnings.is_empty() {
        body["warnings"] = json!(warnings);
    }
    body
}

/// Why a call is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// A resource is not as it should be.
    #[error("{0}")]
    Invalid(String),
    /// The same, where nothing was to be kept.
    #[error("{0}")]
    Unfit(String),
    #[error("invalid request body: {why}")]
    BrokenJson { why: String, body: String },
    #[error("request body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("request body did not arrive within {0} s")]
    TooSlow(u64),
    #[error("page_size must be between 10 and 500")]
    PageSize,
    #[error("failed to check token")]
    Token(&'static str),
    #[error("{0}")]
    Forbidden(String),
    #[error("If-Match does not hold: the resource was changed")]
    Changed,
    #[error("Key not found")]
    KeyNotFound,
    #[error("consumer not found")]
    ConsumerNotFound,
    #[error("404 Route Not Found")]
    NoSuchPath,
    #[error("not found")]
    NoSuchMethod,
    #[error("Unsupported resource type: {0}")]
    UnsupportedType(String),
    #[error("plugin not found in subsystem {0}")]
    NoSuchPlugin(String),
    #[error("please use PUT method to reload the plugins, {0} method is not allowed.")]
    ReloadIsPut(String),
    #[error("Configuration validation failed")]
    Configs(Vec<Value>),
    #[error("not supported `{method}` method for {}", kind.words())]
    UnsupportedMethod { method: String, kind: Kind },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Changed => StatusCode::PRECONDITION_FAILED,
            Self::KeyNotFound
            | Self::ConsumerNotFound
            | Self::NoSuchPath
            | Self::NoSuchMethod
            | Self::UnsupportedType(_)
            | Self::NoSuchPlugin(_)
            | Self::Store(StoreError::Missing(_)) => StatusCode::NOT_FOUND,
            Self::ReloadIsPut(_) | Self::UnsupportedMethod { .. } | Self::Store(StoreError::ReadOnly(_)) => {
                StatusCode::METHOD_NOT_ALLOWED
            }
            Self::Store(StoreError::Conflict(_)) => StatusCode::CONFLICT,
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Invalid(_)
            | Self::Unfit(_)
            | Self::BrokenJson { .. }
            | Self::PageSize
            | Self::Configs(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl Refusal {
    /// The methods there are in place of one that is not (RFC 9110, section 15.5.6).
    fn allowed(&self) -> Option<String> {
        match self {
            Self::ReloadIsPut(_) => Some("PUT".to_owned()),
            Self::Store(StoreError::ReadOnly(_)) => Some("GET".to_owned()),
            Self::UnsupportedMethod { kind, .. } => {
                Some(target::supported(*kind).collect::<Vec<_>>().join(", "))
            }
            _ => None,
        }
    }
}

impl From<&Refusal> for Reply {
    fn from(refusal: &Refusal) -> Self {
        let words = refusal.to_string();
        let body = match refusal {
            Refusal::BrokenJson { body, .. } => json!({"error_msg": words, "req_body": body}),
            Refusal::Token(why) => json!({"error_msg": words, "description": why}),
            Refusal::Configs(errors) => json!({"error_msg": words, "errors": errors}),
            Refusal::KeyNotFound | Refusal::Store(StoreError::Missing(_)) => {
                json!({"message": "Key not found"})
            }
            _ => json!({"error_msg": words}),
        };
        let is_for_now = matches!(refusal, Refusal::Store(StoreError::HandedOver { .. }));
        let mut reply = Self { is_for_now, ..Self::json(refusal.status(), &body) };
        if let Some(allowed) = refusal.allowed().and_then(|methods| HeaderValue::try_from(methods).ok()) {
            reply = reply.with(header::ALLOW, allowed);
        }
        match refusal {
            Refusal::Invalid(_)
            | Refusal::PageSize
            | Refusal::KeyNotFound
            | Refusal::ConsumerNotFound
            | Refusal::NoSuchPlugin(_)
            | Refusal::UnsupportedMethod { .. }
            | Refusal::Store(_) => reply.of_resource(),
            _ => reply,
        }
    }
}
