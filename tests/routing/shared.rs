//! What routes share: plugin configs, services, global rules.

use lockgate_tests::{FakeUpstream, Gateway, Settings, Then, eventually};
use serde_json::{Value, json};

/// A plugin that answers with what this upstream says.
fn answering(function: &FakeUpstream) -> Value {
    json!({"azure-functions": {"function_uri": format!("http://{}/", function.node())}})
}

/// The same, for some requests only.
fn answering_if(function: &FakeUpstream, condition: &Value) -> Value {
    let mut plugins = answering(function);
    plugins["azure-functions"]["_meta"] = json!({"filter": condition});
    plugins
}

fn answers<const N: usize>(gateway: &Gateway, targets: [&str; N]) -> [String; N] {
    targets.map(|target| {
        let reply = gateway.get(target);
        if reply.status == 200 { reply.text() } else { reply.status.to_string() }
    })
}

#[test]
fn the_plugins_of_a_route_win_over_those_of_its_plugin_config_and_those_over_its_services() {
    let [route, config, service] = ["route", "config", "service"].map(FakeUpstream::fixed);
    let gateway = Gateway::start();
    gateway.put("/services/s", json!({"plugins": answering(&service)}));
    gateway.put("/plugin_configs/p", json!({"plugins": answering(&config), "desc": "shared"}));
    gateway.put("/routes/1", json!({"uri": "/1", "service_id": "s"}));
    gateway.put("/routes/2", json!({"uri": "/2", "service_id": "s", "plugin_config_id": "p"}));
    let all = json!({"uri": "/3", "service_id": "s", "plugin_config_id": "p", "plugins": answering(&route)});
    gateway.put("/routes/3", all);
    assert_eq!(answers(&gateway, ["/1", "/2", "/3"]), ["service", "config", "route"]);
    gateway.put("/plugin_configs/p", json!({"plugins": answering(&route)}));
    assert_eq!(answers(&gateway, ["/1", "/2", "/3"]), ["service", "route", "route"], "live when PUT answers");
}

#[test]
fn a_plugin_config_must_be_there_and_stays_while_it_is_used() {
    let function = FakeUpstream::fixed("config");
    let gateway = Gateway::start();
    let route = json!({"uri": "/1", "plugin_config_id": "p", "plugins": {}});
    assert_eq!(gateway.admin("PUT", "/routes/1", route.clone()).0, 400);
    gateway.put("/plugin_configs/p", json!({"plugins": answering(&function)}));
    gateway.put("/routes/1", route);
    assert_eq!(gateway.admin("DELETE", "/plugin_configs/p", Value::Null).0, 400);
    assert_eq!(gateway.admin("DELETE", "/routes/1", Value::Null).0, 200);
    assert_eq!(gateway.admin("DELETE", "/plugin_configs/p", Value::Null).0, 200);
}

#[test]
fn a_global_rule_runs_before_any_route_and_where_there_is_none() {
    let [global, route, upstream] = ["global", "route", "upstream"].map(FakeUpstream::fixed);
    let gateway = Gateway::start();
    gateway.route("1", json!({"uri": "/plain"}), &upstream.node());
    gateway.put("/routes/2", json!({"uri": "/plugin", "plugins": answering(&route)}));
    let targets = ["/plain", "/plugin", "/none", "/plain?g=1", "/plugin?g=1", "/none?g=1"];
    let without = ["upstream", "route", "404", "upstream", "route", "404"];
    assert_eq!(answers(&gateway, targets), without);
    let rule = json!({"plugins": answering_if(&global, &json!([["arg_g", "==", "1"]]))});
    gateway.put("/global_rules/1", rule);
    assert_eq!(answers(&gateway, targets), ["upstream", "route", "404", "global", "global", "global"]);
    assert_eq!(gateway.admin("DELETE", "/global_rules/1", Value::Null).0, 200);
    assert_eq!(answers(&gateway, targets), without);
}

