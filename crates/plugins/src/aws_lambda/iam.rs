//! `authorization.iam`: the request as AWS is to see it, signed.

use http::StatusCode;
use lockgate_aws::{
    Credentials, Endpoint, Payload, Signable, Signer, SigningError, is_signed, wire_path, wire_query,
};
use lockgate_http::{Request, name};
use lockgate_plugin::{BuildError, Error};
use lockgate_telemetry::clock;

use super::config::{self, ClientAuthorization};
use crate::function::Sign;

/// What APISIX takes where neither the configuration nor the host says it.
const REGION: &str = "us-east-1";
const SERVICE: &str = "execute-api";

/// Signs the requests of one route.
pub(super) struct Iam {
    signer: Signer,
    credentials: Credentials,
    client_authorization: ClientAuthorization,
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

    fn sign(&self, request: &mut Request, host: &str, target: &str, body: &[u8]) -> Result<(), Error> {
        self.set_aside(request);
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let theirs = request.headers.iter().map(|(_, name, value)| (name, value));
        let theirs = theirs.filter(|(name, _)| is_signed(name) && !name.eq_ignore_ascii_case("host"));
        let signed = self.signer.sign(
            &self.credentials,
            clock::with(clock::Texts::unix_seconds),
            Signable {
                method: request.method.as_str(),
                path,
                query,
                headers: std::iter::once(("host", host.as_bytes())).chain(theirs),
                payload: Payload::Bytes(body),
            },
        );
        let signed = signed.map_err(|error| failed(&error))?;
        for (name, value) in signed.headers() {
            request.headers.set(name, value.as_bytes()).map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

/// Nothing that should have been signed leaves unsigned.
fn failed(error: &dyn std::error::Error) -> Error {
    Error {
        status: StatusCode::SERVICE_UNAVAILABLE,
        message: format!("the request cannot be signed: {error}"),
    }
}
