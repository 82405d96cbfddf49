//! `key-auth`: finds out who calls by a key, in a header or in the query.

use std::sync::Arc;

use http::StatusCode;
use lockgate_http::name::OwnedName;
use lockgate_http::{Request, Response};
use lockgate_plugin::{
    BuildContext, BuildError, Consumer, ConsumerType, Credential, Error, Flow, Phase, Plugin, RequestContext,
    Variable,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// What users write under `key-auth` in a route.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Config {
    /// The header with the key. It goes before the query.
    #[serde(default = "apikey")]
    header: String,
    /// The argument of the query with the key.
    #[serde(default = "apikey")]
    query: String,
    /// Whether the key is kept from the node.
    #[serde(default)]
    hide_credentials: bool,
    /// The consumer who calls where there is no key, or none that is known. Without it, such a request is refused.
    #[schemars(length(min = 1))]
    anonymous_consumer: Option<String>,
    /// What is asked for a key, as a refusal names it.
    #[serde(default = "realm")]
    #[schemars(length(min = 1), regex(pattern = r"^[\x20-\x21\x23-\x5B\]-\x7E]+$"))]
    realm: String,
}

/// What users write under `key-auth` in a consumer or a credential.
#[derive(Deserialize, JsonSchema)]
struct Key {
    /// The key, of one consumer only.
    #[schemars(extend("x-encrypt" = true))]
    #[serde(rename = "key")]
    _key: String,
}

/// Where the key is, and what becomes of who has none.
pub(crate) struct KeyAuth {
    config: Config,
    header: OwnedName,
    argument: Variable,
    challenge: String,
}

/// Who calls, and how that was shown.
type Found = (Arc<Consumer>, Option<Arc<Credential>>);

impl Plugin for KeyAuth {
    const NAME: &'static str = "key-auth";
    const PRIORITY: i32 = 2500;
    const PHASES: &'static [Phase] = &[Phase::Rewrite];
    const NEVER_WAITS: bool = true;
    type Config = Config;

    fn build(config: Config, _cx: &BuildContext) -> Result<Self, BuildError> {
        let challenge = format!("apikey realm=\"{}\"", config.realm);
        let header = OwnedName::new(&config.header);
        Ok(Self { argument: Variable::Argument(config.query.as_str().into()), header, challenge, config })
    }

    fn consumer() -> Option<ConsumerType> {
        Some(ConsumerType::of::<Key>("key"))
    }

    async fn rewrite(&self, request: &mut Request, cx: &mut RequestContext) -> Result<Flow, Error> {
        let (found, is_in_header) = match self.find(request, cx) {
            Ok((found, is_in_header)) => (found, Some(is_in_header)),
            Err(why) => match self.anonymous(cx, why) {
                Ok(found) => (found, None),
                Err(why) => return Ok(Flow::Respond(self.refusal(why))),
            },
        };
        if self.config.hide_credentials {
            // Who is anonymous may have sent both, and neither is known to be no key.
            if is_in_header != Some(false) {
                request.headers.remove(&self.header);
            }
            if is_in_header != Some(true) {
                self.hide_argument(request);
            }
        }
        cx.attach(request, found.0, found.1);
        Ok(Flow::Continue)
    }
}

impl KeyAuth {
    /// Who calls, and whether the key was in the header.
    fn find(&self, request: &Request, cx: &RequestContext) -> Result<(Found, bool), &'static str> {
        let mut argument = Vec::new();
        let header = request.headers.get(&self.header);
        let key = match header {
            Some(key) => key,
            None if self.argument.write(request, cx, &mut argument) => &argument,
            None => return Err("Missing API key in request"),
        };
        let found = cx.directory.as_ref().and_then(|directory| {
            let credential = directory.credential(Self::NAME, key)?;
            let consumer = directory.consumer(&credential.consumer)?;
            Some((consumer.clone(), Some(credential.clone())))
        });
        found.map(|found| (found, header.is_some())).ok_or("Invalid API key in request")
    }

    /// The consumer who stands for those without a key.
    fn anonymous(&self, cx: &RequestContext, why: &'static str) -> Result<Found, &'static str> {
        let Some(name) = &self.config.anonymous_consumer else { return Err(why) };
        let consumer = cx.directory.as_ref().and_then(|directory| directory.consumer(name));
        let Some(consumer) = consumer else {
            tracing::warn!(plugin = Self::NAME, consumer = %name, "there is no such anonymous consumer");
            return Err("Invalid user authorization");
        };
        Ok((consumer.clone(), None))
    }

    fn refusal(&self, why: &str) -> Response {
        let body = format!("{}\n", json!({"message": why}));
        let mut response = Response::text(StatusCode::UNAUTHORIZED, "application/json", body);
        // The schema lets only printable letters into a realm.
        let _ = response.headers.set("WWW-Authenticate", self.challenge.as_bytes());
        response
    }

    /// Takes every argument with the name of the key off the query; the others stay as they were sent.
    fn hide_argument(&self, request: &mut Request) {
        let Some((path, query)) = request.target().split_once('?') else { return };
        let is_other = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            decoded(name) != self.config.query.as_bytes()
        };
        let kept: Vec<_> = query.split('&').filter(is_other).collect();
        if kept.len() == query.split('&').count() {
            return;
        }
        let target = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
        // A part of a valid target is one.
        let _ = request.set_target(&target);
    }
}

/// The name of an argument, percent-decoded, with spaces for `+`.
fn decoded(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|_| *byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(match (byte, escaped) {
            (_, Some(value)) => {
                rest = &tail[2..];
                value
            }
            (b'+', None) => b' ',
            (byte, None) => *byte,
        });
    }
    out
}

fn apikey() -> String {
    "apikey".to_owned()
}

fn realm() -> String {
    "key".to_owned()
}
