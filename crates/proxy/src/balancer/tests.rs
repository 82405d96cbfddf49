//! What balancers promise, tried on many upstreams.

use std::collections::HashMap;

use std::time::Duration;

use lockgate_telemetry::clock;
use proptest::prelude::*;

use super::*;
use crate::health::Seen;

fn nodes(written: &[(u32, i64)]) -> Vec<Candidate> {
    let node = |(number, (weight, priority)): (usize, &(u32, i64))| Candidate {
        name: format!("10.0.0.{number}:80").into(),
        weight: *weight,
        priority: *priority,
        state: Arc::default(),
    };
    written.iter().enumerate().map(node).collect()
}

fn equal(count: usize) -> Vec<Candidate> {
    nodes(&vec![(1, 0); count])
}

fn keys() -> impl Iterator<Item = u64> {
    (0..20_000_u32).map(|key| hash(format!("key-{key}").as_bytes()))
}

fn fail(node: &Candidate) {
    node.state.health.observe(Seen::TcpFailure, 1);
}

#[test]
fn chash_spreads_keys_by_weight() {
    let balancer = Balancer::new(Balance::Chash, &nodes(&[(1, 0), (2, 0), (5, 0)]), false);
    let mut counts = [0_u32; 3];
    keys().for_each(|key| counts[balancer.pick(key, &[]).unwrap()] += 1);
    for (count, expected) in counts.into_iter().zip([2500, 5000, 12_500]) {
        assert!(count.abs_diff(expected) < expected / 5, "{count} is far from {expected}");
    }
}

#[test]
fn a_node_that_falls_ill_moves_only_its_own_keys_and_gets_them_back() {
    let nodes = equal(50);
    let balancer = Balancer::new(Balance::Chash, &nodes, true);
    let before: Vec<_> = keys().map(|key| balancer.pick(key, &[]).unwrap()).collect();
    fail(&nodes[7]);
    let mut heirs = HashMap::new();
    for (key, was) in keys().zip(&before) {
        let is = balancer.pick(key, &[]).unwrap();
        assert!(is != 7 && (*was == 7 || is == *was));
        *heirs.entry(is).or_insert(0) += i32::from(*was == 7);
    }
    assert!(heirs.values().filter(|keys| **keys > 0).count() > 20, "its keys go to many others");
    nodes[7].state.health.observe(Seen::Success, 1);
    assert!(keys().zip(before).all(|(key, was)| balancer.pick(key, &[]) == Some(was)));
}

#[test]
fn a_node_that_is_added_takes_keys_and_moves_none_between_others() {
    let nodes = equal(20);
    let before = Balancer::new(Balance::Chash, &nodes[..19], false);
    let after = Balancer::new(Balance::Chash, &nodes, false);
    let moved = keys().filter(|key| {
        let (was, is) = (before.pick(*key, &[]).unwrap(), after.pick(*key, &[]).unwrap());
        assert!(was == is || is == 19);
        was != is
    });
    assert!((500..2000).contains(&moved.count()));
}

#[test]
fn least_conn_evens_out_what_is_under_way_in_relation_to_weights() {
    let nodes = nodes(&[(1, 0), (2, 0), (3, 0), (0, 0)]);
    let balancer = Balancer::new(Balance::LeastConn, &nodes, false);
    let held: Vec<_> = (0..600).map(|_| balancer.hold(balancer.pick(0, &[]).unwrap())).collect();
    let under_way: Vec<_> = nodes.iter().map(|node| node.state.under_way()).collect();
    assert_eq!(under_way, [100, 200, 300, 0]);
    drop(held);
    assert!(nodes.iter().all(|node| node.state.under_way() == 0));
}

