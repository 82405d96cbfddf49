//! How the providers of `aws-config` reach STS and the metadata endpoints: HTTP/1.1, one connection a call.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use lockgate_http::resolver::Resolver;
use lockgate_http::tls;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// No answer that holds credentials is longer, in bytes.
const LONGEST_ANSWER: usize = 1 << 20;
/// Where the provider names no time: for a connection, and for an answer.
const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(10);

/// Makes connections by the gateway's own resolver and roots.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    resolver: Resolver,
    connect: Duration,
    answer: Duration,
}

impl Connector {
    pub(super) fn new(resolver: Resolver) -> Self {
        Self { resolver, connect: CONNECT, answer: ANSWER }
    }

    async fn exchange(self, request: Request<Full<Bytes>>) -> Result<Response<SdkBody>, ConnectorError> {
        let late = || ConnectorError::timeout("not connected in time".into());
        let connection = timeout(self.connect, self.connect(request.uri())).await.map_err(|_| late())?;
        let stream = connection.map_err(ConnectorError::io)?;
        let answer = timeout(self.answer, answer(stream, request)).await;
        answer.map_err(|_| ConnectorError::timeout("no answer in time".into()))?.map_err(ConnectorError::io)
    }

    async fn connect(&self, uri: &Uri) -> Result<Box<dyn Link>, BoxError> {
        let host = uri.host().ok_or("the endpoint has no host")?;
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let mut last: BoxError = format!("{host} has no addresses").into();
        for address in self.resolver.addresses(host, port).await? {
            match TcpStream::connect(address).await {
                Ok(stream) if is_tls => {
                    let bare = host.trim_start_matches('[').trim_end_matches(']');
                    let name = ServerName::try_from(bare.to_owned())?;
                    let tls = TlsConnector::from(tls::client_config(true));
                    return Ok(Box::new(tls.connect(name, stream).await?));
                }
                Ok(stream) => return Ok(Box::new(stream)),
                Err(error) => last = format!("{address}: {error}").into(),
            }
        }
        Err(last)
    }
}

async fn answer(stream: Box<dyn Link>, request: Request<Full<Bytes>>) -> Result<Response<SdkBody>, BoxError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let (head, body) = sender.send_request(in_origin_form(request)?).await?.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await?.to_bytes();
        Ok(Response::from_parts(head, SdkBody::from(body)))
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

/// The request as an origin server gets it: the target without the host, which is in a field of its own.
fn in_origin_form(mut request: Request<Full<Bytes>>) -> Result<Request<Full<Bytes>>, BoxError> {
    let uri = request.uri();
    let host = uri.authority().ok_or("the endpoint has no host")?.as_str().to_owned();
    let target = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(target);
    if !request.headers().contains_key(header::HOST) {
        request.headers_mut().insert(header::HOST, host.parse()?);
    }
    Ok(request)
}

impl HttpClient for Connector {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Self {
            resolver: self.resolver.clone(),
            connect: settings.connect_timeout().unwrap_or(CONNECT),
            answer: settings.read_timeout().unwrap_or(ANSWER),
        })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let (head, body) = request.into_parts();
            let body = body.bytes().map(Bytes::copy_from_slice);
            let body = body.ok_or_else(|| ConnectorError::user("the body is a stream".into()))?;
            let response = this.exchange(Request::from_parts(head, Full::new(body))).await?;
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// A connection, over TLS or not.
trait Link: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Link for T {}
