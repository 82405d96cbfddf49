//! Messages by chance: mostly well formed, so that what is wrong with them is looked at.

/// A source of numbers that gives the same ones each time.
pub(crate) struct Random(u64);

const METHODS: &[&str] = &["GET", "POST", "HEAD", "OPTIONS", "PUT", "get", "CONNECT", "G(T", "BREW"];
const TARGETS: &[&str] = &[
    "/",
    "/a?b=c",
    "*",
    "http://a/b",
    "http://a:80?x",
    "HTTPS://[::1]:1/",
    "/a#b",
    "a",
    "//a",
    "http://u@a/",
    "/%2F",
    "http://",
    "/\u{e9}",
    "/a|b{}^\\\"",
    "http://a:b/",
    "?a",
    "/<>`",
];
const VERSIONS: &[&str] =
    &["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1"];
const ENDS: &[&str] = &["\n", "\r", "\r\r\n", "\r\n ", "\r\n\t", " \r\n", "\n\r", ""];
const FIELDS: &[&str] = &[
    "Content-Length: 3",
    "Content-Length: 0",
    "content-length:03",
    "Content-Length: 3, 3",
    "Content-Length: +3",
    "Content-Length:",
    "Content-Length: 1000000000000000000",
    "Transfer-Encoding: chunked",
    "transfer-encoding:\tCHUNKED ",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding : chunked",
    "Host: a",
    "Host: a:80",
    "Host: [::1]",
    "Host: [::1]x",
    "Host: a b",
    "Host:",
    "Host: a@b",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: x, host, y",
    "Connection: close,keep-alive",
    "Connection: \u{e9}",
    "Connection: content-length",
    "Content_Length: 9",
    "transfer.encoding: chunked",
    "X_Forwarded-For: a",
    "User_Agent: a",
    "Expect: 100-continue",
    "Upgrade: h2c",
    "TE: trailers",
    "Keep-Alive: 1",
    "X: y",
    "x:y",
    "X:  y\t",
    "X:",
    "Y: \u{e9}\u{80}",
    "Y: a\u{1}",
    "Z\u{e9}: a",
    " A: b",
    ": a",
    "A",
    "Date: 1",
    "Cookie: a=b",
    "Set-Cookie: a=b",
    "Trailer: X",
    "Proxy-Authorization: x",
];
const STATUSES: &[&str] = &[
    "200 OK",
    "200",
    "204 ",
    "304 Not Modified",
    "100 C",
    "099 X",
    "600 X",
    "20 OK",
    "2000",
    " 200",
    "200\tOK",
    "200 \u{e9}",
    "200 a\u{b}",
];
const CHUNKS: &[&str] = &[
    "3\r\nabc\r\n",
    "A\r\n0123456789\r\n",
    "3;a=b\r\nabc\r\n",
    "3;a=\"b\"\r\nabc\r\n",
    "3 \r\nabc\r\n",
    "3\nabc\r\n",
    "3\r\nabc\n",
    "3;\n\r\nabc\r\n",
    "03\r\nabc\r\n",
    "0x3\r\nabc\r\n",
    "3\r\nabcd\r\n",
    "\r\n",
    "fffffffffffffffff\r\n",
    "3;\u{1}\r\nabc\r\n",
    "3\t;a\r\nabc\r\n",
    "1\r\n\r\r\n",
];
const LASTS: &[&str] = &[
    "0\r\n\r\n",
    "0\r\n\r\n",
    "0\r\n\r\n",
    "000\r\n\r\n",
    "0;x\r\n\r\n",
    "0\r\nX: y\r\n\r\n",
    "0\r\nHost: y\r\n\r\n",
    "0\r\nX\r\n\r\n",
    "0\r\nX : y\r\n\r\n",
    "0\r\nX: y\n\r\n",
    "0\n\n",
    "0\r\n\n",
    "0\r\nX: a\r\n b\r\n\r\n",
    "0\r\n",
    "",
];
const ODD: &[u8] = b"\r\n\0\t \x0b\x7f\x80\xff:;,#/[]@%0aZ(\"";

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or_default() % bound.max(1)
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    /// The first of a list most times.
    fn mostly<'a>(&mut self, list: &[&'a str]) -> &'a str {
        if self.below(5) > 0 { list[0] } else { self.of(list) }
    }

    fn end(&mut self) -> &'static str {
        if self.below(60) > 0 { "\r\n" } else { self.of(ENDS) }
    }

    fn fields(&mut self, out: &mut String) {
        for _ in 0..self.below(5) {
            let field = self.of(FIELDS);
            let end = self.end();
            out.push_str(field);
            out.push_str(end);
        }
        out.push_str(self.end());
    }

    /// A request's head.
    pub(crate) fn request(&mut self) -> String {
        let mut out = String::new();
        if self.below(20) == 0 {
            out.push_str(self.of(&["\r\n", "\n", "\r\n\r\n", " "]));
        }
        let (method, target, version) = (self.mostly(METHODS), self.of(TARGETS), self.mostly(VERSIONS));
        let end = self.end();
        out.extend([method, " ", target, " ", version, end]);
        if self.below(4) > 0 {
            out.push_str("Host: h\r\n");
        }
        self.fields(&mut out);
        out
    }

    /// A response's head.
    pub(crate) fn response(&mut self) -> String {
        let mut out = String::new();
        if self.below(30) == 0 {
            out.push_str(self.of(&["\r\n", "\n", " "]));
        }
        let (version, status) = (self.mostly(VERSIONS), self.of(STATUSES));
        let end = self.end();
        out.extend([version, " ", status, end]);
        self.fields(&mut out);
        out
    }

    /// A chunked body.
    pub(crate) fn chunks(&mut self) -> String {
        let count = self.below(4);
        let mut out: String = (0..count).map(|_| self.mostly(CHUNKS)).collect();
        out.push_str(self.of(LASTS));
        out
    }

    /// A connection's worth of requests.
    pub(crate) fn connection(&mut self) -> String {
        let mut out = String::new();
        for _ in 0..=self.below(3) {
            out.push_str(&self.request());
            match self.below(3) {
                0 => out.push_str(&self.chunks()),
                1 => out.push_str("abc"),
                _ => {}
            }
        }
        out
    }

    /// Breaks a few bytes, half of the time.
    pub(crate) fn break_some(&mut self, text: String) -> Vec<u8> {
        let mut bytes = text.into_bytes();
        if self.below(2) == 0 || bytes.is_empty() {
            return bytes;
        }
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            let odd = ODD[self.below(ODD.len())];
            match self.below(4) {
                0 => bytes[at] = odd,
                1 => bytes.insert(at, odd),
                2 if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => {
                    let to = (at + self.below(20)).min(bytes.len());
                    let copy = bytes[at..to].to_vec();
                    bytes.splice(at..at, copy);
                }
            }
        }
        bytes
    }
}
