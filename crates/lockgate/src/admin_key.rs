//! Who may use the Admin API: the keys of the settings and the environment, or one made for this data directory.

use std::path::{Path, PathBuf};

use lockgate_store::secret_file;

use crate::settings::{Admin, AdminKey, Role, Secret};

/// The variable that gives a key.
pub(crate) const VARIABLE: &str = "LOCKGATE_ADMIN_KEY";
/// The key that APISIX's documentation prints: for `lockgate dev` alone.
pub(crate) const DOCUMENTED: &str = "edd1c9f034335f136f87ad84b625c8f1";

/// The keys to the Admin API and where the first of them is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdminKeys {
    /// The keys; none where no key is asked for.
    pub(crate) keys: Vec<AdminKey>,
    /// Where the first one is from.
    pub(crate) source: Source,
}

/// Where a key is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `deployment.admin.admin_key`, by this name.
    Settings(String),
    /// `LOCKGATE_ADMIN_KEY`.
    Environment,
    /// It was made at random and is kept in this file.
    File(PathBuf),
    /// `lockgate dev`: the documented key.
    Dev,
    /// No key is asked for.
    NotRequired,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminKeyError {
    /// `LOCKGATE_ADMIN_KEY` cannot be sent in a header.
    #[error("{VARIABLE} has to be of ASCII characters without spaces")]
    Variable,
    /// The file cannot be read or made.
    #[error("the admin key {} cannot be used: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

impl AdminKeys {
    /// The keys of the settings and of `LOCKGATE_ADMIN_KEY`; where neither gives one, the random key of
    /// `admin.key` in the data directory, which is made at the first start, with mode 0600.
    pub(crate) fn find(
        admin: &Admin,
        env: impl Fn(&str) -> Option<String>,
        data_dir: &Path,
    ) -> Result<Self, AdminKeyError> {
        if !admin.key_required {
            return Ok(Self { keys: Vec::new(), source: Source::NotRequired });
        }
        let mut keys = admin.keys.clone();
        let mut source = keys.first().map(|key| Source::Settings(key.name.clone()));
        if let Some(key) = env(VARIABLE).filter(|key| !key.is_empty()) {
            if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(AdminKeyError::Variable);
            }
            keys.push(key_of("environment", key));
            source.get_or_insert(Source::Environment);
        }
        match source {
            Some(source) => Ok(Self { keys, source }),
            None => Self::of_file(data_dir.join("admin.key")),
        }
    }

    /// The documented key, for `lockgate dev`.
    pub(crate) fn dev() -> Self {
        Self { keys: vec![key_of("admin", DOCUMENTED.to_owned())], source: Source::Dev }
    }

    fn of_file(path: PathBuf) -> Result<Self, AdminKeyError> {
        match secret_file::load_or_create(&path, secret_file::random_hex::<16>) {
            Ok(key) => Ok(Self { keys: vec![key_of("admin", key)], source: Source::File(path) }),
            Err(error) => Err(AdminKeyError::File { path, error }),
        }
    }
}

fn key_of(name: &str, key: String) -> AdminKey {
    AdminKey { name: name.to_owned(), key: Secret(key), role: Role::Admin }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{AdminKeyError, AdminKeys, Source, key_of};
    use crate::settings::Admin;

    fn with_keys(names: &[&str]) -> Admin {
        Admin {
            keys: names.iter().map(|name| key_of(name, format!("key-of-{name}"))).collect(),
            ..Admin::default()
        }
    }

    #[test]
    fn keys_of_the_settings_and_the_environment_both_count() {
        let folder = tempfile::tempdir().unwrap();
        let env = |name: &str| (name == "LOCKGATE_ADMIN_KEY").then(|| "e".to_owned());
        let found = AdminKeys::find(&with_keys(&["ci"]), env, folder.path()).unwrap();
        assert_eq!(found.source, Source::Settings("ci".to_owned()));
        assert_eq!(found.keys.iter().map(|key| key.key.0.as_str()).collect::<Vec<_>>(), ["key-of-ci", "e"]);
        let found = AdminKeys::find(&with_keys(&[]), env, folder.path()).unwrap();
        assert_eq!((found.source, found.keys.len()), (Source::Environment, 1));
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "no key is made where one is given");
    }

    #[test]
    fn a_random_key_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let find = || AdminKeys::find(&with_keys(&[]), |_| Some(String::new()), folder.path()).unwrap();
        let made = find();
        assert_eq!(made, find());
        assert_eq!(made.keys[0].key.0.len(), 32);
        let path = folder.path().join("admin.key");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(made.source, Source::File(path));
    }

    #[test]
    fn no_key_is_made_where_none_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let admin = Admin { key_required: false, ..with_keys(&["ci"]) };
        let found = AdminKeys::find(&admin, |_| None, folder.path()).unwrap();
        assert_eq!((found.keys.len(), found.source), (0, Source::NotRequired));
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_refused_but_not_shown() {
        let env = |_: &str| Some("two words".to_owned());
        let error = AdminKeys::find(&with_keys(&[]), env, "/nowhere".as_ref()).unwrap_err();
        assert!(matches!(error, AdminKeyError::Variable));
        assert!(!error.to_string().contains("two"), "{error}");
    }

    #[test]
    fn debug_shows_no_key() {
        assert!(!format!("{:?}", AdminKeys::dev()).contains("edd1c9"));
    }
}
