//! The canonical request: the one spelling of a request that both sides can reach.

use super::encode::{push_kept_path, push_parameter, push_resolved_path};
use super::{HASH_LEN, Signable, SigningError};

pub(super) const DATE: &str = "x-amz-date";
pub(super) const HASH: &str = "x-amz-content-sha256";
pub(super) const TOKEN: &str = "x-amz-security-token";
pub(super) const REGION_SET: &str = "x-amz-region-set";

/// How large buffers may be to be kept for the next request.
const KEPT_BYTES: usize = 32 * 1024;

/// Whether the signer writes this header itself, so that the request's own does not count.
pub(super) fn is_written_here(name: &str) -> bool {
    ["authorization", DATE, HASH, TOKEN, REGION_SET].iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// What goes into a canonical request besides the request.
pub(super) struct Facts<'a> {
    /// The header of the date; a query may have it instead.
    pub(super) date_time: Option<&'a str>,
    pub(super) hash: &'a [u8; HASH_LEN],
    pub(super) sent_hash: Option<&'a [u8; HASH_LEN]>,
    pub(super) token: Option<&'a str>,
    pub(super) region_set: Option<&'a str>,
    pub(super) resolves_path: bool,
}

/// The buffers that canonical requests are made in.
#[derive(Default)]
pub(super) struct Canonical {
    request: Vec<u8>,
    names: String,
    sorter: Sorter,
}

impl Canonical {
    /// The canonical request written last.
    pub(super) fn request(&self) -> &[u8] {
        &self.request
    }

    /// The names of the headers it signs: `host;x-amz-date`.
    pub(super) fn names(&self) -> &str {
        &self.names
    }

    /// Gives back what an unusually large request has taken.
    pub(super) fn shrink(&mut self) {
        let pairs = self.sorter.pairs.capacity() * size_of::<Pair>();
        if self.request.capacity().max(self.sorter.text.capacity()).max(pairs) > KEPT_BYTES {
            *self = Self::default();
        }
    }

    /// Writes the canonical form of a request.
    pub(super) fn write<'h, H>(
        &mut self,
        request: Signable<'_, H>,
        facts: &Facts<'_>,
    ) -> Result<(), SigningError>
    where
        H: IntoIterator<Item = (&'h str, &'h [u8])>,
    {
        if !is_token(request.method) {
            return Err(SigningError::Method(request.method.to_owned()));
        }
        self.request.clear();
        self.request.extend_from_slice(request.method.as_bytes());
        self.request.push(b'\n');
        let push_path = if facts.resolves_path { push_resolved_path } else { push_kept_path };
        push_path(&mut self.request, request.path);
        self.request.push(b'\n');
        self.write_query(request.query.unwrap_or_default());
        self.request.push(b'\n');
        self.collect_headers(request.headers, facts)?;
        self.write_headers();
        self.request.push(b'\n');
        self.request.extend_from_slice(self.names.as_bytes());
        self.request.push(b'\n');
        self.request.extend_from_slice(facts.hash);
        Ok(())
    }

    fn write_query(&mut self, query: &str) {
        self.sorter.clear();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            self.sorter.begin();
            push_parameter(&mut self.sorter.text, name);
            self.sorter.end_name();
            push_parameter(&mut self.sorter.text, value);
            self.sorter.end();
        }
        self.sorter.sort_by_name_and_value();
        for (index, (name, value)) in self.sorter.iter().enumerate() {
            if index > 0 {
                self.request.push(b'&');
            }
            self.request.extend_from_slice(name);
            self.request.push(b'=');
            self.request.extend_from_slice(value);
        }
    }

    fn collect_headers<'h, H>(&mut self, headers: H, facts: &Facts<'_>) -> Result<(), SigningError>
    where
        H: IntoIterator<Item = (&'h str, &'h [u8])>,
    {
        let sorter = &mut self.sorter;
        sorter.clear();
        let mut has_host = false;
        for (name, value) in headers {
            if is_written_here(name) {
                continue;
            }
            if !is_token(name) {
                return Err(SigningError::HeaderName(name.to_owned()));
            }
            has_host |= name.eq_ignore_ascii_case("host");
            sorter.begin();
            sorter.text.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
            sorter.end_name();
            push_collapsed(&mut sorter.text, value)
                .map_err(|BrokenLine| SigningError::HeaderValue(name.to_owned()))?;
            sorter.end();
        }
        if !has_host {
            return Err(SigningError::NoHost);
        }
        if let Some(date_time) = facts.date_time {
            sorter.push(DATE, date_time.as_bytes());
        }
        if let Some(hash) = facts.sent_hash {
            sorter.push(HASH, hash);
        }
        if let Some(region_set) = facts.region_set {
            sorter.push(REGION_SET, region_set.as_bytes());
        }
        if let Some(token) = facts.token {
            sorter.push(TOKEN, token.as_bytes());
        }
        sorter.sort_by_name_and_arrival();
        Ok(())
    }

    fn write_headers(&mut self) {
        self.names.clear();
        let mut last = None;
        for (name, value) in self.sorter.iter() {
            if last == Some(name) {
                self.request.push(b',');
            } else {
                if last.is_some() {
                    self.request.push(b'\n');
                    self.names.push(';');
                }
                // A token is ASCII.
                self.names.push_str(std::str::from_utf8(name).unwrap_or_default());
                self.request.extend_from_slice(name);
                self.request.push(b':');
            }
            self.request.extend_from_slice(value);
            last = Some(name);
        }
        self.request.push(b'\n');
    }
}

