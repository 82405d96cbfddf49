//! Events: what API Gateway and function URLs make of a request before a function sees it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::decode;
use crate::id::RequestId;

/// A request as an event is made from it.
pub(super) struct Facts<'a> {
    pub(super) method: &'a str,
    /// The path as it was sent, without what only this server knows of.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) protocol: &'static str,
    pub(super) body: &'a [u8],
    pub(super) source_ip: String,
    pub(super) host: &'a str,
    pub(super) function: &'a str,
    pub(super) id: RequestId,
    pub(super) trace: &'a str,
    pub(super) now: Timestamp,
}

/// The event of a function URL, format 2.0.
pub(super) fn of_url(facts: &Facts<'_>) -> Bytes {
    let mut headers = headers(facts);
    let cookies: Vec<&str> = facts
        .headers
        .get_all("cookie")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .map(str::trim)
        .collect();
    let single = headers.iter_mut().map(|(name, values)| (name.clone(), values.join(",").into()));
    let single: Map<String, Value> = single.collect();
    let (body, is_encoded) = body(facts.body);
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": facts.path,
        "rawQueryString": facts.query,
        "headers": single,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": facts.function,
            "domainName": facts.host,
            "domainPrefix": facts.function,
            "http": {
                "method": facts.method,
                "path": facts.path,
                "protocol": facts.protocol,
                "sourceIp": facts.source_ip,
                "userAgent": text(facts, "user-agent"),
            },
            "requestId": facts.id.as_str(),
            "routeKey": "$default",
            "stage": "$default",
            "time": time(facts),
            "timeEpoch": facts.now.as_millisecond(),
        },
        "isBase64Encoded": is_encoded,
    });
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    let query = query(facts.query);
    if !query.is_empty() {
        let joined = query.into_iter().map(|(name, values)| (name, values.join(",").into()));
        event["queryStringParameters"] = joined.collect::<Map<_, _>>().into();
    }
    if !body.is_null() {
        event["body"] = body;
    }
    event.to_string().into()
}

/// The event of a REST API, format 1.0: the function is reached at `/NAME` and below.
pub(super) fn of_api(facts: &Facts<'_>, stage: &str) -> Bytes {
    let root = format!("/{}", facts.function);
    let rest = facts.path.strip_prefix(&root).unwrap_or_default().trim_start_matches('/');
    let (resource, parameters) = match rest {
        "" => (root, Value::Null),
        rest => (format!("{root}/{{proxy+}}"), json!({"proxy": decode(rest)})),
    };
    let headers = headers(facts);
    let query = query(facts.query);
    let (body, is_encoded) = body(facts.body);
    json!({
        "version": "1.0",
        "resource": resource,
        "path": facts.path,
        "httpMethod": facts.method,
        "headers": last(&headers),
        "multiValueHeaders": all(&headers),
        "queryStringParameters": last(&query),
        "multiValueQueryStringParameters": all(&query),
        "pathParameters": parameters,
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "resourceId": "local",
            "resourcePath": resource,
            "stage": stage,
            "domainName": facts.host,
            "domainPrefix": facts.host.split('.').next().unwrap_or_default(),
            "httpMethod": facts.method,
            "path": format!("/{stage}{}", facts.path),
            "protocol": facts.protocol,
            "requestId": facts.id.as_str(),
            "extendedRequestId": facts.id.as_str(),
            "requestTime": time(facts),
            "requestTimeEpoch": facts.now.as_millisecond(),
            "identity": {
                "sourceIp": facts.source_ip,
                "userAgent": text(facts, "user-agent"),
                "apiKey": text(facts, "x-api-key"),
                "userArn": null,
            },
        },
        "body": body,
        "isBase64Encoded": is_encoded,
    })
    .to_string()
    .into()
}

type Pairs = Vec<(String, Vec<String>)>;

/// The headers, with what AWS adds to them; names are in lower case.
fn headers(facts: &Facts<'_>) -> Pairs {
    let mut pairs = Pairs::with_capacity(facts.headers.keys_len() + 4);
    for (name, value) in facts.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        add(&mut pairs, name.as_str(), value);
    }
    let before = pairs.iter().position(|(name, _)| name == "x-forwarded-for").map(|at| pairs.remove(at));
    let before = before.map_or_else(String::new, |(_, values)| values.join(", ") + ", ");
    add(&mut pairs, "x-forwarded-for", before + &facts.source_ip);
    for (name, value) in [("x-forwarded-proto", "http"), ("x-amzn-trace-id", facts.trace)] {
        if !facts.headers.contains_key(name) {
            add(&mut pairs, name, value.to_owned());
        }
    }
    pairs
}

fn query(text: &str) -> Pairs {
    let mut pairs = Pairs::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let plain = |text: &str| decode(&text.replace('+', " "));
        add(&mut pairs, &plain(name), plain(value));
    }
    pairs
}

fn add(pairs: &mut Pairs, name: &str, value: String) {
    match pairs.iter_mut().find(|(known, _)| known == name) {
        Some((_, values)) => values.push(value),
        None => pairs.push((name.to_owned(), vec![value])),
    }
}

/// The last value of each; nothing at all is `null`.
fn last(pairs: &Pairs) -> Value {
    let single =
        pairs.iter().filter_map(|(name, values)| Some((name.clone(), values.last()?.as_str().into())));
    some(single.collect())
}

fn all(pairs: &Pairs) -> Value {
    some(pairs.iter().map(|(name, values)| (name.clone(), values.as_slice().into())).collect())
}

fn some(map: Map<String, Value>) -> Value {
    if map.is_empty() { Value::Null } else { Value::Object(map) }
}

/// The body as text, or encoded where it is none.
fn body(bytes: &[u8]) -> (Value, bool) {
    match std::str::from_utf8(bytes) {
        Ok("") => (Value::Null, false),
        Ok(text) => (text.into(), false),
        Err(_) => (STANDARD.encode(bytes).into(), true),
    }
}

fn text<'a>(facts: &Facts<'a>, name: &str) -> Option<&'a str> {
    facts.headers.get(name)?.to_str().ok()
}

fn time(facts: &Facts<'_>) -> String {
    facts.now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}
