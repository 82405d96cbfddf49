//! The keys that a request is signed with, and where they come from.
//!
//! [`Credentials`] are kept so that they are seen by nobody and wiped when dropped. A [`CredentialCache`] gets
//! them from where AWS people keep them and renews them.

mod cache;
mod connector;
mod failure;
mod fetch;
mod source;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::time::SystemTime;

use aws_lc_rs::digest;
use zeroize::Zeroizing;

use crate::signing::SigningError;

pub use cache::{CredentialCache, Live, Provider, Report};
pub use failure::CredentialsFailure;
pub use source::{CredentialSource, Origin, Role};

const SEED_PREFIX: &[u8] = b"AWS4";

/// Gets credentials from a source, once.
trait Fetch: Send + Sync {
    fn fetch<'a>(&'a self, source: &'a CredentialSource) -> Fetching<'a>;
}

/// A fetch under way.
type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Fetched, CredentialsFailure>> + Send + 'a>>;

/// What a fetch gave.
struct Fetched {
    credentials: Credentials,
    expires: Option<SystemTime>,
    provider: &'static str,
}

/// An access key, its secret and, for temporary ones, the session token.
///
/// `Debug` shows the access key id only; the secret is wiped from memory on drop.
#[derive(Clone)]
pub struct Credentials {
    access_key: Box<str>,
    seed: Zeroizing<Box<[u8]>>,
    fingerprint: [u8; 32],
    session_token: Option<Zeroizing<Box<str>>>,
}

impl Credentials {
    /// Takes the keys as AWS hands them out. An empty session token counts as none.
    pub fn new(access_key: &str, secret: &str, session_token: Option<&str>) -> Result<Self, SigningError> {
        let is_scope_safe = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b',');
        if access_key.is_empty() || !access_key.bytes().all(is_scope_safe) {
            return Err(SigningError::AccessKey);
        }
        if secret.is_empty() {
            return Err(SigningError::SecretKey);
        }
        let session_token = session_token.filter(|token| !token.is_empty());
        if session_token.is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(SigningError::SessionToken);
        }
        let seed: Zeroizing<Box<[u8]>> = Zeroizing::new([SEED_PREFIX, secret.as_bytes()].concat().into());
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, &seed).as_ref());
        Ok(Self {
            access_key: access_key.into(),
            seed,
            fingerprint,
            session_token: session_token.map(|token| Zeroizing::new(token.into())),
        })
    }

    /// The access key id, which is no secret.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The session token of temporary credentials.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_ref().map(|token| &***token)
    }

    /// What the derivation of a signing key begins with: `AWS4` and the secret.
    pub(crate) fn seed(&self) -> &[u8] {
        &self.seed
    }

    /// The same for `aws-config`.
    fn to_aws(&self) -> aws_credential_types::Credentials {
        let secret = String::from_utf8_lossy(self.seed.get(SEED_PREFIX.len()..).unwrap_or_default());
        let token = self.session_token().map(str::to_owned);
        aws_credential_types::Credentials::new(self.access_key(), secret, token, None, "static")
    }

    /// Tells secrets apart without keeping another copy of them.
    pub(crate) fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        self.access_key == other.access_key
            && self.fingerprint == other.fingerprint
            && self.session_token == other.session_token
    }
}

impl Eq for Credentials {}

impl Hash for Credentials {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.access_key.hash(state);
        self.fingerprint.hash(state);
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Credentials;
    use crate::signing::SigningError;

    #[test]
    fn debug_shows_the_access_key_and_no_secret() {
        let credentials = Credentials::new("AKIDEXAMPLE", "hidden-secret", Some("hidden-token")).unwrap();
        let shown = format!("{credentials:?}");
        assert!(shown.contains("AKIDEXAMPLE") && !shown.contains("hidden"), "{shown}");
    }

    #[test]
    fn an_empty_session_token_is_none() {
        assert_eq!(Credentials::new("AKID", "secret", Some("")).unwrap().session_token(), None);
    }

    #[test]
    fn keys_that_cannot_stand_in_a_header_are_refused_without_being_shown() {
        for access_key in ["", "AK/ID", "AK,ID", "AK ID", "AK\nID", "ÄKID"] {
            let error = Credentials::new(access_key, "secret", None).unwrap_err();
            assert_eq!(error, SigningError::AccessKey, "{access_key}");
        }
        assert_eq!(Credentials::new("AKID", "", None).unwrap_err(), SigningError::SecretKey);
        let error = Credentials::new("AKID", "secret", Some("to\r\nken")).unwrap_err();
        assert_eq!(error, SigningError::SessionToken);
        assert!(!error.to_string().contains("ken\""), "{error}");
    }
}
