//! The least that a proxy of HTTP/1.1 over epoll can cost: bytes are passed on as they come, and nobody looks at them.
//! `bench/engine` measures it beside the others, since it is most of what each of them costs.
//!
//! `floor LISTEN UPSTREAM`, on one thread.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

/// What is waited for beside connections, which come in pairs.
const LISTENER: u64 = u64::MAX;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or_else(|| format!("{what} is missing"));
    let (listen, upstream): (SocketAddr, SocketAddr) = (next("LISTEN")?.parse()?, next("UPSTREAM")?.parse()?);
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let poller = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&poller, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut sides: Vec<Option<TcpStream>> = Vec::new();
    let (mut events, mut bytes) = (Vec::with_capacity(1024), vec![0; 64 * 1024]);
    loop {
        epoll::wait(&poller, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            if event.data.u64() == LISTENER {
                while let Ok((client, _)) = listener.accept() {
                    for stream in [client, TcpStream::connect(upstream)?] {
                        watch(&poller, &stream, sides.len() as u64)?;
                        sides.push(Some(stream));
                    }
                }
                continue;
            }
            let place = usize::try_from(event.data.u64())?;
            if pass_on(&mut sides, place, &mut bytes).is_err() {
                (sides[place], sides[place ^ 1]) = (None, None);
            }
        }
    }
}

fn watch(poller: impl AsFd, stream: &TcpStream, place: u64) -> Result<(), Box<dyn Error>> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    epoll::add(
        poller,
        stream,
        EventData::new_u64(place),
        EventFlags::IN | EventFlags::RDHUP | EventFlags::ET,
    )?;
    Ok(())
}

/// Reads once and writes it to the other side, which is taken to have room for it.
fn pass_on(sides: &mut [Option<TcpStream>], place: usize, bytes: &mut [u8]) -> std::io::Result<()> {
    let Some(from) = &mut sides[place] else { return Ok(()) };
    let count = match from.read(bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
        read => read?,
    };
    match &mut sides[place ^ 1] {
        Some(to) if count > 0 => to.write_all(&bytes[..count]),
        _ => Err(ErrorKind::UnexpectedEof.into()),
    }
}
