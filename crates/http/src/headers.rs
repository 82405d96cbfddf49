//! Header fields as an ordered list: what arrives is what is forwarded, case, order and duplicates kept.
//!
//! All fields of a message lie in one arena, which also holds its request target: each as the line it is on the
//! wire, `Name: value\r\n`, so that neighbours are written out in one piece. A field is four offsets and the id
//! of its name. Arenas come from the thread's pool, so a message in a warm worker allocates nothing.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use crate::h1::FieldLine;
use crate::line::Line;
use crate::name::{self, Id, Name};

/// A range of the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    id: Id,
    name: Span,
    value: Span,
    /// Whether the two stand in the arena as a line.
    is_line: bool,
}

/// Why a header field was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// The name is empty or has a character that RFC 9110 §5.6.2 does not allow in a token.
    #[error("header name is not a token")]
    Name,
    /// The value has a CR, LF or NUL (RFC 9110 §5.5).
    #[error("header value has a control character")]
    Value,
    /// Names, values and target together would pass 4 GiB.
    #[error("headers are too large")]
    TooLarge,
}

/// An ordered list of header fields: one pointer, as messages are passed on by value.
#[derive(Default)]
pub struct Headers(Option<Box<FieldList>>);

/// The fields behind [`Headers`], with all that can be asked of them.
pub struct FieldList {
    arena: Vec<u8>,
    fields: Vec<Field>,
    /// What was ever put in, by the bits of [`mark`]: most names that are asked for are not there.
    seen: u64,
    /// Request targets: text, so that reading one checks nothing again.
    texts: String,
    /// Of a request: which of them are its own.
    pub(crate) targets: Targets,
}

/// What a request asks for: it lies with the fields, so that less of a request is moved when that is passed on.
#[derive(Clone, Copy)]
pub(crate) struct Targets {
    /// What it says now.
    pub(crate) now: Target,
    /// What the client said.
    pub(crate) original: Target,
    /// Where the request line stands in the arena, as it came; nowhere if it is not the one to be sent.
    pub(crate) line: Span,
}

/// A target among the texts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// Path and query.
    pub(crate) all: Span,
    /// The path alone.
    pub(crate) path: Span,
}

/// What a list with nothing in it reads.
static EMPTY: FieldList = FieldList::new();

/// How many arenas a thread keeps, and how large they may be to be kept.
const POOLED: usize = 256;
const POOLED_BYTES: usize = 16 * 1024;

/// Lists that wait for their next message.
type Pool = Vec<Box<FieldList>>;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Vec::new()) };
}

impl Headers {
    /// An empty list; its memory comes from the thread's pool with the first field.
    pub const fn new() -> Self {
        Self(None)
    }
}

impl Deref for Headers {
    type Target = FieldList;

    fn deref(&self) -> &FieldList {
        self.0.as_deref().unwrap_or(&EMPTY)
    }
}

impl DerefMut for Headers {
    fn deref_mut(&mut self) -> &mut FieldList {
        self.0.get_or_insert_with(|| {
            let pooled = POOL.with(|pool| pool.borrow_mut().pop());
            pooled.unwrap_or_else(|| {
                let mut list = Box::new(FieldList::new());
                list.arena.reserve(1024);
                list.fields.reserve(24);
                list.texts.reserve(64);
                list
            })
        })
    }
}

impl FieldList {
    const fn new() -> Self {
        Self { arena: Vec::new(), fields: Vec::new(), seen: 0, texts: String::new(), targets: Targets::NONE }
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field at all.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields in order: id, name as written, value.
    pub fn iter(&self) -> impl Iterator<Item = (Id, &str, &[u8])> {
        self.fields
            .iter()
            .map(|field| (field.id, name_text(&self.arena, field.name), self.bytes(field.value)))
    }

    /// Writes the lines of the fields for which `keep` says yes, behind the line that stands at `first`.
    pub(crate) fn write(&self, out: &mut Vec<u8>, first: Span, keep: impl Fn(Id, Span) -> bool) {
        let (mut start, mut end) = (first.start, first.end());
        for field in self.fields.iter().filter(|field| keep(field.id, field.name)) {
            if !field.is_line {
                // Other white space around a value is allowed on the way in (RFC 9112 §5.1), and not passed on.
                out.extend_from_slice(&self.arena[start as usize..end as usize]);
                crate::h1::write::push_field(out, self.bytes(field.name), self.bytes(field.value));
                (start, end) = (0, 0);
                continue;
            }
            if field.name.start != end {
                out.extend_from_slice(&self.arena[start as usize..end as usize]);
                start = field.name.start;
            }
            end = field.value.end() + 2;
        }
        out.extend_from_slice(&self.arena[start as usize..end as usize]);
    }

    /// The value of the first field with this name.
    pub fn get<'n>(&self, name: impl Into<Name<'n>>) -> Option<&[u8]> {
        let name = name.into();
        if !self.may_have(name) {
            return None;
        }
        self.fields.iter().find(|field| self.is_named(field, name)).map(|field| self.bytes(field.value))
    }

