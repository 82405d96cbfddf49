//! Reading values out of a parsed file: every mistake is collected under its path, every unknown key is noticed.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde_json::{Map, Value};

/// Something in the file that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    /// The full path of the key, such as `apisix.ssl`.
    pub(crate) path: String,
    /// What is odd about it.
    pub(crate) text: String,
}

/// A mistake in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The full path of the key, such as `apisix.node_listen[0].port`; the file's where it concerns all of it.
    pub(crate) path: String,
    /// What was expected and what is there.
    pub(crate) text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

/// Paths whose values are never shown.
const SECRET: [&str; 3] =
    ["deployment.admin.admin_key", "deployment.etcd.password", "apisix.data_encryption.keyring"];
/// A longer value is cut in messages, in characters.
const LONGEST_SHOWN: usize = 60;

/// What is gathered while a file is read.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) problems: RefCell<Vec<Problem>>,
    pub(super) warnings: RefCell<Vec<Warning>>,
    /// Paths of texts that came from the environment, where a number can only be written as a text.
    pub(super) substituted: HashSet<String>,
}

impl Report {
    /// Notes a mistake.
    pub(super) fn problem(&self, path: &str, text: impl Into<String>) {
        self.problems.borrow_mut().push(Problem { path: path.to_owned(), text: text.into() });
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Place<'a> {
    pub(super) path: String,
    pub(super) value: &'a Value,
    pub(super) report: &'a Report,
}

/// What can be read from a value. `None`: it could not, and the report says why.
pub(super) trait Readable: Sized {
    /// Reads it.
    fn read(place: &Place<'_>) -> Option<Self>;
}

impl<'a> Place<'a> {
    /// Notes that the value is not what was expected.
    pub(super) fn refuse<T>(&self, expected: impl fmt::Display) -> Option<T> {
        self.report.problem(&self.path, format!("expected {expected}, got {}", self.got()));
        None
    }

    /// Notes another mistake of this value.
    pub(super) fn complain<T>(&self, text: impl Into<String>) -> Option<T> {
        self.report.problem(&self.path, text);
        None
    }

    /// Notes that a part of the value has no effect.
    pub(super) fn warn(&self, text: String) {
        self.report.warnings.borrow_mut().push(Warning { path: self.path.clone(), text });
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// The whole number, if it is one; from the environment also as a text.
    pub(super) fn number(&self) -> Option<u64> {
        match self.value {
            Value::String(text) if self.is_substituted() => text.trim().parse().ok(),
            value => value.as_u64(),
        }
    }

    /// The items of a list, each in its place.
    pub(super) fn items(&self) -> Option<impl Iterator<Item = Place<'a>> + use<'a>> {
        let (path, report) = (self.path.clone(), self.report);
        let items = self.value.as_array()?.iter().enumerate();
        Some(items.map(move |(index, value)| Place { path: format!("{path}[{index}]"), value, report }))
    }

    /// Reads a mapping; `None` if it is something else.
    pub(super) fn mapping<T>(&self, read: impl FnOnce(&mut Section<'a>) -> T) -> Option<T> {
        match self.value {
            Value::Object(fields) => {
                let mut section = Section::new(self.path.clone(), Some(fields), self.report);
                let read = read(&mut section);
                section.finish();
                Some(read)
            }
            _ => self.refuse("a mapping"),
        }
    }

    fn is_substituted(&self) -> bool {
        self.report.substituted.contains(&self.path)
    }

    fn is_secret(&self) -> bool {
        let mut behind = SECRET.iter().filter_map(|secret| self.path.strip_prefix(secret));
        behind.any(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }

    fn got(&self) -> String {
        let kind = match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) if self.is_substituted() => "another text from the environment",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "a mapping",
        };
        let shown = match self.value {
            Value::Array(items) => items.iter().all(|item| !item.is_array() && !item.is_object()),
            Value::Null | Value::Object(_) => false,
            _ => true,
        };
        if !shown || self.is_substituted() || self.is_secret() {
            return kind.to_owned();
        }
        let whole = self.value.to_string();
        let cut: String = whole.chars().take(LONGEST_SHOWN).collect();
        if cut.len() < whole.len() { format!("{cut}…") } else { whole }
    }
}

/// A mapping that is being read, or one that is not there.
#[derive(Debug)]
pub(super) struct Section<'a> {
    path: String,
    fields: Option<&'a Map<String, Value>>,
    report: &'a Report,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn new(path: String, fields: Option<&'a Map<String, Value>>, report: &'a Report) -> Self {
        Self { path, fields, report, known: Vec::new() }
    }

    /// The value of a key; one without a value counts as absent.
    pub(super) fn place(&mut self, key: &'static str) -> Option<Place<'a>> {
        self.known.push(key);
        let value = self.fields?.get(key).filter(|value| !value.is_null())?;
        Some(Place { path: self.path_of(key), value, report: self.report })
    }

    /// Reads a key if it is there and sound.
    pub(super) fn get<T: Readable>(&mut self, key: &'static str) -> Option<T> {
        self.place(key).and_then(|place| T::read(&place))
    }

    /// Reads a key into its field, which keeps its default where the key is absent or unsound.
    pub(super) fn set<T: Readable>(&mut self, key: &'static str, field: &mut T) {
        if let Some(value) = self.get(key) {
            *field = value;
        }
    }

    /// Reads a section within this one.
    pub(super) fn within(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'a>)) {
        if let Some(place) = self.place(key) {
            place.mapping(read);
        }
    }

    /// Notes that a key which must be there is not.
    pub(super) fn miss<T>(&self, key: &str) -> Option<T> {
        self.report.problem(&self.path_of(key), "has to be given");
        None
    }

    /// Notes a mistake of the mapping as a whole.
    pub(super) fn lack<T>(&self, text: &str) -> Option<T> {
        self.report.problem(&self.path, text);
        None
    }

    fn finish(self) {
        let fields = self.fields.into_iter().flatten();
        for (key, _) in fields.filter(|(key, _)| !self.known.contains(&key.as_str())) {
            let text = "is not known here and has no effect".to_owned();
            self.report.warnings.borrow_mut().push(Warning { path: self.path_of(key), text });
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl Readable for bool {
    fn read(place: &Place<'_>) -> Option<Self> {
        match (place.value, place.text()) {
            (Value::Bool(is), _) => Some(*is),
            (_, Some("true")) if place.is_substituted() => Some(true),
            (_, Some("false")) if place.is_substituted() => Some(false),
            _ => place.refuse("true or false"),
        }
    }
}

impl Readable for u16 {
    fn read(place: &Place<'_>) -> Option<Self> {
        let port = place.number().and_then(|number| number.try_into().ok());
        port.or_else(|| place.refuse("a port from 0 to 65535"))
    }
}

impl Readable for u64 {
    fn read(place: &Place<'_>) -> Option<Self> {
        place.number().or_else(|| place.refuse("a whole number"))
    }
}

impl Readable for String {
    fn read(place: &Place<'_>) -> Option<Self> {
        place.text().map(str::to_owned).or_else(|| place.refuse("a text"))
    }
}

impl<T: Readable> Readable for Vec<T> {
    fn read(place: &Place<'_>) -> Option<Self> {
        let Some(items) = place.items() else {
            return place.refuse("a list");
        };
        let read: Vec<Option<T>> = items.map(|item| T::read(&item)).collect();
        read.into_iter().collect()
    }
}
