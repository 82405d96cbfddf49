//! The order of rules by table, and against a matcher that sorts every candidate.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;

use http::Method;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

use super::pattern::{Part, parts};
use super::*;

fn rule(id: &str, uris: &[&str]) -> Rule {
    Rule { id: id.to_owned(), uris: uris.iter().map(ToString::to_string).collect(), ..Rule::default() }
}

fn router(rules: impl IntoIterator<Item = Rule>) -> Router<()> {
    router_of(Kind::HostUri, rules)
}

fn router_of(kind: Kind, rules: impl IntoIterator<Item = Rule>) -> Router<()> {
    let mut router = Router::new(kind);
    for rule in rules {
        router.insert(&Arc::new(rule), ()).unwrap();
    }
    router
}

fn query(path: &str) -> Query<'_> {
    Query { path, host: "a.example.com", method: &Method::GET, remote_addr: IpAddr::from([10, 0, 0, 1]) }
}

fn id<'r>(router: &'r Router<()>, query: &Query<'_>) -> Option<&'r str> {
    router.find(query, |_| true).map(|found| found.rule().id.as_str())
}

#[test]
fn the_longest_uri_comes_first() {
    let uris = ["/a", "/a/*", "/a/b*", "/a/b/c", "/*", "/a/:x/c", "/a/:x", "/a/b/*.js", "/a/b/*/d"];
    let router = router(uris.iter().map(|uri| rule(uri, &[uri])));
    for (path, expected) in [
        ("/a", "/a"),
        ("/a/", "/a/*"),
        ("/a/b", "/a/b*"),
        ("/a/bc/d", "/a/b*"),
        ("/a/b/c", "/a/b/c"),
        ("/a/x/c", "/a/:x/c"),
        ("/a/x", "/a/:x"),
        ("/a/x/y", "/a/*"),
        ("/a/b/c/d.js", "/a/b/*.js"),
        ("/a/b/c/d", "/a/b/*/d"),
        ("/x", "/*"),
        ("/", "/*"),
    ] {
        assert_eq!(id(&router, &query(path)), Some(expected), "{path}");
    }
    assert_eq!(id(&router, &query("x")), None);
}

#[test]
fn a_find_says_what_the_star_and_the_names_stand_for() {
    let router = router([rule("1", &["/aws/*"]), rule("2", &["/u/:id/f/*rest"]), rule("3", &["/x"])]);
    let found = router.find(&query("/aws/a/b"), |_| true).unwrap();
    assert_eq!((found.uri(), found.tail, found.host()), ("/aws/*", Some(5), None));
    let path = "/u/7/f/a/b";
    let found = router.find(&query(path), |_| true).unwrap();
    assert_eq!(found.parameters(path).collect::<Vec<_>>(), [("id", "7"), ("rest", "a/b")]);
    assert_eq!(found.tail, Some(7));
    assert_eq!(router.find(&query("/x"), |_| true).unwrap().tail, None);
}

#[test]
fn it_walks_up_where_method_address_or_condition_do_not_fit() {
    let condition = Condition::parse(&json!([["arg_a", "==", "1"]])).unwrap();
    let mut rules = ["/a/b", "/a/*", "/*"].map(|uri| rule(uri, &[uri]));
    rules[0].methods = Some(MethodSet::parse(["POST"]).unwrap());
    rules[1].remote_addrs = vec!["192.168.0.0/16".parse().unwrap()];
    let mut conditional = rule("conditional", &["/a/b*"]);
    conditional.condition = Some(condition);
    let router = router(rules.into_iter().chain([conditional]));
    let post = Query { method: &Method::POST, ..query("/a/b") };
    let near = Query { remote_addr: "::ffff:192.168.1.1".parse().unwrap(), ..query("/a/b") };
    assert_eq!(id(&router, &post), Some("/a/b"));
    assert_eq!(id(&router, &query("/a/b")), Some("conditional"));
    let without = |query: &Query<'_>| router.find(query, |_| false).unwrap().rule().id.clone();
    assert_eq!(without(&near), "/a/*");
    assert_eq!(without(&query("/a/b")), "/*");
}

