//! `openwhisk`: answers a route with what an action of Apache OpenWhisk returned.

mod config;
mod unwrap;

use std::time::Duration;

use http::StatusCode;
use lockgate_http::{Request, name};
use lockgate_plugin::{BuildContext, BuildError, Error, Flow, Phase, Plugin, RequestContext};

use crate::function::settings::{basic, keep_alive, status};
use crate::function::{Endpoint, Settings};
use config::Config;

/// An action, and what authorizes a call of it.
pub(crate) struct OpenWhisk {
    endpoint: Endpoint,
    /// What follows the host: the path of the action and how it is called.
    target: Box<str>,
    authorization: String,
}

impl Plugin for OpenWhisk {
    const NAME: &'static str = "openwhisk";
    const PRIORITY: i32 = -1901;
    const PHASES: &'static [Phase] = &[Phase::Access];
    type Config = Config;

    fn build(config: Config, cx: &BuildContext) -> Result<Self, BuildError> {
        let connections = if config.keepalive { config.keepalive_pool } else { 0 };
        let settings = Settings {
            field: "api_host",
            uri: &config.api_host,
            timeout: Duration::from_millis(config.timeout),
            timeout_status: status(config.timeout_status)?,
            verifies: config.ssl_verify,
            keep_alive: keep_alive(connections, config.keepalive_timeout),
            max_body: config.max_req_body_size,
            too_large: StatusCode::PAYLOAD_TOO_LARGE,
        };
        Ok(Self {
            endpoint: Endpoint::build(&settings, cx)?,
            target: config.target().into(),
            authorization: basic(&config.service_token),
        })
    }

    async fn access(&self, request: &mut Request, cx: &mut RequestContext) -> Result<Flow, Error> {
        let fields = [
            (name::AUTHORIZATION, self.authorization.as_bytes()),
            (name::CONTENT_TYPE, b"application/json".as_slice()),
        ];
        let response = self.endpoint.post(request, cx, &self.target, &fields).await?;
        unwrap::unwrapped(response).await.map(Flow::Respond)
    }
}
