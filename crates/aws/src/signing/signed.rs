//! What the signer hands back: values to set on the request, in one piece of memory.

use std::fmt;

use super::canonical;
use super::date::Stamp;
use super::{HASH_LEN, push_ascii};
use crate::credentials::Credentials;

/// The headers that go with a signed request. `Debug` shows none of their values but the date.
pub struct Signed<'c> {
    text: String,
    date_at: usize,
    hash_at: usize,
    /// Where the region set begins, which is the end where there is none.
    region_set_at: usize,
    token: Option<&'c str>,
}

/// What the value of `authorization` is made of, but for the access key.
pub(super) struct Proof<'a> {
    pub(super) algorithm: &'a str,
    pub(super) scope: &'a str,
    pub(super) names: &'a str,
    /// In hexadecimal digits.
    pub(super) signature: &'a [u8],
}

impl<'c> Signed<'c> {
    pub(super) fn new(
        credentials: &'c Credentials,
        region_set: Option<&str>,
        proof: &Proof<'_>,
        stamp: &Stamp,
        hash: &[u8; HASH_LEN],
    ) -> Self {
        let parts = [
            proof.algorithm,
            " Credential=",
            credentials.access_key(),
            "/",
            proof.scope,
            ", SignedHeaders=",
            proof.names,
            ", Signature=",
        ];
        let length = parts.iter().map(|part| part.len()).sum::<usize>() + proof.signature.len();
        let region_set = region_set.unwrap_or_default();
        let mut text =
            String::with_capacity(length + stamp.date_time().len() + hash.len() + region_set.len());
        for part in parts {
            text.push_str(part);
        }
        push_ascii(&mut text, proof.signature);
        let date_at = text.len();
        text.push_str(stamp.date_time());
        let hash_at = text.len();
        push_ascii(&mut text, hash);
        let region_set_at = text.len();
        text.push_str(region_set);
        Self { text, date_at, hash_at, region_set_at, token: credentials.session_token() }
    }

    /// The value of `authorization`.
    pub fn authorization(&self) -> &str {
        &self.text[..self.date_at]
    }

    /// The value of `x-amz-date`: `20150830T123600Z`.
    pub fn date(&self) -> &str {
        &self.text[self.date_at..self.hash_at]
    }

    /// The value of `x-amz-content-sha256`.
    pub fn content_sha256(&self) -> &str {
        &self.text[self.hash_at..self.region_set_at]
    }

    /// The value of `x-amz-security-token`, with temporary credentials.
    pub fn security_token(&self) -> Option<&'c str> {
        self.token
    }

    /// The value of `x-amz-region-set`, with Signature Version 4a.
    pub fn region_set(&self) -> Option<&str> {
        Some(&self.text[self.region_set_at..]).filter(|set| !set.is_empty())
    }

    /// All headers to set, each in place of any the request has, with their names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("authorization", self.authorization()),
            (canonical::DATE, self.date()),
            (canonical::HASH, self.content_sha256()),
        ]
        .into_iter()
        .chain(self.token.map(|token| (canonical::TOKEN, token)))
        .chain(self.region_set().map(|set| (canonical::REGION_SET, set)))
    }
}

impl fmt::Debug for Signed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signed").field("date", &self.date()).finish_non_exhaustive()
    }
}
