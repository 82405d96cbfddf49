//! Header names: the known ones have an id, so that they are compared as numbers.

/// Which header it is; [`Id::Other`] is told apart by its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each variant is the header of that name")]
pub enum Id {
    Other,
    Te,
    Via,
    Date,
    Host,
    Cookie,
    Expect,
    Server,
    Trailer,
    Upgrade,
    XApiKey,
    XRealIp,
    Connection,
    KeepAlive,
    UserAgent,
    ContentType,
    Authorization,
    ContentLength,
    XForwardedFor,
    ProxyConnection,
    TransferEncoding,
    XForwardedHost,
    XForwardedPort,
    XForwardedProto,
    ProxyAuthenticate,
    ProxyAuthorization,
}

/// A header name: its id, and its text as it is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    pub(crate) id: Id,
    pub(crate) text: &'a str,
}

macro_rules! names {
    ($($constant:ident = $text:literal, $id:ident;)*) => {
        $(
            #[doc = concat!("`", $text, "`")]
            pub const $constant: Name<'static> = Name { id: Id::$id, text: $text };
        )*
        /// Every known name.
        const ALL: &[Name<'static>] = &[$($constant),*];
    };
}

names! {
    TE = "TE", Te;
    VIA = "Via", Via;
    DATE = "Date", Date;
    HOST = "Host", Host;
    COOKIE = "Cookie", Cookie;
    EXPECT = "Expect", Expect;
    SERVER = "Server", Server;
    TRAILER = "Trailer", Trailer;
    UPGRADE = "Upgrade", Upgrade;
    X_API_KEY = "X-API-KEY", XApiKey;
    X_REAL_IP = "X-Real-IP", XRealIp;
    CONNECTION = "Connection", Connection;
    KEEP_ALIVE = "Keep-Alive", KeepAlive;
    USER_AGENT = "User-Agent", UserAgent;
    CONTENT_TYPE = "Content-Type", ContentType;
    AUTHORIZATION = "Authorization", Authorization;
    CONTENT_LENGTH = "Content-Length", ContentLength;
    X_FORWARDED_FOR = "X-Forwarded-For", XForwardedFor;
    PROXY_CONNECTION = "Proxy-Connection", ProxyConnection;
    TRANSFER_ENCODING = "Transfer-Encoding", TransferEncoding;
    X_FORWARDED_HOST = "X-Forwarded-Host", XForwardedHost;
    X_FORWARDED_PORT = "X-Forwarded-Port", XForwardedPort;
    X_FORWARDED_PROTO = "X-Forwarded-Proto", XForwardedProto;
    PROXY_AUTHENTICATE = "Proxy-Authenticate", ProxyAuthenticate;
    PROXY_AUTHORIZATION = "Proxy-Authorization", ProxyAuthorization;
}

impl Name<'static> {
    /// A name that stands in the program: its id is looked up when that is built.
    pub const fn of(text: &'static str) -> Self {
        let mut at = 0;
        while at < ALL.len() {
            if ALL[at].text.eq_ignore_ascii_case(text) {
                return Self { id: ALL[at].id, text };
            }
            at += 1;
        }
        Self { id: Id::Other, text }
    }
}

// In the mark of a list of fields, names with an id have the lower bits.
const _: () = assert!(ALL.len() < 32, "there is a bit for each known name");

impl Name<'_> {
    /// Whether every character may stand in a field name (RFC 9110 §5.6.2).
    pub(crate) fn is_token(self) -> bool {
        !self.text.is_empty() && self.text.bytes().all(is_token_byte)
    }
}

/// `tchar` of RFC 9110 §5.6.2.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

impl<'a> From<&'a str> for Name<'a> {
    fn from(text: &'a str) -> Self {
        Self { id: id_of(text.as_bytes()), text }
    }
}

impl<'a> From<&'a String> for Name<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}

/// The longest known name.
const LONGEST: usize = 19;

/// A known name in lower case, and its id.
struct Known {
    lower: [u8; LONGEST],
    len: usize,
    id: Id,
    is_ours: bool,
}

/// Whether a field is the gateway's to write or to take off, so that an upstream believes what it says.
const fn is_ours(id: Id) -> bool {
    matches!(
        id,
        Id::KeepAlive
            | Id::XRealIp
            | Id::ContentLength
            | Id::XForwardedFor
            | Id::ProxyConnection
            | Id::TransferEncoding
            | Id::XForwardedHost
            | Id::XForwardedPort
            | Id::XForwardedProto
            | Id::ProxyAuthenticate
            | Id::ProxyAuthorization
    )
}

/// Places that known names stand at, each alone at its own.
const PLACES: usize = 64;

/// Where a name of this length stands, by its last letter but one, whatever its case.
const fn place(len: usize, letter: u8) -> usize {
    (len * 38 + (letter & 0x1f) as usize) % PLACES
}

static KNOWN: [Known; PLACES] = known();

