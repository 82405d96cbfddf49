//! Reads of a GraphQL document (October 2021) what routes ask for: the first operation, its name, its root fields.
//!
//! It reads names and brackets and goes no deeper, so that a document can nest as it likes.

use serde_json::Value;

/// A document that asks for more at its root has no fields here.
const MOST_FIELDS: usize = 1000;

/// The first operation of a document.
#[derive(Debug, PartialEq)]
pub(crate) struct Operation {
    /// `query`, `mutation` or `subscription`.
    pub(crate) kind: &'static str,
    /// Its name; empty for one without.
    pub(crate) name: String,
    /// The fields it asks for first, by name and not by alias; a fragment by its name.
    pub(crate) root_fields: Value,
}

impl Operation {
    /// `None` for a document that does not begin with an operation, or whose brackets do not close.
    pub(crate) fn read(document: &str) -> Option<Self> {
        let mut tokens =
            Tokens { rest: document.strip_prefix('\u{feff}').unwrap_or(document), open: Vec::new() };
        let mut token = tokens.next()?.ok()?;
        let mut operation = Self { kind: "query", name: String::new(), root_fields: Value::Null };
        if let Token::Name(word) = token {
            operation.kind = match word {
                "query" => "query",
                "mutation" => "mutation",
                "subscription" => "subscription",
                _ => return None,
            };
            token = tokens.next()?.ok()?;
            if let Token::Name(name) = token {
                name.clone_into(&mut operation.name);
                token = tokens.next()?.ok()?;
            }
        }
        // Variables and directives stand between the name and the fields.
        while token != Token::Sign(b'{') || tokens.open.len() != 1 {
            token = tokens.next()?.ok()?;
        }
        operation.root_fields = root_fields(&mut tokens)?.into();
        let is_whole = tokens.by_ref().all(|token| token.is_ok()) && tokens.open.is_empty();
        is_whole.then_some(operation)
    }
}

/// The names between the bracket that has just opened and the one that closes it.
fn root_fields(tokens: &mut Tokens<'_>) -> Option<Vec<Value>> {
    let mut fields: Vec<Value> = Vec::new();
    // How many brackets are open around a field: an inline fragment adds one.
    let mut depth = 1;
    let (mut before, mut is_fragment) = (Token::Sign(b'{'), false);
    while depth > 0 {
        let token = tokens.next()?.ok()?;
        let is_here = tokens.open.len() == depth;
        match token {
            Token::Sign(b'{') if tokens.open.len() == depth + 1 && is_fragment => {
                depth += 1;
                is_fragment = false;
            }
            Token::Sign(b'}') if tokens.open.len() < depth => depth -= 1,
            Token::Spread if is_here => is_fragment = true,
            // What stands behind `@` is a directive; behind `on`, a type.
            Token::Name("on") if is_here && before == Token::Spread => {}
            Token::Name(_) if is_here && before == Token::Name("on") && is_fragment => {}
            Token::Name(_) if is_here && before == Token::Sign(b'@') => {}
            Token::Name(name) if is_here => {
                // The name before a `:` was an alias.
                if before == Token::Sign(b':') {
                    fields.pop();
                }
                if fields.len() <= MOST_FIELDS {
                    fields.push(name.into());
                }
                is_fragment = false;
            }
            _ => {}
        }
        before = token;
    }
    (1..=MOST_FIELDS).contains(&fields.len()).then_some(fields)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Name(&'a str),
    Sign(u8),
    /// `...`
    Spread,
    /// A number or a text.
    Literal,
}

/// What cannot stand in a document.
#[derive(Debug)]
struct Malformed;

struct Tokens<'a> {
    rest: &'a str,
    /// The brackets that are open.
    open: Vec<u8>,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Result<Token<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.skip();
        let first = *self.rest.as_bytes().first()?;
        Some(match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Ok(Token::Name(self.take(is_of_name))),
            b'0'..=b'9' | b'-' => {
                self.take(|byte| is_of_name(byte) || b".+-".contains(&byte));
                Ok(Token::Literal)
            }
            b'"' => self.text(),
            b'.' => match self.rest.strip_prefix("...") {
                Some(rest) => {
                    self.rest = rest;
                    Ok(Token::Spread)
                }
                None => Err(Malformed),
            },
            _ => self.sign(first),
        })
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl<'a> Tokens<'a> {
    /// White space, commas and comments mean nothing.
    fn skip(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n', ',', '\u{feff}']);
            if !self.rest.starts_with('#') {
                return;
            }
            self.rest = &self.rest[self.rest.find(['\r', '\n']).unwrap_or(self.rest.len())..];
        }
    }

    fn take(&mut self, is_part: impl Fn(u8) -> bool) -> &'a str {
        let len = self.rest.bytes().position(|byte| !is_part(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }

    fn sign(&mut self, sign: u8) -> Result<Token<'a>, Malformed> {
        match sign {
            b'(' | b'[' | b'{' => self.open.push(sign),
            b')' | b']' | b'}' => {
                // In ASCII each closing bracket stands one or two behind its own.
                let is_pair =
                    self.open.pop().is_some_and(|open| sign.checked_sub(open).is_some_and(|gap| gap <= 2));
                if !is_pair {
                    return Err(Malformed);
                }
            }
            b'!' | b'$' | b'&' | b':' | b'=' | b'@' | b'|' => {}
            _ => return Err(Malformed),
        }
        self.rest = &self.rest[1..];
        Ok(Token::Sign(sign))
    }

    /// A text in quotes, or in three.
    fn text(&mut self) -> Result<Token<'a>, Malformed> {
        if let Some(block) = self.rest.strip_prefix("\"\"\"") {
            let mut from = 0;
            loop {
                let end = from + block[from..].find("\"\"\"").ok_or(Malformed)?;
                self.rest = &block[end + 3..];
                if !block[..end].ends_with('\\') {
                    return Ok(Token::Literal);
                }
                from = end + 3;
            }
        }
        let mut bytes = self.rest.bytes().enumerate().skip(1);
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(Token::Literal);
                }
                b'\n' | b'\r' => return Err(Malformed),
                b'\\' => drop(bytes.next()),
                _ => {}
            }
        }
        Err(Malformed)
    }
}
