//! How connections are spread over workers. Each worker waits on sockets of its own, and the system tells which: what
//! an epoll watches is in `/proc/PID/fdinfo`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use lockgate_tests::wire::{Frames, get};
use lockgate_tests::{Connection, FakeUpstream, Gateway, Settings, eventually};
use serde_json::json;

/// The sockets of clients that each worker watches, workers without any left out.
fn watched(gateway: &Gateway) -> Vec<usize> {
    let folder = PathBuf::from(format!("/proc/{}", gateway.process().id()));
    let inodes = accepted(gateway.proxy.port());
    let (mut sockets, mut polls) = (BTreeSet::new(), Vec::new());
    for entry in std::fs::read_dir(folder.join("fd")).expect("the gateway runs").flatten() {
        let Ok(target) = entry.path().read_link() else { continue };
        let (number, target) =
            (entry.file_name().into_string().expect("a number"), target.to_string_lossy().into_owned());
        if target == "anon_inode:[eventpoll]" {
            polls.push(number);
        } else if let Some(inode) = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'))
            && inodes.contains(inode)
        {
            sockets.insert(number);
        }
    }
    // An epoll may have several descriptors, which watch the same.
    let mut workers = BTreeMap::new();
    for poll in polls {
        let text = std::fs::read_to_string(folder.join("fdinfo").join(poll)).unwrap_or_default();
        let fds = text.lines().filter_map(|line| line.strip_prefix("tfd:")?.split_whitespace().next());
        let own: BTreeSet<String> = fds.map(str::to_owned).filter(|fd| sockets.contains(fd)).collect();
        if let Some(first) = own.first() {
            workers.insert(first.clone(), own.len());
        }
    }
    workers.into_values().collect()
}

/// The inodes of established connections whose local end has this port.
fn accepted(port: u16) -> BTreeSet<String> {
    let text = std::fs::read_to_string("/proc/net/tcp").expect("Linux has it");
    let local = format!(":{port:04X}");
    let lines = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = lines.filter(|fields| fields.len() > 9 && fields[1].ends_with(&local) && fields[3] == "01");
    ours.map(|fields| fields[9].to_owned()).collect()
}

#[test]
fn connections_that_stay_are_spread_evenly_over_workers() {
    let upstream = FakeUpstream::fixed("ok");
    let gateway = Gateway::with(Settings::new().set("nginx_config.worker_processes", json!(2)));
    gateway.route("1", json!({"uri": "/*"}), &upstream.node());
    let mut kept: Vec<Connection> = (0..64).map(|_| gateway.connect()).collect();
    let mut shared: Vec<Frames> = (0..8).map(|_| Frames::open(&gateway)).collect();
    for connection in &mut kept {
        assert_eq!(connection.exchange("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
    }
    for client in &mut shared {
        client.send(get(1));
        assert_eq!(client.status(1), 200);
    }
    let workers = eventually("every connection should be watched", || {
        Some(watched(&gateway)).filter(|workers| workers.iter().sum::<usize>() == 72)
    });
    assert_eq!(workers.len(), 2, "{workers:?}");
    // Half as much again as the half of 72.
    assert!(workers.iter().all(|count| *count <= 54), "{workers:?}");
}
