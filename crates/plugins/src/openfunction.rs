//! `openfunction`: answers a route with what a function of an OpenFunction cluster returned.

use lockgate_http::{Request, name};
use lockgate_plugin::{BuildContext, BuildError, Error, Flow, Phase, Plugin, RequestContext};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::function::Endpoint;
use crate::function::settings::{Remote, basic};

/// What users write under `openfunction`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Config {
    #[serde(flatten)]
    remote: Remote,
    /// How the request is authorized.
    authorization: Option<Authorization>,
}

/// How a request is authorized.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
struct Authorization {
    /// User name and password, `user:password`, sent as basic authorization in place of the client's own.
    #[schemars(extend("x-encrypt" = true))]
    service_token: Option<String>,
}

/// A function, and what authorizes a call of it.
pub(crate) struct OpenFunction {
    endpoint: Endpoint,
    authorization: Option<String>,
}

impl Plugin for OpenFunction {
    const NAME: &'static str = "openfunction";
    const PRIORITY: i32 = -1902;
    const PHASES: &'static [Phase] = &[Phase::Access];
    type Config = Config;

    fn build(config: Config, cx: &BuildContext) -> Result<Self, BuildError> {
        let token = config.authorization.and_then(|authorization| authorization.service_token);
        Ok(Self {
            endpoint: Endpoint::build(&config.remote.settings()?, cx)?,
            authorization: token.map(|token| basic(&token)),
        })
    }

    async fn access(&self, request: &mut Request, cx: &mut RequestContext) -> Result<Flow, Error> {
        let field = self.authorization.as_ref().map(|value| (name::AUTHORIZATION, value.as_bytes()));
        self.endpoint.call(request, cx, field.as_slice(), None).await.map(Flow::Respond)
    }
}
