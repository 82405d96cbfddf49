//! `ip-restriction`: who is let in by address.

use lockgate_tests::{Connection, FakeUpstream, Gateway, Ports, Settings};
use serde_json::{Value, json};

fn restricted(gateway: &Gateway, upstream: &FakeUpstream, config: &Value) {
    gateway.route("1", json!({"uri": "/x", "plugins": {"ip-restriction": config}}), &upstream.node());
}

#[test]
fn clients_are_let_in_or_kept_out_by_their_address() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::start();
    let lists = [
        (json!({"whitelist": ["10.0.0.0/8", "127.0.0.0/8"]}), 200),
        (json!({"whitelist": ["::ffff:127.0.0.1"]}), 200),
        (json!({"whitelist": ["10.0.0.0/8", "::1"]}), 403),
        (json!({"blacklist": ["10.0.0.0/8", "fe80::/32"]}), 200),
        (json!({"blacklist": ["127.0.0.1"]}), 403),
    ];
    for (config, status) in lists {
        restricted(&gateway, &upstream, &config);
        let reply = gateway.request("GET", "/x", &["X-Forwarded-For: 10.0.0.1", "X-Real-IP: 10.0.0.1"], b"");
        assert_eq!(reply.status, status, "{config}");
        if status == 403 {
            assert_eq!(reply.text(), "{\"message\":\"Your IP address is not allowed\"}\n");
            assert_eq!(reply.get("content-type"), Some("application/json"));
        }
    }
    restricted(
        &gateway,
        &upstream,
        &json!({"blacklist": ["127.0.0.1"], "message": "\"no\"", "response_code": 404}),
    );
    let reply = gateway.get("/x");
    assert_eq!((reply.status, reply.text().as_str()), (404, "{\"message\":\"\\\"no\\\"\"}\n"));
}

#[test]
fn behind_a_balancer_the_client_is_whom_it_names() {
    let upstream = FakeUpstream::fixed("ok");
    let ports = Ports::take();
    let listen = json!({"ip": "127.0.0.1", "port": ports.get(0)});
    let gateway =
        Gateway::with(Settings::new().set("apisix.proxy_protocol", json!({"listen_http_port": listen})));
    restricted(&gateway, &upstream, &json!({"whitelist": ["10.1.0.0/16"]}));
    for (client, status) in [("10.1.2.3", 200), ("10.2.2.3", 403)] {
        let request = format!(
            "PROXY TCP4 {client} 127.0.0.1 4000 80\r\nGET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        );
        let reply = Connection::open(([127, 0, 0, 1], ports.get(0)).into()).exchange(request);
        assert_eq!(reply.status, status, "{client}");
    }
}

#[test]
fn what_is_no_list_of_addresses_is_refused() {
    let gateway = Gateway::start();
    for (config, why) in [
        (json!({}), "value should match only one schema, but matches none"),
        (
            json!({"whitelist": ["10.0.0.1"], "blacklist": ["10.0.0.2"]}),
            "value should match only one schema, but matches both schemas 1 and 2",
        ),
        (json!({"blacklist": []}), "expect array to have at least 1 items"),
        (
            json!({"whitelist": ["10.255.256.0/24"]}),
            "failed to validate item 1: object matches none of the required",
        ),
        (
            json!({"whitelist": ["10.0.0.0/38"]}),
            "failed to validate item 1: object matches none of the required",
        ),
        (json!({"whitelist": ["1::2::3"]}), "invalid ip address: 1::2::3"),
        (json!({"whitelist": ["10.0.0.1"], "response_code": 500}), "response_code"),
    ] {
        let route = json!({"uri": "/x", "plugins": {"ip-restriction": config}});
        let (status, refused) = gateway.admin("PUT", "/routes/1", route);
        let said = refused["error_msg"].as_str().unwrap_or_default();
        assert!(status == 400 && said.contains(why), "{config}: {status} {refused}");
    }
}
