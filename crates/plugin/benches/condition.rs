//! How long five conditions take, on a request that all of them hold for.

use std::hint::black_box;
use std::net::SocketAddr;
use std::rc::Rc;

use criterion::{Criterion, criterion_group, criterion_main};
use http::Method;
use lockgate_http::{ConnectionInfo, Request};
use lockgate_plugin::{Condition, RequestContext};
use serde_json::json;

/// What the program runs on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn five(criterion: &mut Criterion) {
    let condition = Condition::parse(&json!([
        ["arg_version", "==", "v2"],
        ["arg_size", ">", 10],
        ["http_x_tenant", "~~", "^(red|green|blue)-[0-9]+$"],
        ["cookie_group", "in", ["a", "b", "c"]],
        ["remote_addr", "ipmatch", ["192.168.0.0/16", "10.0.0.0/8"]]
    ]))
    .expect("the condition is sound");
    let mut request = Request::new(Method::GET, "/orders/7?user=jane&version=v2&size=42")
        .expect("the target is in origin form");
    for (name, value) in [
        ("Host", "api.example.com"),
        ("User-Agent", "curl/8.5.0"),
        ("Accept", "*/*"),
        ("X-Tenant", "green-42"),
        ("Cookie", "session=4f2a91c07be3; group=b"),
    ] {
        request.headers.append(name, value.as_bytes()).expect("the field is sound");
    }
    let address = |port| SocketAddr::from(([10, 1, 2, 3], port));
    let connection = ConnectionInfo::new(address(4567), address(9080), false);
    let cx = RequestContext::new(Rc::new(connection), Method::GET);
    assert!(condition.holds(&request, &cx));
    criterion.bench_function("five conditions that all hold", |bencher| {
        bencher.iter(|| black_box(&condition).holds(black_box(&request), &cx));
    });
}

criterion_group!(benches, five);
criterion_main!(benches);
