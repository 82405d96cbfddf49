//! Calls to etcd's JSON gateway: one connection a call, the next member where one does not answer.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::EtcdSettings;

/// The longest answer, and the longest message of a watch.
const LONGEST: usize = 256 * 1024 * 1024;
/// gRPC's code for a token that is not, or no longer, good.
const UNAUTHENTICATED: u64 = 16;

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No member answers.
    Away(String),
    /// etcd says no: gRPC's code, and why.
    Refused(u64, String),
    /// What it said cannot be read.
    Garbled(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) => write!(f, "etcd does not answer: {why}"),
            Self::Refused(_, why) => write!(f, "etcd refuses: {why}"),
            Self::Garbled(why) => write!(f, "etcd's answer cannot be read: {why}"),
        }
    }
}

/// A member's address.
struct Member {
    shown: String,
    host: String,
    port: u16,
    is_tls: bool,
}

pub(super) struct Client {
    settings: EtcdSettings,
    members: Vec<Member>,
    /// The member that answered last.
    current: AtomicUsize,
    token: Mutex<Option<String>>,
}

trait Link: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Link for T {}

impl Client {
    pub(super) fn new(settings: EtcdSettings) -> Result<Self, String> {
        let members = settings.hosts.iter().map(|host| Member::read(host)).collect::<Result<Vec<_>, _>>()?;
        if members.is_empty() {
            return Err("deployment.etcd.host names no member".to_owned());
        }
        if members.iter().any(|member| member.is_tls) && settings.tls.is_none() {
            return Err("deployment.etcd.host has https, and there is no TLS for it".to_owned());
        }
        Ok(Self { settings, members, current: AtomicUsize::new(0), token: Mutex::new(None) })
    }

    /// How long a watch may be silent.
    pub(super) fn watch_timeout(&self) -> Duration {
        self.settings.watch_timeout
    }

    /// Calls, and reads the whole answer.
    pub(super) async fn call(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let within = self.settings.timeout;
        let read = async {
            let response = self.send(path, body).await?;
            let bytes = Limited::new(response, LONGEST).collect().await;
            let bytes = bytes.map_err(|error| Failure::Away(error.to_string()))?.to_bytes();
            serde_json::from_slice(&bytes).map_err(|error| Failure::Garbled(error.to_string()))
        };
        let Ok(answer) = timeout(within, read).await else {
            self.move_on(self.current.load(Ordering::Relaxed));
            return Err(Failure::Away(format!("no answer in {} s", within.as_secs_f64())));
        };
        answer
    }

    /// Calls, and leaves the answer to be read message by message.
    pub(super) async fn stream(&self, path: &str, body: &Value) -> Result<Messages, Failure> {
        let begun = timeout(self.settings.timeout, self.send(path, body)).await;
        let body = begun.map_err(|_| Failure::Away("the watch does not begin".to_owned()))??;
        Ok(Messages { body, read: BytesMut::new(), looked_at: 0 })
    }

    /// The body of a good answer. A token that is no longer good is asked for again, once.
    async fn send(&self, path: &str, body: &Value) -> Result<Incoming, Failure> {
        let mut token = self.token(false).await?;
        loop {
            match self.ask(path, body, token.as_deref()).await {
                Err(Failure::Refused(UNAUTHENTICATED, _)) if token.take().is_some() => {
                    token = self.token(true).await?;
                    if let Ok(answer) = self.ask(path, body, token.as_deref()).await {
                        return Ok(answer);
                    }
                    token = None;
                }
                answer => return answer,
            }
        }
    }

