//! `authorization.iam`: the request as AWS is to see it, signed.

use http::StatusCode;
use lockgate_aws::skew::shift;
use lockgate_aws::{
    Credentials, Endpoint, Payload, Refusal, Signable, Signer, SigningError, Skew, is_signed, wire_path,
    wire_query,
};
use lockgate_http::{Request, name};
use lockgate_plugin::{BuildError, Error};
use lockgate_telemetry::clock;

use super::config::{self, ClientAuthorization};
use crate::function::sign::{self, Sign};

/// What APISIX takes where neither the configuration nor the host says it.
const REGION: &str = "us-east-1";
const SERVICE: &str = "execute-api";

/// Signs the requests of one route.
pub(super) struct Iam {
    signer: Signer,
    credentials: Credentials,
    client_authorization: ClientAuthorization,
    skew: Skew,
}

impl Iam {
    pub(super) fn build(
        iam: &config::Iam,
        client_authorization: ClientAuthorization,
        host: &str,
    ) -> Result<Self, BuildError> {
        let found = Endpoint::of_host(host);
        let region = iam.aws_region.as_deref().or(found.as_ref().map(|found| &*found.region));
        let service = iam.service.as_deref().or(found.as_ref().map(|found| found.service));
        Ok(Self {
            signer: Signer::new(region.unwrap_or(REGION), service.unwrap_or(SERVICE))
                .map_err(|error| refuse(&error))?,
            credentials: Credentials::new(&iam.accesskey, &iam.secretkey, iam.session_token.as_deref())
                .map_err(|error| refuse(&error))?,
            client_authorization,
            skew: Skew::default(),
        })
    }

    /// What host and fields say differently: AWS would refuse every request.
    pub(super) fn warnings(iam: &config::Iam, host: &str) -> Vec<String> {
        let Some(found) = Endpoint::of_host(host) else { return Vec::new() };
        let fields =
            [("aws_region", &iam.aws_region, &*found.region), ("service", &iam.service, found.service)];
        let differ = |(field, written, found): (&str, &Option<String>, &str)| {
            let written = written.as_deref().filter(|written| *written != found)?;
            Some(format!(
                "authorization.iam.{field} is {written}, but the host of function_uri says {found}: AWS will refuse the signature"
            ))
        };
        fields.into_iter().filter_map(differ).collect()
    }
}

fn refuse(error: &SigningError) -> BuildError {
    let field = match error {
        SigningError::AccessKey => "accesskey",
        SigningError::SecretKey => "secretkey",
        SigningError::SessionToken => "session_token",
        SigningError::Region(_) => "aws_region",
        _ => "service",
    };
    BuildError(format!(
        "property \"authorization\" validation failed: property \"iam\" validation failed: property \"{field}\" \
         validation failed: {error}"
    ))
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
        let (path, query) = match call.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (call.target, None),
        };
        let theirs = request.headers.iter().map(|(_, name, value)| (name, value));
        let theirs = theirs.filter(|(name, _)| is_signed(name) && !name.eq_ignore_ascii_case("host"));
        let signed = self.signer.sign(
            &self.credentials,
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

    fn skew(&self) -> &Skew {
        &self.skew
    }

    fn explain(&self) -> sign::Explain {
        let (region, service) = (self.signer.region().to_owned(), self.signer.service().to_owned());
        Box::new(move |status, error_type, words| {
            if let Some(refusal) = Refusal::of(status.as_u16(), error_type, words) {
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
