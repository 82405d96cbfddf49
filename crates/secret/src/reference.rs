//! Where a secret is: `$secret://MANAGER/ID/KEY`.

use std::fmt;

/// As APISIX has it.
const PREFIX: &str = "$secret://";

/// A secret that a manager has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    manager: String,
    key: String,
}

impl Reference {
    /// Reads a reference; `None` for a text that is none. An error says which part is missing.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let rest = text.strip_prefix(PREFIX)?;
        Some(Self::read(rest).ok_or_else(|| format!("{text} is not {PREFIX}MANAGER/ID/KEY")))
    }

    fn read(rest: &str) -> Option<Self> {
        let (kind, below) = rest.split_once('/')?;
        let (id, key) = below.split_once('/')?;
        let is_whole = !kind.is_empty() && !id.is_empty() && !key.is_empty() && !key.starts_with('/');
        is_whole.then(|| Self { manager: format!("{kind}/{id}"), key: key.to_owned() })
    }

    /// The id of the resource that says how the manager is reached, such as `vault/1`.
    pub fn manager(&self) -> &str {
        &self.manager
    }

    /// What the manager is asked for.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}/{}", self.manager, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::Reference;

    #[test]
    fn a_reference_is_a_manager_and_a_key() {
        let reference = Reference::parse("$secret://vault/1/team/jack/auth-key").unwrap().unwrap();
        assert_eq!((reference.manager(), reference.key()), ("vault/1", "team/jack/auth-key"));
        assert_eq!(reference.to_string(), "$secret://vault/1/team/jack/auth-key");
    }

    #[test]
    fn what_is_no_reference_is_left_alone_and_half_of_one_is_named() {
        for text in ["", "$secret:/", "$env://A", "secret://vault/1/a/b"] {
            assert!(Reference::parse(text).is_none(), "{text}");
        }
        for text in
            ["$secret://", "$secret://vault", "$secret://vault/1", "$secret://vault/1/", "$secret:///1/a"]
        {
            let why = Reference::parse(text).unwrap().unwrap_err();
            assert_eq!(why, format!("{text} is not $secret://MANAGER/ID/KEY"));
        }
    }
}
