//! The other side: whether a request that arrived is signed by credentials that we know.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::{ALGORITHM, Desk, Signable, Signer, canonical};
use crate::credentials::Credentials;

/// How far the clocks of both sides may be apart, in seconds.
const LATITUDE: u64 = 5 * 60;

/// What a request brings as its proof.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The value of `authorization`.
    pub authorization: &'a str,
    /// The value of `x-amz-date`.
    pub date: &'a str,
}

/// Why a signature does not count. No text shows the one that would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The header is not one of Signature Version 4.
    #[error("authorization is not {ALGORITHM} with Credential, SignedHeaders and Signature")]
    Form,
    /// It is made with another access key.
    #[error("the access key {0} is not the expected one")]
    AccessKey(String),
    /// It is made for another day, region or service.
    #[error("it is scoped to {given}, not to {expected}")]
    Scope {
        /// What it is made for.
        given: String,
        /// What it has to be made for.
        expected: String,
    },
    /// The date is not one, or too far from ours.
    #[error("its time {0} is not within five minutes of ours")]
    Time(String),
    /// Anything that is signed is not what it was.
    #[error("method, path, query, a signed header or the body is not what was signed")]
    Mismatch,
}

impl Signer {
    /// Checks a request as it arrived, at a time in seconds since 1970. `request` has all its headers; those that
    /// its signature covers are picked out. A session token is covered by no credentials that are known here.
    pub fn verify(
        &self,
        credentials: &Credentials,
        unix_seconds: u64,
        claim: Claim<'_>,
        request: Signable<'_, Vec<(&str, &[u8])>>,
    ) -> Result<(), VerifyError> {
        let parts = Parts::read(claim.authorization).ok_or(VerifyError::Form)?;
        if parts.access_key != credentials.access_key() {
            return Err(VerifyError::AccessKey(parts.access_key.to_owned()));
        }
        let made = seconds(claim.date).ok_or_else(|| VerifyError::Time(claim.date.to_owned()))?;
        if made.abs_diff(unix_seconds) > LATITUDE {
            return Err(VerifyError::Time(claim.date.to_owned()));
        }
        let expected = format!("{}/{}/{}/aws4_request", &claim.date[..8], self.region(), self.service());
        if parts.scope != expected {
            return Err(VerifyError::Scope { given: parts.scope.to_owned(), expected });
        }
        let covers = |name: &str| parts.names.split(';').any(|signed| signed.eq_ignore_ascii_case(name));
        let mut again_by = self.clone();
        (again_by.rules.sends_hash, again_by.rules.signs_token) = (covers(canonical::HASH), false);
        let headers = request.headers.into_iter().filter(|(name, _)| covers(name));
        let Signable { method, path, query, payload, .. } = request;
        let again = Signable { method, path, query, headers, payload };
        let signed = again_by.sign_at(&mut Desk::default(), credentials, made, again);
        let ours = signed.map_err(|_| VerifyError::Mismatch)?;
        let ours = Parts::read(ours.authorization()).ok_or(VerifyError::Mismatch)?;
        let is_same = ours.names == parts.names
            && verify_slices_are_equal(ours.signature.as_bytes(), parts.signature.as_bytes()).is_ok();
        if is_same { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

/// The parts of an `authorization`.
struct Parts<'a> {
    access_key: &'a str,
    scope: &'a str,
    names: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let fields = text.strip_prefix(ALGORITHM)?.split(',').map(str::trim);
        let (mut credential, mut names, mut signature) = (None, None, None);
        for field in fields {
            match field.split_once('=')? {
                ("Credential", value) => credential = Some(value),
                ("SignedHeaders", value) => names = Some(value),
                ("Signature", value) => signature = Some(value),
                _ => return None,
            }
        }
        let (access_key, scope) = credential?.split_once('/')?;
        Some(Self { access_key, scope, names: names?, signature: signature? })
    }
}

/// `20150830T123600Z` in seconds since 1970.
fn seconds(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let is_formed = bytes.len() == 16 && bytes[8] == b'T' && bytes[15] == b'Z';
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    if !is_formed {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Counted from March, so that a leap day comes last; 719,468 days lie between 0000-03-01 and 1970-01-01.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::super::{Payload, Signable, Signer, date::Stamp};
    use super::{Claim, VerifyError, seconds};
    use crate::credentials::Credentials;

    const NOW: u64 = 1_440_938_160;

    fn request<'a>(
        headers: &[(&'a str, &'a [u8])],
        body: &'a [u8],
    ) -> Signable<'a, Vec<(&'a str, &'a [u8])>> {
        let path = "/2015-03-31/functions/arn%3Aaws/invocations";
        Signable {
            method: "POST",
            path,
            query: Some("b=2&a=1"),
            headers: headers.to_vec(),
            payload: Payload::Bytes(body),
        }
    }

    #[test]
    fn what_the_signer_signs_is_accepted_and_nothing_else() {
        let lambda = Signer::new("us-east-1", "lambda").unwrap();
        let ours = Credentials::new("AKIDLOCAL", "secret", None).unwrap();
        let headers: [(&str, &[u8]); 2] = [("host", b"127.0.0.1:9070"), ("x-amz-log-type", b"Tail")];
        let made = lambda.sign(&ours, NOW, request(&headers, b"{}")).unwrap();
        let claim = Claim { authorization: made.authorization(), date: made.date() };
        let arrived = [headers.as_slice(), &[("user-agent", b"any")]].concat();
        let verify = |now: u64, body: &[u8]| lambda.verify(&ours, now, claim, request(&arrived, body));
        assert_eq!(verify(NOW + 299, b"{}"), Ok(()));
        assert_eq!(verify(NOW, b"[]"), Err(VerifyError::Mismatch));
        assert!(matches!(verify(NOW + 301, b"{}"), Err(VerifyError::Time(_))));
        let changed = [("host", b"127.0.0.1:9070".as_slice()), ("x-amz-log-type", b"None")];
        assert_eq!(lambda.verify(&ours, NOW, claim, request(&changed, b"{}")), Err(VerifyError::Mismatch));
        let other = Credentials::new("AKIDLOCAL", "other", None).unwrap();
        assert_eq!(lambda.verify(&other, NOW, claim, request(&arrived, b"{}")), Err(VerifyError::Mismatch));
        let elsewhere = Signer::new("us-east-1", "execute-api").unwrap();
        let error = elsewhere.verify(&ours, NOW, claim, request(&arrived, b"{}")).unwrap_err();
        assert!(matches!(error, VerifyError::Scope { .. }), "{error}");
    }

    #[test]
    fn what_is_no_authorization_is_refused() {
        let signer = Signer::new("us-east-1", "lambda").unwrap();
        let ours = Credentials::new("AKIDLOCAL", "secret", None).unwrap();
        let headers: [(&str, &[u8]); 1] = [("host", b"h")];
        for authorization in
            ["", "Bearer x", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=A, Signature=b"]
        {
            let claim = Claim { authorization, date: "20150830T123600Z" };
            let refused = signer.verify(&ours, NOW, claim, request(&headers, b""));
            assert_eq!(refused, Err(VerifyError::Form), "{authorization}");
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        for time in [0, 951_782_400, NOW, 4_102_444_799] {
            assert_eq!(seconds(Stamp::at(time).unwrap().date_time()), Some(time));
        }
        for wrong in ["", "20150830T123600", "2015083XT123600Z", "20151330T123600Z", "é0150830T12360Z"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
