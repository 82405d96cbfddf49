//! How resources are named and counted.

use std::fmt;
use std::sync::Arc;

use crate::Kind;

/// The longest name of a consumer, in bytes, as in APISIX.
const LONGEST_USERNAME: usize = 256;

/// The name of one resource among those of its kind: 1 to 64 of `a-zA-Z0-9-_.`. That of a credential is
/// `consumer/id`, that of a secret `manager/id`, and the name of a consumer may have 256 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Arc<str>);

/// A text that cannot be an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 64 of the characters a-zA-Z0-9-_.")]
pub struct InvalidId;

impl Id {
    /// Checks and keeps an id.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_id = (1..=64).contains(&text.len()) && text.bytes().all(fits);
        is_id.then(|| Self(text.into())).ok_or(InvalidId)
    }

    /// Checks and keeps an id of a kind, in the form in which the resources of that kind are named.
    pub fn of(kind: Kind, text: &str) -> Result<Self, InvalidId> {
        let in_front =
            |front: &str, back: &str| Self::new(back).map(|back| Self(format!("{front}/{back}").into()));
        match (kind, text.split_once('/')) {
            (Kind::Consumer, _) => Self::username(text),
            (Kind::Credential, Some((consumer, id))) => in_front(Self::username(consumer)?.as_str(), id),
            (Kind::Secret, Some((manager, id))) => in_front(Self::new(manager)?.as_str(), id),
            (Kind::Credential | Kind::Secret, None) => Err(InvalidId),
            _ => Self::new(text),
        }
    }

    fn username(text: &str) -> Result<Self, InvalidId> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_name = (1..=LONGEST_USERNAME).contains(&text.len()) && text.bytes().all(fits);
        is_name.then(|| Self(text.into())).ok_or(InvalidId)
    }

    /// What stands in front of the last slash, where there is one: the consumer of a credential, the manager of a
    /// secret.
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(parent, _)| parent)
    }

    /// What stands behind the last slash, or the whole of an id without one: how a resource calls itself.
    pub fn own(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, own)| own)
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A count of all changes ever made to a store: it only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
