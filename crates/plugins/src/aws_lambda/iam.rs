//! `authorization.iam`: the request as AWS is to see it, signed.

use std::time::Duration;

use http::StatusCode;
use lockgate_aws::endpoint::EVERY_REGION;
use lockgate_aws::skew::shift;
use lockgate_aws::{
    Credentials, Endpoint, Payload, Refusal, Signable, Signer, SigningError, Skew, is_signed, wire_path,
    wire_query,
};
use lockgate_http::{Request, name};
use lockgate_plugin::{BuildContext, BuildError, Error};
use lockgate_telemetry::clock;

use super::config::{self, ClientAuthorization, SignatureVersion};
use super::keys::{self, Keys};
use crate::function::sign::{self, Sign};

/// What APISIX takes where neither the configuration nor the host says it.
const REGION: &str = "us-east-1";
const SERVICE: &str = "execute-api";

/// Signs the requests of one route.
pub(super) struct Iam {
    signer: Signer,
    keys: Keys,
    client_authorization: ClientAuthorization,
    skew: Skew,
}

impl Iam {
    pub(super) fn build(
        iam: &config::Iam,
        client_authorization: ClientAuthorization,
        host: &str,
        cx: &BuildContext,
    ) -> Result<Self, BuildError> {
        let found = Endpoint::of_host(host);
        let region = iam.aws_region.as_deref().or(found.as_ref().map(|found| &*found.region));
        let service = iam.service.as_deref().or(found.as_ref().map(|found| found.service));
        let (region, service) = (region.unwrap_or(REGION), service.unwrap_or(SERVICE));
        let signer =
            if is_for_many(iam, region) { Signer::multi_region } else { Signer::new }(region, service);
        Ok(Self {
            signer: signer.map_err(|error| refuse(&error))?,
            keys: Keys::build(iam, one_of(region), cx)?,
            client_authorization,
            skew: Skew::default(),
        })
    }

    /// What host and fields say differently: AWS would refuse every request.
    pub(super) fn warnings(iam: &config::Iam, host: &str) -> Vec<String> {
        let mut warnings = keys::warnings(iam);
        let Some(found) = Endpoint::of_host(host) else { return warnings };
        let region = iam.aws_region.as_deref().filter(|written| !covers(iam, written, &found.region));
        let service = iam.service.as_deref().filter(|written| *written != found.service);
        let fields = [("aws_region", region, &*found.region), ("service", service, found.service)];
        let differ = |(field, written, found): (&str, Option<&str>, &str)| {
            let written = written?;
            Some(format!(
                "authorization.iam.{field} is {written}, but the host of function_uri says {found}: AWS will refuse the signature"
            ))
        };
        warnings.extend(fields.into_iter().filter_map(differ));
        warnings
    }

    /// Waits for the first credentials, where they are on their way, but no longer than `patience`.
    pub(super) async fn ready(&self, patience: Duration) -> Result<(), Error> {
        self.keys.ready(patience).await
    }

