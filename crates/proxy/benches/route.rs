//! How long a match among 100,000 routes takes, and a change to one of them.

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use http::Method;
use lockgate_proxy::router::{Kind, MethodSet, Query, Router, Rule};

/// What the program runs on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUTES: usize = 100_000;

/// A mix of what gateways hold: half exact, a third prefixes, the rest with hosts or parameters.
fn rule(number: usize) -> Rule {
    let (uri, host) = match number % 6 {
        0..=2 => (format!("/api/v{}/service-{number}/items", number % 3), None),
        3 => (format!("/app-{number}/static/*"), None),
        4 => (format!("/tenant-{}/:user/orders-{number}/*", number % 100), None),
        _ => (format!("/shop-{}/*", number % 50), Some(format!("h{number}.example.com"))),
    };
    Rule {
        id: number.to_string(),
        uris: vec![uri],
        hosts: host.into_iter().collect(),
        methods: MethodSet::parse(["GET", "POST"]).ok(),
        ..Rule::default()
    }
}

/// A request for the route of this number.
fn request(number: usize) -> (String, String) {
    match number % 6 {
        0..=2 => (format!("/api/v{}/service-{number}/items", number % 3), "api.example.com".into()),
        3 => (format!("/app-{number}/static/js/main.js"), "api.example.com".into()),
        4 => (format!("/tenant-{}/jane/orders-{number}/7", number % 100), "api.example.com".into()),
        _ => (format!("/shop-{}/cart", number % 50), format!("h{number}.example.com")),
    }
}

fn routes(criterion: &mut Criterion) {
    let mut router = Router::new(Kind::default());
    for number in 0..ROUTES {
        router.insert(&Arc::new(rule(number)), number).expect("the rule is sound");
    }
    // A stride that visits routes far from each other, so that no cache is warm by chance.
    let requests: Vec<_> = (0..ROUTES).map(|number| request(number * 7919 % ROUTES)).collect();
    let mut next = 0;
    criterion.bench_function("find one of 100,000 routes", |bencher| {
        bencher.iter(|| {
            let (path, host) = &requests[next];
            next = (next + 1) % ROUTES;
            let query = Query { path, host, method: &Method::GET, remote_addr: IpAddr::from([10, 0, 0, 1]) };
            let found = router.find(black_box(&query), |_| true).expect("every request has a route");
            *found.value
        });
    });
    let (path, host) = request(ROUTES / 2);
    criterion.bench_function("find the same of 100,000 routes again", |bencher| {
        bencher.iter(|| {
            let (path, host) = (path.as_str(), host.as_str());
            let query = Query { path, host, method: &Method::GET, remote_addr: IpAddr::from([10, 0, 0, 1]) };
            router.find(black_box(&query), |_| true).map(|found| *found.value)
        });
    });
    criterion.bench_function("clone, remove and insert one of 100,000 routes", |bencher| {
        bencher.iter(|| {
            next = (next + 7919) % ROUTES;
            let rule = Arc::new(rule(next));
            let mut changed = router.clone();
            changed.remove(&rule);
            changed.insert(&rule, next).expect("the rule is sound");
            router = changed;
        });
    });
}

criterion_group!(benches, routes);
criterion_main!(benches);
