//! Why a request cannot be signed: always the caller's to mend, never worth a retry as it is.

/// Why a request, or what it should be signed with, was refused. No text shows a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The access key id is empty, or has a space, `/`, `,` or a character that is not printable ASCII.
    #[error("access key id is empty or has a character that cannot stand in a credential scope")]
    AccessKey,
    /// The secret key is empty.
    #[error("secret key is empty")]
    SecretKey,
    /// The session token has a character that cannot stand in a header.
    #[error("session token has a character that is not printable ascii")]
    SessionToken,
    /// The region is empty or has a character that no region has.
    #[error("region \"{}\" is not the name of a region", .0.escape_debug())]
    Region(String),
    /// The region set is empty or has a part that names no region, not even with a `*`.
    #[error("region set \"{}\" is not a list of regions", .0.escape_debug())]
    RegionSet(String),
    /// The secret key gives no key pair, which Signature Version 4a needs.
    #[error("no key pair can be made from the secret key")]
    KeyPair,
    /// The service is empty or has a character that no service has.
    #[error("service \"{}\" is not the signing name of a service", .0.escape_debug())]
    Service(String),
    /// The method is not a token (RFC 9110 §5.6.2).
    #[error("method \"{}\" is not a token", .0.escape_debug())]
    Method(String),
    /// A header's name is not a token (RFC 9110 §5.6.2).
    #[error("header name \"{}\" is not a token", .0.escape_debug())]
    HeaderName(String),
    /// A header's value has a CR, LF or NUL (RFC 9110 §5.5).
    #[error("value of header {0} has a CR, LF or NUL")]
    HeaderValue(String),
    /// There is no `host` among the headers to sign, and AWS accepts no signature without it.
    #[error("no host among the headers to sign")]
    NoHost,
    /// A signature in a query holds for one second at least, and for a week at most.
    #[error("a signature in a query cannot hold for {0} s")]
    Expires(u32),
    /// The time is past the year 9999.
    #[error("time {0} s is past the year 9999")]
    Time(u64),
}