    fn sign_with(
        &self,
        credentials: &Credentials,
        request: &mut Request,
        call: &sign::Signable<'_>,
    ) -> Result<(), Error> {
        let (path, query) = match call.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (call.target, None),
        };
        let theirs = request.headers.iter().map(|(_, name, value)| (name, value));
        let theirs = theirs.filter(|(name, _)| is_signed(name) && !name.eq_ignore_ascii_case("host"));
        let signed = self.signer.sign(
            credentials,
            shift(clock::with(clock::Texts::unix_seconds), call.clock_offset),
            Signable {
                method: request.method.as_str(),
                path,
                query,
                headers: std::iter::once(("host", call.host.as_bytes())).chain(theirs),
                payload: Payload::Bytes(call.body),
            },
        );
        let signed = signed.map_err(|error| failed(&error))?;
        for (name, value) in signed.headers() {
            request.headers.set(name, value.as_bytes()).map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

/// Where STS is asked, for a signature that is for many regions.
fn one_of(region: &str) -> &str {
    region.split(',').map(str::trim).find(|region| !region.contains('*')).unwrap_or(REGION)
}

/// Whether a signature for the written region holds in that of the host.
fn covers(iam: &config::Iam, written: &str, found: &str) -> bool {
    if !is_for_many(iam, written) {
        return written == found;
    }
    let matches = |pattern: &str| match pattern.split_once('*') {
        Some((head, tail)) => found.starts_with(head) && found.ends_with(tail),
        None => found == pattern,
    };
    found == EVERY_REGION || written.split(',').any(|pattern| matches(pattern.trim()))
}

/// Whether a signature is for many regions: by its version, or by what is written.
fn is_for_many(iam: &config::Iam, region: &str) -> bool {
    match iam.signature_version {
        Some(version) => version == SignatureVersion::V4a,
        None => region.contains(['*', ',']),
    }
}

fn refuse(error: &SigningError) -> BuildError {
    let field = match error {
        SigningError::Region(_) | SigningError::RegionSet(_) => "aws_region",
        _ => "service",
    };
    keys::refuse(&format!("property \"{field}\" validation failed: {error}"))
}

impl Sign for Iam {
    fn is_needed(&self, request: &Request) -> bool {
        // APISIX's way: a client that brings its own authorization is not signed for.
        self.client_authorization != ClientAuthorization::Passthrough
            || !request.headers.contains(name::AUTHORIZATION)
    }

    fn wire(&self, target: &str) -> String {
        match target.split_once('?') {
            Some((path, query)) => format!("{}?{}", wire_path(path), wire_query(query)),
            None => wire_path(target).into_owned(),
        }
    }

    /// A client's own authorization is not AWS's business, and would stand in the way of ours.
    fn set_aside(&self, request: &mut Request) {
        let theirs = request.headers.get(name::AUTHORIZATION).map(<[u8]>::to_vec);
        request.headers.remove(name::AUTHORIZATION);
        if let (Some(theirs), ClientAuthorization::Move) = (theirs, self.client_authorization) {
            // It came as a valid value.
            let _ = request.headers.set("X-Original-Authorization", &theirs);
        }
        request
            .headers
            .retain(|_, name, _| !name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-")));
    }

    fn sign(&self, request: &mut Request, call: &sign::Signable<'_>) -> Result<(), Error> {
        self.keys.with(|credentials| self.sign_with(credentials, request, call))?
    }

    fn skew(&self) -> &Skew {
        &self.skew
    }

    fn explain(&self) -> sign::Explain {
        let (region, service) = (self.signer.region().to_owned(), self.signer.service().to_owned());
        let renew = self.keys.renewal();
        Box::new(move |status, error_type, words| {
            if let Some(refusal) = Refusal::of(status.as_u16(), error_type, words) {
                if matches!(refusal, Refusal::Expired | Refusal::Key) {
                    renew();
                }
                let mend = mend(&refusal);
                tracing::warn!(%status, region, service, "aws refused the signature: {refusal}; {mend}");
            }
        })
    }
}

/// What is to be done about a refusal.
fn mend(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Service(_) => "set authorization.iam.service to it, or leave the field away",
        Refusal::Region(_) => "set authorization.iam.aws_region to the region of the endpoint",
        Refusal::Clock => "set this machine's clock",
        Refusal::Expired => "authorization.iam needs fresh credentials",
        Refusal::Key => {
            "see that authorization.iam.accesskey exists and is active, and that session_token goes with \
             temporary credentials"
        }
        Refusal::Mismatch => {
            "see that authorization.iam.secretkey belongs to the access key, and that no proxy on the way changes \
             requests"
        }
        Refusal::Unreadable => "see that no proxy on the way changes the authorization header",
        Refusal::Rights { .. } => {
            "allow it in a policy of the user or role (execute-api:Invoke for API Gateway; \
             lambda:InvokeFunctionUrl and lambda:InvokeFunction for function URLs), and see that no policy of the \
             endpoint denies it"
        }
        Refusal::NoSuchPath => "see what path is asked for, and whether the stage is deployed",
    }
}

/// Nothing that should have been signed leaves unsigned.
fn failed(error: &dyn std::error::Error) -> Error {
    Error {
        status: StatusCode::SERVICE_UNAVAILABLE,
        message: format!("the request cannot be signed: {error}"),
    }
}