#[test]
fn least_conn_takes_idle_nodes_in_turn() {
    let balancer = Balancer::new(Balance::LeastConn, &equal(3), false);
    let picks: Vec<_> = (0..6).map(|_| balancer.pick(0, &[]).unwrap()).collect();
    assert_eq!(picks, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn least_conn_is_nearly_as_even_over_a_thousand_nodes() {
    let all: Vec<_> = (0..1000).map(|at| (1 + at % 3, 0)).collect();
    let nodes = nodes(&all);
    let balancer = Balancer::new(Balance::LeastConn, &nodes, false);
    let held: Vec<_> = (0..40_000).map(|_| balancer.hold(balancer.pick(0, &[]).unwrap())).collect();
    for (node, (weight, _)) in nodes.iter().zip(&all) {
        let even = u64::from(*weight) * 20;
        let under_way = node.state.under_way();
        assert!(under_way.abs_diff(even) <= 10 + even / 5, "{under_way} in place of {even}");
    }
    drop(held);
}

#[test]
fn least_conn_finds_the_only_node_of_many_that_is_well() {
    let nodes = equal(100);
    let balancer = Balancer::new(Balance::LeastConn, &nodes, true);
    nodes.iter().enumerate().filter(|(at, _)| *at != 77).for_each(|(_, node)| fail(node));
    assert!((0..50).all(|_| balancer.pick(0, &[]) == Some(77)));
    assert_eq!(balancer.pick(0, &[77]), None, "whoever was asked is not asked again");
}

#[test]
fn ewma_avoids_slow_nodes_and_failing_ones() {
    let nodes = equal(3);
    let balancer = Balancer::new(Balance::Ewma, &nodes, false);
    let now = clock::now();
    nodes[0].state.took(Duration::from_millis(300), false, now);
    nodes[1].state.took(Duration::from_millis(1), true, now);
    nodes[2].state.took(Duration::from_millis(10), false, now);
    let mut counts = [0; 3];
    (0..3000).for_each(|_| counts[balancer.pick(0, &[]).unwrap()] += 1);
    assert_eq!(counts[1], 0, "whatever it is drawn with is better");
    assert!(counts[2] > counts[0] && counts[0] > 800, "{counts:?}");
}

#[test]
fn where_no_node_is_well_all_are_asked() {
    for balance in [Balance::RoundRobin, Balance::Chash, Balance::Ewma, Balance::LeastConn] {
        let nodes = nodes(&[(1, 0), (1, 0), (1, -1), (0, 0)]);
        let balancer = Balancer::new(balance, &nodes, true);
        fail(&nodes[0]);
        assert!((0..20).all(|key| balancer.pick(hash(&[key]), &[]) == Some(1)), "{balance:?}");
        assert_eq!(
            balancer.pick(1, &[1]),
            Some(2),
            "{balance:?}: the lower priority is better than an ill node"
        );
        assert_eq!(balancer.pick(1, &[1, 2]), None, "{balance:?}");
        (1..3).for_each(|node| fail(&nodes[node]));
        assert!(balancer.pick(1, &[]).is_some_and(|node| node < 2), "{balance:?}");
        let mut asked = Vec::new();
        while let Some(node) = balancer.pick(7, &asked) {
            asked.push(node);
        }
        asked.sort_unstable();
        assert_eq!(asked, [0, 1, 2], "{balance:?}");
    }
}

#[test]
fn where_no_node_is_well_turns_are_kept() {
    for balance in [Balance::RoundRobin, Balance::LeastConn] {
        let nodes = equal(2);
        let balancer = Balancer::new(balance, &nodes, true);
        nodes.iter().for_each(fail);
        let picks: Vec<_> = (0..4).map(|_| balancer.pick(0, &[]).unwrap()).collect();
        assert_eq!(picks, [0, 1, 0, 1], "{balance:?}");
    }
}

#[test]
fn a_ring_of_unfit_nodes_is_given_up_on() {
    let nodes = equal(1000);
    let balancer = Balancer::new(Balance::Chash, &nodes, true);
    nodes[..999].iter().for_each(fail);
    assert!(keys().take(100).all(|key| balancer.pick(key, &[]) == Some(999)));
}

fn any_balance() -> impl Strategy<Value = Balance> {
    prop::sample::select(vec![Balance::RoundRobin, Balance::Chash, Balance::Ewma, Balance::LeastConn])
}

proptest! {
    #[test]
    fn within_one_request_every_node_with_a_weight_is_asked_once_and_by_priority(
        balance in any_balance(),
        written in prop::collection::vec((0_u32..4, -2_i64..3), 0..12),
        key in any::<u64>(),
    ) {
        let nodes = nodes(&written);
        let balancer = Balancer::new(balance, &nodes, false);
        let mut asked = Vec::new();
        while let Some(node) = balancer.pick(key, &asked) {
            prop_assert!(!asked.contains(&node));
            asked.push(node);
        }
        let priorities: Vec<_> = asked.iter().map(|node| written[*node].1).collect();
        prop_assert!(priorities.is_sorted_by(|a, b| a >= b));
        prop_assert_eq!(asked.len(), written.iter().filter(|(weight, _)| *weight > 0).count());
        prop_assert_eq!(balancer.usable(), asked.len());
    }

    #[test]
    fn an_unhealthy_node_is_asked_only_where_no_other_is_left(
        balance in any_balance(),
        written in prop::collection::vec((1_u32..4, -1_i64..2, any::<bool>()), 1..10),
        key in any::<u64>(),
    ) {
        let weights: Vec<_> = written.iter().map(|(weight, priority, _)| (*weight, *priority)).collect();
        let nodes = nodes(&weights);
        nodes.iter().zip(&written).filter(|(_, node)| node.2).for_each(|(node, _)| fail(node));
        let picked = Balancer::new(balance, &nodes, true).pick(key, &[]).unwrap();
        prop_assert!(!written[picked].2 || written.iter().all(|node| node.2));
    }
}
