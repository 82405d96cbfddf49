//! A function behind an HTTP endpoint, and how a request is passed to it: what all serverless plugins share.

mod observe;
pub(crate) mod settings;
pub(crate) mod sign;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, Uri};
use lockgate_http::client::{SendFailure, Timeouts, send};
use lockgate_http::name::Name;
use lockgate_http::peer::{KeepAlive, Peer, PeerTls, Protocol};
use lockgate_http::{
    Body, BodyErrorKind, ClientError, CollectError, Fault, Outgoing, Request, Response, path, tls,
};
use lockgate_plugin::{BuildContext, BuildError, Error, RequestContext};
use lockgate_telemetry::clock::{self, Moment};
use rustls_pki_types::ServerName;

use sign::{Sign, Signable, explained, settle, worth_another};

/// What users write of the connection to a function; the fields are those of every serverless plugin.
pub(crate) struct Settings<'a> {
    /// The field that says where the function is, as users write it.
    pub(crate) field: &'static str,
    pub(crate) uri: &'a str,
    pub(crate) timeout: Duration,
    pub(crate) timeout_status: StatusCode,
    pub(crate) verifies: bool,
    pub(crate) keep_alive: KeepAlive,
    pub(crate) max_body: u64,
    /// The status of a request whose body is longer than that.
    pub(crate) too_large: StatusCode,
}

/// A function's endpoint, compiled.
pub(crate) struct Endpoint {
    peer: Arc<Peer>,
    /// The value of `Host`: with its port, unless that is the scheme's own.
    host: Box<str>,
    path: Box<str>,
    query: Option<Box<str>>,
    timeouts: Timeouts,
    timeout_status: StatusCode,
    max_body: u64,
    /// The status of a request whose body is longer than that.
    too_large: StatusCode,
}

