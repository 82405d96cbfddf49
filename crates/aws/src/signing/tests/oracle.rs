//! Random requests, signed here and by AWS's own crate: every byte of the signature must be the same.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials as Identity;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use proptest::prelude::*;

use super::super::{Payload, Signable, Signer, wire_query};
use super::{ACCESS_KEY, NOON, SECRET_KEY};
use crate::credentials::Credentials;

/// A request, and what it is signed with.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) token: Option<String>,
    pub(super) unix_seconds: u64,
    pub(super) service: &'static str,
}

impl Case {
    /// A bodiless GET.
    pub(super) fn get(path: &str) -> Self {
        Self {
            method: "GET",
            path: path.to_owned(),
            query: None,
            headers: vec![("host".to_owned(), "x.execute-api.us-east-1.amazonaws.com".to_owned())],
            body: Vec::new(),
            token: None,
            unix_seconds: NOON,
            service: "execute-api",
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The request in the form that our signer takes.
    pub(super) fn signable(&self) -> Signable<'_, Vec<(&str, &[u8])>> {
        Signable {
            method: self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: self.pairs().map(|(name, value)| (name, value.as_bytes())).collect(),
            payload: Payload::Bytes(&self.body),
        }
    }

    /// The headers that our signer writes, in order of their names.
    pub(super) fn ours(&self) -> Vec<(String, String)> {
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, self.token.as_deref()).unwrap();
        let signer = Signer::new("us-east-1", self.service).unwrap();
        let ours = signer.sign(&credentials, self.unix_seconds, self.signable()).unwrap();
        sorted(ours.headers())
    }

    /// The headers that AWS's crate writes.
    pub(super) fn theirs(&self) -> Vec<(String, String)> {
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.session_token_mode = SessionTokenMode::Include;
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let identity = Identity::new(ACCESS_KEY, SECRET_KEY, self.token.clone(), None, "test").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(self.service)
            .time(UNIX_EPOCH + Duration::from_secs(self.unix_seconds))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let uri = format!("https://host{}{query}", self.path);
        let body = SignableBody::Bytes(&self.body);
        let request = SignableRequest::new(self.method, uri, self.pairs(), body).unwrap();
        let (instructions, _) = sign(request, &params).unwrap().into_parts();
        sorted(instructions.headers())
    }
}

fn sorted<'n, 'v>(headers: impl Iterator<Item = (&'n str, &'v str)>) -> Vec<(String, String)> {
    let mut headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    headers.sort();
    headers
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        3 => "[a-zA-Z0-9_~.:@!$&'()*+,;=-]{0,6}",
        2 => "(%[0-9A-Fa-f]{2}|[a-z]){1,4}",
        1 => "[éü漢🚀a]{1,3}",
        1 => Just(".".to_owned()),
        1 => Just("..".to_owned()),
    ];
    proptest::collection::vec(segment, 0..6).prop_map(|segments| format!("/{}", segments.join("/")))
}

/// S3's crate mode takes the path as it is, so that only one that is strictly encoded can be compared.
fn encoded_path() -> impl Strategy<Value = String> {
    "/([a-zA-Z0-9_~./-]|%(20|2F|40|C3%A9)){0,12}"
}

fn query() -> impl Strategy<Value = Option<String>> {
    // AWS's crate reads escapes as UTF-8, so that others cannot be compared.
    let text = || "([a-zA-Z0-9_~.:@!$'()*+,;/?-]|%(20|2B|26|3D|25|7e|c3%a9|E6%BC%A2)|é){0,5}";
    let parameter = prop_oneof![
        3 => (text(), text()).prop_map(|(name, value)| format!("{name}={value}")),
        1 => text().prop_map(|name| name),
        1 => "[ab]=[=12]{0,2}".prop_map(|text| text),
    ];
    let joined = proptest::collection::vec(parameter, 0..6).prop_map(|parameters| parameters.join("&"));
    proptest::option::of(joined.prop_map(|query| wire_query(&query).into_owned()))
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        Just("content-type".to_owned()),
        "[Xx]-[Aa]mz-[a-c]".prop_map(|name| name),
        "x-amz-meta-[a-z]{1,3}".prop_map(|name| name),
    ];
    let more = proptest::collection::vec((name, "[ a-zA-Z0-9;,=/\"é]{0,12}"), 0..5);
    (more, "[a-z]{1,8}\\.example(:[0-9]{2,4})?").prop_map(|(mut headers, host)| {
        headers.push(("host".to_owned(), host));
        headers
    })
}

prop_compose! {
    fn case()(
        (service, path) in prop_oneof![
            3 => (prop_oneof![Just("execute-api"), Just("lambda")], path()),
            1 => (Just("s3"), encoded_path()),
        ],
        method in prop_oneof![Just("GET"), Just("POST"), Just("DELETE"), Just("PROPFIND")],
        query in query(),
        headers in headers(),
        body in proptest::collection::vec(any::<u8>(), 0..200),
        token in proptest::option::of("[a-zA-Z0-9+/=]{1,40}"),
        unix_seconds in 0u64..4_102_444_800,
    ) -> Case {
        Case { method, path, query, headers, body, token, unix_seconds, service }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn random_requests_are_signed_as_by_the_crate_of_aws(case in case()) {
        prop_assert_eq!(case.ours(), case.theirs());
    }
}