#[test]
fn a_plugin_is_in_one_global_rule_only() {
    let function = FakeUpstream::fixed("global");
    let gateway = Gateway::start();
    gateway.put("/global_rules/1", json!({"plugins": answering(&function)}));
    gateway.put("/global_rules/1", json!({"plugins": answering(&function)}));
    let (status, body) = gateway.admin("PUT", "/global_rules/2", json!({"plugins": answering(&function)}));
    assert_eq!(status, 400, "{body}");
    assert_eq!(
        body["error_msg"], "plugin 'azure-functions' already exists in global rule with id '1'",
        "as APISIX says it"
    );
}

#[test]
fn a_service_gives_a_route_what_the_route_does_not_say() {
    let [one, two] = ["one", "two"].map(FakeUpstream::fixed);
    let upstream = |node: &FakeUpstream| json!({"type": "roundrobin", "nodes": {node.node(): 1}});
    let gateway = Gateway::start();
    gateway.put("/services/s", json!({"hosts": ["s.test"], "upstream": upstream(&one)}));
    gateway.put("/routes/1", json!({"uri": "/1", "service_id": "s"}));
    gateway.put("/routes/2", json!({"uri": "/2", "service_id": "s", "hosts": ["r.test"]}));
    gateway.put("/routes/3", json!({"uri": "/3", "service_id": "s", "upstream": upstream(&two)}));
    for (target, host, expected) in [
        ("/1", "s.test", "one"),
        ("/1", "r.test", "404"),
        ("/2", "r.test", "one"),
        ("/2", "s.test", "404"),
        ("/3", "s.test", "two"),
    ] {
        let reply = gateway.get_as(target, host);
        let answer = if reply.status == 200 { reply.text() } else { reply.status.to_string() };
        assert_eq!(answer, expected, "{target} {host}");
    }
}

#[test]
fn a_log_line_names_the_route_its_service_and_the_uri_that_matched() {
    let upstream = FakeUpstream::fixed("yes");
    let format = "<$route_id|$route_name|$service_id|$service_name|$matched_uri|$uri_param_id|$balancer_ip:$balancer_port>";
    let settings = Settings::new().set("nginx_config.http", json!({"access_log_format": format}));
    let gateway = Gateway::with(settings);
    gateway.put("/services/s", json!({"name": "shop"}));
    let route = json!({"uris": ["/a", "/b/:id"], "name": "orders", "service_id": "s"});
    gateway.route("1", route, &upstream.node());
    assert_eq!(gateway.get("/b/7").status, 200);
    assert_eq!(gateway.get("/none").status, 404);
    for line in [format!("<1|orders|s|shop|/b/:id|7|{}>", upstream.node()), "<-|-|-|-|-|-|-:->".to_owned()] {
        eventually(&line, || gateway.output().contains(&line).then_some(()));
    }
}

#[test]
fn a_log_line_shows_fields_of_answers_and_how_many_bytes_were_sent() {
    let upstream = FakeUpstream::start(|_, connection| {
        connection.answer("200 OK", &["X-Node: a", "X-Node: b"], "four").map(|()| Then::Keep)
    });
    let format = "<$upstream_http_x_node|$upstream_http_content_length|$sent_http_x_node|$sent_http_content_type|$bytes_sent>";
    let settings = Settings::new().set("nginx_config.http", json!({"access_log_format": format}));
    let gateway = Gateway::with(settings);
    gateway.route("1", json!({"uri": "/a"}), &upstream.node());
    let found = gateway.get("/a");
    let bytes = found.head.raw.len() + found.body.len();
    let missing = gateway.get("/none");
    let content = missing.get("content-type").expect("a refusal says what it is").to_owned();
    let others = missing.head.raw.len() + missing.body.len();
    for line in [format!("<a, b|4|a, b|-|{bytes}>"), format!("<-|-|-|{content}|{others}>")] {
        eventually(&line, || gateway.output().contains(&line).then_some(()));
    }
}
