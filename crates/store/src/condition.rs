//! How a store is, beyond what it holds.

/// How a store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Whether what it holds was read at all: before that nobody knows what to serve.
    pub is_read: bool,
    /// What is wrong now. What was read last is held on to.
    pub trouble: Option<String>,
}

impl Condition {
    /// Read, and nothing is wrong.
    pub const SOUND: Self = Self { is_read: true, trouble: None };

    /// What is wrong, for those who need what was not read yet.
    pub fn obstacle(&self) -> Option<String> {
        let unread = || "no configuration has been received yet".to_owned();
        (!self.is_read).then(|| self.trouble.clone().unwrap_or_else(unread))
    }
}
