//! The routers and the ways to read a path, each by its setting.

use lockgate_tests::{FakeUpstream, Gateway, Reply, Settings};
use serde_json::{Value, json};

/// A gateway whose routes answer with their own id.
struct Table {
    gateway: Gateway,
    upstreams: Vec<FakeUpstream>,
}

impl Table {
    fn new(settings: Settings, routes: &[(&'static str, Value)]) -> Self {
        let mut table = Self { gateway: Gateway::with(settings), upstreams: Vec::new() };
        for (id, fields) in routes {
            let upstream = FakeUpstream::fixed(id);
            table.gateway.route(id, fields.clone(), &upstream.node());
            table.upstreams.push(upstream);
        }
        table
    }

    fn get(&self, host: &str, target: &str) -> String {
        text(&self.gateway.get_as(target, host))
    }

    /// The target that the upstream of the route at this place was asked for last.
    fn target(&self, place: usize) -> String {
        self.upstreams[place].pending().pop().map(|request| request.target().to_owned()).unwrap_or_default()
    }
}

fn text(reply: &Reply) -> String {
    if reply.status == 200 { reply.text() } else { reply.status.to_string() }
}

fn router(name: &str) -> Settings {
    Settings::new().set("apisix.router.http", json!(name))
}

#[test]
fn each_router_has_its_order() {
    let routes = [
        ("host", json!({"uri": "/*", "host": "h.test"})),
        ("path", json!({"uri": "/long/path"})),
        ("user", json!({"uri": "/user/:id"})),
        ("both", json!({"uri": "/both", "hosts": ["*.h.test"], "priority": 1})),
        ("rest", json!({"uri": "/both"})),
    ];
    for (name, expected) in [
        ("radixtree_host_uri", ["host", "path", "user", "host", "both", "rest"]),
        ("radixtree_uri", ["path", "path", "404", "host", "both", "rest"]),
        ("radixtree_uri_with_parameter", ["path", "path", "user", "user", "both", "rest"]),
    ] {
        let table = Table::new(router(name), &routes);
        let answers = [
            table.get("h.test", "/long/path"),
            table.get("other.test", "/long/path"),
            table.get("other.test", "/user/7"),
            table.get("h.test", "/user/7"),
            table.get("a.h.test:80", "/both"),
            table.get("other.test", "/both"),
        ];
        assert_eq!(answers, expected, "{name}");
    }
}

#[test]
fn a_colon_means_itself_where_there_are_no_parameters() {
    let table = Table::new(router("radixtree_uri"), &[("1", json!({"uri": "/user/:id"}))]);
    assert_eq!([table.get("h", "/user/:id"), table.get("h", "/user/7")], ["1", "404"]);
}

#[test]
fn a_slash_at_the_end_counts_unless_it_is_told_not_to() {
    let routes = [("1", json!({"uri": "/a"})), ("2", json!({"uri": "/b/*"}))];
    let table = Table::new(Settings::new(), &routes);
    assert_eq!([table.get("h", "/a/"), table.get("h", "/b/")], ["404", "2"]);
    let settings = Settings::new().set("apisix.delete_uri_tail_slash", json!(true));
    let table = Table::new(settings, &routes);
    assert_eq!([table.get("h", "/a/"), table.get("h", "/a"), table.get("h", "/")], ["1", "1", "404"]);
}

#[test]
fn a_path_is_read_as_servlets_read_it_where_that_is_asked_for() {
    let routes = [("1", json!({"uri": "/a/b"})), ("2", json!({"uri": "/*"}))];
    let table = Table::new(Settings::new(), &routes);
    assert_eq!(table.get("h", "/a;x=1/b"), "2");
    let settings = Settings::new().set("apisix.normalize_uri_like_servlet", json!(true));
    let table = Table::new(settings, &routes);
    assert_eq!(table.get("h", "/a;x=1/b;y"), "1");
    assert_eq!(table.get("h", "/a/..;/a/b"), "400", "a parameter does not hide a dot segment");
}

#[test]
fn an_encoded_slash_belongs_to_a_parameter_where_that_is_asked_for() {
    let routes = [("one", json!({"uri": "/blog/:name"})), ("two", json!({"uri": "/blog/:name/:more"}))];
    let with = || router("radixtree_uri_with_parameter");
    let table = Table::new(with(), &routes);
    assert_eq!(table.get("h", "/blog/cat%2Fdog"), "two");
    let table = Table::new(with().set("apisix.match_uri_encoded_slash", json!(true)), &routes);
    assert_eq!(table.get("h", "/blog/cat%2fdog"), "one");
    assert_eq!(table.target(0), "/blog/cat%2fdog", "the upstream is sent what came");
    assert_eq!(table.get("h", "/blog/cat/dog"), "two");
    assert_eq!(table.get("h", "/blog/x/..%2Fcat"), "one", "a path that had to be resolved is read as always");
}
