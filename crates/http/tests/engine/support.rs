//! A proxy of one upstream on loopback, and the sockets at both of its ends.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use lockgate_http::client::{Timeouts, send};
use lockgate_http::peer::{KeepAlive, Peer, Protocol};
use lockgate_http::resolver::Resolver;
use lockgate_http::server::{Outcome, ServerSettings, Service, serve};
use lockgate_http::{Body, ConnectionInfo, Outgoing, Request, Response, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Runs a test on a worker's runtime; what hangs fails.
pub(crate) fn on_a_worker<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(8), test).await.expect("it hangs") })
}

/// What a proxy is made of.
#[derive(Default)]
pub(crate) struct Set {
    pub(crate) server: ServerSettings,
    pub(crate) timeouts: Timeouts,
    pub(crate) keep_alive: KeepAlive,
    pub(crate) protocol: Protocol,
}

impl Set {
    /// Every wait is short, so that a test sees its end.
    pub(crate) fn impatient() -> Self {
        let short = Duration::from_millis(150);
        let mut set = Self::default();
        (set.server.body_timeout, set.server.send_timeout) = (short, short);
        (set.server.idle_timeout, set.server.head_timeout) = (short, short);
        set.timeouts = Timeouts { connect: short, send: short, read: short };
        set
    }

    /// Its upstream is spoken to so.
    pub(crate) fn speaking(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    pub(crate) async fn start(self) -> Proxy {
        let upstream = listener().await;
        let peer = peer(upstream.local_addr().unwrap(), self.keep_alive, self.protocol);
        let service = Rc::new(Forward { peer, timeouts: self.timeouts, outcomes: RefCell::default() });
        Proxy { upstream, service, settings: Rc::new(self.server) }
    }
}

/// A proxy, and the socket of its only upstream.
pub(crate) struct Proxy {
    pub(crate) upstream: TcpListener,
    pub(crate) service: Rc<Forward>,
    settings: Rc<ServerSettings>,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        Set::default().start().await
    }

    /// A client's connection to it.
    pub(crate) async fn connect(&self) -> TcpStream {
        connect_to(self.service.clone(), self.settings.clone()).await
    }

    /// The next connection it opens to its upstream.
    pub(crate) async fn accept(&self) -> TcpStream {
        self.upstream.accept().await.unwrap().0
    }

    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        self.service.outcomes.borrow().clone()
    }
}

/// A client's connection to a service of its own.
pub(crate) async fn connect_to<S: Service>(service: Rc<S>, settings: Rc<ServerSettings>) -> TcpStream {
    let listener = listener().await;
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.set_nodelay(true).unwrap();
    let (server, from) = listener.accept().await.unwrap();
    server.set_nodelay(true).unwrap();
    let info = Rc::new(ConnectionInfo::new(from, listener.local_addr().unwrap(), false));
    tokio::task::spawn_local(serve(Stream::Tcp(server), info, service, settings, true));
    client
}

pub(crate) async fn listener() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap()
}

pub(crate) fn peer(address: SocketAddr, keep_alive: KeepAlive, protocol: Protocol) -> Arc<Peer> {
    let resolver = Resolver::new(tokio::runtime::Handle::current(), []);
    let peer = Peer::new(&address.ip().to_string(), address.port(), None, keep_alive, &resolver);
    Arc::new(peer.speaking(protocol))
}

/// Passes every request on.
pub(crate) struct Forward {
    pub(crate) peer: Arc<Peer>,
    timeouts: Timeouts,
    outcomes: RefCell<Vec<Outcome>>,
}

impl Forward {
    pub(crate) fn to(peer: Arc<Peer>, timeouts: Timeouts) -> Self {
        Self { peer, timeouts, outcomes: RefCell::default() }
    }
}

impl Service for Forward {
    type UnderWay = Request;

    fn begin(&self, _: &Rc<ConnectionInfo>, request: Request) -> Request {
        request
    }

    async fn answer(&self, request: &mut Request) -> Response {
        let body = std::mem::take(&mut request.body);
        let upgrade = request.upgrade.take();
        let mut outgoing = Outgoing::default();
        outgoing.upgrade = upgrade.as_deref();
        let answer = send(&self.peer, request, body, &outgoing, &self.timeouts).await;
        match answer {
            Ok(answer) => answer.response,
            Err(failure) => text(StatusCode::BAD_GATEWAY, &format!("{:?}", failure.error)),
        }
    }

    fn refuse(
        &self,
        _: &Rc<ConnectionInfo>,
        status: StatusCode,
        reason: &'static str,
    ) -> (Response, Request) {
        (text(status, reason), Request::blank())
    }

    fn done(&self, _: &mut Request, outcome: Outcome) {
        lockgate_telemetry::clock::now();
        self.outcomes.borrow_mut().push(outcome);
    }
}

fn text(status: StatusCode, text: &str) -> Response {
    Response::text(status, "text/plain", text.to_owned())
}

/// Answers every request with its own body.
pub(crate) struct Mirror;

impl Service for Mirror {
    type UnderWay = Request;

    fn begin(&self, _: &Rc<ConnectionInfo>, request: Request) -> Request {
        request
    }

    async fn answer(&self, request: &mut Request) -> Response {
        let mut response = Response::new(StatusCode::OK);
        response.body = std::mem::take(&mut request.body);
        response
    }

    fn refuse(
        &self,
        _: &Rc<ConnectionInfo>,
        status: StatusCode,
        reason: &'static str,
    ) -> (Response, Request) {
        (text(status, reason), Request::blank())
    }

    fn done(&self, _: &mut Request, _: Outcome) {}
}

/// Answers every request with what a function makes of it.
pub(crate) struct Answer<F>(pub(crate) F);

impl<F: Fn(Request) -> Body + 'static> Service for Answer<F> {
    type UnderWay = Request;

    fn begin(&self, _: &Rc<ConnectionInfo>, request: Request) -> Request {
        request
    }

    async fn answer(&self, request: &mut Request) -> Response {
        let mut response = Response::new(StatusCode::OK);
        response.body = (self.0)(std::mem::replace(request, Request::blank()));
        response
    }

    fn refuse(
        &self,
        _: &Rc<ConnectionInfo>,
        status: StatusCode,
        reason: &'static str,
    ) -> (Response, Request) {
        (text(status, reason), Request::blank())
    }

    fn done(&self, _: &mut Request, _: Outcome) {}
}

/// Reads up to and with `end`.
pub(crate) async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        match stream.read_u8().await {
            Ok(byte) => read.push(byte),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&read)),
        }
    }
    String::from_utf8(read).unwrap()
}

/// Reads a head.
pub(crate) async fn head(stream: &mut TcpStream) -> String {
    read_until(stream, "\r\n\r\n").await
}

/// Reads so many bytes.
pub(crate) async fn read_exactly(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// Lets the other tasks run until `holds` does.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

/// Has so much time pass at once, for whoever looks at a clock or waits for one.
pub(crate) async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Reads to the end; a reset is an end too.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read).await;
    String::from_utf8_lossy(&read).into_owned()
}

pub(crate) async fn write(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    stream.write_all(bytes.as_ref()).await.unwrap();
}

/// Sends a request without a body and reads the answer, whose body ends with `end`.
pub(crate) async fn get(client: &mut TcpStream, end: &str) -> String {
    write(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    read_until(client, end).await
}
