//! Ports for one test: a block below the ephemeral range, held by a listener on its first port.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use socket2::{Domain, Socket, Type};

const FIRST: u16 = 10_000;
const BLOCK: u16 = 8;
const BLOCKS: u16 = 2_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Seven free ports that no other test is given while this value lives.
pub struct Ports {
    base: u16,
    _lock: TcpListener,
}

impl Ports {
    /// Takes a block that nobody holds.
    pub fn take() -> Self {
        let start =
            u16::try_from(std::process::id() % u32::from(BLOCKS)).expect("below the number of blocks");
        for _ in 0..BLOCKS {
            let block = (start + NEXT.fetch_add(1, Ordering::Relaxed)) % BLOCKS;
            let base = FIRST + block * BLOCK;
            let Ok(lock) = TcpListener::bind(("127.0.0.1", base)) else {
                continue;
            };
            if (1..BLOCK).all(|offset| TcpListener::bind(("127.0.0.1", base + offset)).is_ok()) {
                return Self { base, _lock: lock };
            }
        }
        panic!("no block of {BLOCK} free ports from {FIRST} on");
    }

    /// One of the ports, 0 to 6.
    pub fn get(&self, index: u16) -> u16 {
        assert!(index < BLOCK - 1, "a block has {} ports", BLOCK - 1);
        self.base + 1 + index
    }
}

/// A port on which nobody listens, and which is given to nobody else as long as this process lives. Who asks for it by
/// number, and shares addresses (`SO_REUSEADDR`), may listen on it.
pub fn closed_port() -> u16 {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are sockets");
    socket.set_reuse_address(true).expect("addresses can be shared");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).expect("loopback has a free port");
    let address = socket.local_addr().expect("a bound socket has an address");
    std::mem::forget(socket);
    address.as_socket().expect("it is one of IP").port()
}
