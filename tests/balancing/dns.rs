//! A DNS server on loopback that answers with the records a test gives it, over UDP (RFC 1035).

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What a name has.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    /// An address.
    Address(IpAddr),
    /// A service: priority, weight, port, target.
    Service(u16, u16, u16, &'static str),
}

/// A name, how long a record of it holds, and the record.
pub(crate) type Entry = (&'static str, u32, Record);

#[derive(Default)]
struct Zone {
    entries: Mutex<Vec<Entry>>,
    is_failing: AtomicBool,
    questions: AtomicUsize,
}

/// Answers until the test ends.
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    zone: Arc<Zone>,
}

impl Dns {
    pub(crate) fn start(entries: Vec<Entry>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = socket.local_addr().expect("a bound socket has an address");
        let zone = Arc::new(Zone::default());
        let dns = Self { address, zone: zone.clone() };
        dns.set(entries);
        thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                zone.questions.fetch_add(1, Ordering::SeqCst);
                if let Some(answer) = answer(&zone, &buffer[..length]) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        dns
    }

    /// From now on these are the records.
    pub(crate) fn set(&self, entries: Vec<Entry>) {
        *self.zone.entries.lock().unwrap_or_else(PoisonError::into_inner) = entries;
    }

    /// Whether every question is answered with SERVFAIL.
    pub(crate) fn fail(&self, is_failing: bool) {
        self.zone.is_failing.store(is_failing, Ordering::SeqCst);
    }

    /// How many questions came.
    pub(crate) fn questions(&self) -> usize {
        self.zone.questions.load(Ordering::SeqCst)
    }
}

fn answer(zone: &Zone, query: &[u8]) -> Option<Vec<u8>> {
    let id = query.get(..2)?;
    let mut at = 12;
    let mut name = String::new();
    while let Some(length @ 1..) = query.get(at).map(|length| usize::from(*length)) {
        let label = query.get(at + 1..at + 1 + length)?;
        name = format!("{name}{}.", String::from_utf8_lossy(label).to_ascii_lowercase());
        at += 1 + length;
    }
    let question = query.get(12..at + 5)?;
    let kind = u16::from_be_bytes([*query.get(at + 1)?, *query.get(at + 2)?]);
    let entries = zone.entries.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let known: Vec<_> = entries.iter().filter(|entry| entry.0 == name).collect();
    let code = if zone.is_failing.load(Ordering::SeqCst) { 2 } else { u8::from(known.is_empty()) * 3 };
    let records: Vec<_> = known
        .iter()
        .filter(|_| code == 0)
        .filter_map(|(_, ttl, record)| Some((ttl, data(record, kind)?)))
        .collect();
    let count = u16::try_from(records.len()).ok()?.to_be_bytes();
    let mut answer = [id, &[0x85, 0x80 | code], &[0, 1], &count, &[0; 4], question].concat();
    for (ttl, data) in records {
        let length = u16::try_from(data.len()).ok()?.to_be_bytes();
        // The name is the one of the question, by reference.
        answer.extend(
            [&[0xC0, 12][..], &kind.to_be_bytes(), &[0, 1], &ttl.to_be_bytes(), &length, &data].concat(),
        );
    }
    Some(answer)
}

/// What a record of this kind says; `None` of another kind.
fn data(record: &Record, kind: u16) -> Option<Vec<u8>> {
    match (record, kind) {
        (Record::Address(IpAddr::V4(ip)), 1) => Some(ip.octets().into()),
        (Record::Address(IpAddr::V6(ip)), 28) => Some(ip.octets().into()),
        (Record::Service(priority, weight, port, target), 33) => {
            let mut data: Vec<u8> =
                [priority, weight, port].iter().flat_map(|number| number.to_be_bytes()).collect();
            for label in target.trim_end_matches('.').split('.') {
                data.push(u8::try_from(label.len()).ok()?);
                data.extend(label.as_bytes());
            }
            data.push(0);
            Some(data)
        }
        _ => None,
    }
}
