//! Reads JSON as APISIX does, in its words where it is broken: line breaks may stand in texts, and a comma after the
//! last item is forgiven.

use serde_json::Value;

/// How deep objects and arrays may stand in each other.
const DEPTH: usize = 100;

/// Reads a JSON text. A comma before a closing brace or bracket is read as a space: commands of APISIX's own
/// documentation have one. Control characters in a text stand for themselves, so that a PEM file can be pasted into
/// one. Errors name the place by its byte, counted from 1.
pub fn parse(text: &[u8]) -> Result<Value, String> {
    let mut scanner = Scanner { text, at: 0, needless: Vec::new(), controls: Vec::new() };
    scanner.value(DEPTH)?;
    scanner.skip_space();
    if scanner.at < text.len() {
        return Err(scanner.expected("the end"));
    }
    if scanner.needless.is_empty() && scanner.controls.is_empty() {
        return read(text);
    }
    let mut patched = text.to_vec();
    for at in scanner.needless {
        patched[at] = b' ';
    }
    read(&escaped(&patched, &scanner.controls))
}

/// The text with escapes in the place of some of its bytes.
fn escaped(text: &[u8], places: &[usize]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(text.len() + 5 * places.len());
    let mut rest = 0;
    for place in places {
        escaped.extend_from_slice(&text[rest..*place]);
        escaped.extend_from_slice(format!("\\u{:04x}", text[*place]).as_bytes());
        rest = place + 1;
    }
    escaped.extend_from_slice(&text[rest..]);
    escaped
}