/// Names with values, put in order without moving their text.
#[derive(Default)]
struct Sorter {
    text: Vec<u8>,
    pairs: Vec<Pair>,
}

/// Where a name and the value after it lie in the text.
#[derive(Clone, Copy)]
struct Pair {
    start: usize,
    middle: usize,
    end: usize,
}

impl Pair {
    fn name(self, text: &[u8]) -> &[u8] {
        &text[self.start..self.middle]
    }

    fn value(self, text: &[u8]) -> &[u8] {
        &text[self.middle..self.end]
    }
}

impl Sorter {
    fn clear(&mut self) {
        self.text.clear();
        self.pairs.clear();
    }

    fn begin(&mut self) {
        let here = self.text.len();
        self.pairs.push(Pair { start: here, middle: here, end: here });
    }

    fn end_name(&mut self) {
        if let Some(pair) = self.pairs.last_mut() {
            pair.middle = self.text.len();
        }
    }

    fn end(&mut self) {
        if let Some(pair) = self.pairs.last_mut() {
            pair.end = self.text.len();
        }
    }

    fn push(&mut self, name: &str, value: &[u8]) {
        self.begin();
        self.text.extend_from_slice(name.as_bytes());
        self.end_name();
        self.text.extend_from_slice(value);
        self.end();
    }

    fn sort_by_name_and_value(&mut self) {
        let text = &self.text;
        self.pairs.sort_unstable_by(|a, b| (a.name(text), a.value(text)).cmp(&(b.name(text), b.value(text))));
    }

    fn sort_by_name_and_arrival(&mut self) {
        let text = &self.text;
        self.pairs.sort_unstable_by(|a, b| (a.name(text), a.start).cmp(&(b.name(text), b.start)));
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().map(|pair| (pair.name(&self.text), pair.value(&self.text)))
    }
}

/// A value that would end its line.
struct BrokenLine;

/// Writes a header value trimmed, each run of spaces and tabs as one space.
fn push_collapsed(out: &mut Vec<u8>, value: &[u8]) -> Result<(), BrokenLine> {
    let start = out.len();
    let mut is_after_space = false;
    for byte in value {
        match byte {
            b' ' | b'\t' => is_after_space = true,
            b'\r' | b'\n' | 0 => return Err(BrokenLine),
            _ => {
                if is_after_space && out.len() > start {
                    out.push(b' ');
                }
                is_after_space = false;
                out.push(*byte);
            }
        }
    }
    Ok(())
}

fn is_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}
