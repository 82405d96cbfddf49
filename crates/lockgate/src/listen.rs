//! Sockets of the data plane: one for each worker at each address, so that the kernel spreads connections.

use std::io;
use std::net::{SocketAddr, TcpListener};

use anyhow::Context;
use lockgate_proxy::Listener as Socket;
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use crate::settings::Listener;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// The sockets of each worker, and the addresses they have.
pub(crate) fn bind(
    listeners: &[Listener],
    workers: usize,
) -> anyhow::Result<(Vec<Vec<Socket>>, Vec<SocketAddr>)> {
    let mut sockets: Vec<Vec<Socket>> = (0..workers).map(|_| Vec::new()).collect();
    let mut bound = Vec::new();
    for listener in listeners {
        let address = probe(listener.address())?;
        bound.push(address);
        for worker in &mut sockets {
            let socket = open(address, true).with_context(|| format!("cannot listen on {address}"))?;
            worker.push(Socket { socket, allows_h2: listener.http2 });
        }
    }
    Ok((sockets, bound))
}

/// Sockets that share a port would share it with another program of the same user too, so the port is first
/// asked for alone. Gives the address with its port, where that was for the system to choose.
fn probe(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    let taken = || format!("cannot listen on {address}: is another gateway running?");
    let socket = open(address, false).with_context(taken)?;
    Ok(socket.local_addr()?)
}

fn open(address: SocketAddr, shares: bool) -> io::Result<TcpListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shares {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
