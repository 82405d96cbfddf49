//! The signer against AWS's own vectors, against the shapes other gateways fail on, and against AWS's crate.

mod oracle;
mod shapes;
mod vectors;

use super::{Desk, Signable, Signer};
use crate::credentials::Credentials;

const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const NOON: u64 = 1_440_938_160;

/// What the signer made of a request: the canonical form, the text that was signed, and the header.
struct Trace {
    canonical: String,
    to_sign: String,
    authorization: String,
}

impl Trace {
    fn signature(&self) -> &str {
        self.authorization.rsplit_once("Signature=").unwrap().1
    }
}

fn trace(
    signer: &Signer,
    credentials: &Credentials,
    unix_seconds: u64,
    request: Signable<'_, Vec<(&str, &[u8])>>,
) -> Trace {
    let mut desk = Desk::default();
    let headers = signer.sign_at(&mut desk, credentials, unix_seconds, request).unwrap();
    Trace {
        canonical: String::from_utf8(desk.canonical.request().to_vec()).unwrap(),
        to_sign: desk.to_sign.clone(),
        authorization: headers.authorization().to_owned(),
    }
}

mod contract {
    use super::super::{Payload, Signable, Signer, SigningError, is_signed};
    use super::{ACCESS_KEY, NOON, SECRET_KEY};
    use crate::credentials::Credentials;

    type Header<'a> = (&'a str, &'a [u8]);

    fn get<'a>(headers: &'a [Header<'a>]) -> Signable<'a, impl IntoIterator<Item = Header<'a>>> {
        let headers = headers.iter().copied();
        Signable { method: "GET", path: "/", query: None, headers, payload: Payload::Bytes(b"") }
    }

    fn signer() -> Signer {
        Signer::new("us-east-1", "lambda").unwrap()
    }