fn read(text: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(text).map_err(|error| {
        let words = error.to_string();
        let words = words.split(" at line ").next().unwrap_or_default();
        let before = text.split(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
        let at = before.map(|line| line.len() + 1).sum::<usize>() + error.column();
        format!("Expected value but found {words} at character {at}")
    })
}

/// Walks a text by its structure; numbers and strings are left to the parser.
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// Where there are commas after the last item.
    needless: Vec<usize>,
    /// Where there are control characters in texts.
    controls: Vec<usize>,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), String> {
        self.skip_space();
        match self.peek() {
            Some(b'{' | b'[') if depth == 0 => Err(format!(
                "Found too many nested data structures ({}) at character {}",
                DEPTH + 1,
                self.at + 1
            )),
            Some(b'{') => self.items(depth, b'}', "comma or object end"),
            Some(b'[') => self.items(depth, b']', "comma or array end"),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => {
                while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
                    self.at += 1;
                }
                Ok(())
            }
            _ => {
                let literal = self.literal().ok_or_else(|| self.expected("value"))?;
                self.at += literal.len();
                Ok(())
            }
        }
    }

    fn items(&mut self, depth: usize, end: u8, wanted: &str) -> Result<(), String> {
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(());
        }
        loop {
            if end == b'}' {
                self.key()?;
            }
            self.value(depth - 1)?;
            self.skip_space();
            let comma = self.at;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == end => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.expected(wanted)),
            }
            self.skip_space();
            if self.peek() == Some(end) {
                self.needless.push(comma);
                self.at += 1;
                return Ok(());
            }
        }
    }

    fn key(&mut self) -> Result<(), String> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("object key string"));
        }
        self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.expected("colon"));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), String> {
        self.at += 1;
        while let Some(byte) = self.peek() {
            if matches!(byte, 1..=0x1f) {
                self.controls.push(self.at);
            }
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return Ok(());
            }
        }
        Err(format!("Expected value but found unexpected end of string at character {}", self.text.len() + 1))
    }

    fn literal(&self) -> Option<&'static str> {
        ["true", "false", "null"].into_iter().find(|word| self.text[self.at..].starts_with(word.as_bytes()))
    }

    fn expected(&self, wanted: &str) -> String {
        let found = match self.peek() {
            None => "T_END",
            Some(b'{') => "T_OBJ_BEGIN",
            Some(b'}') => "T_OBJ_END",
            Some(b'[') => "T_ARR_BEGIN",
            Some(b']') => "T_ARR_END",
            Some(b'"') => "T_STRING",
            Some(b'-' | b'0'..=b'9') => "T_NUMBER",
            Some(b':') => "T_COLON",
            Some(b',') => "T_COMMA",
            _ => match self.literal() {
                Some("null") => "T_NULL",
                Some(_) => "T_BOOLEAN",
                None => "invalid token",
            },
        };
        format!("Expected {wanted} but found {found} at character {}", self.at + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{DEPTH, parse};

    #[test]
    fn a_comma_after_the_last_item_is_forgiven() {
        let cases = [
            (r#"{"a": 1,}"#, json!({"a": 1})),
            ("[1, [2,\n], ]", json!([1, [2]])),
            (r#"{"a": {"b": ",}", } , }"#, json!({"a": {"b": ",}"}})),
            (r#"["\",]",]"#, json!(["\",]"])),
        ];
        for (text, value) in cases {
            assert_eq!(parse(text.as_bytes()), Ok(value), "{text}");
        }
    }

    #[test]
    fn control_characters_stand_for_themselves_in_texts() {
        let pem = "-----BEGIN X-----\nMII=\r\n-----END X-----\n\t";
        assert_eq!(parse(format!("{{\"a\":\n\"{pem}\",\n}}").as_bytes()), Ok(json!({"a": pem})));
        assert!(parse(b"[\"\0\"]").is_err(), "but a NUL is none");
        assert!(parse(b"[\"\\\n\"]").is_err(), "and a backslash needs its letter");
    }

    #[test]
    fn broken_json_is_named_as_apisix_does() {
        let cases = [
            ("not json", "Expected value but found invalid token at character 1"),
            ("", "Expected value but found T_END at character 1"),
            ("{", "Expected object key string but found T_END at character 2"),
            ("{,}", "Expected object key string but found T_COMMA at character 2"),
            ("[1,,]", "Expected value but found T_COMMA at character 4"),
            ("{\"a\" 1}", "Expected colon but found T_NUMBER at character 6"),
            ("{\"a\":1 true", "Expected comma or object end but found T_BOOLEAN at character 8"),
            ("[1 2]", "Expected comma or array end but found T_NUMBER at character 4"),
            ("{} null", "Expected the end but found T_NULL at character 4"),
            ("[\"a", "Expected value but found unexpected end of string at character 4"),
            ("[\n 01]", "Expected value but found invalid number at character 5"),
            ("1e999", "Expected value but found number out of range at character 5"),
            ("\"\\", "Expected value but found unexpected end of string at character 3"),
        ];
        for (text, why) in cases {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), why, "{text}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(DEPTH).as_bytes()).is_ok());
        assert!(parse(nested(DEPTH + 1).as_bytes()).unwrap_err().contains("too many nested"));
        assert!(parse("{\"a\":".repeat(1_000_000).as_bytes()).is_err());
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1_000_000..1_000_000_i32).prop_map(|number| Value::from(f64::from(number) / 64.0)),
            "[\\[\\]{},:\"\\\\a ]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec(("[\\]},\"\\\\a]{0,4}", inner), 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// Writes a value with a comma after every last item.
    fn generous(value: &Value) -> String {
        match value {
            Value::Array(items) if !items.is_empty() => {
                format!("[{}]", items.iter().map(|item| generous(item) + " ,").collect::<String>())
            }
            Value::Object(fields) if !fields.is_empty() => {
                let field =
                    |(name, value): (&String, &Value)| format!("{}:{},\n", json!(name), generous(value));
                format!("{{{}}}", fields.iter().map(field).collect::<String>())
            }
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn valid_json_keeps_its_meaning(value in anything()) {
            prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value.clone());
            prop_assert_eq!(parse(format!("{value:#}").as_bytes()).unwrap(), value.clone());
            prop_assert_eq!(parse(generous(&value).as_bytes()).unwrap(), value);
        }

        #[test]
        fn what_the_parser_reads_is_read_alike(text in "[\\[\\]{},:\"\\\\a10 en.-]{0,24}") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(parse(text.as_bytes()), Ok(value));
            }
        }
    }
}