#[test]
fn hosts_come_before_uris() {
    let hosts = ["a.example.com", "*.example.com", "*.com", ""];
    let rules = hosts.map(|host| {
        let uri = if host == "a.example.com" { "/only" } else { "/*" };
        let hosts = if host.is_empty() { vec![] } else { vec![host.to_owned()] };
        Rule { hosts, ..rule(host, &[uri]) }
    });
    let exact = Rule { hosts: vec!["*.EXAMPLE.com".into()], ..rule("exact", &["/x"]) };
    let router = router(rules.into_iter().chain([exact, rule("all", &["/only"])]));
    for (host, path, expected) in [
        ("a.example.com", "/only", "a.example.com"),
        ("A.Example.COM:8080", "/only", "a.example.com"),
        ("a.example.com.", "/only", "a.example.com"),
        ("a.example.com", "/y", "*.example.com"),
        ("a.example.com", "/x", "exact"),
        ("a.b.example.com", "/only", "*.example.com"),
        ("example.com", "/only", "*.com"),
        ("example.org", "/only", "all"),
        ("example.org", "/y", ""),
        ("", "/y", ""),
        ("[::1]:80", "/y", ""),
    ] {
        assert_eq!(id(&router, &Query { host, ..query(path) }), Some(expected), "{host}{path}");
    }
    let long = "a.".repeat(500);
    assert_eq!(id(&router, &Query { host: &long, ..query("/y") }), Some(""));
    let found = router.find(&query("/y"), |_| true).unwrap();
    assert_eq!(found.host(), Some("*.example.com"));
}

#[test]
fn priority_and_id_decide_between_equal_uris() {
    let rules =
        [("b", 1), ("a", 1), ("c", 5)].map(|(id, priority)| Rule { priority, ..rule(id, &["/x/:p"]) });
    assert_eq!(id(&router(rules.clone()), &query("/x/1")), Some("c"));
    assert_eq!(id(&router(rules.into_iter().take(2)), &query("/x/1")), Some("a"));
}

#[test]
fn where_the_path_decides_a_host_is_one_condition_among_others() {
    let hosted = Rule { hosts: vec!["*.example.com".to_owned()], ..rule("hosted", &["/*"]) };
    let first = Rule { hosts: vec!["b.test".to_owned()], priority: 9, ..rule("first", &["/long"]) };
    let rules = [hosted, first, rule("long", &["/long"]), rule("colon", &["/u/:id"])];
    let router = |kind| router_of(kind, rules.clone());
    assert_eq!(id(&router(Kind::HostUri), &query("/long")), Some("hosted"));
    assert_eq!(id(&router(Kind::Uri), &query("/long")), Some("long"));
    let other = Query { host: "B.test:80", ..query("/long") };
    assert_eq!(id(&router(Kind::Uri), &other), Some("first"));
    let other = |path| Query { host: "b.test", ..query(path) };
    assert_eq!(id(&router(Kind::Uri), &other("/u/7")), None);
    assert_eq!(id(&router(Kind::Uri), &other("/u/:id")), Some("colon"));
    assert_eq!(id(&router(Kind::UriWithParameter), &other("/u/7")), Some("colon"));
}

#[test]
fn a_rule_that_cannot_match_is_refused() {
    let mut router = Router::new(Kind::HostUri);
    let host = |host: &str| Rule { hosts: vec![host.to_owned()], ..rule("r", &["/"]) };
    for (rule, error) in [
        (rule("r", &[]), "rule r has no uri"),
        (rule("r", &["/a", ""]), "rule r has no uri"),
        (rule("r", &["/a/*/b/*"]), "uri /a/*/b/* has a wildcard behind its *"),
        (host(""), "host  is not a name or *.name"),
        (host("a.*.com"), "host a.*.com is not a name or *.name"),
    ] {
        assert_eq!(router.insert(&Arc::new(rule), ()).unwrap_err().to_string(), error);
    }
    assert!(router.find(&query("/a"), |_| true).is_none());
}

#[test]
fn a_clone_is_not_changed_by_what_comes_after() {
    let first = Arc::new(rule("1", &["/a/*"]));
    let mut router = router([]);
    router.insert(&first, ()).unwrap();
    let before = router.clone();
    router.remove(&first);
    assert!(router.find(&query("/a/b"), |_| true).is_none());
    assert!(before.find(&query("/a/b"), |_| true).is_some());
}

/// Why one candidate comes before another, for a path that it matches; `None` when it does not match.
fn uri_rank(uri: &str, path: &str, has_parameters: bool) -> Option<(Vec<u8>, Reverse<usize>)> {
    let (mut ranks, mut left) = (Vec::new(), path);
    for part in parts(uri, has_parameters) {
        match part {
            Part::Literal(text) => {
                left = left.strip_prefix(text)?;
                ranks.extend(vec![0; text.len()]);
            }
            Part::Parameter(_) => {
                let len = left.find('/').unwrap_or(left.len());
                left = left.get(len..).filter(|_| len > 0)?;
                ranks.extend(vec![1; len]);
            }
            Part::Tail { rest, .. } => {
                ranks.extend(vec![2; left.len() + 1]);
                return left.ends_with(rest).then_some((ranks, Reverse(rest.len())));
            }
        }
    }
    ranks.push(0);
    left.is_empty().then_some((ranks, Reverse(0)))
}