    fn push(&mut self, field: Field) {
        self.seen |= mark(field.id, field.name.len as usize);
        self.fields.push(field);
    }

    /// Whether a field with this name may have been put in.
    fn may_have(&self, name: Name<'_>) -> bool {
        self.seen & mark(name.id, name.text.len()) != 0
    }

    /// The value of the first field with this name, when it is UTF-8.
    pub fn get_str<'n>(&self, name: impl Into<Name<'n>>) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The values of every field with this name, in order.
    pub fn get_all<'a>(&'a self, name: impl Into<Name<'a>>) -> impl Iterator<Item = &'a [u8]> {
        let name = name.into();
        let fields = if self.may_have(name) { &*self.fields } else { &[] };
        fields.iter().filter(move |field| self.is_named(field, name)).map(|field| self.bytes(field.value))
    }

    /// Whether there is a field with this name.
    pub fn contains<'n>(&self, name: impl Into<Name<'n>>) -> bool {
        self.get(name).is_some()
    }

    /// Adds a field at the end.
    pub fn append<'n>(&mut self, name: impl Into<Name<'n>>, value: &[u8]) -> Result<(), InvalidHeader> {
        let name = name.into();
        if !name.is_token() {
            return Err(InvalidHeader::Name);
        }
        if !is_value(value) {
            return Err(InvalidHeader::Value);
        }
        self.push_line(name.id, name.text.as_bytes(), value)
    }

    /// Adds a field that was checked before.
    pub fn append_line(&mut self, line: &Line) -> Result<(), InvalidHeader> {
        let all = self.keep(&line.text)?;
        let (name, value) = all.fields_of(line.name_len);
        self.push(Field { id: line.id, name, value, is_line: true });
        Ok(())
    }

    /// Gives the first field with this name a new value and removes the others; adds it where there is none.
    pub fn set<'n>(&mut self, name: impl Into<Name<'n>>, value: &[u8]) -> Result<(), InvalidHeader> {
        let name = name.into();
        let Some(at) = self.fields.iter().position(|field| self.is_named(field, name)) else {
            return self.append(name, value);
        };
        if !is_value(value) {
            return Err(InvalidHeader::Value);
        }
        // The name stays as it was written, the place as it was; the line is new.
        let written = self.bytes(self.fields[at].name).to_vec();
        self.push_line(name.id, &written, value)?;
        self.fields.swap_remove(at);
        self.retain_from(at + 1, name);
        Ok(())
    }

    /// Removes every field with this name; says whether there was one.
    pub fn remove<'n>(&mut self, name: impl Into<Name<'n>>) -> bool {
        let before = self.fields.len();
        self.retain_from(0, name.into());
        self.fields.len() != before
    }

    /// Takes off every field of a name, and every one that upstreams may take for it, with another mark in place of a
    /// hyphen: who says something in the gateway's name is the gateway alone.
    pub fn remove_alike(&mut self, name: Name<'_>) {
        let text = name.text;
        if !self.may_have(name) && self.seen & mark(Id::Other, text.len()) == 0 {
            return;
        }
        let (arena, fields) = (&self.arena, &mut self.fields);
        let is_it = |field: &Field| {
            field.name.len as usize == text.len() && name::is_alike(field.name.of(arena), text.as_bytes())
        };
        // There is hardly ever one.
        if fields.iter().any(is_it) {
            fields.retain(|field| !is_it(field));
        }
    }

    /// Keeps the fields for which `keep` says yes.
    pub fn retain(&mut self, mut keep: impl FnMut(Id, &str, &[u8]) -> bool) {
        let (arena, fields) = (&self.arena, &mut self.fields);
        fields.retain(|field| keep(field.id, name_text(arena, field.name), bytes(arena, field.value)));
    }

    /// Adds a field that the parser has checked, of the head that is to be kept.
    pub(crate) fn push_parsed(&mut self, id: Id, line: &FieldLine<'_>) {
        let name = Span::at(line.name_at, line.name.len());
        let value = Span::at(line.value_at, line.value.len());
        self.push(Field { id, name, value, is_line: line.is_plain });
    }

    /// Keeps the head that the parsed fields lie in.
    pub(crate) fn keep_head(&mut self, head: &[u8]) -> Result<(), InvalidHeader> {
        debug_assert!(self.arena.is_empty(), "the parsed fields lie at the start of the arena");
        self.keep(head).map(drop)
    }

    /// Adds a field as a line at the end of the arena.
    fn push_line(&mut self, id: Id, name: &[u8], value: &[u8]) -> Result<(), InvalidHeader> {
        self.arena.reserve(name.len() + value.len() + 4);
        let name = self.keep(name)?;
        self.keep(b": ")?;
        let value = self.keep(value)?;
        self.keep(b"\r\n")?;
        self.push(Field { id, name, value, is_line: true });
        Ok(())
    }

    /// Copies bytes into the arena.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> Result<Span, InvalidHeader> {
        let start = u32::try_from(self.arena.len()).map_err(|_| InvalidHeader::TooLarge)?;
        let len = u32::try_from(bytes.len()).map_err(|_| InvalidHeader::TooLarge)?;
        start.checked_add(len).ok_or(InvalidHeader::TooLarge)?;
        self.arena.extend_from_slice(bytes);
        Ok(Span { start, len })
    }

    /// What a span of this arena holds.
    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        bytes(&self.arena, span)
    }

    /// Copies a text.
    pub(crate) fn keep_text(&mut self, text: &str) -> Result<Span, InvalidHeader> {
        let start = u32::try_from(self.texts.len()).map_err(|_| InvalidHeader::TooLarge)?;
        let len = u32::try_from(text.len()).map_err(|_| InvalidHeader::TooLarge)?;
        start.checked_add(len).ok_or(InvalidHeader::TooLarge)?;
        self.texts.push_str(text);
        Ok(Span { start, len })
    }

    /// The text that was kept as this span.
    pub(crate) fn text(&self, span: Span) -> &str {
        self.texts.get(span.start as usize..span.end() as usize).unwrap_or_default()
    }

    fn is_named(&self, field: &Field, name: Name<'_>) -> bool {
        field.id == name.id
            && (name.id != Id::Other || self.bytes(field.name).eq_ignore_ascii_case(name.text.as_bytes()))
    }

    fn retain_from(&mut self, from: usize, name: Name<'_>) {
        let mut at = 0;
        let arena = &self.arena;
        self.fields.retain(|field| {
            at += 1;
            at <= from
                || field.id != name.id
                || (name.id == Id::Other
                    && !bytes(arena, field.name).eq_ignore_ascii_case(name.text.as_bytes()))
        });
    }
}

