//! Signature Version 4 and 4a: from a request as it will be sent to the headers, or the query, that prove who sent it.

mod canonical;
pub(crate) mod date;
mod encode;
mod error;
mod key;
mod presigned;
mod signed;
#[cfg(test)]
mod tests;
mod v4a;
mod verify;

use std::cell::Cell;

use aws_lc_rs::{digest, hmac};

use crate::credentials::Credentials;
use canonical::{Canonical, Facts};
use date::Stamp;
pub use encode::{wire_path, wire_query};
pub use error::SigningError;
use key::KeyCache;
use signed::Proof;
pub use signed::Signed;
use v4a::PairCache;
pub use verify::{Claim, VerifyError};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const EMPTY_HASH: &[u8; HASH_LEN] = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const HASH_LEN: usize = 64;

/// Whether a header belongs to the minimal set that is signed: `host`, `content-type` and `x-amz-*`, without
/// those that the signer writes itself. Names are compared without regard to case.
///
/// All others (`te`, `user-agent`, `x-forwarded-for`, `x-amzn-trace-id`, …) may be changed or dropped on the
/// way, which would break a signature over them.
pub fn is_signed(name: &str) -> bool {
    let is_amz = name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
    (is_amz || name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case("content-type"))
        && !canonical::is_written_here(name)
}

/// The body of a request, of which the signature holds the SHA-256.
#[derive(Clone, Copy)]
pub enum Payload<'a> {
    /// The bytes that will be sent, without transfer coding.
    Bytes(&'a [u8]),
    /// The SHA-256 of those bytes.
    Sha256([u8; 32]),
}

impl Payload<'_> {
    fn hash(self) -> [u8; HASH_LEN] {
        match self {
            Self::Bytes([]) => *EMPTY_HASH,
            Self::Bytes(bytes) => hex(digest::digest(&digest::SHA256, bytes).as_ref()),
            Self::Sha256(hash) => hex(&hash),
        }
    }
}

/// A request, as far as its signature covers it.
#[derive(Clone, Copy)]
pub struct Signable<'a, H> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path exactly as it will stand in the request line; empty means `/`.
    pub path: &'a str,
    /// The query exactly as it will stand in the request line, without its `?`.
    pub query: Option<&'a str>,
    /// The headers to sign, in the order they will be sent: those for which [`is_signed`] says yes. `host` must
    /// be among them. Headers that the signer writes itself are passed over.
    pub headers: H,
    /// The body, or its hash.
    pub payload: Payload<'a>,
}

/// What differs between services, and what AWS's own test vectors switch off.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// Dot segments and doubled slashes go, and the path is encoded once more. Not so for S3, where a key may
    /// have them.
    resolves_path: bool,
    /// The hash of the body is a signed header.
    sends_hash: bool,
    /// The session token is a signed header.
    signs_token: bool,
}

/// Signs requests for one service, in one region or in many.
///
/// Signing keys are derived once a day and kept per thread, so that signing takes no lock; buffers are kept per
/// thread as well. Only [`Signed`] is allocated.
#[derive(Clone, Debug)]
pub struct Signer {
    version: Version,
    /// A region, or with Signature Version 4a a set of them.
    region: Box<str>,
    service: Box<str>,
    rules: Rules,
}

/// Which signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// For one region, by a key that is shared with AWS.
    V4,
    /// For a set of regions, by a private key.
    V4a,
}

/// What a thread keeps from one signature to the next.
#[derive(Default)]
struct Desk {
    canonical: Canonical,
    scope: String,
    to_sign: String,
    signature: Vec<u8>,
    keys: KeyCache,
    pairs: PairCache,
}

thread_local! {
    static DESK: Cell<Option<Box<Desk>>> = const { Cell::new(None) };
}

impl Signer {
    /// A signer for a region such as `eu-central-1` and a service by its signing name, such as `execute-api` or
    /// `lambda` (also the name for function URLs and web functions).
    pub fn new(region: &str, service: &str) -> Result<Self, SigningError> {
        if !is_name(region) {
            return Err(SigningError::Region(region.to_owned()));
        }
        Self::build(Version::V4, region.into(), service)
    }

    /// A signer for an endpoint that is in many regions, by Signature Version 4a. The set is a list of regions
    /// with commas between, in each of which a `*` may stand for anything: `*`, `us-east-1,eu-*`.
    pub fn multi_region(region_set: &str, service: &str) -> Result<Self, SigningError> {
        let regions: Vec<&str> = region_set.split(',').map(str::trim).collect();
        if !regions.iter().all(|region| is_name(&region.replace('*', "x"))) {
            return Err(SigningError::RegionSet(region_set.to_owned()));
        }
        Self::build(Version::V4a, regions.join(",").into(), service)
    }

