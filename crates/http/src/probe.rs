//! Asks a node whether it is well: a connection of its own, at most one request, and no more than the status line.

use std::io;
use std::net::SocketAddr;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::tls;

/// The longest status line that is read, in bytes.
const LONGEST_LINE: usize = 1024;

/// How TLS is spoken in a probe.
#[derive(Clone, Debug)]
pub struct ProbeTls {
    /// Whether the certificate is verified.
    pub verifies: bool,
    /// The name that is asked for.
    pub name: ServerName<'static>,
}

/// Connects, and where there is a request sends it; the status of the answer, or `None` where nothing was asked.
/// It waits for as long as its caller does.
pub async fn probe(
    to: SocketAddr,
    tls: Option<&ProbeTls>,
    request: Option<&[u8]>,
) -> io::Result<Option<u16>> {
    let mut stream = TcpStream::connect(to).await?;
    let Some(request) = request else { return Ok(None) };
    let Some(tls) = tls else { return exchange(&mut stream, request).await.map(Some) };
    let connector = TlsConnector::from(tls::client_config(tls.verifies));
    let mut stream = connector.connect(tls.name.clone(), stream).await?;
    exchange(&mut stream, request).await.map(Some)
}

async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &[u8]) -> io::Result<u16> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut line = Vec::with_capacity(256);
    loop {
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            return status(&line[..end]).ok_or_else(|| malformed("the answer is not HTTP"));
        }
        if line.len() >= LONGEST_LINE {
            return Err(malformed("the status line is too long"));
        }
        if stream.read_buf(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Of a status line: `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let [b'0' | b'1', b' ', a, b, c, rest @ ..] = rest else { return None };
    let is_end = matches!(rest, [] | [b' ' | b'\r', ..]);
    let digits = [*a, *b, *c];
    let is_status = is_end && digits.iter().all(u8::is_ascii_digit);
    is_status.then(|| digits.iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answered(answer: &'static [u8]) -> io::Result<Option<u16>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4];
            stream.read_exact(&mut asked).await.unwrap();
            drop(stream.write_all(answer).await);
        };
        tokio::join!(probe(to, None, Some(b"ask!")), serve).0
    }

    #[tokio::test]
    async fn the_status_is_read_and_nothing_behind_it() {
        assert_eq!(answered(b"HTTP/1.1 204 No Content\r\n").await.unwrap(), Some(204));
        assert_eq!(answered(b"HTTP/1.0 503\r\n\r\nbody").await.unwrap(), Some(503));
        for spoilt in [
            &b"HTTP/1.1 20\r\n"[..],
            b"HTTP/2 200\r\n",
            b"SSH-2.0\r\n",
            b"",
            b"HTTP/1.1 2000\n",
            &[b'a'; 5000],
        ] {
            assert!(answered(spoilt).await.is_err());
        }
    }

    #[tokio::test]
    async fn a_connection_alone_may_be_all_that_is_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        assert_eq!(probe(to, None, None).await.unwrap(), None);
        drop(listener);
        assert!(probe(to, None, None).await.is_err());
    }
}