    async fn token(&self, is_stale: bool) -> Result<Option<String>, Failure> {
        let Some((user, password)) = &self.settings.user else { return Ok(None) };
        let known = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if known.is_some() && !is_stale {
            return Ok(known);
        }
        let body =
            self.ask("/v3/auth/authenticate", &json!({"name": user, "password": password}), None).await?;
        let bytes = Limited::new(body, LONGEST).collect().await;
        let bytes = bytes.map_err(|error| Failure::Away(error.to_string()))?.to_bytes();
        let answer: Value =
            serde_json::from_slice(&bytes).map_err(|error| Failure::Garbled(error.to_string()))?;
        let token = answer["token"].as_str().map(str::to_owned);
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&token);
        Ok(token)
    }

    /// Asks each member in turn until one answers.
    async fn ask(&self, path: &str, body: &Value, token: Option<&str>) -> Result<Incoming, Failure> {
        let first = self.current.load(Ordering::Relaxed);
        let mut why = String::new();
        for step in 0..self.members.len() {
            let at = (first + step) % self.members.len();
            match self.ask_member(&self.members[at], path, body, token).await {
                Err(Failure::Away(reason)) => why = format!("{}: {reason}", self.members[at].shown),
                answer => {
                    self.current.store(at, Ordering::Relaxed);
                    return answer;
                }
            }
        }
        self.move_on(first);
        Err(Failure::Away(why))
    }

    /// The next call begins with another member.
    fn move_on(&self, from: usize) {
        self.current.store((from + 1) % self.members.len(), Ordering::Relaxed);
    }

    async fn ask_member(
        &self,
        member: &Member,
        path: &str,
        body: &Value,
        token: Option<&str>,
    ) -> Result<Incoming, Failure> {
        let away = |error: &dyn fmt::Display| Failure::Away(error.to_string());
        let link = self.connect(member).await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(link)).await.map_err(|error| away(&error))?;
        // It ends with the answer's body, or when that is dropped.
        tokio::spawn(connection);
        let mut request = Request::post(path)
            .header(header::HOST, format!("{}:{}", member.host, member.port))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let request = request.body(Full::new(Bytes::from(body.to_string())));
        let request = request.map_err(|error| Failure::Garbled(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(|error| away(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let bytes = Limited::new(response.into_body(), 64 * 1024).collect().await;
        let text = bytes.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Err(refused(status, &text))
    }

    async fn connect(&self, member: &Member) -> Result<Box<dyn Link>, Failure> {
        let away = |error: std::io::Error| Failure::Away(error.to_string());
        let host = member.host.trim_start_matches('[').trim_end_matches(']');
        let within = self.settings.timeout / u32::try_from(self.members.len()).unwrap_or(1);
        let connected = timeout(within, TcpStream::connect((host, member.port))).await;
        let stream = connected
            .map_err(|_| Failure::Away("it does not take a connection".to_owned()))?
            .map_err(away)?;
        let Some(tls) = self.settings.tls.as_ref().filter(|_| member.is_tls) else {
            return Ok(Box::new(stream));
        };
        let name = self.settings.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(|error| Failure::Away(error.to_string()))?;
        Ok(Box::new(TlsConnector::from(tls.clone()).connect(name, stream).await.map_err(away)?))
    }
}

fn refused(status: StatusCode, text: &[u8]) -> Failure {
    let answer: Value = serde_json::from_slice(text).unwrap_or_default();
    let code = answer["code"].as_u64().unwrap_or(0);
    let why = answer["message"].as_str().or_else(|| answer["error"].as_str());
    let why = why.map_or_else(|| format!("status {status}"), str::to_owned);
    // A member without a leader, or one that is ending, is as good as none.
    if status.is_server_error() && code != UNAUTHENTICATED {
        Failure::Away(why)
    } else {
        Failure::Refused(code, why)
    }
}

impl Member {
    fn read(written: &str) -> Result<Self, String> {
        let refuse = || format!("deployment.etcd.host {written} is not http://HOST:PORT");
        let uri: Uri = written.parse().map_err(|_| refuse())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(refuse()),
        };
        let host = uri.host().ok_or_else(refuse)?.to_owned();
        let port = uri.port_u16().unwrap_or(2379);
        Ok(Self { shown: format!("{host}:{port}"), host, port, is_tls })
    }
}

/// The messages of an answer that goes on, each a line.
pub(super) struct Messages {
    body: Incoming,
    read: BytesMut,
    /// How much of `read` has no line end in it.
    looked_at: usize,
}

impl Messages {
    /// The next message; `None` where the answer has ended.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, Failure> {
        loop {
            if let Some(at) = self.read[self.looked_at..].iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(self.looked_at + at + 1);
                self.looked_at = 0;
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|error| Failure::Garbled(error.to_string()));
            }
            self.looked_at = self.read.len();
            if self.read.len() > LONGEST {
                return Err(Failure::Garbled("a message is too long".to_owned()));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.read.extend_from_slice(data);
                    }
                }
                Some(Err(error)) => return Err(Failure::Away(error.to_string())),
            }
        }
    }
}
