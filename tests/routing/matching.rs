//! Matching: paths, hosts, methods, addresses, priorities.

use lockgate_tests::{FakeUpstream, Gateway};
use serde_json::{Value, json};

/// A gateway whose routes answer with their own id, through upstreams that say it.
struct Table {
    gateway: Gateway,
    upstreams: Vec<FakeUpstream>,
}

impl Table {
    fn new(routes: &[(&'static str, Value)]) -> Self {
        let mut table = Self { gateway: Gateway::start(), upstreams: Vec::new() };
        for (id, fields) in routes {
            let upstream = FakeUpstream::fixed(id);
            table.gateway.route(id, fields.clone(), &upstream.node());
            table.upstreams.push(upstream);
        }
        table
    }

    /// The id of the route that answered, or the status.
    fn call(&self, method: &str, host: &str, target: &str) -> String {
        let reply = self.gateway.request(method, target, &[&format!("Host: {host}")], b"");
        if reply.status == 200 { reply.text() } else { reply.status.to_string() }
    }

    fn get(&self, target: &str) -> String {
        self.call("GET", "any.test", target)
    }
}

#[test]
fn an_exact_path_wins_over_a_prefix_and_a_longer_prefix_over_a_shorter() {
    let table = Table::new(&[
        ("all", json!({"uri": "/*"})),
        ("api", json!({"uri": "/api/*"})),
        ("users", json!({"uri": "/api/users/*"})),
        ("exact", json!({"uri": "/api/users/me"})),
    ]);
    for (target, id) in [
        ("/", "all"),
        ("/ap", "all"),
        ("/api", "all"),
        ("/api/", "api"),
        ("/api/x", "api"),
        ("/api/users", "api"),
        ("/api/users/", "users"),
        ("/api/users/1", "users"),
        ("/api/users/me", "exact"),
        ("/api/users/me?x=1", "exact"),
        ("/api/users/me/", "users"),
        ("/api/users/mex", "users"),
    ] {
        assert_eq!(table.get(target), id, "{target}");
    }
}

#[test]
fn a_route_may_have_several_paths() {
    let table = Table::new(&[("1", json!({"uris": ["/a", "/b/*"]}))]);
    assert_eq!(
        [table.get("/a"), table.get("/b/x"), table.get("/a/x"), table.get("/c")],
        ["1", "1", "404", "404"]
    );
}

#[test]
fn a_parameter_stands_for_one_segment() {
    let table = Table::new(&[("1", json!({"uri": "/users/:id/posts"})), ("2", json!({"uri": "/users/:id"}))]);
    for (target, id) in [
        ("/users/7/posts", "1"),
        ("/users/7", "2"),
        ("/users/7/8/posts", "404"),
        ("/users//posts", "2"),
        ("/users/", "404"),
    ] {
        assert_eq!(table.get(target), id, "{target}");
    }
}

#[test]
fn a_route_that_does_not_fit_on_the_longest_path_gives_way_to_shorter_ones() {
    let table = Table::new(&[
        ("all", json!({"uri": "/*"})),
        ("post", json!({"uri": "/api/*", "methods": ["POST"]})),
        ("host", json!({"uri": "/api/users", "host": "only.test"})),
    ]);
    assert_eq!(table.call("GET", "any.test", "/api/users"), "all");
    assert_eq!(table.call("POST", "any.test", "/api/users"), "post");
    assert_eq!(table.call("GET", "only.test", "/api/users"), "host");
    assert_eq!(table.call("POST", "only.test", "/api/users"), "host");
}

#[test]
fn a_host_is_matched_exactly_or_by_its_tail_whatever_its_case_and_port() {
    let table = Table::new(&[
        ("none", json!({"uri": "/*"})),
        ("exact", json!({"uri": "/*", "host": "a.example.com"})),
        ("tail", json!({"uri": "/*", "hosts": ["*.example.com"]})),
    ]);
    for (host, id) in [
        ("a.example.com", "exact"),
        ("A.Example.COM", "exact"),
        ("a.example.com:8080", "exact"),
        ("b.example.com", "tail"),
        ("c.b.example.com", "tail"),
        ("example.com", "none"),
        ("xexample.com", "none"),
        ("other.test", "none"),
    ] {
        assert_eq!(table.call("GET", host, "/x"), id, "{host}");
    }
}

#[test]
fn a_host_counts_before_the_length_of_the_path() {
    let table = Table::new(&[
        ("path", json!({"uri": "/long/path"})),
        ("host", json!({"uri": "/*", "host": "h.test"})),
    ]);
    assert_eq!(table.call("GET", "h.test", "/long/path"), "host");
    assert_eq!(table.call("GET", "other.test", "/long/path"), "path");
}

#[test]
fn among_equal_paths_the_higher_priority_wins() {
    let table = Table::new(&[
        ("low", json!({"uri": "/p", "priority": -1})),
        ("high", json!({"uri": "/p", "priority": 5, "methods": ["GET"]})),
        ("middle", json!({"uri": "/p"})),
    ]);
    assert_eq!(table.call("GET", "h", "/p"), "high");
    assert_eq!(table.call("POST", "h", "/p"), "middle");
}

#[test]
fn a_clients_address_may_be_asked_for() {
    let table = Table::new(&[
        ("far", json!({"uri": "/p", "remote_addr": "192.0.2.0/24", "priority": 9})),
        ("near", json!({"uri": "/p", "remote_addrs": ["10.0.0.0/8", "127.0.0.0/8"]})),
    ]);
    assert_eq!(table.get("/p"), "near");
}

#[test]
fn a_switched_off_route_does_not_answer() {
    let table = Table::new(&[("1", json!({"uri": "/p", "status": 0}))]);
    assert_eq!(table.get("/p"), "404");
    assert_eq!(table.gateway.admin("PATCH", "/routes/1", json!({"status": 1})).0, 200);
    assert_eq!(table.get("/p"), "1");
}

#[test]
fn a_deleted_route_is_gone_when_delete_answers() {
    let table = Table::new(&[("1", json!({"uri": "/p"}))]);
    assert_eq!(table.get("/p"), "1");
    assert_eq!(table.gateway.admin("DELETE", "/routes/1", Value::Null).0, 200);
    assert_eq!(table.get("/p"), "404");
}

#[test]
fn no_route_is_answered_in_apisix_words() {
    let reply = Gateway::start().get("/nowhere");
    assert_eq!(reply.status, 404);
    assert_eq!(reply.text().trim_end(), r#"{"error_msg":"404 Route Not Found"}"#);
}
