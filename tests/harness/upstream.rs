//! A fake upstream: answers by script and keeps the exact bytes of what it received.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::connection::Connection;
use crate::message::Received;
use crate::{Authority, DEADLINE};

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next request may come on it.
    Keep,
    /// It is closed.
    Close,
}

type Log = Arc<Mutex<Vec<Arc<Mutex<Vec<u8>>>>>>;

/// Listens on a loopback port until dropped.
pub struct FakeUpstream {
    /// Where it listens.
    pub address: SocketAddr,
    requests: Mutex<Receiver<Received>>,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    stopping: Arc<AtomicBool>,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
    log: Log,
}

impl FakeUpstream {
    /// Answers every request, once read whole, with `script`.
    pub fn start(
        script: impl Fn(&Received, &mut Connection) -> io::Result<Then> + Send + Sync + 'static,
    ) -> Self {
        Self::scripted(0, None, script)
    }

    /// The same over TLS.
    pub fn start_tls(
        authority: &Authority,
        name: &str,
        script: impl Fn(&Received, &mut Connection) -> io::Result<Then> + Send + Sync + 'static,
    ) -> Self {
        Self::scripted(0, Some(authority.server(name)), script)
    }

    /// The same on a given port, over TLS when a server configuration is given.
    pub fn scripted(
        port: u16,
        tls: Option<Arc<rustls::ServerConfig>>,
        script: impl Fn(&Received, &mut Connection) -> io::Result<Then> + Send + Sync + 'static,
    ) -> Self {
        let (sender, receiver) = channel();
        Self::listen(port, tls, receiver, move |number, mut connection| {
            serve(number, &mut connection, &sender, &script);
        })
    }

    /// Answers `200` with this body.
    pub fn fixed(body: &'static str) -> Self {
        Self::start(move |_, connection| connection.answer("200 OK", &[], body).map(|()| Then::Keep))
    }

    /// Answers with the request line and headers it received, as text.
    pub fn echo() -> Self {
        Self::start(|request, connection| {
            connection.answer("200 OK", &[], &request.head.raw).map(|()| Then::Keep)
        })
    }

    /// Hands every connection to `script` as it is; nothing is read for it.
    pub fn raw(script: impl Fn(usize, Connection) + Send + Sync + 'static) -> Self {
        let (_, receiver) = channel();
        Self::listen(0, None, receiver, script)
    }

    fn listen(
        port: u16,
        tls: Option<Arc<rustls::ServerConfig>>,
        receiver: Receiver<Received>,
        script: impl Fn(usize, Connection) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .unwrap_or_else(|error| panic!("listening on 127.0.0.1:{port}: {error}"));
        let upstream = Self {
            address: listener.local_addr().expect("a bound socket has an address"),
            requests: Mutex::new(receiver),
            connections: Arc::default(),
            open: Arc::default(),
            stopping: Arc::default(),
            sockets: Arc::default(),
            log: Arc::default(),
        };
        let (connections, stopping) = (Arc::clone(&upstream.connections), Arc::clone(&upstream.stopping));
        let (sockets, log, script) =
            (Arc::clone(&upstream.sockets), Arc::clone(&upstream.log), Arc::new(script));
        let open = Arc::clone(&upstream.open);
        thread::spawn(move || {
            for socket in listener.incoming() {
                if stopping.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(socket) = socket else { continue };
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let connection = accept(socket, tls.clone());
                push(&sockets, connection.socket());
                push(&log, connection.log());
                let script = Arc::clone(&script);
                let open = Arc::clone(&open);
                open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    script(number, connection);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        upstream
    }

    /// The next request; fails when none comes in time.
    pub fn next(&self) -> Received {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.recv_timeout(DEADLINE).expect("the upstream should have received a request")
    }

    /// Requests that came and were not looked at yet.
    pub fn pending(&self) -> Vec<Received> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).try_iter().collect()
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Every byte received so far, one entry a connection.
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().map(|bytes| bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }

    /// Ends every open connection.
    pub fn close_connections(&self) {
        for socket in self.sockets.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// `HOST:PORT`.
    pub fn node(&self) -> String {
        self.address.to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for FakeUpstream {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the accept loop.
        let _ = TcpStream::connect_timeout(&self.address, DEADLINE);
        self.close_connections();
    }
}

fn push<T>(list: &Mutex<Vec<T>>, item: T) {
    list.lock().unwrap_or_else(PoisonError::into_inner).push(item);
}

fn accept(socket: TcpStream, tls: Option<Arc<rustls::ServerConfig>>) -> Connection {
    let Some(config) = tls else {
        return Connection::plain(socket);
    };
    let session = rustls::ServerConnection::new(config).expect("the configuration was checked when made");
    let stream = rustls::StreamOwned::new(session, socket.try_clone().expect("a socket can be cloned"));
    Connection::over(Box::new(stream), socket)
}

fn serve(
    number: usize,
    connection: &mut Connection,
    sender: &Sender<Received>,
    script: &(impl Fn(&Received, &mut Connection) -> io::Result<Then> + Send + Sync),
) {
    while let Ok(Some(request)) = read_request(number, connection) {
        let _ = sender.send(request.clone());
        match script(&request, connection) {
            Ok(Then::Keep) => {}
            Ok(Then::Close) | Err(_) => break,
        }
    }
    connection.close();
}

fn read_request(number: usize, connection: &mut Connection) -> io::Result<Option<Received>> {
    let Some(head) = connection.read_head()? else {
        return Ok(None);
    };
    let mut request = Received { connection: number, head, ..Received::default() };
    if request.head.is_chunked() {
        let chunked = connection.read_chunked()?;
        (request.body, request.trailers, request.raw_body) = (chunked.body, chunked.trailers, chunked.wire);
    } else if let Some(length) = request.head.length() {
        request.body = connection.read_exact(length)?;
        request.raw_body.clone_from(&request.body);
    }
    Ok(Some(request))
}
