//! `aws-lambda`: answers a route with what an AWS Lambda function behind an HTTP endpoint returned.

mod config;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::StatusCode;
use lockgate_http::peer::KeepAlive;
use lockgate_http::{Request, name};
use lockgate_plugin::{BuildContext, BuildError, Error, Flow, Phase, Plugin, RequestContext};

use crate::function::{Endpoint, Settings};
use config::Config;

/// A function, and what authorizes a call of it.
pub(crate) struct AwsLambda {
    endpoint: Endpoint,
    api_key: Option<Box<[u8]>>,
    signs: bool,
}

impl Plugin for AwsLambda {
    const NAME: &'static str = "aws-lambda";
    const PRIORITY: i32 = -1899;
    const PHASES: &'static [Phase] = &[Phase::Access];
    type Config = Config;

    fn build(config: Config, cx: &BuildContext) -> Result<Self, BuildError> {
        let settings = Settings {
            uri: &config.function_uri,
            timeout: Duration::from_millis(config.timeout),
            timeout_status: StatusCode::from_u16(config.timeout_status).map_err(|error| {
                BuildError(format!("property \"timeout_status\" validation failed: {error}"))
            })?,
            verifies: config.ssl_verify,
            keep_alive: KeepAlive {
                connections: if config.keepalive {
                    config.keepalive_pool
                } else {
                    0
                },
                timeout: Duration::from_millis(config.keepalive_timeout),
                requests: 0,
            },
            max_body: config.max_req_body_size,
        };
        let (api_key, iam) = config
            .authorization
            .map_or((None, None), |auth| (auth.apikey, auth.iam));
        if api_key
            .as_ref()
            .is_some_and(|key| key.bytes().any(|byte| byte < b' ' || byte == 127))
        {
            let why = "expected a text without control characters";
            return Err(BuildError(format!(
                "property \"authorization\" validation failed: property \"apikey\" validation failed: {why}"
            )));
        }
        Ok(Self {
            endpoint: Endpoint::build(&settings, cx)?,
            api_key: api_key.map(|key| key.into_bytes().into()),
            signs: iam.is_some(),
        })
    }

    fn warnings(config: &Config) -> Vec<String> {
        let signs = config
            .authorization
            .as_ref()
            .is_some_and(|auth| auth.iam.is_some());
        match signs {
            true => {
                vec!["authorization.iam: this version cannot sign requests, the route answers 503".to_owned()]
            }
            false => Vec::new(),
        }
    }

    async fn access(&self, request: &mut Request, cx: &mut RequestContext) -> Result<Flow, Error> {
        if self.signs {
            // Nothing that should have been signed may leave unsigned.
            let message = "authorization.iam is configured, and this version cannot sign requests".to_owned();
            return Err(Error {
                status: StatusCode::SERVICE_UNAVAILABLE,
                message,
            });
        }
        // The client's own key wins, as in APISIX.
        let key = self
            .api_key
            .as_deref()
            .filter(|_| !request.headers.contains(name::X_API_KEY));
        let fields = key.map(|key| (name::X_API_KEY, key));
        self.endpoint
            .call(request, cx, fields.as_slice())
            .await
            .map(Flow::Respond)
    }
}
