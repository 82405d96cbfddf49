//! The Admin API by HTTPS: handshakes, and a word for who speaks plain HTTP all the same.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How every handshake begins: the record type of TLS.
const HANDSHAKE: u8 = 0x16;

/// What plain HTTP is answered with.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 63\r\n\
    Connection: close\r\n\r\n{\"error_msg\":\"this is the port of HTTPS: begin with https://\"}\n";

/// Takes a client in. `None` is one that has asked in plain HTTP and is answered.
pub(crate) async fn accept(
    mut stream: TcpStream,
    acceptor: &TlsAcceptor,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
        stream.write_all(PLAIN).await?;
        stream.shutdown().await?;
        // Closing a connection with unread bytes resets it, and the client may lose the answer.
        let mut rest = [0; 1024];
        for _ in 0..64 {
            if stream.read(&mut rest).await? == 0 {
                break;
            }
        }
        return Ok(None);
    }
    acceptor.accept(stream).await.map(Some)
}