    fn build(version: Version, region: Box<str>, service: &str) -> Result<Self, SigningError> {
        if !is_name(service) {
            return Err(SigningError::Service(service.to_owned()));
        }
        let rules = Rules { resolves_path: service != "s3", sends_hash: true, signs_token: true };
        Ok(Self { version, region, service: service.into(), rules })
    }

    /// The region in the scope of its signatures, or the set of regions they are for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The signing name of the service.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Signs a request at a time, in seconds since 1970 (UTC). AWS accepts it for about five minutes.
    pub fn sign<'c, 'h, H>(
        &self,
        credentials: &'c Credentials,
        unix_seconds: u64,
        request: Signable<'_, H>,
    ) -> Result<Signed<'c>, SigningError>
    where
        H: IntoIterator<Item = (&'h str, &'h [u8])>,
    {
        // The desk is taken, not borrowed: whatever the header iterator does, it finds no locked door.
        let mut desk = DESK.take().unwrap_or_default();
        let signed = self.sign_at(&mut desk, credentials, unix_seconds, request);
        desk.canonical.shrink();
        DESK.set(Some(desk));
        signed
    }

    fn sign_at<'c, 'h, H>(
        &self,
        desk: &mut Desk,
        credentials: &'c Credentials,
        unix_seconds: u64,
        request: Signable<'_, H>,
    ) -> Result<Signed<'c>, SigningError>
    where
        H: IntoIterator<Item = (&'h str, &'h [u8])>,
    {
        let stamp = Stamp::at(unix_seconds)?;
        let hash = request.payload.hash();
        let token = credentials.session_token();
        let region_set = self.region_set();
        let facts = Facts {
            date_time: Some(stamp.date_time()),
            hash: &hash,
            sent_hash: self.rules.sends_hash.then_some(&hash),
            token: token.filter(|_| self.rules.signs_token),
            region_set,
            resolves_path: self.rules.resolves_path,
        };
        desk.canonical.write(request, &facts)?;
        self.write_scope(desk, stamp);
        self.prove(desk, credentials, stamp)?;
        let names = desk.canonical.names();
        let proof =
            Proof { algorithm: self.algorithm(), scope: &desk.scope, names, signature: &desk.signature };
        Ok(Signed::new(credentials, region_set, &proof, &stamp, &hash))
    }

    fn algorithm(&self) -> &'static str {
        match self.version {
            Version::V4 => ALGORITHM,
            Version::V4a => v4a::ALGORITHM,
        }
    }

    fn region_set(&self) -> Option<&str> {
        (self.version == Version::V4a).then_some(&*self.region)
    }

    /// Writes what a signature is good for: `20150830/us-east-1/lambda/aws4_request`.
    fn write_scope(&self, desk: &mut Desk, stamp: Stamp) {
        desk.scope.clear();
        desk.scope.push_str(stamp.date());
        let region = (self.version == Version::V4).then_some(&*self.region);
        for part in region.into_iter().chain([&*self.service, TERMINATOR]) {
            desk.scope.push('/');
            desk.scope.push_str(part);
        }
    }

    /// Signs the canonical request and the scope that were written last.
    fn prove(&self, desk: &mut Desk, credentials: &Credentials, stamp: Stamp) -> Result<(), SigningError> {
        let digest = digest::digest(&digest::SHA256, desk.canonical.request());
        let to_sign = &mut desk.to_sign;
        to_sign.clear();
        for line in [self.algorithm(), "\n", stamp.date_time(), "\n", &desk.scope, "\n"] {
            to_sign.push_str(line);
        }
        push_ascii(to_sign, &hex(digest.as_ref()));
        desk.signature.clear();
        match self.version {
            Version::V4 => {
                let key = desk.keys.key(credentials, &desk.scope, stamp);
                desk.signature.extend_from_slice(&hex(hmac::sign(key, to_sign.as_bytes()).as_ref()));
            }
            Version::V4a => {
                let signature = desk.pairs.sign(credentials, to_sign.as_bytes())?;
                desk.signature.extend(signature.as_ref().iter().flat_map(|byte| digits(*byte)));
            }
        }
        Ok(())
    }
}

/// Whether a text can stand in a credential scope, as regions and services do.
fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(is_plain)
}

fn hex(hash: &[u8]) -> [u8; HASH_LEN] {
    let mut text = [b'0'; HASH_LEN];
    for (pair, byte) in text.chunks_exact_mut(2).zip(hash) {
        pair.copy_from_slice(&digits(*byte));
    }
    text
}

fn digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// Writes what is ASCII, as all of its callers' is.
fn push_ascii(text: &mut String, bytes: &[u8]) {
    text.push_str(std::str::from_utf8(bytes).unwrap_or_default());
}
