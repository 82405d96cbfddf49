//! How long it takes to pick one of 1,000 nodes, by each balancer.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use lockgate_proxy::balancer::{Balancer, Candidate, NodeState, hash};
use lockgate_resource::Balance;

/// What the program runs on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NODES: u32 = 1000;

fn nodes() -> Vec<Candidate> {
    let node = |number: u32| Candidate {
        name: format!("10.0.{}.{}:80", number / 250, number % 250).into(),
        weight: 1,
        priority: 0,
        state: Arc::new(NodeState::default()),
    };
    (0..NODES).map(node).collect()
}

fn picks(criterion: &mut Criterion) {
    // Keys of users that come in no order, hashed as those of requests are.
    let keys: Vec<_> =
        (0..65_536_u32).map(|key| format!("user-{}", key.wrapping_mul(2_654_435_761))).collect();
    for balance in [Balance::RoundRobin, Balance::Chash, Balance::Ewma, Balance::LeastConn] {
        for is_checked in [false, true] {
            let balancer = Balancer::new(balance, &nodes(), is_checked);
            let mut next = 0;
            let name = format!("{balance:?}, 1,000 nodes{}", if is_checked { ", checked" } else { "" });
            criterion.bench_function(&name, |bencher| {
                bencher.iter(|| {
                    next = (next + 1) % keys.len();
                    let key = if balance == Balance::Chash { hash(keys[next].as_bytes()) } else { 0 };
                    balancer.pick(black_box(key), &[])
                });
            });
        }
    }
    criterion.bench_function("compile chash, 1,000 nodes", |bencher| {
        let nodes = nodes();
        bencher.iter(|| Balancer::new(Balance::Chash, black_box(&nodes), false));
    });
}

criterion_group!(benches, picks);
criterion_main!(benches);
