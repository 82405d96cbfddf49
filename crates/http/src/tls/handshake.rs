//! A client's handshake: its certificate is chosen when its name is known, and it may not take for ever.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::{Acceptor, ClientHello};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::timer;

/// A fatal alert `unrecognized_name` (RFC 8446 §6), as the record it is before there are keys.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// A connection whose handshake has ended well, and what `choose` said of it.
#[derive(Debug)]
pub struct Accepted<T> {
    /// The connection.
    pub stream: Box<TlsStream<TcpStream>>,
    /// What was chosen with its configuration.
    pub chosen: T,
}

/// Why a client's handshake did not end well.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// It took too long.
    #[error("TLS handshake did not end in time")]
    Timeout,
    /// There is no certificate for the name.
    #[error("no certificate for the name {0:?}")]
    UnknownName(String),
    /// The client named no name.
    #[error("no certificate for clients that name no host (SNI)")]
    NoName,
    /// It was no TLS, the client refused ours, or it went away.
    #[error("TLS handshake failed: {0}")]
    Failed(#[from] io::Error),
}

/// Does the server's side of a handshake. `choose` gives the configuration for what the client says first; without
/// one the client is told that its name is not known.
pub async fn accept<T>(
    stream: TcpStream,
    within: Duration,
    choose: impl FnOnce(&ClientHello<'_>) -> Option<(Arc<ServerConfig>, T)>,
) -> Result<Accepted<T>, AcceptError> {
    let accepted = timer::within(within, pin!(shake_hands(stream, choose))).await;
    accepted.unwrap_or(Err(AcceptError::Timeout))
}

async fn shake_hands<T>(
    stream: TcpStream,
    choose: impl FnOnce(&ClientHello<'_>) -> Option<(Arc<ServerConfig>, T)>,
) -> Result<Accepted<T>, AcceptError> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let chosen = choose(&start.client_hello());
    let Some((config, chosen)) = chosen else {
        let name = start.client_hello().server_name().map(str::to_owned);
        // It fits into the socket's empty buffer; a client that left needs no answer.
        let _ = start.io.try_write(&UNRECOGNIZED_NAME);
        return Err(name.map_or(AcceptError::NoName, AcceptError::UnknownName));
    };
    let stream = Box::new(start.into_stream(config).await?);
    Ok(Accepted { stream, chosen })
}
