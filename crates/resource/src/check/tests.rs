//! What is accepted and refused of each kind, and what a type reads.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    Balance, Id, KeepalivePool, Kind, PassHost, Record, Resources, Revision, Route, Scheme, Service, Status,
    Upstream, check, check_references, check_unused, references,
};

const ROUTE_NEEDS: &str = r#"invalid configuration: object matches none of the required: ["plugins","uri"] or ["upstream","uri"] or ["upstream_id","uri"] or ["service_id","uri"] or ["plugins","uris"] or ["upstream","uris"] or ["upstream_id","uris"] or ["service_id","uris"] or ["script","uri"] or ["script","uris"]"#;

fn refused(kind: Kind, rows: &[(&str, &str)]) {
    for (value, why) in rows {
        assert_eq!(check(kind, &serde_json::from_str(value).unwrap()).unwrap_err(), *why, "{value}");
    }
}

const SPOILT_ROUTES: &[(&str, &str)] = &[
    (r#"{"uri":"/a","bogus":1}"#, "invalid configuration: additional properties forbidden, found bogus"),
    (
        r#"{"plugins":{}}"#,
        "invalid configuration: allOf 1 failed: value should match only one schema, but matches none",
    ),
    (r#"{"uri":"/a"}"#, ROUTE_NEEDS),
    (
        r#"{"uri":"/r3","methods":["FOO"],"upstream_id":"u1"}"#,
        "invalid configuration: property \"methods\" validation failed: failed to validate item 1: matches none of the enum values",
    ),
    (
        r#"{"uri":"/r3","upstream_id":"u1","priority":"x"}"#,
        "invalid configuration: property \"priority\" validation failed: wrong type: expected integer, got string",
    ),
    (
        r#"{"uri":1}"#,
        "invalid configuration: property \"uri\" validation failed: wrong type: expected string, got number",
    ),
    (
        r#"{"uri":"/r3","upstream_id":"u1","id":"bad id"}"#,
        "invalid configuration: property \"id\" validation failed: object matches none of the required",
    ),
    (
        r#"{"uri":"/a","uris":["/b"],"plugins":{}}"#,
        "invalid configuration: allOf 1 failed: value should match only one schema, but matches both schemas 1 and 2",
    ),
    (r#"{"uri":"/a","host":"a","hosts":["b"],"plugins":{}}"#, "only one of host or hosts is allowed"),
    (
        r#"{"uri":"/a","remote_addr":"1.1.1.1","remote_addrs":["::1"],"plugins":{}}"#,
        "only one of remote_addr or remote_addrs is allowed",
    ),
    (
        r#"{"uri":"/a","host":"a b","plugins":{}}"#,
        r#"invalid configuration: property "host" validation failed: failed to match pattern "^\\*$|^\\*?[0-9a-zA-Z-._\\[\\]:]+$" with "a b""#,
    ),
    (
        r#"{"uri":"/a","upstream":{"nodes":{"a:1":-1}}}"#,
        "invalid configuration: property \"upstream\" validation failed: property \"nodes\" validation failed: object matches none of the required",
    ),
    (r#"{"uri":"/a","upstream":{"nodes":{"a:0":1}}}"#, "invalid port 0"),
    (
        r#"{"uri":"/a","plugins":{},"status":2}"#,
        "invalid configuration: property \"status\" validation failed: matches none of the enum values",
    ),
    ("[]", "invalid configuration: wrong type: expected object, got array"),
    ("null", "invalid configuration: wrong type: expected object, got null"),
];

#[test]
fn spoilt_routes_are_refused_in_the_words_of_apisix() {
    refused(Kind::Route, SPOILT_ROUTES);
}

#[test]
fn what_differs_from_apisix_on_purpose_is_refused() {
    refused(
        Kind::Route,
        &[
            (
                r#"{"uri":"r3","upstream_id":"u1"}"#,
                r#"invalid configuration: property "uri" validation failed: failed to match pattern "^/" with "r3""#,
            ),
            (
                r#"{"uri":"/a","plugins":[]}"#,
                "invalid configuration: property \"plugins\" validation failed: wrong type: expected object, got array",
            ),
            (
                r#"{"uri":"/a","plugins":{},"remote_addr":"1.2.3.4.5"}"#,
                "invalid configuration: property \"remote_addr\" validation failed: object matches none of the required",
            ),
            (r#"{"uri":"/a","plugins":{},"remote_addr":"::1/129"}"#, "::1/129 is no address and no CIDR"),
            (
                r#"{"uri":"/a","plugins":{},"filter_func":"function(v) return true end"}"#,
                "filter_func is not supported: Lua is not run here; use vars or a plugin",
            ),
            (
                r#"{"uri":"/a","script":"return {}  "}"#,
                "script is not supported: Lua is not run here; use vars or a plugin",
            ),
        ],
    );
    refused(
        Kind::Upstream,
        &[
            (
                r#"{"type":"nosuch","nodes":{}}"#,
                "invalid configuration: property \"type\" validation failed: matches none of the enum values",
            ),
            (
                r#"{"scheme":"kafka","nodes":{}}"#,
                "invalid configuration: property \"scheme\" validation failed: matches none of the enum values",
            ),
            (r#"{"nodes":{"::1:80":1}}"#, "node ::1:80 is not host:port; an IPv6 address stands in brackets"),
        ],
    );
    refused(
        Kind::Service,
        &[(r#"{"script":"return {}  "}"#, "script is not supported: Lua is not run here; use a plugin")],
    );
}

#[test]
fn spoilt_upstreams_are_refused_in_the_words_of_apisix() {
    refused(
        Kind::Upstream,
        &[
            (
                r#"{"type":"roundrobin"}"#,
                "invalid configuration: value should match only one schema, but matches none",
            ),
            (
                r#"{"nodes":{"127.0.0.1:19200":-1}}"#,
                "invalid configuration: property \"nodes\" validation failed: object matches none of the required",
            ),
            (
                r#"{"nodes":{},"retries":-1}"#,
                "invalid configuration: property \"retries\" validation failed: expected -1 to be at least 0",
            ),
            (
                r#"{"nodes":{},"timeout":{"connect":1}}"#,
                "invalid configuration: property \"timeout\" validation failed: property \"send\" is required",
            ),
            (
                r#"{"nodes":{},"timeout":{"connect":0,"send":1,"read":1}}"#,
                "invalid configuration: property \"timeout\" validation failed: property \"connect\" validation failed: expected 0 to be greater than 0",
            ),
            (
                r#"{"nodes":{},"pass_host":"rewrite"}"#,
                "`upstream_host` can't be empty when `pass_host` is `rewrite`",
            ),
            (r#"{"nodes":{},"type":"chash"}"#, "missing key"),
            (
                r#"{"nodes":{},"keepalive_pool":{"size":0}}"#,
                "invalid configuration: property \"keepalive_pool\" validation failed: property \"size\" validation failed: expected 0 to be at least 1",
            ),
            (
                r#"{"nodes":{},"labels":{"a":"b c"}}"#,
                r#"invalid configuration: property "labels" validation failed: failed to validate a (matching ".*"): failed to match pattern "^\\S+$" with "b c""#,
            ),
        ],
    );
}

#[test]
fn what_apisix_accepts_is_accepted() {
    let cases = [
        (Kind::Route, r#"{"uri":"/r3","methods":[],"upstream_id":"u1"}"#),
        (
            Kind::Route,
            r#"{"uri":"/r3","upstream_id":1,"id":7,"remote_addrs":["10.0.0.0/8","::1","1.2.3.4"]}"#,
        ),
        (Kind::Route, r#"{"uri":"/a","upstream":{"type":"roundrobin","nodes":{}}}"#),
        (
            Kind::Route,
            r#"{"uri":"/m","methods":["POST"],"hosts":["*.ex.com"],"vars":[["arg_a","==","1"]],"plugins":{}}"#,
        ),
        (Kind::Upstream, r#"{"nodes":{"127.0.0.1":1}}"#),
        (
            Kind::Upstream,
            r#"{"type":"chash","key":"remote_addr","nodes":{"127.0.0.1:19200":1},"desc":"d","labels":{"a":"b"}}"#,
        ),
        (Kind::Upstream, r#"{"service_name":"a","discovery_type":"dns"}"#),
        (
            Kind::Upstream,
            r#"{"nodes":[{"host":"a","port":1,"weight":1}],"tls":{"verify":true},"checks":{"active":{}}}"#,
        ),
        (Kind::Service, "{}"),
        (Kind::Service, r#"{"upstream_id":"u1","enable_websocket":true,"plugins":{"x":{}}}"#),
    ];
    for (kind, value) in cases {
        assert_eq!(check(kind, &serde_json::from_str(value).unwrap()), Ok(()), "{value}");
    }
}

#[test]
fn a_route_is_read_into_lists() {
    let route = json!({"uri": "/a", "host": "b", "remote_addr": "10.0.0.7", "priority": -1, "status": 0,
        "service_id": 7, "timeout": {"connect": 0.5, "send": 1, "read": 2}});
    let route = Route::from_value(&route).unwrap();
    assert_eq!((route.uris, route.hosts), (vec!["/a".to_owned()], vec!["b".to_owned()]));
    assert_eq!(route.remote_addrs, ["10.0.0.7/32".parse().unwrap()]);
    assert_eq!((route.priority, route.status), (-1, Status::Disabled));
    assert_eq!(route.service_id.unwrap().as_str(), "7");
    assert_eq!(route.timeout.unwrap().connect, Duration::from_millis(500));
}

#[test]
fn an_upstream_is_read_with_its_defaults() {
    let upstream = Upstream::from_value(&json!({"nodes": {"a": 1}, "keepalive_pool": {}})).unwrap();
    assert_eq!(upstream.keepalive_pool, Some(KeepalivePool::default()));
    assert_eq!((upstream.balance, upstream.scheme), (Balance::RoundRobin, Scheme::Http));
    assert_eq!((upstream.pass_host, upstream.retries), (PassHost::Pass, None));
    assert_eq!(Scheme::Https.default_port(), 443);
}

#[test]
fn rows_of_another_program_are_refused_without_a_schema_too() {
    for route in
        [json!({"plugins": {}}), json!({"uri": "a"}), json!({"uri": "/", "methods": ["FOO"]}), json!(1)]
    {
        assert!(Route::from_value(&route).is_err(), "{route}");
    }
    assert!(Service::from_value(&json!({"nodes": {}})).is_err());
}

fn stored(rows: &[(Kind, &str, Value)]) -> Resources {
    let mut resources = Resources::default();
    for (index, (kind, id, value)) in (1..).zip(rows) {
        let (created, modified) = (Revision(index), Revision(index));
        let id = Id::new(id).unwrap();
        resources.insert(Record { kind: *kind, id, value: value.clone(), created, modified });
    }
    resources
}

#[test]
fn references_lead_somewhere_or_are_named() {
    let resources = stored(&[(Kind::Upstream, "1", json!({"nodes": {}})), (Kind::Service, "s", json!({}))]);
    let candidate = |value: &Value| check_references(&resources, value);
    assert_eq!(candidate(&json!({"upstream_id": 1, "service_id": "s"})), Ok(()));
    let cases = [
        (
            json!({"upstream_id": "nope"}),
            "failed to fetch upstream info by upstream id [nope], response code: 404",
        ),
        (
            json!({"service_id": "none"}),
            "failed to fetch service info by service id [none], response code: 404",
        ),
        (
            json!({"plugin_config_id": 3}),
            "failed to fetch plugin config info by plugin config id [3], response code: 404",
        ),
    ];
    for (value, why) in cases {
        assert_eq!(candidate(&value).unwrap_err(), why);
    }
    assert_eq!(references(&json!({"upstream_id": 7})), [(Kind::Upstream, Id::new("7").unwrap())]);
}

#[test]
fn what_is_in_use_may_not_be_deleted() {
    let resources = stored(&[
        (Kind::Upstream, "u1", json!({"nodes": {}})),
        (Kind::Service, "s1", json!({"upstream_id": "u1"})),
        (Kind::Route, "r1", json!({"uri": "/", "service_id": "s1"})),
    ]);
    let why = |kind, id| check_unused(&resources, kind, id).unwrap_err();
    assert_eq!(why(Kind::Upstream, "u1"), "can not delete this upstream, service [s1] is still using it now");
    assert_eq!(
        why(Kind::Service, "s1"),
        "can not delete this service directly, route [r1] is still using it now"
    );
    assert_eq!(check_unused(&resources, Kind::Route, "r1"), Ok(()));
    assert_eq!(check_unused(&resources, Kind::Upstream, "u2"), Ok(()));
}

#[test]
fn the_schemas_are_closed_and_described() {
    for kind in Kind::ALL {
        let schema = kind.schema().as_value();
        let is_closed = schema["additionalProperties"] == false;
        let is_open = matches!(kind, Kind::PluginMetadata | Kind::Secret);
        assert_eq!(is_closed, !is_open, "{}", kind.name());
        assert_eq!(schema["type"], "object");
        let text = schema.to_string();
        for strange in
            ["null", "$ref", "uint", "\"const\"", "nanos", "\\n", "\"default\":{}", "\"default\":[]"]
        {
            assert!(!text.contains(strange), "{strange} in {text}");
        }
    }
    let route = Kind::Route.schema().as_value();
    assert!(route["properties"]["uri"]["description"].as_str().unwrap().contains("path"));
    assert_eq!(route["properties"]["upstream"]["additionalProperties"], false);
    assert_eq!(route["anyOf"].as_array().unwrap().len(), 10);
    let balance = &Kind::Upstream.schema().as_value()["properties"]["type"];
    assert_eq!(balance["enum"], json!(["roundrobin", "chash", "ewma", "least_conn"]));
    assert_eq!(balance["default"], "roundrobin");
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof!["[ -~]{0,8}", Just("/a".to_owned()), Just("1.2.3.4".to_owned())].prop_map(Value::from),
    ];
    let fields =
        ["uri", "uris", "hosts", "remote_addr", "vars", "upstream", "nodes", "timeout", "id", "type", "tls"];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        let name =
            prop_oneof![proptest::sample::select(fields.to_vec()).prop_map(str::to_owned), "[a-z:.0-9]{0,6}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_makes_a_check_panic(value in anything()) {
        for kind in Kind::ALL {
            drop(check(kind, &value));
        }
        drop(references(&value));
    }
}
