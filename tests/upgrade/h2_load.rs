//! A load of HTTP/2 requests whose client does as RFC 9113 says when it is told to go: it opens another connection.
//! h2load counts what it has not sent by then as failed, so it is of no use here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

type Sender = h2::client::SendRequest<Bytes>;

/// Connections, and streams that each has at a time.
const CONNECTIONS: usize = 4;
const STREAMS: usize = 8;

/// What was counted so far.
#[derive(Default)]
pub(crate) struct Count {
    /// Requests that were answered with 200.
    pub(crate) answered: AtomicU64,
    /// Connections that were opened.
    pub(crate) connections: AtomicU64,
    is_done: AtomicBool,
}

/// A running load.
pub(crate) struct Load {
    pub(crate) count: Arc<Count>,
    thread: JoinHandle<Vec<String>>,
}

impl Load {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let count = Arc::<Count>::default();
        let counted = Arc::clone(&count);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut all = JoinSet::new();
                for _ in 0..CONNECTIONS {
                    all.spawn(reconnect(address, Arc::clone(&counted)));
                }
                all.join_all().await.into_iter().flatten().collect()
            })
        });
        Self { count, thread }
    }

    /// Stops it; gives what went wrong.
    pub(crate) fn stop(self) -> Vec<String> {
        self.count.is_done.store(true, Ordering::SeqCst);
        self.thread.join().expect("the load does not panic")
    }
}

async fn reconnect(address: SocketAddr, count: Arc<Count>) -> Vec<String> {
    let mut failures = Vec::new();
    while !count.is_done.load(Ordering::SeqCst) && failures.is_empty() {
        count.connections.fetch_add(1, Ordering::SeqCst);
        match connect(address).await {
            Ok((sender, connection)) => {
                let driving = tokio::spawn(connection);
                let mut streams = JoinSet::new();
                for _ in 0..STREAMS {
                    streams.spawn(ask_on(sender.clone(), Arc::clone(&count)));
                }
                drop(sender);
                failures.extend(streams.join_all().await.into_iter().flatten());
                if let Ok(Err(error)) = driving.await
                    && !error.is_go_away()
                {
                    failures.push(format!("the connection: {error}"));
                }
            }
            Err(error) => failures.push(format!("connecting: {error}")),
        }
    }
    failures
}

async fn connect(
    address: SocketAddr,
) -> Result<(Sender, h2::client::Connection<TcpStream, Bytes>), Box<dyn std::error::Error + Send + Sync>> {
    let socket = TcpStream::connect(address).await?;
    Ok(h2::client::handshake(socket).await?)
}

/// Asks one request after the other until the connection takes no more; gives what went wrong.
async fn ask_on(sender: Sender, count: Arc<Count>) -> Option<String> {
    while !count.is_done.load(Ordering::SeqCst) {
        // Nothing was sent yet: this is no failure.
        let Ok(mut sender) = sender.clone().ready().await else { return None };
        let request = http::Request::get("http://gateway.test/x").body(()).expect("a well-formed request");
        let Ok((answer, _)) = sender.send_request(request, true) else { return None };
        if let Err(error) = answered(answer).await {
            return Some(format!("a request: {error}"));
        }
        count.answered.fetch_add(1, Ordering::SeqCst);
    }
    None
}

async fn answered(
    answer: h2::client::ResponseFuture,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let answer = answer.await?;
    if answer.status() != 200 {
        return Err(format!("status {}", answer.status()).into());
    }
    let mut body = answer.into_body();
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    Ok(())
}
