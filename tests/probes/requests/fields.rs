//! Field lines: names, values, line ends, folding.

use crate::table::{Probe, VIA, get, got};

const NAME: &str = "9110 §5.1";
const VALUE: &str = "9110 §5.5";
const LINE: &str = "9112 §5";
const FOLD: &str = "9112 §5.2";
const END: &str = "9112 §2.2";

pub(crate) fn probes() -> Vec<Probe> {
    [names(), values(), ends(), clear()].into_iter().flatten().collect()
}

fn row(name: &'static str, section: &'static str, lines: impl AsRef<[u8]>) -> Probe {
    Probe::refused(name, section, get(lines), 400)
}

fn names() -> Vec<Probe> {
    vec![
        row("a line without a colon", LINE, "X"),
        row("a name of no bytes", NAME, ": a"),
        row("a name with a space behind it", "9112 §5.1", "X : a"),
        row("a name with a tab behind it", "9112 §5.1", "X\t: a"),
        row("a name with a space in it", NAME, "X Y: a"),
        row("a name with a NUL", NAME, "X\0: a"),
        row("a name with a bracket", NAME, "X(: a"),
        row("a name with a slash", NAME, "X/Y: a"),
        row("a name in quotes", NAME, "\"X\": a"),
        row("a name with a byte beyond ASCII", NAME, b"X\xe9: a"),
        row("a name with a control", NAME, "X\u{1}: a"),
        row("a name with DEL", NAME, "X\u{7f}: a"),
        row("a request line among the fields", LINE, "GET /smuggled HTTP/1.1"),
        Probe::refused("space before the first name", LINE, "GET /p HTTP/1.1\r\n Host: h\r\n\r\n", 400),
        Probe::refused("tab before the first name", LINE, "GET /p HTTP/1.1\r\n\tHost: h\r\n\r\n", 400),
        Probe::refused("an empty line with a space", LINE, "GET /p HTTP/1.1\r\nHost: h\r\n \r\n\r\n", 400),
    ]
}

fn values() -> Vec<Probe> {
    vec![
        row("a value with a NUL", VALUE, "X: a\0b"),
        row("a value with a control", VALUE, "X: a\u{1}b"),
        row("a value with an escape", VALUE, "X: a\u{1b}b"),
        row("a value with a vertical tab", VALUE, "X: a\u{b}b"),
        row("a value with DEL", VALUE, "X: a\u{7f}b"),
        row("a value with a carriage return", VALUE, "X: a\rb"),
        row("a value that is a carriage return", VALUE, "X: \r"),
        row("a folded value", FOLD, "X: a\r\n b"),
        row("a value folded with a tab", FOLD, "X: a\r\n\tb"),
        row("a folded value of nothing", FOLD, "X: a\r\n \r\nY: b"),
        row("a folded Host", FOLD, "X: a\r\n Host: evil"),
    ]
}

fn ends() -> Vec<Probe> {
    let whole = |name, sent: &'static str| Probe::refused(name, END, sent, 400);
    vec![
        row("a field that ends with a line feed", END, "X: a\nY: b"),
        row("a field that ends with line feed, carriage return", END, "X: a\n\rY: b"),
        row("a field that ends with two carriage returns", END, "X: a\r\r\nY: b"),
        whole("a request line that ends with a line feed", "GET /p HTTP/1.1\nHost: h\r\n\r\n"),
        whole("a request line that ends with a carriage return", "GET /p HTTP/1.1\rHost: h\r\n\r\n"),
        whole("line feeds alone", "GET /p HTTP/1.1\nHost: h\n\n"),
        whole("a head that ends with a line feed", "GET /p HTTP/1.1\r\nHost: h\r\n\n"),
        whole("a head that ends with line feed, line feed", "GET /p HTTP/1.1\r\nHost: h\n\n"),
        whole("carriage returns alone", "GET /p HTTP/1.1\rHost: h\r\r"),
        whole("a head that ends with two carriage returns", "GET /p HTTP/1.1\r\nHost: h\r\n\r\r\n"),
    ]
}

fn clear() -> Vec<Probe> {
    let row = |name, section, sent: &str, seen: &str| Probe::forwarded(name, section, get(sent), got(seen));
    let latin = [b"GET /p HTTP/1.1\r\nHost: h\r\nX: \xe9\xff\r\n", VIA.as_bytes(), b"\r\n"].concat();
    vec![
        row("an empty value", VALUE, "X:", "X: \r\n"),
        row("a value without a space before it", "9112 §5.1", "X:a", "X: a\r\n"),
        row("a value between tabs and spaces", "9112 §5.1", "X: \t a b \t ", "X: a b\r\n"),
        row("a value with colons", VALUE, "X: a: b:c", "X: a: b:c\r\n"),
        row("a value with quotes and commas", VALUE, "X: \"a, b\", c", "X: \"a, b\", c\r\n"),
        row("a name of odd token bytes", NAME, "!#$%&'*+-.^_`|~: a", "!#$%&'*+-.^_`|~: a\r\n"),
        row(
            "fields in order, in their case, twice",
            "9110 §5.3",
            "B: 1\r\na: 2\r\nb: 3",
            "B: 1\r\na: 2\r\nb: 3\r\n",
        ),
        Probe::forwarded("a value beyond ASCII", VALUE, get(b"X: \xe9\xff"), latin),
    ]
}
