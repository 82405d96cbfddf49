//! Variables of a request, in nginx's names: read from a name once, written out without parsing.

mod content;
mod json_path;
mod read;
mod tls;

#[cfg(test)]
pub(crate) mod tests;

use std::io::Write as _;

use lockgate_http::name::{self, OwnedName};
use lockgate_http::{Headers, Request};
use lockgate_telemetry::{clock, text};

pub use content::ContentVariable;
pub(crate) use content::Found;
pub use json_path::JsonPath;
pub use read::without_port;
pub(crate) use read::{argument, form_bytes, query};
pub use tls::TlsVariable;

use crate::RequestContext;

/// A variable, as conditions and log formats name it: `remote_addr`, `arg_name`, `http_x_api_key`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
// With a tag of its own: which one it is is asked several times a line.
#[repr(u8)]
pub enum Variable {
    /// `arg_NAME`: the first query argument of this name, decoded; names are told apart by case.
    Argument(Box<str>),
    /// `http_NAME`: the request header, with `-` for each `_`; several fields are joined with `, `.
    Header(OwnedName),
    /// `cookie_NAME`: the first cookie of this name.
    Cookie(Box<str>),
    /// `uri_param_NAME`: what a `:name` of the matched uri stood for.
    UriParameter(Box<str>),
    /// `uri`: the path as rules match on it.
    Uri,
    /// `request_uri`: path and query, as they came.
    RequestUri,
    /// `request`: the request line.
    RequestLine,
    /// `host`: the host the client named, in lower case, without its port.
    Host,
    /// `remote_addr`
    RemoteAddress,
    /// `remote_port`
    RemotePort,
    /// `server_addr`
    ServerAddress,
    /// `server_port`
    ServerPort,
    /// `request_method`
    Method,
    /// `scheme`: `http` or `https`.
    Scheme,
    /// `args` or `query_string`: the query as it came.
    Query,
    /// `is_args`: `?` where there is a query.
    IsArgs,
    /// `server_protocol`: `HTTP/1.1`.
    Protocol,
    /// `route_id`
    RouteId,
    /// `status`
    Status,
    /// `upstream_addr`
    UpstreamAddress,
    /// `upstream_status`
    UpstreamStatus,
    /// `upstream_response_time`, in seconds.
    UpstreamTime,
    /// `upstream_scheme`: `http` or `https`.
    UpstreamScheme,
    /// `upstream_host`: the Host that the node or function was sent.
    UpstreamHost,
    /// `upstream_uri`: the path and query it was asked for.
    UpstreamUri,
    /// `request_time`, in seconds.
    RequestTime,
    /// `body_bytes_sent`
    BodyBytesSent,
    /// `remote_user`: the user of basic authentication.
    RemoteUser,
    /// `time_local`: `22/Nov/2026:14:44:23 +0000`.
    TimeLocal,
    /// `time_iso8601`: `2026-11-22T14:44:23+00:00`.
    TimeIso8601,
    /// `msec`: seconds since 1970, with milliseconds.
    Milliseconds,
    /// `post_arg_NAME` and `post_arg.NAME`, `graphql_name` and its kin: a part of the body.
    Content(ContentVariable),
    /// `route_name`
    RouteName,
    /// `service_id`
    ServiceId,
    /// `service_name`
    ServiceName,
    /// `matched_uri`: the one of the route's `uris` that matched.
    MatchedUri,
    /// `ssl_protocol` and its kin: a part of what is known of the client's TLS.
    Tls(TlsVariable),
    /// `hostname`, the name of this machine, or `server_name`, which is `_`.
    Constant(Box<str>),
    /// `balancer_ip`: the address of the node that was asked last.
    BalancerAddress,
    /// `balancer_port`: its port.
    BalancerPort,
    /// `https`: `on` where the client speaks TLS.
    Https,
    /// `content_length` or `http_content_length`: what is still to come of a body of known length; no value once
    /// there is an answer.
    ContentLength,
    /// `http_upgrade`: what the client would go over to.
    Upgrade,
    /// `sent_http_NAME`: the field of the answer, as it was when plugins were done; of logs alone.
    SentHeader(OwnedName),
    /// `upstream_http_NAME`: the field of the node's answer; of logs alone.
    UpstreamHeader(OwnedName),
    /// `bytes_sent`: bytes of the answer, without the marks between chunks and what frames add.
    BytesSent,
    /// `consumer_name`
    ConsumerName,
    /// `consumer_group_id`
    ConsumerGroupId,
    /// One that is known by name and has no value here: `request_length`.
    Unmeasured,
}

