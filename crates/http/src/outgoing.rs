//! What goes to a peer in place of what the client sent, laid over the request, which stays as it is.

use smallvec::SmallVec;

use crate::ConnectionInfo;
use crate::message::Request;
use crate::name::{self, Id, Name};

/// The values a forwarded request gets in place of its own.
#[derive(Debug, Default)]
pub struct Outgoing<'a> {
    /// Path and query; must be a valid request target.
    pub target: Option<&'a str>,
    /// The host with its port.
    pub host: Option<&'a str>,
    /// What the peer is asked to go over to, by HTTP/1.1: [`Request::upgrade`], or nothing.
    pub upgrade: Option<&'a str>,
    fields: SmallVec<[(Name<'a>, &'a [u8]); 2]>,
    /// Lines that are the same for all requests of a connection.
    lines: &'a [u8],
    /// `X-Forwarded-For`, where it had to be put together.
    forwarded_for: Option<Vec<u8>>,
    replaced: u64,
}

/// The fields of [`ConnectionInfo`]'s lines.
const LINES: [Name<'static>; 4] =
    [name::X_FORWARDED_FOR, name::X_REAL_IP, name::X_FORWARDED_PROTO, name::X_FORWARDED_PORT];

impl<'a> Outgoing<'a> {
    /// Says where the request came from: `X-Forwarded-For` (after what it said already), `-Proto`, `-Host`,
    /// `-Port` and `X-Real-IP`. They replace what the request has of these.
    pub fn forwarding(request: &'a Request, connection: &'a ConnectionInfo) -> Self {
        let mut outgoing = Self { lines: connection.forwarded.as_bytes(), ..Self::default() };
        outgoing.replaced = LINES.iter().fold(0, |replaced, name| replaced | 1 << name.id as u8);
        let mut before = request.headers.get_all(name::X_FORWARDED_FOR).peekable();
        if before.peek().is_some() {
            let mut list = Vec::new();
            for value in before {
                list.extend_from_slice(value);
                list.extend_from_slice(b", ");
            }
            list.extend_from_slice(connection.peer_ip.as_bytes());
            outgoing.forwarded_for = Some(list);
            outgoing.lines = &outgoing.lines[connection.forwarded_for..];
        }
        if let Some(host) = request.headers.get(name::HOST) {
            outgoing.put(name::X_FORWARDED_HOST, host);
        }
        outgoing
    }

    /// Gives a header one value, in place of whatever the request has. What [`Outgoing::forwarding`] says of
    /// the connection is not to be set. The value must be a valid field value.
    pub fn set(&mut self, name: Name<'a>, value: &'a [u8]) {
        let is_of_connection = !self.lines.is_empty() && LINES.iter().any(|line| line.id == name.id);
        if !is_of_connection && name.is_token() && crate::headers::is_value(value) {
            let is_same = |put: &Name<'_>| put.id == name.id && put.text.eq_ignore_ascii_case(name.text);
            self.fields.retain(|(put, _)| !is_same(put));
            self.put(name, value);
        }
    }

    fn put(&mut self, name: Name<'a>, value: &'a [u8]) {
        self.replaced |= 1 << name.id as u8;
        self.fields.push((name, value));
    }

    /// Whether a field of the request is replaced.
    pub(crate) fn replaces(&self, id: Id) -> bool {
        id != Id::Other && (self.replaced >> id as u8 & 1 == 1 || (id == Id::Host && self.host.is_some()))
    }

    /// Whether a field with a name of no id of its own is replaced.
    pub(crate) fn replaces_other(&self, name: &[u8]) -> bool {
        let is_it =
            |(put, _): &(Name<'_>, _)| put.id == Id::Other && put.text.as_bytes().eq_ignore_ascii_case(name);
        self.replaced & 1 == 1 && self.fields.iter().any(is_it)
    }

    /// The lines that are put in as they are.
    pub(crate) fn lines(&self) -> &[u8] {
        self.lines
    }

    /// The fields that are put in.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let list = self.forwarded_for.as_deref().map(|list| (name::X_FORWARDED_FOR.text.as_bytes(), list));
        list.into_iter().chain(self.fields.iter().map(|(name, value)| (name.text.as_bytes(), *value)))
    }
}
