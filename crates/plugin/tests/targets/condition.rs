//! Conditions: whatever JSON they are written in, they are refused or decide, and a negation decides otherwise.

use std::net::SocketAddr;
use std::rc::Rc;

use lockgate_http::{ConnectionInfo, Request};
use lockgate_plugin::{Condition, RequestContext};
use serde_json::{Value, json};

/// Panics where that does not hold: the first line is a target, the rest a condition. Says whether it was one.
pub(crate) fn check(text: &str) -> bool {
    let (target, condition) = text.split_once('\n').unwrap_or(("/", text));
    let Ok(written) = serde_json::from_str::<Value>(condition) else {
        return false;
    };
    let Ok(condition) = Condition::parse(&written) else {
        return false;
    };
    let Ok(mut request) = Request::new(http::Method::GET, &format!("/{target}")) else {
        return false;
    };
    for (name, value) in [("Host", "a.test"), ("Cookie", "a=1; b=2"), ("A", "1")] {
        request.headers.append(name, value.as_bytes()).expect("a well-formed field");
    }
    let address = SocketAddr::from(([127, 0, 0, 1], 9080));
    let connection = Rc::new(ConnectionInfo::new(address, address, false));
    let cx = RequestContext::new(connection, http::Method::GET);
    let holds = condition.holds(&request, &cx);
    assert_eq!(holds, condition.holds(&request, &cx), "{written} changed its mind");
    // Nothing at all always holds, and cannot be negated.
    if written.as_array().is_some_and(Vec::is_empty) {
        return true;
    }
    let negated = Condition::parse(&json!(["!AND", written, written]));
    let negated = negated.expect("what can stand alone can be negated");
    assert_ne!(holds, negated.holds(&request, &cx), "{written}");
    true
}
