//! Who may call: names of this machine only, pages of other sites not, and signatures where they are asked for.

use http::uri::Authority;
use http::{HeaderMap, Method, Uri, header};

/// A call as far as its signature covers it.
#[derive(Debug)]
pub struct SignedRequest<'a> {
    /// `lambda` or `execute-api`.
    pub service: &'static str,
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

impl<'a> SignedRequest<'a> {
    pub(crate) fn new(service: &'static str, head: &'a http::request::Parts, body: &'a [u8]) -> Self {
        Self { service, method: &head.method, uri: &head.uri, headers: &head.headers, body }
    }

    /// The method.
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    /// The path as it was sent.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query as it was sent, without its `?`.
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// The headers, with names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }

    /// A header that is there once, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        if values.next().is_some() { None } else { value.to_str().ok() }
    }
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is none.
    #[error("the request is not signed")]
    Missing,
    /// It is made with a key that we do not know.
    #[error("the access key {0} is not known here")]
    UnknownKey(String),
    /// It is wrong; the text says how.
    #[error("{0}")]
    Wrong(String),
}

/// Checks signatures.
pub trait Check: Send + Sync {
    /// Whether the request is signed as it has to be.
    fn check(&self, request: &SignedRequest<'_>) -> Result<(), Denied>;
}

/// Whether a request names this machine: another name that leads to loopback is a trick that a page can play.
pub(crate) fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let host = authority.host().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || function_named(headers).is_some()
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The function that `NAME.localhost` names.
pub(crate) fn function_named(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let (name, rest) = host.split_once('.')?;
    rest.eq_ignore_ascii_case("localhost").then_some(name)
}

/// Whether a page of another site has a browser call: it may reach a function's URL, which decides by itself, but
/// not what only we decide about.
pub(crate) fn is_from_another_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    site.is_some_and(|site| !matches!(site, "same-origin" | "none")) || headers.contains_key(header::ORIGIN)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::{function_named, names_this_machine};

    fn host(host: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))])
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for right in ["127.0.0.1:9070", "127.1.2.3", "localhost:9070", "[::1]:9070", "hello.localhost:9070"] {
            assert!(names_this_machine(&host(right)), "{right}");
        }
        for wrong in
            ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "hello.localhost.evil.example", ""]
        {
            assert!(!names_this_machine(&host(wrong)), "{wrong}");
        }
        assert!(!names_this_machine(&HeaderMap::new()));
    }

    #[test]
    fn a_function_may_have_a_name_of_its_own() {
        assert_eq!(function_named(&host("hello.localhost:9070")), Some("hello"));
        assert_eq!(function_named(&host("localhost:9070")), None);
    }
}