    #[test]
    fn all_headers_to_set_are_given_and_the_token_only_where_there_is_one() {
        for token in [None, Some("a/session+token==")] {
            let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, token).unwrap();
            let signed = signer().sign(&credentials, NOON, get(&[("Host", b"h")])).unwrap();
            let names: Vec<_> = signed.headers().map(|(name, _)| name).collect();
            let expected = ["authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"];
            assert_eq!(names, expected[..3 + usize::from(token.is_some())]);
            let names = if token.is_some() {
                "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"
            } else {
                "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
            };
            assert!(signed.authorization().contains(names), "{}", signed.authorization());
            assert_eq!((signed.date(), signed.security_token()), ("20150830T123600Z", token));
            let shown = format!("{signed:?}");
            assert!(!shown.contains("Signature") && !shown.contains("session"), "{shown}");
        }
    }

    #[test]
    fn headers_that_the_signer_writes_cannot_be_slipped_in() {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None).unwrap();
        let plain = signer().sign(&credentials, NOON, get(&[("host", b"h")])).unwrap();
        let headers: &[Header<'_>] = &[
            ("host", b"h"),
            ("X-Amz-Content-SHA256", b"UNSIGNED-PAYLOAD"),
            ("X-Amz-Date", b"20200101T000000Z"),
            ("x-amz-security-token", b"stolen"),
            ("Authorization", b"Bearer x"),
        ];
        let spiked = signer().sign(&credentials, NOON, get(headers)).unwrap();
        assert_eq!(plain.authorization(), spiked.authorization());
    }

    #[test]
    fn a_signature_for_many_regions_says_for_which() {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, Some("token")).unwrap();
        let everywhere = Signer::multi_region("us-east-1, eu-*", "lambda").unwrap();
        let signed = everywhere.sign(&credentials, NOON, get(&[("host", b"h")])).unwrap();
        assert_eq!((everywhere.region(), signed.region_set()), ("us-east-1,eu-*", Some("us-east-1,eu-*")));
        let head = "AWS4-ECDSA-P256-SHA256 Credential=AKIDEXAMPLE/20150830/lambda/aws4_request, SignedHeaders=\
                    host;x-amz-content-sha256;x-amz-date;x-amz-region-set;x-amz-security-token, Signature=";
        assert!(signed.authorization().starts_with(head), "{}", signed.authorization());
        assert_eq!(signed.headers().last(), Some(("x-amz-region-set", "us-east-1,eu-*")));
        for set in ["", ",", "us east", "us-east-1,", "a\nb"] {
            let error = Signer::multi_region(set, "lambda").unwrap_err();
            assert_eq!(error, SigningError::RegionSet(set.into()));
        }
        assert_eq!(Signer::new("*", "lambda").unwrap_err(), SigningError::Region("*".into()));
    }

    #[test]
    fn a_signature_in_the_query_keeps_the_clients_parameters_and_replaces_ours() {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, Some("to+k/en%==")).unwrap();
        let presign = |query, expires| {
            let request =
                Signable { query: Some(query), ..get(&[("Host", b"h"), ("X-Amz-Date", b"theirs")]) };
            signer().presign(&credentials, NOON, expires, request)
        };
        let query = presign("b=2&x-amz-signature=theirs&a=x%20y&X-Amz-Expires=1", 60).unwrap();
        let expected = "b=2&a=x%20y&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2F\
                        us-east-1%2Flambda%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&\
                        X-Amz-Expires=60&X-Amz-Security-Token=to%2Bk%2Fen%25%3D%3D&X-Amz-Signature=";
        assert_eq!(query.rsplit_once('=').unwrap().0, &expected[..expected.len() - 1]);
        for expires in [0, 604_801] {
            assert_eq!(presign("", expires), Err(SigningError::Expires(expires)));
        }
    }

    #[test]
    fn a_hash_signs_the_same_as_the_bytes_it_is_of() {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None).unwrap();
        let mut hash = [0; 32];
        let body = [7; 1024];
        hash.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body).as_ref());
        let headers: &[Header<'_>] = &[("host", b"h")];
        let sign = |payload| {
            let request = Signable { payload, ..get(headers) };
            let signed = signer().sign(&credentials, NOON, request).unwrap();
            (signed.authorization().to_owned(), signed.content_sha256().to_owned())
        };
        assert_eq!(sign(Payload::Bytes(&body)), sign(Payload::Sha256(hash)));
        assert_ne!(sign(Payload::Bytes(&body)), sign(Payload::Bytes(b"")));
    }

    #[test]
    fn what_cannot_be_signed_is_refused_by_name() {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None).unwrap();
        let refuse = |headers: &[Header<'_>]| signer().sign(&credentials, NOON, get(headers)).unwrap_err();
        assert_eq!(refuse(&[]), SigningError::NoHost);
        assert_eq!(refuse(&[("content-type", b"a/b")]), SigningError::NoHost);
        assert_eq!(refuse(&[("host", b"h"), ("x y", b"")]), SigningError::HeaderName("x y".into()));
        for value in [b"a\nb".as_slice(), b"a\r", b"\0"] {
            let error = refuse(&[("host", b"h"), ("x-amz-a", value)]);
            assert_eq!(error, SigningError::HeaderValue("x-amz-a".into()));
        }
        let request = Signable { method: "GET\n/", ..get(&[("host", b"h")]) };
        let error = signer().sign(&credentials, NOON, request).unwrap_err();
        assert_eq!(error.to_string(), r#"method "GET\n/" is not a token"#);
        for name in ["", "us/east", "us east", "ü", "a\n"] {
            assert_eq!(Signer::new(name, "lambda").unwrap_err(), SigningError::Region(name.into()));
            assert_eq!(Signer::new("us-east-1", name).unwrap_err(), SigningError::Service(name.into()));
        }
    }

    #[test]
    fn signing_from_within_the_header_list_works() {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None).unwrap();
        let inner = || signer().sign(&credentials, NOON, get(&[("host", b"h")])).unwrap();
        let headers = [("host", b"h".as_slice())].into_iter().inspect(|_| drop(inner()));
        let request =
            Signable { method: "GET", path: "/", query: None, headers, payload: Payload::Bytes(b"") };
        let outer = signer().sign(&credentials, NOON, request).unwrap();
        assert_eq!(outer.authorization(), inner().authorization());
    }

    #[test]
    fn the_minimal_set_is_host_content_type_and_amz_headers() {
        for name in ["host", "Host", "content-type", "X-Amz-Invocation-Type", "x-amz-meta-é"] {
            assert!(is_signed(name), "{name}");
        }
        for name in ["te", "expect", "user-agent", "x-amzn-trace-id", "x-forwarded-for", "x-amz", "é", ""] {
            assert!(!is_signed(name), "{name}");
        }
        for name in [
            "authorization",
            "X-Amz-Date",
            "x-amz-content-sha256",
            "X-Amz-Security-Token",
            "x-amz-region-set",
        ] {
            assert!(!is_signed(name), "{name}");
        }
    }
}