impl Endpoint {
    pub(crate) fn build(settings: &Settings<'_>, cx: &BuildContext) -> Result<Self, BuildError> {
        let wrong =
            |why: &str| BuildError(format!("property \"{}\" validation failed: {why}", settings.field));
        let uri: Uri = settings.uri.parse().map_err(|error| wrong(&format!("{error}")))?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("expected a URL that begins with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it has a user name; credentials belong into \"authorization\""));
        }
        let name = authority.host();
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let tls = if is_tls {
            let name =
                ServerName::try_from(bare.to_owned()).map_err(|_| wrong("its host cannot be a TLS name"))?;
            Some(PeerTls { config: tls::client_config(settings.verifies), name })
        } else {
            None
        };
        let is_default = port == if is_tls { 443 } else { 80 };
        let host = if is_default { name.to_owned() } else { format!("{name}:{port}") };
        let timeout = settings.timeout;
        let peer = Peer::new(bare, port, tls, settings.keep_alive, &cx.resolver);
        Ok(Self {
            peer: Arc::new(peer.speaking(if is_tls { cx.https() } else { Protocol::Http1 })),
            host: host.into(),
            path: uri.path().into(),
            query: uri.query().filter(|query| !query.is_empty()).map(Into::into),
            timeouts: Timeouts { connect: timeout, send: timeout, read: timeout },
            timeout_status: settings.timeout_status,
            max_body: settings.max_body,
            too_large: settings.too_large,
        })
    }

    /// The path and query a request is passed on to. Both keep the client's encoding and order; the endpoint's
    /// own query comes first.
    fn target(&self, request: &Request, cx: &RequestContext) -> Result<String, Error> {
        let tail = match cx.matched_prefix {
            None => None,
            Some(len) => Some(path::tail(request.original_path(), len).map_err(|_| Error {
                status: StatusCode::BAD_REQUEST,
                message: "the path leads out of the function's own".to_owned(),
            })?),
        };
        let mut target = path::join(&self.path, tail.as_deref());
        let queries = [self.query.as_deref(), request.query().filter(|query| !query.is_empty())];
        for (separator, query) in ['?', '&'].into_iter().zip(queries.into_iter().flatten()) {
            target.push(separator);
            target.push_str(query);
        }
        Ok(target)
    }

    /// Passes a request on; `fields` are put in, in place of the client's own.
    pub(crate) async fn call(
        &self,
        request: &mut Request,
        cx: &mut RequestContext,
        fields: &[(Name<'_>, &[u8])],
        sign: Option<&dyn Sign>,
    ) -> Result<Response, Error> {
        let body = self.take_body(request)?;
        let target = self.target(request, cx)?;
        let Some(sign) = sign.filter(|sign| sign.is_needed(request)) else {
            let response = self.exchange(request, cx, fields, &target, body, clock::recent()).await;
            cx.upstream.target = Some(target.into());
            return response;
        };
        let target = sign.wire(&target);
        let response = self.signed(request, cx, fields, &target, body, sign).await;
        cx.upstream.target = Some(target.into());
        response
    }

    /// The body of a request, which cannot pass the limit.
    fn take_body(&self, request: &mut Request) -> Result<Body, Error> {
        if request.body.length().is_some_and(|length| length > self.max_body) {
            return Err(self.too_large());
        }
        request.body.limit(self.max_body);
        Ok(std::mem::take(&mut request.body))
    }

    /// Sends a request of our own, with the body of the client's. Its target is joined to the path of the endpoint.
    pub(crate) async fn post(
        &self,
        client: &mut Request,
        cx: &mut RequestContext,
        tail: &str,
        fields: &[(Name<'_>, &[u8])],
    ) -> Result<Response, Error> {
        let body = self.take_body(client)?;
        let body = if body.is_empty() { Body::full(Bytes::new()) } else { body };
        let target = format!("{}{tail}", self.path.trim_end_matches('/'));
        let request = Request::new(Method::POST, &target).map_err(|error| Error {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message: format!("the function cannot be asked for: {error}"),
        })?;
        let response = self.exchange(&request, cx, fields, &target, body, clock::recent()).await;
        cx.upstream.target = Some(target.into());
        response
    }

    /// Signs a request and passes it on; once more, where its refusal shows that the clocks differ.
    async fn signed(
        &self,
        request: &mut Request,
        cx: &mut RequestContext,
        fields: &[(Name<'_>, &[u8])],
        target: &str,
        mut body: Body,
        sign: &dyn Sign,
    ) -> Result<Response, Error> {
        // The signature is over the whole body, so there has to be all of it.
        let bytes = body.collect(self.max_body).await.map_err(|error| self.uncollected(&error))?;
        let whole = || if body.is_empty() { Body::empty() } else { Body::full(bytes.clone()) };
        let mut call =
            Signable { host: &self.host, target, body: &bytes, clock_offset: sign.skew().offset() };
        sign.set_aside(request);
        sign.sign(request, &call)?;
        let begun = clock::recent();
        let response = self.exchange(request, cx, fields, target, whole(), begun).await?;
        let Some(offset) = worth_another(sign, &response) else {
            return Ok(explained(sign, response));
        };
        drop(response);
        call.clock_offset = offset;
        sign.sign(request, &call)?;
        let response = self.exchange(request, cx, fields, target, whole(), begun).await?;
        settle(sign, offset, &self.host, &response);
        Ok(explained(sign, response))
    }

    /// Sends what is ready to be sent; `begun` is when the first try was.
    async fn exchange(
        &self,
        request: &Request,
        cx: &mut RequestContext,
        fields: &[(Name<'_>, &[u8])],
        target: &str,
        body: Body,
        begun: Moment,
    ) -> Result<Response, Error> {
        let (answer, duration) = {
            let mut outgoing = Outgoing::forwarding(request, &cx.connection);
            outgoing.target = Some(target);
            outgoing.host = Some(&self.host);
            for (name, value) in fields {
                outgoing.set(*name, value);
            }
            let answer = send(&self.peer, request, body, &outgoing, &self.timeouts).await;
            (answer, clock::now().duration_since(begun))
        };
        cx.upstream.duration = Some(duration);
        cx.upstream.scheme = Some(if self.peer.is_tls() { "https" } else { "http" });
        cx.upstream.host = Some(self.host.clone());
        match answer {
            Ok(answer) => {
                cx.upstream.address = Some(answer.remote);
                cx.upstream.status = answer.response.status.as_u16();
                Ok(answer.response)
            }
            Err(failure) => {
                cx.upstream.address = failure.remote;
                Err(self.explain(&failure))
            }
        }
    }

    fn uncollected(&self, error: &CollectError) -> Error {
        let message = match error {
            CollectError::TooLarge(_) => return self.too_large(),
            CollectError::Broken(error) if matches!(error.kind, BodyErrorKind::TooLarge) => {
                return self.too_large();
            }
            CollectError::Broken(_) => "request body broke off".to_owned(),
        };
        Error { status: StatusCode::BAD_REQUEST, message }
    }

    /// The value of `Host`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    fn too_large(&self) -> Error {
        let message = format!("request body is larger than {} bytes (max_req_body_size)", self.max_body);
        Error { status: self.too_large, message }
    }

    /// What the client is told. APISIX answers 503 whatever it was; its users' alarms know that status.
    fn explain(&self, failure: &SendFailure) -> Error {
        tracing::warn!(error = %failure.error, "function failed");
        let (status, message) = match &failure.error {
            ClientError::RequestBody(error) => match error.kind {
                BodyErrorKind::TooLarge => return self.too_large(),
                _ if error.fault == Fault::Client => (StatusCode::BAD_REQUEST, "request body broke off"),
                _ => (StatusCode::SERVICE_UNAVAILABLE, "request body could not be made"),
            },
            ClientError::ConnectTimeout { .. } => {
                (self.timeout_status, "function could not be connected to in time")
            }
            ClientError::Timeout { .. } => (self.timeout_status, "function did not answer in time"),
            ClientError::Resolve { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "function's host does not resolve")
            }
            ClientError::Connect { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "function refused the connection")
            }
            ClientError::Tls { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "TLS handshake with the function failed")
            }
            ClientError::Closed { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "function closed the connection before its response")
            }
            ClientError::Refused { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "function did not take the request")
            }
            ClientError::Reset { .. } => (StatusCode::SERVICE_UNAVAILABLE, "function reset the request"),
            ClientError::Malformed { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "function sent a malformed response")
            }
        };
        Error { status, message: message.to_owned() }
    }
}
