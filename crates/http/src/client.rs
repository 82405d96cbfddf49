//! Sends a request to a peer and gets a response, on a connection of this worker's.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::body::Body;
use crate::buffer::WriteBuffer;
use crate::error::ClientError;
use crate::h1::client::{Exchange, Failure};
use crate::h1::send::Sender;
use crate::h1::write::{self, BodyFraming};
use crate::h2;
use crate::message::{Request, Response};
use crate::outgoing::Outgoing;
use crate::peer::{Address, Peer, Protocol};
use crate::pool;
use crate::stream::Stream;
use crate::timer;

/// How long each wait of an exchange may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, its TLS handshake included.
    pub connect: Duration,
    /// Each silence while the request is sent.
    pub send: Duration,
    /// Until the head of the response, and then each silence in its body.
    pub read: Duration,
}

impl Default for Timeouts {
    /// 60 s each, as APISIX has it.
    fn default() -> Self {
        let minute = Duration::from_mins(1);
        Self { connect: minute, send: minute, read: minute }
    }
}

/// A request that failed.
#[derive(Debug)]
pub struct SendFailure {
    /// Why.
    pub error: ClientError,
    /// The address that was asked, when there was a connection.
    pub remote: Option<SocketAddr>,
    /// The body, when it is whole: nothing of it was used, or what was is at hand. For another peer.
    pub body: Option<Body>,
}

/// A response, and who gave it.
#[derive(Debug)]
pub struct Answer {
    /// The response; its body still comes from the connection.
    pub response: Response,
    /// The address that gave it.
    pub remote: SocketAddr,
}

/// Sends `request`, with `body` and what `outgoing` lays over it, to `peer`.
///
/// A kept connection that turns out to be closed before a byte of the answer is replaced by a fresh one, once,
/// when the request is still in hand: the peer had closed it while the request was on its way (RFC 9112
/// §9.3.1). A request that is not idempotent is sent again only where that showed within half a second: a peer
/// that closed later may have executed it.
pub async fn send(
    peer: &Arc<Peer>,
    request: &Request,
    mut body: Body,
    outgoing: &Outgoing<'_>,
    timeouts: &Timeouts,
) -> Result<Answer, Box<SendFailure>> {
    let mut negotiated = None;
    // HTTP/1.1 alone can be gone over from.
    if !peer.is_http1() && (outgoing.upgrade.is_none() || peer.protocol() == Protocol::Http2) {
        // Boxed, so that requests by HTTP/1.1 do not carry its room.
        match Box::pin(h2::client::send(peer, request, body, outgoing, timeouts)).await {
            h2::client::Sent::Http2(result) => return result,
            h2::client::Sent::Http1(unsent, link) => (body, negotiated) = (unsent, link),
        }
    }
    let framing = write::request_framing(&request.method, &body);
    let copy = body.duplicate();
    let call = Call { peer, request, outgoing, timeouts, framing };
    let kept = if negotiated.is_none() { pool::take(peer) } else { None };
    let sender = match kept {
        None => call.sender(body),
        Some(link) => {
            let remote = link.remote();
            match call.exchange(link, call.sender(body)).await {
                Ok(response) => return Ok(Answer { response, remote }),
                Err(failure) => call
                    .once_more(*failure, copy)
                    .map_err(|error| Box::new(SendFailure { error, remote: Some(remote), body: None }))?,
            }
        }
    };
    let link = match negotiated {
        Some(link) => Ok(link),
        // Boxed, as most requests find a connection and would carry its room for nothing.
        None => Box::pin(connect(peer, timeouts.connect)).await,
    };
    let link = match link {
        Ok(link) => link,
        Err(error) => {
            let body = sender.is_untouched().then(|| sender.into_body());
            return Err(Box::new(SendFailure { error, remote: None, body }));
        }
    };
    let remote = link.remote();
    match call.exchange(link, sender).await {
        Ok(response) => Ok(Answer { response, remote }),
        Err(failure) => Err(Box::new(SendFailure { error: failure.error, remote: Some(remote), body: None })),
    }
}

/// A request, and how it is to go out.
struct Call<'a, 'o> {
    peer: &'a Peer,
    request: &'a Request,
    outgoing: &'a Outgoing<'o>,
    timeouts: &'a Timeouts,
    framing: BodyFraming,
}

impl Call<'_, '_> {
    fn sender(&self, body: Body) -> Sender {
        let mut out = WriteBuffer::new();
        let keep_alive = self.peer.keep_alive.connections > 0;
        write::request(out.bytes(), self.request, self.outgoing, self.framing, keep_alive);
        Sender::new(out, body, self.framing)
    }

    /// Begins at once, so that what is waited for has no room for the request.
    fn exchange(
        &self,
        mut link: Box<Exchange>,
        sender: Sender,
    ) -> impl Future<Output = Result<Response, Box<Failure>>> {
        link.begin(sender, self.request, self.outgoing.upgrade, self.timeouts);
        link.response()
    }

    /// The same request for another connection; the error where there is none, or must be none.
    fn once_more(&self, failure: Failure, copy: Option<Body>) -> Result<Sender, ClientError> {
        if !failure.may_repeat {
            return Err(failure.error);
        }
        match (failure.whole, copy) {
            (Some(mut sender), _) => {
                sender.rewind();
                Ok(sender)
            }
            (None, Some(body)) => Ok(self.sender(body)),
            (None, None) => Err(failure.error),
        }
    }
}

async fn connect(peer: &Arc<Peer>, limit: Duration) -> Result<Box<Exchange>, ClientError> {
    let tls = peer.tls.as_ref().map(|tls| (&tls.config, &tls.name));
    let connected = timer::within(limit, pin!(connect_any(peer, tls))).await;
    let (stream, address) = connected.unwrap_or_else(|| Err(ClientError::connect_timeout(peer)))?;
    Ok(Exchange::new(stream, peer.clone(), address))
}

/// TLS as it is spoken on one connection.
type Tls<'a> = Option<(&'a Arc<rustls::ClientConfig>, &'a ServerName<'static>)>;

/// A connection to the first of a peer's addresses that takes one.
pub(crate) async fn connect_any(peer: &Peer, tls: Tls<'_>) -> Result<(Stream, SocketAddr), ClientError> {
    let name = match &peer.address {
        Address::Fixed(address) => return connect_to(peer, tls, *address).await,
        Address::Named(name) => name,
    };
    let resolve = |reason| ClientError::Resolve { host: name.host().to_owned(), reason };
    let addresses = name.addresses().await.map_err(resolve)?;
    let mut last = resolve("it has no addresses".to_owned());
    for address in addresses {
        match connect_to(peer, tls, address).await {
            Ok(connected) => return Ok(connected),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn connect_to(
    peer: &Peer,
    tls: Tls<'_>,
    address: SocketAddr,
) -> Result<(Stream, SocketAddr), ClientError> {
    let failed = |source| ClientError::Connect { peer: peer.label().to_owned(), source };
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let Some((config, name)) = tls else { return Ok((Stream::Tcp(stream), address)) };
    let failed = |source| ClientError::Tls { peer: peer.label().to_owned(), source };
    let connector = TlsConnector::from(config.clone());
    let stream = connector.connect(name.clone(), stream).await.map_err(failed)?;
    Ok((Stream::Client(Box::new(stream)), address))
}
