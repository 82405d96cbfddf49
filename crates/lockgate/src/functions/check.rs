//! Signatures of calls of functions, checked by the credentials of the settings.

use lockgate_aws::{Credentials, Signable, Signer, SigningError, Verification};
use lockgate_function::{Check, Denied, SignedRequest};

use crate::settings::KeyPair;

/// Checks by one pair of keys, for one region.
pub(super) struct Checker {
    credentials: Credentials,
    lambda: Signer,
    api: Signer,
}

impl Checker {
    /// Takes the pair.
    pub(super) fn new(pair: &KeyPair, region: &str) -> Result<Self, SigningError> {
        Ok(Self {
            credentials: Credentials::new(&pair.access_key_id, &pair.secret_access_key.0, None)?,
            lambda: Signer::new(region, "lambda")?,
            api: Signer::new(region, "execute-api")?,
        })
    }
}
