//! A row of the table: what is sent, which section decides, what has to become of it.

/// A whole request of its own. It follows every message that has to be refused, and must not be seen again.
pub(crate) const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
/// Stands for the lines that the gateway adds to a request: who called, and which host.
pub(crate) const VIA: &str = "{via}";
/// The same for a request that names no host.
pub(crate) const CALLER: &str = "{caller}";

/// A message of a client, and what has to become of it.
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    /// What decides: RFC and section.
    pub(crate) section: &'static str,
    pub(crate) sent: Vec<u8>,
    /// Whether the client says that nothing more will come.
    pub(crate) finishes: bool,
    pub(crate) expected: Expected,
}

/// What has to become of a client's message.
pub(crate) enum Expected {
    /// One answer with this status, then the end; nothing goes upstream.
    Refused(u16),
    /// One answer with this status, then the end; the upstream has seen so much, which is not whole.
    BrokenOff(u16, Vec<u8>),
    /// These answers; the upstream has seen exactly these bytes, with [`VIA`] for the gateway's own lines.
    Forwarded { answers: Vec<u16>, upstream: Vec<u8>, keeps: bool },
}

impl Probe {
    /// A message that is refused, with what is smuggled behind it.
    pub(crate) fn refused(
        name: &'static str,
        section: &'static str,
        sent: impl AsRef<[u8]>,
        status: u16,
    ) -> Self {
        let sent = [sent.as_ref(), SMUGGLED.as_bytes()].concat();
        Self { name, section, sent, finishes: false, expected: Expected::Refused(status) }
    }

    /// A message whose body breaks off or breaks the grammar: the upstream has seen the beginning of it.
    pub(crate) fn broken_off(
        name: &'static str,
        section: &'static str,
        sent: impl AsRef<[u8]>,
        status: u16,
        upstream: impl AsRef<[u8]>,
    ) -> Self {
        let sent = [sent.as_ref(), SMUGGLED.as_bytes()].concat();
        let expected = Expected::BrokenOff(status, upstream.as_ref().to_vec());
        Self { name, section, sent, finishes: false, expected }
    }

    /// A message that is forwarded in one clear form; the connection goes on.
    pub(crate) fn forwarded(
        name: &'static str,
        section: &'static str,
        sent: impl AsRef<[u8]>,
        upstream: impl AsRef<[u8]>,
    ) -> Self {
        let upstream = upstream.as_ref().to_vec();
        let expected = Expected::Forwarded { answers: vec![200], upstream, keeps: true };
        Self { name, section, sent: sent.as_ref().to_vec(), finishes: false, expected }
    }

    /// Nothing follows the message, and the client says so.
    pub(crate) fn alone(mut self) -> Self {
        self.sent.truncate(self.sent.len() - SMUGGLED.len());
        self.finishes = true;
        self
    }

    /// More that had gone on its way when the message broke off.
    pub(crate) fn after(mut self, sent_on: &str) -> Self {
        if let Expected::BrokenOff(_, upstream) = &mut self.expected {
            upstream.extend_from_slice(sent_on.as_bytes());
        }
        self
    }

    /// More or other answers than one 200.
    pub(crate) fn answers(mut self, statuses: &[u16]) -> Self {
        if let Expected::Forwarded { answers, .. } = &mut self.expected {
            *answers = statuses.to_vec();
        }
        self
    }

    /// The connection ends behind the last answer.
    pub(crate) fn closes(mut self) -> Self {
        if let Expected::Forwarded { keeps, .. } = &mut self.expected {
            *keeps = false;
        }
        self
    }

    /// The method of the first request: the answer to a HEAD has no body.
    pub(crate) fn method(&self) -> &'static str {
        if self.sent.starts_with(b"HEAD ") { "HEAD" } else { "GET" }
    }
}

/// A POST with these header lines and whatever follows the empty line.
pub(crate) fn post(lines: &str, rest: &str) -> String {
    format!("POST /p HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\n{rest}")
}

/// A GET with these header lines.
pub(crate) fn get(lines: impl AsRef<[u8]>) -> Vec<u8> {
    let end: &[u8] = if lines.as_ref().is_empty() { b"\r\n" } else { b"\r\n\r\n" };
    [b"GET /p HTTP/1.1\r\nHost: h\r\n", lines.as_ref(), end].concat()
}

/// A GET with this request line.
pub(crate) fn line(line: impl AsRef<[u8]>) -> Vec<u8> {
    [line.as_ref(), b"\r\nHost: h\r\n\r\n"].concat()
}

/// A chunked POST with this body.
pub(crate) fn chunked(body: impl AsRef<[u8]>) -> Vec<u8> {
    [post("Transfer-Encoding: chunked", "").as_bytes(), body.as_ref()].concat()
}

/// What the upstream sees of `POST /p` with these lines of framing, and a body.
pub(crate) fn posted(framing: &str, body: &str) -> String {
    format!("POST /p HTTP/1.1\r\nHost: h\r\n{VIA}{framing}\r\n\r\n{body}")
}

/// What the upstream sees of a chunked POST: the gateway's own chunks.
pub(crate) fn posted_chunks(body: &str) -> String {
    posted("Transfer-Encoding: chunked", body)
}

/// What the upstream sees of `GET /p` with these lines, each with its end.
pub(crate) fn got(lines: &str) -> String {
    format!("GET /p HTTP/1.1\r\nHost: h\r\n{lines}{VIA}\r\n")
}