impl Targets {
    const NONE: Self = {
        let nowhere = Span { start: 0, len: 0 };
        let nothing = Target { all: nowhere, path: nowhere };
        Self { now: nothing, original: nothing, line: nowhere }
    };
}

impl Span {
    /// `len` bytes from `start` on, of a head that is to be kept.
    #[expect(clippy::cast_possible_truncation, reason = "a head of more than 4 GiB is not kept")]
    pub(crate) fn at(start: usize, len: usize) -> Self {
        Self { start: start as u32, len: len as u32 }
    }

    /// The bytes of it.
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.start as usize + self.len as usize]
    }

    fn end(self) -> u32 {
        self.start + self.len
    }

    /// Name and value of the line that it is: `Name: value\r\n`.
    fn fields_of(self, name_len: usize) -> (Self, Self) {
        let name = self.head(name_len);
        let start = name.end() + 2;
        (name, Self { start, len: self.end() - 2 - start })
    }

    /// The first `len` bytes of it.
    pub(crate) fn head(self, len: usize) -> Self {
        Self { start: self.start, len: u32::try_from(len).map_or(self.len, |len| len.min(self.len)) }
    }
}

/// The bit of a name: names with an id have one each; the others share theirs with those that are as long, or longer by
/// a multiple of 32.
const fn mark(id: Id, len: usize) -> u64 {
    1 << if matches!(id, Id::Other) { 32 + len % 32 } else { id as usize }
}

