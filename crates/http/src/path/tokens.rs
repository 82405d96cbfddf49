//! A path read byte by byte: each byte it stands for, and how the client wrote it.

use super::{Unsafe, decode, push_escape};

/// One byte of the normal path.
#[derive(Clone, Copy)]
struct Token {
    byte: u8,
    /// Where it was written.
    start: usize,
    /// 1 as itself, 3 as an escape.
    len: u8,
    /// How many bytes of the normal text it makes: 0 for a slash that was merged into the one before it but
    /// is still sent on, 3 for a byte that is not UTF-8.
    width: u8,
}

impl Token {
    fn is_plain_slash(self) -> bool {
        self.byte == b'/' && self.len == 1
    }
}

/// The tokens of a path, dot segments resolved.
pub(super) struct Tokens<'a> {
    raw: &'a str,
    kept: Vec<Token>,
}

impl<'a> Tokens<'a> {
    /// Reads a path.
    pub(super) fn read(raw: &'a str) -> Result<Self, Unsafe> {
        if !raw.starts_with('/') {
            return Err(Unsafe::Form);
        }
        let mut tokens = Self { raw, kept: Vec::with_capacity(raw.len()) };
        let mut at = 0;
        while let Some(&byte) = raw.as_bytes().get(at) {
            let token = match byte {
                b'%' => {
                    let byte = decode(&raw.as_bytes()[at..]).ok_or(Unsafe::Escape)?;
                    Token { byte, start: at, len: 3, width: 1 }
                }
                _ => Token { byte, start: at, len: 1, width: 1 },
            };
            if token.byte.is_ascii_control() {
                return Err(Unsafe::Control);
            }
            at += usize::from(token.len);
            tokens.push(token)?;
        }
        tokens.end_segment()?;
        tokens.measure();
        Ok(tokens)
    }

    /// The normal path.
    pub(super) fn text(&self) -> String {
        let mut text = Vec::with_capacity(self.kept.len());
        for token in &self.kept {
            match token.width {
                0 => {}
                1 => text.push(token.byte),
                _ => {
                    let mut escape = String::with_capacity(3);
                    push_escape(&mut escape, token.byte);
                    text.extend_from_slice(escape.as_bytes());
                }
            }
        }
        // `measure` gave a width of 3 to whatever is not UTF-8.
        String::from_utf8(text).unwrap_or_default()
    }

    /// What follows the first `len` bytes of the normal path, as the client wrote it.
    pub(super) fn raw_from(&self, len: usize) -> Result<String, Unsafe> {
        let (mut seen, mut rest) = (0, Vec::with_capacity(self.raw.len()));
        for token in &self.kept {
            // A slash that was merged into the last one of the prefix belongs to the prefix.
            if seen < len || (token.width == 0 && rest.is_empty()) {
                seen += usize::from(token.width);
            } else {
                rest.extend_from_slice(
                    &self.raw.as_bytes()[token.start..token.start + usize::from(token.len)],
                );
            }
        }
        // A prefix that ends inside an escape or a character splits what cannot be split.
        if seen != len {
            return Err(Unsafe::Climbs);
        }
        String::from_utf8(rest).map_err(|_| Unsafe::Climbs)
    }

    fn push(&mut self, mut token: Token) -> Result<(), Unsafe> {
        if token.byte == b'/' {
            let was_resolved = self.end_segment()?;
            if let Some(last) = self.kept.last().filter(|last| last.byte == b'/') {
                if was_resolved || (token.is_plain_slash() && last.is_plain_slash()) {
                    return Ok(());
                }
                token.width = 0;
            }
        }
        self.kept.push(token);
        Ok(())
    }

    /// Resolves the segment that ends here, if it is a dot segment; says whether it was.
    fn end_segment(&mut self) -> Result<bool, Unsafe> {
        let mut last = self.kept.iter().rev().take(3).map(|token| token.byte);
        match (last.next(), last.next(), last.next()) {
            (Some(b'.'), Some(b'/'), _) => drop(self.kept.pop()),
            (Some(b'.'), Some(b'.'), Some(b'/')) => {
                self.kept.truncate(self.kept.len() - 2);
                while self.kept.last().is_some_and(|token| token.byte == b'/') {
                    self.kept.pop();
                }
                if self.kept.is_empty() {
                    return Err(Unsafe::Climbs);
                }
                while self.kept.last().is_some_and(|token| token.byte != b'/') {
                    self.kept.pop();
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn measure(&mut self) {
        let bytes: Vec<u8> = self.kept.iter().map(|token| token.byte).collect();
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            at += chunk.valid().len();
            for token in &mut self.kept[at..at + chunk.invalid().len()] {
                token.width = 3;
            }
            at += chunk.invalid().len();
        }
    }
}
