//! A log format in nginx's words, compiled into literals and variables.

use std::fmt::Write as _;

use crate::text::Piece;

/// How values are made safe to stand in a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escape {
    /// `\xXX` for `"`, `\`, control characters and whatever is not ASCII; `-` for what is missing.
    #[default]
    Default,
    /// As inside a JSON string; nothing for what is missing. Bytes that are not UTF-8 become U+FFFD.
    Json,
    /// As it is; nothing for what is missing.
    None,
}

/// A format that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidFormat {
    /// A `$` with no name after it, at this byte.
    Nameless(usize),
    /// A `${` without its `}`, at this byte.
    Open(usize),
    /// There is no such variable.
    Unknown(String),
}

impl std::fmt::Display for InvalidFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nameless(at) => write!(f, "log format has a $ without a name at byte {at}"),
            Self::Open(at) => write!(f, "log format has a ${{ without its }} at byte {at}"),
            Self::Unknown(name) => write!(f, "log format has the unknown variable ${name}"),
        }
    }
}

impl std::error::Error for InvalidFormat {}

/// A compiled format; `V` is what a variable was understood as.
#[derive(Clone, Debug)]
pub struct Template<V> {
    parts: Box<[Part<V>]>,
    /// What follows the last variable.
    end: Box<[u8]>,
    escape: Escape,
}

#[derive(Clone, Debug)]
enum Literal {
    Short(Piece),
    Long(Box<[u8]>),
}

impl Literal {
    fn new(text: &[u8]) -> Self {
        Piece::new(text).map_or_else(|| Self::Long(text.into()), Self::Short)
    }
}

/// A variable, and what stands before it.
#[derive(Clone, Debug)]
struct Part<V> {
    before: Literal,
    variable: V,
    /// Whether its values are to be escaped.
    is_raw: bool,
}

impl<V> Template<V> {
    /// Compiles a format with `$name` and `${name}` in it; `variable` understands a name, and `is_safe` says whether
    /// all values of a variable are of the program's own making, with nothing in them to escape.
    pub fn parse(
        format: &str,
        escape: Escape,
        mut variable: impl FnMut(&str) -> Option<V>,
        is_safe: impl Fn(&V) -> bool,
    ) -> Result<Self, InvalidFormat> {
        let (mut parts, mut rest) = (Vec::new(), format);
        while let Some(dollar) = rest.find('$') {
            let before = Literal::new(&rest.as_bytes()[..dollar]);
            let (name, after) = name(&rest[dollar + 1..], format.len() - rest.len() + dollar)?;
            let understood = variable(name).ok_or_else(|| InvalidFormat::Unknown(name.to_owned()))?;
            let is_raw = !is_safe(&understood);
            parts.push(Part { before, variable: understood, is_raw });
            rest = after;
        }
        Ok(Self { parts: parts.into(), end: rest.as_bytes().into(), escape })
    }

    /// Its variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &V> {
        self.parts.iter().map(|part| &part.variable)
    }

    /// Writes one line, without its end, behind what `out` holds. `write` writes the value of a variable, as
    /// it is, and says whether it has one.
    pub fn render(&self, out: &mut Vec<u8>, mut write: impl FnMut(&V, &mut Vec<u8>) -> bool) {
        for Part { before, variable, is_raw } in &self.parts {
            match before {
                Literal::Short(piece) => piece.write(out),
                Literal::Long(text) => out.extend_from_slice(text),
            }
            let start = out.len();
            if !write(variable, out) {
                out.truncate(start);
                if self.escape == Escape::Default {
                    out.push(b'-');
                }
            } else if *is_raw {
                self.escape.apply(out, start);
            }
        }
        out.extend_from_slice(&self.end);
    }
}

/// A variable's name at the start of `text`, which stands behind the `$` at byte `at`, and what follows it.
fn name(text: &str, at: usize) -> Result<(&str, &str), InvalidFormat> {
    if let Some(inner) = text.strip_prefix('{') {
        let (name, after) = inner.split_once('}').ok_or(InvalidFormat::Open(at))?;
        return if name.is_empty() { Err(InvalidFormat::Nameless(at)) } else { Ok((name, after)) };
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match text.bytes().position(|byte| !is_part(byte)).unwrap_or(text.len()) {
        0 => Err(InvalidFormat::Nameless(at)),
        len => Ok(text.split_at(len)),
    }
}

impl Escape {
    /// Escapes what `out` holds from `start` on.
    fn apply(self, out: &mut Vec<u8>, start: usize) {
        let value = &out[start..];
        let is_json = match self {
            Self::None => return,
            Self::Json => true,
            Self::Default => false,
        };
        if is_clean(value, is_json) {
            return;
        }
        let value = value.to_vec();
        out.truncate(start);
        match self {
            Self::Json => escape_json(&value, out),
            _ => escape_hex(&value, out),
        }
    }
}

/// Whether there is nothing to escape, looked at in eights.
fn is_clean(value: &[u8], is_json: bool) -> bool {
    const fn eight(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    // The high bit of each byte that is zero; and, of a whole word, never set where none is.
    let zeros = |word: u64| word.wrapping_sub(eight(1)) & !word;
    let found = |word: u64| {
        let controls = word.wrapping_sub(eight(b' ')) & !word;
        let letters = zeros(word ^ eight(b'"')) | zeros(word ^ eight(b'\\'));
        // JSON may have a DEL in it.
        let delete = if is_json { 0 } else { zeros(word ^ eight(127)) };
        (word | controls | letters | delete) & eight(0x80)
    };
    let Some(end) = value.last_chunk() else {
        let needs =
            |byte: &u8| if is_json { !byte.is_ascii() || needs_json(*byte) } else { needs_hex(*byte) };
        return !value.iter().any(needs);
    };
    // The last eight bytes may have been looked at before.
    let eights = value.as_chunks().0.iter();
    eights.fold(found(u64::from_ne_bytes(*end)), |all, word| all | found(u64::from_ne_bytes(*word))) == 0
}

/// Bytes that nginx writes as `\xXX`.
static HEX: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte < 0x20 || byte == b'"' as usize || byte == b'\\' as usize || byte >= 0x7f;
        byte += 1;
    }
    table
};

fn needs_hex(byte: u8) -> bool {
    HEX[usize::from(byte)]
}

fn needs_json(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | b'"' | b'\\')
}

fn escape_hex(value: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in value {
        if needs_hex(byte) {
            let digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
            out.extend_from_slice(&[b'\\', b'x', digits[0], digits[1]]);
        } else {
            out.push(byte);
        }
    }
}

fn escape_json(value: &[u8], out: &mut Vec<u8>) {
    let mut text = String::with_capacity(value.len() + 16);
    for letter in String::from_utf8_lossy(value).chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\0'..='\u{1f}' => {
                // Writing to memory cannot fail.
                let _ = write!(text, "\\u{:04X}", u32::from(letter));
            }
            _ => text.push(letter),
        }
    }
    out.extend_from_slice(text.as_bytes());
}
