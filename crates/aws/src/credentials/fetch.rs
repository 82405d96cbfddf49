//! Asks the providers of `aws-config` for credentials, once.

use std::time::{Duration, SystemTime};

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials as Keys;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use lockgate_http::resolver::Resolver;

use super::connector::Connector;
use super::failure::{CredentialsFailure, reason};
use super::source::{CredentialSource, Origin, Role};
use super::{Credentials, Fetch, Fetched, Fetching};

/// The order of the default chain: AWS's own.
const CHAIN: [Origin; 5] = [
    Origin::Environment,
    Origin::Profile(None),
    Origin::WebIdentity,
    Origin::Container,
    Origin::InstanceMetadata,
];

/// Asks where AWS's own tools ask.
pub(super) struct Providers(Connector);

impl Providers {
    pub(super) fn new(resolver: Resolver) -> Self {
        Self(Connector::new(resolver))
    }

    /// The credentials of the origin, and what gave them.
    async fn first(&self, source: &CredentialSource) -> Result<(Keys, &'static str), CredentialsFailure> {
        if *source.origin() != Origin::Default {
            let name = source.origin().name();
            let keys = self.ask(source.origin(), source).await;
            return keys
                .map(|keys| (keys, name))
                .map_err(|error| CredentialsFailure::of(name, reason(&error)));
        }
        let mut failure = CredentialsFailure::default();
        for origin in &CHAIN {
            match self.ask(origin, source).await {
                Ok(keys) => return Ok((keys, origin.name())),
                Err(error) => {
                    failure.add(origin.name(), reason(&error));
                    // Who has something to say about credentials, but something wrong, is not passed over.
                    if !matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
                        break;
                    }
                }
            }
        }
        Err(failure)
    }

    async fn ask(&self, origin: &Origin, source: &CredentialSource) -> Result<Keys, CredentialsError> {
        // Made anew each time, so that changed files are read again.
        let region = source.region().map(|region| Region::new(region.to_owned()));
        let config = ProviderConfig::without_region().with_region(region).with_http_client(self.0.clone());
        match origin {
            Origin::Static(keys) => Ok(keys.to_aws()),
            Origin::Default => Err(CredentialsError::not_loaded("the chain is no link of itself")),
            Origin::Environment => EnvironmentVariableCredentialsProvider::new().provide_credentials().await,
            Origin::Profile(name) => {
                let mut builder = ProfileFileCredentialsProvider::builder().configure(&config);
                if let Some(name) = name {
                    builder = builder.profile_name(&**name);
                }
                builder.build().provide_credentials().await
            }
            Origin::WebIdentity => {
                let builder = WebIdentityTokenCredentialsProvider::builder().configure(&config);
                builder.build().provide_credentials().await
            }
            Origin::Container => {
                EcsCredentialsProvider::builder().configure(&config).build().provide_credentials().await
            }
            Origin::InstanceMetadata => {
                ImdsCredentialsProvider::builder().configure(&config).build().provide_credentials().await
            }
        }
    }

    /// How STS is asked for roles. `AWS_ENDPOINT_URL_STS` counts where the source names no endpoint.
    async fn sts(&self, source: &CredentialSource) -> SdkConfig {
        let mut loader =
            aws_config::defaults(BehaviorVersion::latest()).no_credentials().http_client(self.0.clone());
        if let Some(region) = source.region() {
            loader = loader.region(Region::new(region.to_owned()));
        }
        if let Some(endpoint) = source.sts_endpoint() {
            loader = loader.endpoint_url(endpoint);
        }
        loader.load().await
    }

    async fn all(&self, source: &CredentialSource) -> Result<Fetched, CredentialsFailure> {
        let (mut keys, provider) = self.first(source).await?;
        if !source.roles().is_empty() {
            let sts = self.sts(source).await;
            for role in source.roles() {
                keys = assume(role, keys, &sts).await.map_err(|error| {
                    CredentialsFailure::of(format!("assume_role {}", role.arn), reason(&error))
                })?;
            }
        }
        let credentials =
            Credentials::new(keys.access_key_id(), keys.secret_access_key(), keys.session_token());
        let credentials = credentials.map_err(|error| CredentialsFailure::of(provider, error.to_string()))?;
        let expires = keys.expiry();
        if expires.is_some_and(|expires| expires <= SystemTime::now()) {
            return Err(CredentialsFailure::of(provider, "the credentials it gave have expired"));
        }
        Ok(Fetched { credentials, expires, provider })
    }
}

async fn assume(role: &Role, keys: Keys, sts: &SdkConfig) -> Result<Keys, CredentialsError> {
    let mut builder =
        AssumeRoleProvider::builder(&*role.arn).session_name(&*role.session_name).configure(sts);
    if let Some(id) = &role.external_id {
        builder = builder.external_id(&**id);
    }
    if let Some(duration) = role.duration {
        builder = builder.session_length(duration);
    }
    builder.build_from_provider(keys).await.provide_credentials().await
}

/// How long a whole chain may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Fetch for Providers {
    fn fetch<'a>(&'a self, source: &'a CredentialSource) -> Fetching<'a> {
        Box::pin(async move {
            let fetched = tokio::time::timeout(PATIENCE, self.all(source)).await;
            fetched.unwrap_or_else(|_| {
                Err(CredentialsFailure::of(source.origin().name(), "no answer within 30 seconds"))
            })
        })
    }
}
