//! `aws-lambda`: answers a route with what an AWS Lambda function behind an HTTP endpoint returned.

mod config;
mod iam;
mod keys;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::StatusCode;
use lockgate_http::peer::KeepAlive;
use lockgate_http::{Request, name};
use lockgate_plugin::{BuildContext, BuildError, Error, Flow, Phase, Plugin, RequestContext};

use crate::function::settings::TOO_LARGE;
use crate::function::sign::Sign;
use crate::function::{Endpoint, Settings};
use config::Config;
use iam::Iam;

/// A function, and what authorizes a call of it.
pub(crate) struct AwsLambda {
    endpoint: Endpoint,
    api_key: Option<Box<[u8]>>,
    iam: Option<Iam>,
    /// How long a request waits for the first credentials.
    patience: Duration,
}

impl Plugin for AwsLambda {
    const NAME: &'static str = "aws-lambda";
    const PRIORITY: i32 = -1899;
    const PHASES: &'static [Phase] = &[Phase::Access];
    type Config = Config;

    fn build(config: Config, cx: &BuildContext) -> Result<Self, BuildError> {
        let settings = Settings {
            field: "function_uri",
            uri: &config.function_uri,
            timeout: Duration::from_millis(config.timeout),
            timeout_status: StatusCode::from_u16(config.timeout_status).map_err(|error| {
                BuildError(format!("property \"timeout_status\" validation failed: {error}"))
            })?,
            verifies: config.ssl_verify,
            keep_alive: KeepAlive {
                connections: if config.keepalive { config.keepalive_pool } else { 0 },
                timeout: Duration::from_millis(config.keepalive_timeout),
                requests: 0,
            },
            max_body: config.max_req_body_size,
            too_large: TOO_LARGE,
        };
        let endpoint = Endpoint::build(&settings, cx)?;
        let Some(authorization) = config.authorization else {
            return Ok(Self { endpoint, api_key: None, iam: None, patience: settings.timeout });
        };
        let is_control = |byte: u8| byte < b' ' || byte == 127;
        if authorization.apikey.as_ref().is_some_and(|key| key.bytes().any(is_control)) {
            return Err(BuildError(
                "property \"authorization\" validation failed: property \"apikey\" validation failed: expected a \
                 text without control characters"
                    .to_owned(),
            ));
        }
        let iam = authorization.iam.as_ref();
        let iam = iam.map(|iam| Iam::build(iam, authorization.client_authorization, endpoint.host(), cx));
        Ok(Self {
            endpoint,
            api_key: authorization.apikey.map(|key| key.into_bytes().into()),
            iam: iam.transpose()?,
            patience: settings.timeout,
        })
    }

    fn warnings(config: &Config) -> Vec<String> {
        let iam = config.authorization.as_ref().and_then(|authorization| authorization.iam.as_ref());
        let uri: Option<http::Uri> = config.function_uri.parse().ok();
        match (iam, uri.as_ref().and_then(http::Uri::host)) {
            (Some(iam), Some(host)) => Iam::warnings(iam, host),
            _ => Vec::new(),
        }
    }

    async fn access(&self, request: &mut Request, cx: &mut RequestContext) -> Result<Flow, Error> {
        // The client's own key wins, as in APISIX.
        let key = self.api_key.as_deref().filter(|_| !request.headers.contains(name::X_API_KEY));
        let fields = key.map(|key| (name::X_API_KEY, key));
        let iam = self.iam.as_ref().filter(|iam| iam.is_needed(request));
        if let Some(iam) = iam {
            iam.ready(self.patience).await?;
        }
        let sign = iam.map(|iam| iam as &dyn Sign);
        self.endpoint.call(request, cx, fields.as_slice(), sign).await.map(Flow::Respond)
    }
}
