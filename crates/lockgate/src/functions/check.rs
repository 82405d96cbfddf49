//! Signatures of calls of functions, checked by the credentials of the settings.

use std::time::{SystemTime, UNIX_EPOCH};

use lockgate_aws::{Claim, Credentials, Payload, Signable, Signer, SigningError, VerifyError};
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

impl Check for Checker {
    fn check(&self, request: &SignedRequest<'_>) -> Result<(), Denied> {
        let (Some(authorization), Some(date)) =
            (request.header("authorization"), request.header("x-amz-date"))
        else {
            return Err(Denied::Missing);
        };
        let signer = if request.service == "lambda" { &self.lambda } else { &self.api };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let arrived = Signable {
            method: request.method(),
            path: request.path(),
            query: request.query(),
            headers: request.headers().collect(),
            payload: Payload::Bytes(request.body),
        };
        let claim = Claim { authorization, date };
        signer.verify(&self.credentials, now, claim, arrived).map_err(|error| match error {
            VerifyError::AccessKey(key) => Denied::UnknownKey(key),
            error => Denied::Wrong(error.to_string()),
        })
    }
}