fn bytes(arena: &[u8], span: Span) -> &[u8] {
    span.of(arena)
}

fn name_text(arena: &[u8], span: Span) -> &str {
    // Names are tokens, and so ASCII.
    std::str::from_utf8(bytes(arena, span)).unwrap_or_default()
}

/// Whether these bytes may stand as a field value (RFC 9110 §5.5: no CR, LF or NUL).
pub(crate) fn is_value(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

impl Drop for Headers {
    fn drop(&mut self) {
        let Some(mut list) = self.0.take() else { return };
        if list.arena.capacity().max(list.texts.capacity()) > POOLED_BYTES {
            return;
        }
        list.arena.clear();
        list.fields.clear();
        list.seen = 0;
        list.texts.clear();
        list.targets = Targets::NONE;
        // A thread that is ending has no pool any more: the memory just goes.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < POOLED {
                pool.push(list);
            }
        });
    }
}

impl Clone for Headers {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        let list = &mut *copy;
        list.arena.extend_from_slice(&self.arena);
        list.fields.extend_from_slice(&self.fields);
        list.seen = self.seen;
        list.texts.push_str(&self.texts);
        list.targets = self.targets;
        copy
    }
}

impl std::fmt::Debug for Headers {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|(_, name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(headers: &Headers) -> Vec<(String, String)> {
        headers
            .iter()
            .map(|(_, name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
            .collect()
    }

    #[test]
    fn what_is_taken_for_a_field_goes_with_it() {
        let mut headers = Headers::new();
        for name in
            ["X-Consumer-Name", "x_consumer_name", "X.Consumer-NAME", "X-Consumer-Names", "XaConsumer-Name"]
        {
            headers.append(name, b"1").unwrap();
        }
        headers.remove_alike("X-Consumer-Name".into());
        let left: Vec<_> = names(&headers).into_iter().map(|(name, _)| name).collect();
        assert_eq!(left, ["X-Consumer-Names", "XaConsumer-Name"]);
    }

    #[test]
    fn order_case_and_duplicates_are_kept() {
        let mut headers = Headers::new();
        for (name, value) in [("X-B", "1"), ("x-a", "2"), ("X-b", "3")] {
            headers.append(name, value.as_bytes()).unwrap();
        }
        let kept = names(&headers);
        assert_eq!(
            kept,
            [("X-B", "1"), ("x-a", "2"), ("X-b", "3")].map(|(n, v)| (n.to_owned(), v.to_owned()))
        );
        assert_eq!(headers.get_all("x-B").count(), 2);
    }

    #[test]
    fn a_line_is_put_in_as_a_field() {
        let mut headers = Headers::new();
        for (name, value) in [("X-A", "1"), ("Host", ""), ("x-b", "b c")] {
            let line = Line::new(name, value.as_bytes()).unwrap();
            headers.append_line(&line).unwrap();
        }
        let expected = [("X-A", "1"), ("Host", ""), ("x-b", "b c")];
        assert_eq!(names(&headers), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(headers.get("host"), Some(&b""[..]));
        let mut out = Vec::new();
        headers.write(&mut out, Span::default(), |_, _| true);
        assert_eq!(out, b"X-A: 1\r\nHost: \r\nx-b: b c\r\n");
        assert_eq!(Line::new("x y", b""), Err(InvalidHeader::Name));
        assert_eq!(Line::new("x", b"a\nb"), Err(InvalidHeader::Value));
    }

    #[test]
    fn set_replaces_the_first_and_drops_the_rest() {
        let mut headers = Headers::new();
        for (name, value) in [("Host", "a"), ("x", "1"), ("HOST", "b")] {
            headers.append(name, value.as_bytes()).unwrap();
        }
        headers.set("host", b"c").unwrap();
        assert_eq!(names(&headers), [("Host", "c"), ("x", "1")].map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn nothing_that_could_split_a_message_gets_in() {
        let mut headers = Headers::new();
        assert_eq!(headers.append("a b", b"1"), Err(InvalidHeader::Name));
        assert_eq!(headers.append("", b"1"), Err(InvalidHeader::Name));
        assert_eq!(headers.append("a", b"1\r\nb: 2"), Err(InvalidHeader::Value));
        assert_eq!(headers.set("a", b"1\n"), Err(InvalidHeader::Value));
        assert_eq!(headers.append("a", b"\0"), Err(InvalidHeader::Value));
    }
}
