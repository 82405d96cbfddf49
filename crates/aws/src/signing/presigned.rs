//! A request that is signed in its query, for whoever cannot set headers: a link, a web socket of a browser.

use super::canonical::{self, Facts};
use super::date::Stamp;
use super::encode::push_parameter;
use super::{DESK, Desk, Signable, Signer, SigningError};
use crate::credentials::Credentials;

/// The longest time that AWS lets such a signature hold, in seconds: a week.
const LONGEST: u32 = 604_800;

/// The parameters that are written here; those of the request with these names are left out.
const WRITTEN_HERE: [&str; 8] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Region-Set",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

impl Signer {
    /// The query that a request is to be sent with, in place of its own, so that it holds for some seconds (1 to
    /// 604,800) from a time in seconds since 1970. What was in its own query comes first, as it was.
    ///
    /// Whoever sends it has to send the headers that were given with their values, and the body; mostly that is
    /// `host` and no body.
    pub fn presign<'h, H>(
        &self,
        credentials: &Credentials,
        unix_seconds: u64,
        expires: u32,
        request: Signable<'_, H>,
    ) -> Result<String, SigningError>
    where
        H: IntoIterator<Item = (&'h str, &'h [u8])>,
    {
        if !(1..=LONGEST).contains(&expires) {
            return Err(SigningError::Expires(expires));
        }
        let mut desk = DESK.take().unwrap_or_default();
        let query = self.presign_at(&mut desk, credentials, Stamp::at(unix_seconds)?, expires, request);
        desk.canonical.shrink();
        DESK.set(Some(desk));
        query
    }

    pub(super) fn presign_at<'h, H>(
        &self,
        desk: &mut Desk,
        credentials: &Credentials,
        stamp: Stamp,
        expires: u32,
        request: Signable<'_, H>,
    ) -> Result<String, SigningError>
    where
        H: IntoIterator<Item = (&'h str, &'h [u8])>,
    {
        self.write_scope(desk, stamp);
        let headers: Vec<(&str, &[u8])> = request.headers.into_iter().collect();
        let mut query = Query::of(request.query.unwrap_or_default());
        query.push("X-Amz-Algorithm", self.algorithm());
        query.push("X-Amz-Credential", &format!("{}/{}", credentials.access_key(), desk.scope));
        query.push("X-Amz-Date", stamp.date_time());
        query.push("X-Amz-SignedHeaders", &names(&headers));
        query.push("X-Amz-Expires", &expires.to_string());
        let token = credentials.session_token();
        if let Some(token) = token.filter(|_| self.rules.signs_token) {
            query.push("X-Amz-Security-Token", token);
        }
        if let Some(region_set) = self.region_set() {
            query.push("X-Amz-Region-Set", region_set);
        }
        let facts = Facts {
            date_time: None,
            hash: &request.payload.hash(),
            sent_hash: None,
            token: None,
            region_set: None,
            resolves_path: self.rules.resolves_path,
        };
        let Signable { method, path, payload, .. } = request;
        desk.canonical.write(Signable { method, path, query: Some(&query.0), headers, payload }, &facts)?;
        self.prove(desk, credentials, stamp)?;
        if let Some(token) = token.filter(|_| !self.rules.signs_token) {
            query.push("X-Amz-Security-Token", token);
        }
        query.push("X-Amz-Signature", &String::from_utf8_lossy(&desk.signature));
        Ok(query.0)
    }
}

/// A query as it will be sent.
struct Query(String);

impl Query {
    fn of(own: &str) -> Self {
        let is_own = |parameter: &&str| {
            let name = parameter.split('=').next().unwrap_or_default();
            !parameter.is_empty() && !WRITTEN_HERE.iter().any(|ours| ours.eq_ignore_ascii_case(name))
        };
        Self(own.split('&').filter(is_own).collect::<Vec<_>>().join("&"))
    }

    fn push(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        let mut encoded = Vec::with_capacity(value.len());
        // A raw + of a value is one, and not a space as in a query.
        push_parameter(&mut encoded, &value.replace('%', "%25").replace('+', "%2B"));
        self.0.push_str(&String::from_utf8_lossy(&encoded));
    }
}

/// The names of the headers that are signed, as the canonical request lists them.
fn names(headers: &[(&str, &[u8])]) -> String {
    let given = headers.iter().filter(|(name, _)| !canonical::is_written_here(name));
    let mut names: Vec<String> = given.map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    names.dedup();
    names.join(";")
}
