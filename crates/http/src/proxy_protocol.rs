//! The PROXY protocol, versions 1 and 2: who a connection is from, as the balancer in front of it says.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

mod v2;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use crate::timer::Timer;

/// The longest header, in bytes, as in nginx.
pub const MAX_HEADER: usize = 4096;
/// The longest header of version 1, its line end included.
const MAX_V1: usize = 107;
const V1: &[u8] = b"PROXY ";
/// How much of a header is looked at at a time: all of it, as a rule.
const PIECE: usize = 256;

/// Both ends of the connection that a balancer took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub source: SocketAddr,
    /// What the client called.
    pub destination: SocketAddr,
}

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many bytes it has.
    pub len: usize,
    /// Whose connection this is; `None` where it is the balancer's own (a health check), or is not by IP.
    pub addresses: Option<Addresses>,
}

/// Why a connection did not begin with a header.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// It begins with something else, or breaks the format.
    #[error("PROXY header is malformed: {0}")]
    Malformed(&'static str),
    /// It is longer than [`MAX_HEADER`].
    #[error("PROXY header is longer than {MAX_HEADER} bytes")]
    TooLong,
    /// It was not whole in time.
    #[error("PROXY header did not come in time")]
    Timeout,
    /// The connection ended before it was whole.
    #[error("connection ended within the PROXY header")]
    Closed,
    /// The connection broke.
    #[error("connection broke within the PROXY header: {0}")]
    Io(#[from] io::Error),
}

/// Reads a header of either version off the front of `input`; `None` while it is not whole.
pub fn parse(input: &[u8]) -> Result<Option<Header>, HeaderError> {
    if begins(input, &v2::SIGNATURE) {
        v2::parse(input)
    } else if begins(input, V1) {
        parse_v1(input)
    } else {
        Err(HeaderError::Malformed("it begins as neither version does"))
    }
}

/// Whether `input` begins with `mark`, as far as there is enough of it.
fn begins(input: &[u8], mark: &[u8]) -> bool {
    let len = input.len().min(mark.len());
    input[..len] == mark[..len]
}

fn parse_v1(input: &[u8]) -> Result<Option<Header>, HeaderError> {
    let window = &input[..input.len().min(MAX_V1)];
    let Some(end) = window.windows(2).position(|two| two == b"\r\n") else {
        let too_long = HeaderError::Malformed("its line does not end");
        return if window.len() < MAX_V1 { Ok(None) } else { Err(too_long) };
    };
    let wrong = HeaderError::Malformed("its line is not that of version 1");
    let line = std::str::from_utf8(&window[V1.len()..end]).ok().filter(|line| line.is_ascii());
    let addresses = line.and_then(|line| match line.split_once(' ') {
        Some(("TCP4", rest)) => addresses::<Ipv4Addr>(rest).map(Some),
        Some(("TCP6", rest)) => addresses::<Ipv6Addr>(rest).map(Some),
        // What follows is to be passed over.
        Some(("UNKNOWN", _)) => Some(None),
        None if line == "UNKNOWN" => Some(None),
        _ => None,
    });
    Ok(Some(Header { len: end + 2, addresses: addresses.ok_or(wrong)? }))
}

/// Both addresses and both ports, one space between any two.
fn addresses<T: FromStr + Into<IpAddr>>(text: &str) -> Option<Addresses> {
    let mut words = text.split(' ');
    let mut address = || words.next()?.parse::<T>().ok().map(Into::into);
    let (source, destination) = (address()?, address()?);
    let (from, to) = (port(words.next()?)?, port(words.next()?)?);
    let addresses =
        Addresses { source: SocketAddr::new(source, from), destination: SocketAddr::new(destination, to) };
    words.next().is_none().then_some(addresses)
}

/// A port in decimal, without a sign and without zeros in front.
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    is_plain.then(|| text.parse().ok()).flatten()
}

/// Takes the header off a connection, and not one byte of what follows it.
pub async fn read(stream: &mut TcpStream, within: Duration) -> Result<Option<Addresses>, HeaderError> {
    let timer = Timer::new();
    timer.arm_idle(within);
    let mut head = Vec::with_capacity(PIECE);
    std::future::poll_fn(|cx| poll_header(stream, &mut head, &timer, cx)).await
}

fn poll_header(
    stream: &TcpStream,
    head: &mut Vec<u8>,
    timer: &Timer,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<Addresses>, HeaderError>> {
    loop {
        let mut piece = [0; PIECE];
        let Poll::Ready(seen) = stream.poll_peek(cx, &mut ReadBuf::new(&mut piece)) else {
            return timer.poll(cx).map(|()| Err(HeaderError::Timeout));
        };
        let seen = seen?;
        if seen == 0 {
            return Poll::Ready(Err(HeaderError::Closed));
        }
        let before = head.len();
        head.extend_from_slice(&piece[..seen]);
        let header = parse(head)?;
        let taken = header.map_or(seen, |header| header.len - before);
        // It was seen, so it is there.
        if stream.try_read(&mut piece[..taken])? < taken {
            return Poll::Ready(Err(HeaderError::Closed));
        }
        if let Some(header) = header {
            return Poll::Ready(Ok(header.addresses));
        }
    }
}
