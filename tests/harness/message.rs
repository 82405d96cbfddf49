//! HTTP/1.1 messages as they were on the wire.

/// A start line and header lines.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The first line, without its line end.
    pub start: String,
    /// Names and values in order, as sent.
    pub headers: Vec<(String, String)>,
    /// Every byte, the empty line included.
    pub raw: Vec<u8>,
}

impl Head {
    pub(crate) fn parse(raw: &[u8]) -> Self {
        let text = String::from_utf8_lossy(raw);
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        Self { start, headers, raw: raw.to_vec() }
    }

    /// The first value of a header, whatever its case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every value of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    pub(crate) fn is_chunked(&self) -> bool {
        self.get("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }

    pub(crate) fn length(&self) -> Option<usize> {
        self.get("content-length").and_then(|value| value.parse().ok())
    }
}

/// A request as an upstream received it.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Which connection of this upstream, from 0.
    pub connection: usize,
    /// The request line and headers.
    pub head: Head,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// The body as it was on the wire.
    pub raw_body: Vec<u8>,
    /// Header lines after a chunked body.
    pub trailers: Vec<(String, String)>,
}

impl Received {
    /// The method.
    pub fn method(&self) -> &str {
        self.head.start.split(' ').next().unwrap_or_default()
    }

    /// The request target.
    pub fn target(&self) -> &str {
        self.head.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A response as a client received it.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The status line and headers.
    pub head: Head,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Header lines after a chunked body.
    pub trailers: Vec<(String, String)>,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in body {:?}", self.text()))
    }

    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }
}