const fn known() -> [Known; PLACES] {
    let mut table = [const { Known { lower: [0; LONGEST], len: 0, id: Id::Other, is_ours: false } }; PLACES];
    let mut at = 0;
    while at < ALL.len() {
        let text = ALL[at].text.as_bytes();
        let entry = &mut table[place(text.len(), text[text.len() - 2])];
        assert!(entry.len == 0, "two known names stand at one place");
        (entry.len, entry.id, entry.is_ours) = (text.len(), ALL[at].id, is_ours(ALL[at].id));
        let mut letter = 0;
        while letter < text.len() {
            entry.lower[letter] = text[letter].to_ascii_lowercase();
            letter += 1;
        }
        at += 1;
    }
    table
}

/// What a name in a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Known(Id),
    Other,
    /// `Content_Length` and its like: a name of the gateway's own with another mark for a hyphen. Upstreams that make
    /// variables of fields (RFC 3875 §4.1.18) take it for that name.
    Lookalike,
}

/// Reads a name, whatever its case.
#[inline]
pub(crate) fn read(name: &[u8]) -> Reading {
    let [.., letter, _] = name else {
        return Reading::Other;
    };
    let known = &KNOWN[place(name.len(), *letter)];
    match known.lower.get(..name.len()) {
        Some(lower) if known.len == name.len() => {
            if is_folded(name, lower) {
                Reading::Known(known.id)
            } else if known.is_ours && is_alike(name, lower) {
                Reading::Lookalike
            } else {
                Reading::Other
            }
        }
        _ => Reading::Other,
    }
}

/// The id of a name, whatever its case.
pub(crate) fn id_of(name: &[u8]) -> Id {
    match read(name) {
        Reading::Known(id) => id,
        Reading::Other | Reading::Lookalike => Id::Other,
    }
}

/// Whether `name` is `other` but for case and for what stands where that has hyphens.
pub(crate) fn is_alike(name: &[u8], other: &[u8]) -> bool {
    let is_like =
        |(a, b): (&u8, &u8)| a.eq_ignore_ascii_case(b) || (*b == b'-' && !a.is_ascii_alphanumeric());
    name.len() == other.len() && name.iter().zip(other).all(is_like)
}

/// Whether `name` is `lower` but for the case of its letters. Bit 0x20 is what tells cases apart. The carriage
/// return it would take for a hyphen cannot stand in a name: neither the parser nor `is_token` lets it in.
fn is_folded(name: &[u8], lower: &[u8]) -> bool {
    const FOLD: [u8; 8] = [0x20; 8];
    let eight = |name: &[u8; 8], lower: &[u8; 8]| {
        (u64::from_ne_bytes(*name) | u64::from_ne_bytes(FOLD)) ^ u64::from_ne_bytes(*lower)
    };
    let four = |name: &[u8; 4], lower: &[u8; 4]| {
        (u32::from_ne_bytes(*name) | u32::from_ne_bytes([FOLD[0]; 4])) ^ u32::from_ne_bytes(*lower)
    };
    // The last bytes at once, and before them whole words: some bytes are looked at twice.
    if let (Some(name_end), Some(lower_end)) = (name.last_chunk(), lower.last_chunk()) {
        let eights = name.as_chunks().0.iter().zip(lower.as_chunks().0);
        return eights.fold(eight(name_end, lower_end), |differs, (a, b)| differs | eight(a, b)) == 0;
    }
    match (name.first_chunk(), name.last_chunk(), lower.first_chunk(), lower.last_chunk()) {
        (Some(start), Some(end), Some(lower_start), Some(lower_end)) => {
            four(start, lower_start) | four(end, lower_end) == 0
        }
        _ => name.iter().zip(lower).all(|(a, b)| a | FOLD[0] == *b),
    }
}

/// A header name that is kept: its id is looked up once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedName {
    id: Id,
    text: Box<str>,
}

impl OwnedName {
    /// Keeps a name.
    pub fn new(text: &str) -> Self {
        Self { id: id_of(text.as_bytes()), text: text.into() }
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<'a> From<&'a OwnedName> for Name<'a> {
    fn from(name: &'a OwnedName) -> Self {
        Self { id: name.id, text: &name.text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for name in ALL {
            assert_eq!(id_of(name.text.to_ascii_uppercase().as_bytes()), name.id, "{}", name.text);
            assert_eq!(id_of(name.text.to_ascii_lowercase().as_bytes()), name.id, "{}", name.text);
        }
        assert_eq!(id_of(b"x-other"), Id::Other);
        assert_eq!(id_of(b"hosT"), Id::Host);
        for name in
            ["Content_Length", "transfer_encoding", "X_FORWARDED-FOR", "x.real.ip", "x-forwarded_proto"]
        {
            assert_eq!(read(name.as_bytes()), Reading::Lookalike, "{name}");
            assert_eq!(id_of(name.as_bytes()), Id::Other, "{name}");
        }
        for name in
            ["Content_Type", "user_agent", "x_api_key", "contentalength", "xaforwarded-for", "x_other"]
        {
            assert_eq!(read(name.as_bytes()), Reading::Other, "{name}");
        }
        assert!(!Name::from("keep\ralive").is_token(), "what looks like a known name is still checked");
    }
}
