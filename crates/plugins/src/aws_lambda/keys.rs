//! `authorization.iam`: whose keys requests are signed with, and where those come from.

#[cfg(test)]
mod tests;

use std::time::Duration;

use http::StatusCode;
use lockgate_aws::credentials::{CredentialCache, CredentialSource, Origin, Provider, Role};
use lockgate_aws::{Credentials, SigningError};
use lockgate_plugin::{BuildContext, BuildError, Error};
use lockgate_telemetry::clock;

use super::config::{Iam, Source};

/// What CloudTrail calls a session whose name nobody wrote.
const SESSION: &str = "lockgate";
/// AWS gives credentials of a role no longer than this to who comes with those of another role.
const LONGEST_CHAINED: u32 = 3600;

/// The keys of one route.
pub(super) enum Keys {
    /// They were written down.
    Fixed(Credentials),
    /// They are fetched, and renewed, for all routes with the same source.
    Kept(Provider),
}

impl Keys {
    pub(super) fn build(iam: &Iam, region: &str, cx: &BuildContext) -> Result<Self, BuildError> {
        check(iam)?;
        let origin = match iam.source {
            None | Some(Source::Static) => {
                let written = |field: &'static str, text: &Option<String>| {
                    text.clone().ok_or_else(|| refuse(&format!("property \"{field}\" is required")))
                };
                let access_key = written("accesskey", &iam.accesskey)?;
                let secret_key = written("secretkey", &iam.secretkey)?;
                let keys = Credentials::new(&access_key, &secret_key, iam.session_token.as_deref());
                let keys = keys.map_err(|error| refuse_key(&error))?;
                if iam.role_arn.is_none() {
                    return Ok(Self::Fixed(keys));
                }
                Origin::Static(keys)
            }
            Some(Source::Default) => Origin::Default,
            Some(Source::Env) => Origin::Environment,
            Some(Source::Profile) => Origin::Profile(iam.profile.as_deref().map(Into::into)),
            Some(Source::WebIdentity) => Origin::WebIdentity,
            Some(Source::Container) => Origin::Container,
            Some(Source::Imds) => Origin::InstanceMetadata,
        };
        let source = CredentialSource::new(origin, roles(iam), region, iam.sts_endpoint.as_deref());
        let cache = cx.shared.get(|| CredentialCache::new(cx.resolver.clone()));
        Ok(Self::Kept(cache.provider(&source)))
    }

    /// Waits for credentials, where there are none yet but some are on their way, but no longer than `patience`.
    pub(super) async fn ready(&self, patience: Duration) -> Result<(), Error> {
        let Self::Kept(provider) = self else { return Ok(()) };
        if provider.current(unix_seconds()).is_none() {
            provider.fetched(patience).await;
            // It may have taken a while.
            clock::now();
        }
        self.with(|_| ())
    }

    /// What has new credentials fetched, where they are fetched at all, after AWS refused these.
    pub(super) fn renewal(&self) -> impl FnOnce() + use<> {
        let provider = match self {
            Self::Fixed(_) => None,
            Self::Kept(provider) => Some(provider.clone()),
        };
        move || {
            if let Some(provider) = provider {
                provider.renew();
            }
        }
    }

    /// Lends the credentials of now.
    pub(super) fn with<R>(&self, use_them: impl FnOnce(&Credentials) -> R) -> Result<R, Error> {
        match self {
            Self::Fixed(credentials) => Ok(use_them(credentials)),
            Self::Kept(provider) => match provider.current(unix_seconds()) {
                Some(live) => Ok(use_them(live.credentials())),
                None => Err(Error {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    message: format!("no AWS credentials: tried {}", provider.tried()),
                }),
            },
        }
    }
}

fn unix_seconds() -> u64 {
    clock::with(clock::Texts::unix_seconds)
}

fn roles(iam: &Iam) -> Vec<Role> {
    let Some(last) = &iam.role_arn else { return Vec::new() };
    let session_name = iam.session_name.as_deref().unwrap_or(SESSION);
    let role = |arn: &str, external_id: Option<&str>, duration| Role {
        arn: arn.into(),
        external_id: external_id.map(Into::into),
        session_name: session_name.into(),
        duration,
    };
    let before = iam.role_chain.iter().flatten();
    let mut roles: Vec<_> =
        before.map(|before| role(&before.role_arn, before.external_id.as_deref(), None)).collect();
    let duration = iam.session_duration.map(|seconds| Duration::from_secs(seconds.into()));
    roles.push(role(last, iam.external_id.as_deref(), duration));
    roles
}

/// What does not go together.
fn check(iam: &Iam) -> Result<(), BuildError> {
    let source = iam.source.unwrap_or(Source::Static);
    let keys = [
        ("accesskey", iam.accesskey.is_some()),
        ("secretkey", iam.secretkey.is_some()),
        ("session_token", iam.session_token.is_some()),
    ];
    let is_written = |(field, is): &(&'static str, bool)| is.then_some(*field);
    if source != Source::Static
        && let Some(field) = keys.iter().find_map(is_written)
    {
        return Err(refuse(&format!("property \"{field}\" goes with source \"static\" only")));
    }
    if iam.profile.is_some() && source != Source::Profile {
        return Err(refuse("property \"profile\" goes with source \"profile\" only"));
    }
    if iam.role_arn.is_some() {
        return Ok(());
    }
    if iam.sts_endpoint.is_some() && source == Source::WebIdentity {
        return Err(refuse(
            "property \"sts_endpoint\" goes with \"role_arn\" only; for web identity, set AWS_ENDPOINT_URL_STS",
        ));
    }
    let of_roles = [
        ("external_id", iam.external_id.is_some()),
        ("session_name", iam.session_name.is_some()),
        ("session_duration", iam.session_duration.is_some()),
        ("role_chain", iam.role_chain.is_some()),
        ("sts_endpoint", iam.sts_endpoint.is_some()),
    ];
    match of_roles.iter().find_map(is_written) {
        Some(field) => Err(refuse(&format!("property \"{field}\" goes with \"role_arn\" only"))),
        None => Ok(()),
    }
}

/// What is accepted but probably not meant.
pub(super) fn warnings(iam: &Iam) -> Vec<String> {
    let mut warnings = Vec::new();
    let is_of_a_role = matches!(iam.source, Some(Source::WebIdentity | Source::Container | Source::Imds));
    if (is_of_a_role || iam.role_chain.as_ref().is_some_and(|before| !before.is_empty()))
        && let Some(duration) = iam.session_duration.filter(|duration| *duration > LONGEST_CHAINED)
    {
        warnings.push(format!(
            "authorization.iam.session_duration is {duration}, but AWS gives a role's credentials for \
             {LONGEST_CHAINED} seconds at most to who comes with those of another role"
        ));
    }
    let host = iam.sts_endpoint.as_deref().and_then(|endpoint| endpoint.strip_prefix("http://"));
    if let Some(host) = host
        && !["localhost", "127.", "[::1]"].iter().any(|loopback| host.starts_with(loopback))
    {
        warnings.push(
            "authorization.iam.sts_endpoint is not https: credentials can be read on the way".to_owned(),
        );
    }
    warnings
}

/// Says what is wrong, at its place.
pub(super) fn refuse(why: &str) -> BuildError {
    BuildError(format!(
        "property \"authorization\" validation failed: property \"iam\" validation failed: {why}"
    ))
}

fn refuse_key(error: &SigningError) -> BuildError {
    let field = match error {
        SigningError::AccessKey => "accesskey",
        SigningError::SecretKey => "secretkey",
        _ => "session_token",
    };
    refuse(&format!("property \"{field}\" validation failed: {error}"))
}
