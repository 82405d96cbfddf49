//! Nodes by DNS: which records are used, and what happens when they change or cannot be had.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::thread;

use lockgate_tests::{FakeUpstream, Gateway, Settings, eventually};
use serde_json::{Value, json};

use crate::dns::{Dns, Entry, Record};

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn gateway(dns: &Dns) -> Gateway {
    Gateway::with(Settings::new().set("discovery", json!({"dns": {"servers": [dns.address.to_string()]}})))
}

fn route(gateway: &Gateway, service: &str) {
    let upstream = json!({"type": "roundrobin", "discovery_type": "dns", "service_name": service});
    gateway.put("/routes/1", json!({"uri": "/*", "upstream": upstream}));
}

/// A service of these ports, all on loopback.
fn service(ttl: u32, ports: &[(u16, u16, u16)]) -> Vec<Entry> {
    let record = |(priority, weight, port): &(u16, u16, u16)| {
        ("shop.test.", ttl, Record::Service(*priority, *weight, *port, "node.test."))
    };
    let address = ("node.test.", ttl, Record::Address(LOOPBACK));
    ports.iter().map(record).chain([address]).collect()
}

fn counts(gateway: &Gateway, requests: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..requests {
        *counts.entry(gateway.get("/").text()).or_insert(0) += 1;
    }
    counts
}

#[test]
fn addresses_are_nodes_with_the_port_of_the_service_name() {
    let upstream = FakeUpstream::fixed("found");
    let dns = Dns::start(vec![("plain.test.", 60, Record::Address(LOOPBACK))]);
    let gateway = gateway(&dns);
    route(&gateway, &format!("plain.test:{}", upstream.port()));
    let reply = gateway.get("/");
    assert_eq!((reply.status, reply.text().as_str()), (200, "found"), "the first request waits for DNS");
    let asked = dns.questions();
    assert!((0..20).all(|_| gateway.get("/").status == 200));
    assert_eq!(dns.questions(), asked, "an answer holds for its time to live");
}

#[test]
fn services_have_ports_weights_and_priorities() {
    let (heavy, light, spare) =
        (FakeUpstream::fixed("heavy"), FakeUpstream::fixed("light"), FakeUpstream::fixed("spare"));
    let dns =
        Dns::start(service(60, &[(10, 30, heavy.port()), (10, 10, light.port()), (20, 5, spare.port())]));
    let gateway = gateway(&dns);
    route(&gateway, "shop.test");
    assert_eq!(counts(&gateway, 40), BTreeMap::from([("heavy".to_owned(), 30), ("light".to_owned(), 10)]));
    drop((heavy, light));
    assert_eq!(gateway.get("/").text(), "spare");
}

#[test]
fn a_change_is_taken_up_under_load_without_a_failed_request_or_a_lost_connection() {
    let (one, two) = (FakeUpstream::fixed("one"), FakeUpstream::fixed("two"));
    let dns = Dns::start(service(1, &[(1, 1, one.port())]));
    let gateway = gateway(&dns);
    route(&gateway, "shop.test");
    assert_eq!(gateway.get("/").text(), "one");
    let both = service(1, &[(1, 1, one.port()), (1, 1, two.port())]);
    for round in 0..2 {
        let (entries, expected) = match round {
            0 => (both.clone(), vec!["one", "two"]),
            _ => (service(1, &[(1, 1, one.port())]), vec!["one"]),
        };
        dns.set(entries);
        eventually("the change should be taken up", || {
            let seen: Vec<_> = thread::scope(|scope| {
                let ask = || (0..25).map(|_| gateway.get("/")).collect::<Vec<_>>();
                let threads: Vec<_> = (0..2).map(|_| scope.spawn(ask)).collect();
                threads.into_iter().flat_map(|thread| thread.join().expect("it ends")).collect()
            });
            assert!(seen.iter().all(|reply| reply.status == 200));
            let names: std::collections::BTreeSet<_> = seen.iter().map(lockgate_tests::Reply::text).collect();
            names.iter().map(String::as_str).eq(expected.iter().copied()).then_some(())
        });
    }
    // Two at a time, and now and then one more before one of them is back: far from one for each of 150 requests.
    assert!(one.connections() < 20, "the node that stayed kept its connections: {}", one.connections());
}

#[test]
fn while_dns_fails_the_last_nodes_serve() {
    let upstream = FakeUpstream::fixed("kept");
    let dns = Dns::start(service(1, &[(1, 1, upstream.port())]));
    let gateway = gateway(&dns);
    route(&gateway, "shop.test");
    assert_eq!(gateway.get("/").text(), "kept");
    dns.fail(true);
    let asked = dns.questions();
    eventually("DNS should be asked again", || (dns.questions() > asked + 1).then_some(()));
    assert!((0..10).all(|_| gateway.get("/").text() == "kept"));
}

#[test]
fn a_service_that_is_not_there_yet_is_answered_for_and_found_later() {
    let upstream = FakeUpstream::fixed("late");
    let dns = Dns::start(Vec::new());
    let gateway = gateway(&dns);
    route(&gateway, "shop.test");
    assert_eq!(gateway.get("/").status, 503);
    dns.set(service(60, &[(1, 1, upstream.port())]));
    eventually("the service should be found", || (gateway.get("/").text() == "late").then_some(()));
}

#[test]
fn nodes_that_are_found_are_checked_as_others_are() {
    let alive = FakeUpstream::fixed("alive");
    let ports = [(1, 1, alive.port()), (1, 1, lockgate_tests::closed_port())];
    let dns = Dns::start(service(1, &ports));
    let gateway = gateway(&dns);
    let checks = json!({"active": {"type": "tcp", "unhealthy": {"tcp_failures": 1}}});
    let upstream =
        json!({"discovery_type": "dns", "service_name": "shop.test", "retries": 0, "checks": checks});
    gateway.put("/routes/1", json!({"uri": "/*", "upstream": upstream}));
    eventually("the node that refuses should be passed over", || {
        (0..10).all(|_| gateway.get("/").status == 200).then_some(())
    });
}

#[test]
fn other_registries_and_dns_without_settings_are_refused_by_name() {
    let dns = Dns::start(Vec::new());
    for (gateway, kind, why) in [
        (gateway(&dns), "consul", "discovery_type consul is not supported by this version: dns is"),
        (Gateway::start(), "dns", "discovery_type dns needs discovery.dns in the settings"),
    ] {
        let upstream = json!({"discovery_type": kind, "service_name": "a.test", "type": "roundrobin"});
        let (_, reply): (u16, Value) =
            gateway.admin("PUT", "/routes/1", json!({"uri": "/", "upstream": upstream}));
        let said = format!("{reply}{}", gateway.output());
        assert!(said.contains(why), "{said}");
    }
}