impl Variable {
    /// The variable of this name, without `$`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "uri" | "document_uri" => Self::Uri,
            "request_uri" | "real_request_uri" => Self::RequestUri,
            "request" | "request_line" => Self::RequestLine,
            "host" => Self::Host,
            "remote_addr" => Self::RemoteAddress,
            "remote_port" => Self::RemotePort,
            "server_addr" => Self::ServerAddress,
            "server_port" => Self::ServerPort,
            "request_method" | "method" => Self::Method,
            "scheme" => Self::Scheme,
            "args" | "query_string" => Self::Query,
            "is_args" => Self::IsArgs,
            "server_protocol" => Self::Protocol,
            "route_id" => Self::RouteId,
            "route_name" => Self::RouteName,
            "service_id" => Self::ServiceId,
            "service_name" => Self::ServiceName,
            "matched_uri" => Self::MatchedUri,
            "status" => Self::Status,
            "upstream_addr" => Self::UpstreamAddress,
            "upstream_status" => Self::UpstreamStatus,
            "upstream_response_time" => Self::UpstreamTime,
            "upstream_scheme" => Self::UpstreamScheme,
            "upstream_host" => Self::UpstreamHost,
            "upstream_uri" => Self::UpstreamUri,
            "request_time" => Self::RequestTime,
            "body_bytes_sent" => Self::BodyBytesSent,
            "bytes_sent" => Self::BytesSent,
            "remote_user" => Self::RemoteUser,
            "time_local" => Self::TimeLocal,
            "time_iso8601" => Self::TimeIso8601,
            "msec" => Self::Milliseconds,
            "hostname" => Self::Constant(hostname().into()),
            // What nginx calls the server of APISIX's configuration.
            "server_name" => Self::Constant("_".into()),
            "balancer_ip" => Self::BalancerAddress,
            "balancer_port" => Self::BalancerPort,
            "https" => Self::Https,
            "content_type" => Self::Header(OwnedName::new("content-type")),
            "content_length" | "http_content_length" => Self::ContentLength,
            "http_upgrade" => Self::Upgrade,
            "consumer_name" => Self::ConsumerName,
            "consumer_group_id" => Self::ConsumerGroupId,
            "request_length" => Self::Unmeasured,
            _ => return Self::parse_named(name),
        })
    }

    /// One with the name of an argument, a header, a cookie or a parameter in its own.
    fn parse_named(name: &str) -> Option<Self> {
        let rest = |prefix| name.strip_prefix(prefix).filter(|rest: &&str| !rest.is_empty());
        let argument = rest("arg_").map(|name| Self::Argument(name.into()));
        let field = |prefix| rest(prefix).map(|name: &str| OwnedName::new(&name.replace('_', "-")));
        let header = || field("http_").map(Self::Header);
        let answer = || field("sent_http_").map(Self::SentHeader);
        let node = || field("upstream_http_").map(Self::UpstreamHeader);
        let cookie = || rest("cookie_").map(|name| Self::Cookie(name.into()));
        let parameter = || rest("uri_param_").map(|name| Self::UriParameter(name.into()));
        let content = || ContentVariable::parse(name).map(Self::Content);
        let tls = || TlsVariable::parse(name).map(Self::Tls);
        argument
            .or_else(header)
            .or_else(answer)
            .or_else(node)
            .or_else(cookie)
            .or_else(parameter)
            .or_else(content)
            .or_else(tls)
    }

    /// Whether its values are of the program's own making: nothing a client sent stands in them.
    pub fn is_safe(&self) -> bool {
        matches!(
            self,
            Self::RemoteAddress
                | Self::RemotePort
                | Self::ServerAddress
                | Self::ServerPort
                | Self::Method
                | Self::Scheme
                | Self::Protocol
                | Self::Status
                | Self::UpstreamAddress
                | Self::UpstreamStatus
                | Self::UpstreamTime
                | Self::UpstreamScheme
                | Self::RequestTime
                | Self::BodyBytesSent
                | Self::BytesSent
                | Self::TimeLocal
                | Self::TimeIso8601
                | Self::Milliseconds
                | Self::BalancerAddress
                | Self::BalancerPort
                | Self::Https
                | Self::ContentLength
        )
    }

    /// Whether it asks for a field of an answer, which has to be kept for it.
    pub fn is_of_answer(&self) -> bool {
        matches!(self, Self::SentHeader(_) | Self::UpstreamHeader(_))
    }

    /// Writes the value behind what `out` holds; says whether there is one.
    #[inline]
    pub fn write(&self, request: &Request, cx: &RequestContext, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Argument(name) => return read::argument(read::query(request.original_target()), name, out),
            Self::Header(name) => return read::header(&request.headers, name, out),
            Self::Cookie(name) => return read::cookie(&request.headers, name, out),
            Self::RemoteUser => return read::user(&request.headers, out),
            Self::UriParameter(name) => return parameter(cx, name, out),
            Self::Uri => out.extend_from_slice(cx.path(request).as_bytes()),
            Self::RequestUri => out.extend_from_slice(request.original_target_bytes()),
            Self::RequestLine => request_line(request, cx, out),
            Self::Host => return read::host(&request.headers, out),
            Self::Method => out.extend_from_slice(cx.method.as_str().as_bytes()),
            Self::Scheme => out.extend_from_slice(cx.connection.scheme().as_bytes()),
            Self::RemoteAddress => out.extend_from_slice(cx.connection.peer_ip.as_bytes()),
            Self::ServerPort => out.extend_from_slice(cx.connection.local_port.as_bytes()),
            Self::Query => {
                return read::query(request.original_target())
                    .map(|args| out.extend_from_slice(args.as_bytes()))
                    .is_some();
            }
            Self::IsArgs => out.extend_from_slice(if read::query(request.original_target()).is_some() {
                b"?"
            } else {
                b""
            }),
            Self::Protocol => out.extend_from_slice(request.version.as_str().as_bytes()),
            Self::RouteId => return present(cx.route_id(), out),
            Self::RouteName => return cx.names().is_some_and(|names| present(&names.name, out)),
            Self::ServiceId => return cx.names().is_some_and(|names| present(&names.service_id, out)),
            Self::ServiceName => return cx.names().is_some_and(|names| present(&names.service_name, out)),
            Self::MatchedUri => return cx.matched_uri().is_some_and(|uri| present(uri, out)),
            Self::Content(variable) => return variable.write(request, cx, out),
            Self::Tls(variable) => {
                return cx.connection.tls.as_deref().is_some_and(|tls| variable.write(tls, out));
            }
            Self::Constant(value) => return present(value, out),
            Self::Https => return cx.connection.is_tls && present("on", out),
            Self::Upgrade => return request.upgrade.as_deref().is_some_and(|upgrade| present(upgrade, out)),
            Self::ContentLength => {
                let length = request.body.length().filter(|_| !request.body.is_empty() && cx.status == 0);
                return length.map(|length| text::decimal(out, length)).is_some();
            }
            Self::UpstreamScheme => {
                text::short(out, cx.upstream.scheme.unwrap_or_default().as_bytes());
                return cx.upstream.scheme.is_some();
            }
            Self::UpstreamHost => {
                let own = || request.headers.get(name::HOST).unwrap_or_default();
                return cx.upstream.scheme.is_some()
                    && present_bytes(cx.upstream.host.as_deref().map_or_else(own, str::as_bytes), out);
            }
            Self::UpstreamUri => {
                return cx.upstream.scheme.is_some()
                    && present(cx.upstream.target.as_deref().unwrap_or_else(|| request.target()), out);
            }
            Self::TimeLocal => clock::with(|now| out.extend_from_slice(now.local().as_bytes())),
            Self::TimeIso8601 => clock::with(|now| out.extend_from_slice(now.iso8601().as_bytes())),
            Self::Milliseconds => clock::with(|now| display(format_args!("{:.3}", now.seconds()), out)),
            _ => return self.write_outcome(cx, out),
        }
        true
    }

    #[inline]
    fn write_outcome(&self, cx: &RequestContext, out: &mut Vec<u8>) -> bool {
        match self {
            Self::SentHeader(name) => {
                return answer(cx.heads().and_then(|heads| heads.sent.as_ref()), name, out);
            }
            Self::UpstreamHeader(name) => {
                return answer(cx.heads().and_then(|heads| heads.upstream.as_ref()), name, out);
            }
            Self::ConsumerName => {
                return cx.consumer.as_ref().is_some_and(|consumer| present(&consumer.name, out));
            }
            Self::ConsumerGroupId => {
                let group = cx.consumer.as_ref().and_then(|consumer| consumer.group_id.as_deref());
                return group.is_some_and(|group| present(group, out));
            }
            Self::RemotePort => text::decimal(out, cx.connection.peer.port().into()),
            Self::ServerAddress => display(cx.connection.local.ip().to_canonical(), out),
            Self::Status if cx.status != 0 => text::decimal(out, cx.status.into()),
            Self::UpstreamStatus if cx.upstream.status != 0 => {
                text::decimal(out, cx.upstream.status.into());
            }
            Self::BodyBytesSent => text::decimal(out, cx.body_bytes_sent),
            Self::BytesSent => text::decimal(out, cx.body_bytes_sent + u64::from(cx.head_bytes_sent)),
            Self::RequestTime => text::seconds(out, cx.duration),
            Self::UpstreamTime => match cx.upstream.duration {
                Some(duration) => text::seconds(out, duration),
                None => return false,
            },
            Self::UpstreamAddress | Self::BalancerAddress | Self::BalancerPort => {
                match (self, cx.upstream.address) {
                    (_, None) => return false,
                    (Self::BalancerAddress, Some(address)) => display(address.ip().to_canonical(), out),
                    (Self::BalancerPort, Some(address)) => text::decimal(out, address.port().into()),
                    (_, Some(address)) => text::address(out, address),
                }
            }
            _ => return false,
        }
        true
    }
}

/// The name of this machine, as its kernel has it; empty where that does not say.
fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

fn answer(head: Option<&Headers>, name: &OwnedName, out: &mut Vec<u8>) -> bool {
    head.is_some_and(|head| read::header(head, name, out))
}

fn present(text: &str, out: &mut Vec<u8>) -> bool {
    present_bytes(text.as_bytes(), out)
}

fn present_bytes(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(bytes);
    !bytes.is_empty()
}

fn display(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = write!(out, "{value}");
}

fn parameter(cx: &RequestContext, name: &str, out: &mut Vec<u8>) -> bool {
    let value = cx.params.iter().find(|(own, _)| **own == *name).map(|(_, value)| value);
    out.extend_from_slice(value.map_or(&[], |value| value.as_bytes()));
    value.is_some()
}

fn request_line(request: &Request, cx: &RequestContext, out: &mut Vec<u8>) {
    text::short(out, cx.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(request.original_target_bytes());
    out.push(b' ');
    out.extend_from_slice(request.version.as_str().as_bytes());
}