fn host_rank(hosts: &[String], host: &str) -> Vec<(u8, Reverse<usize>)> {
    let one = |pattern: &String| match pattern.strip_prefix('*') {
        None => (pattern == host).then_some((0, Reverse(0))),
        Some(end) => (host.len() > end.len() && host.ends_with(end)).then_some((1, Reverse(end.len()))),
    };
    if hosts.is_empty() { vec![(2, Reverse(0))] } else { hosts.iter().filter_map(one).collect() }
}

/// Sorts every candidate and takes the first.
fn naive(kind: Kind, rules: &[Arc<Rule>], query: &Query<'_>) -> Option<(String, String)> {
    let method = MethodSet::only(query.method);
    let mut candidates = Vec::new();
    for rule in rules.iter().filter(|rule| rule.methods.is_none_or(|methods| methods.meets(method))) {
        let mut hosts = host_rank(&rule.hosts, query.host);
        if kind != Kind::HostUri {
            hosts.truncate(1);
            hosts.fill((0, Reverse(0)));
        }
        for host in hosts {
            for (at, uri) in rule.uris.iter().enumerate() {
                if let Some(rank) = uri_rank(uri, query.path, kind != Kind::Uri) {
                    candidates.push((host, rank, Reverse(rule.priority), rule.id.clone(), at, uri.clone()));
                }
            }
        }
    }
    candidates.into_iter().min().map(|(.., id, _, uri)| (id, uri))
}

fn uri() -> impl Strategy<Value = String> {
    let piece = select(vec!["a", "b", "ab", "/", "/", "/a", "/b", "/:x", "/:y", ":", "/:x/"]);
    let end = select(vec!["", "", "*", "/*", "/*b", "/*n", "*/a"]);
    (prop::collection::vec(piece, 0..5), end).prop_map(|(pieces, end)| format!("/{}{end}", pieces.concat()))
}

fn rules() -> impl Strategy<Value = Vec<Arc<Rule>>> {
    let host = select(vec!["a.b.c", "b.c", "*.b.c", "*.c", "*c", "c"]);
    let methods = select(vec![None, None, Some("GET"), Some("POST")]);
    let rule = (prop::collection::vec(uri(), 1..3), prop::collection::btree_set(host, 0..3), methods, 0..3);
    prop::collection::vec(rule, 0..24).prop_map(|rules| {
        let rules = rules.into_iter().enumerate();
        let rule = |(at, (uris, hosts, methods, priority)): (usize, (Vec<_>, _, Option<&str>, i32))| {
            let hosts: std::collections::BTreeSet<&str> = hosts;
            Arc::new(Rule {
                id: format!("{:02}", at * 7 % 24),
                uris,
                hosts: hosts.into_iter().map(str::to_owned).collect(),
                methods: methods.map(|name| MethodSet::parse([name]).unwrap()),
                priority,
                ..Rule::default()
            })
        };
        rules.map(rule).collect()
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    select(vec![Kind::HostUri, Kind::Uri, Kind::UriWithParameter])
}

fn path() -> impl Strategy<Value = String> {
    let piece = select(vec!["a", "b", "ab", "/a", "/b", "/", "n", ":x"]);
    prop::collection::vec(piece, 0..6).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn found(router: &Router<()>, query: &Query<'_>) -> Option<(String, String)> {
    router.find(query, |_| true).map(|found| (found.rule().id.clone(), found.uri().to_owned()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn it_finds_what_a_naive_matcher_finds(
        rules in rules(),
        paths in prop::collection::vec(path(), 8),
        host in select(vec!["a.b.c", "b.c", "x.b.c", "c", "xc", "d"]),
        kind in kind(),
    ) {
        let router = router_of(kind, rules.iter().map(|rule| (**rule).clone()));
        for path in &paths {
            let query = Query { host, ..query(path) };
            prop_assert_eq!(found(&router, &query), naive(kind, &rules, &query), "{}{}", host, path);
        }
    }

    #[test]
    fn a_router_changed_step_by_step_is_one_built_from_scratch(
        rules in rules(),
        gone in prop::collection::vec(any::<Index>(), 0..24),
        kind in kind(),
    ) {
        let mut changed = router_of(kind, []);
        let mut left = rules.clone();
        for rule in &rules {
            changed.insert(rule, ()).unwrap();
        }
        for index in gone {
            if left.is_empty() {
                break;
            }
            changed.remove(&left.swap_remove(index.index(left.len())));
        }
        let scratch = router_of(kind, left.iter().map(|rule| (**rule).clone()));
        prop_assert_eq!(format!("{changed:?}"), format!("{scratch:?}"));
    }
}
