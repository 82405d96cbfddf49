//! A field that many messages have alike: checked and written as a line once.

use crate::headers::{InvalidHeader, is_value};
use crate::name::{Id, Name};

/// A header field as it stands on the wire, `Name: value\r\n`, to be put into any number of messages
/// ([`crate::headers::FieldList::append_line`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub(crate) id: Id,
    pub(crate) name_len: usize,
    pub(crate) text: Box<[u8]>,
}

impl Line {
    /// Checks a field and writes it.
    pub fn new<'n>(name: impl Into<Name<'n>>, value: &[u8]) -> Result<Self, InvalidHeader> {
        let name = name.into();
        if !name.is_token() {
            return Err(InvalidHeader::Name);
        }
        if !is_value(value) {
            return Err(InvalidHeader::Value);
        }
        let text = [name.text.as_bytes(), b": ", value, b"\r\n"].concat();
        Ok(Self { id: name.id, name_len: name.text.len(), text: text.into() })
    }
}
