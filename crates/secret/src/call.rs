//! One call to a manager: HTTP/1.1, one connection, bounded in time and size.

use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use lockgate_http::resolver::Resolver;
use lockgate_http::tls;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// No answer that holds a secret is longer, in bytes.
const LONGEST: usize = 1 << 20;

/// Who calls.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) resolver: Resolver,
    /// How long a call may take, with everything.
    pub(crate) timeout: Duration,
}

/// What was said.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

trait Link: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Link for T {}

impl Caller {
    /// Calls. The target of the request is a whole URI; its host is asked.
    pub(crate) async fn call(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let answer = tokio::time::timeout(self.timeout, self.exchange(request)).await;
        let late = |_| Err(format!("no answer in {} s", self.timeout.as_secs_f64()));
        answer.unwrap_or_else(late).map_err(|why| format!("{host}: {why}"))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let link = self.connect(request.uri()).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(link)).await.map_err(text)?;
        let exchange = async {
            let (head, body) =
                sender.send_request(in_origin_form(request)?).await.map_err(text)?.into_parts();
            let body = Limited::new(body, LONGEST).collect().await.map_err(text)?.to_bytes();
            Ok(Answer { status: head.status, body })
        };
        tokio::pin!(exchange);
        tokio::pin!(connection);
        let mut is_open = true;
        loop {
            tokio::select! {
                answer = &mut exchange => return answer,
                // The exchange says what was wrong with it.
                _ = &mut connection, if is_open => is_open = false,
            }
        }
    }

    async fn connect(&self, uri: &Uri) -> Result<Box<dyn Link>, String> {
        let host = uri.host().ok_or("it has no host")?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("it is neither http:// nor https://".to_owned()),
        };
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let mut last = "it has no addresses".to_owned();
        for address in self.resolver.addresses(bare, port).await.map_err(text)? {
            match TcpStream::connect(address).await {
                Ok(stream) if is_tls => {
                    let name = ServerName::try_from(bare.to_owned()).map_err(text)?;
                    let tls = TlsConnector::from(tls::client_config(true));
                    return Ok(Box::new(tls.connect(name, stream).await.map_err(text)?));
                }
                Ok(stream) => return Ok(Box::new(stream)),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }
}

/// The request as an origin server gets it: the target without the host, which is in a field of its own.
fn in_origin_form(mut request: Request<Full<Bytes>>) -> Result<Request<Full<Bytes>>, String> {
    let uri = request.uri();
    let host = uri.authority().ok_or("it has no host")?.as_str().to_owned();
    let target = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(target);
    request.headers_mut().insert(header::HOST, host.parse().map_err(text)?);
    Ok(request)
}

fn text(error: impl Display) -> String {
    error.to_string()
}
