//! What becomes of plugins that wait, and of those that say that they never do.

use std::rc::Rc;

use http::{Method, StatusCode};
use lockgate_http::ConnectionInfo;
use lockgate_http::resolver::Resolver;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::{BuildError, Plugin, Secrets};

#[derive(Deserialize, JsonSchema)]
struct Config {
    waits: bool,
}

/// Answers, at once or after a wait.
struct Answering<const NEVER_WAITS: bool>(Config);

impl<const NEVER_WAITS: bool> Plugin for Answering<NEVER_WAITS> {
    const NAME: &'static str = "answering";
    const PRIORITY: i32 = 0;
    const PHASES: &'static [Phase] = &[Phase::Access];
    const NEVER_WAITS: bool = NEVER_WAITS;
    type Config = Config;

    fn build(config: Config, _: &BuildContext) -> Result<Self, BuildError> {
        Ok(Self(config))
    }

    async fn access(&self, _: &mut Request, _: &mut RequestContext) -> Result<Flow, Error> {
        if self.0.waits {
            tokio::task::yield_now().await;
        }
        Ok(Flow::Respond(Response::text(StatusCode::OK, "text/plain", "answered")))
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn open(&self, _: &str) -> Option<String> {
        None
    }
}

async fn status<P: Plugin>(waits: bool) -> Result<StatusCode, StatusCode> {
    let registry = Registry::new().with::<P>();
    let configs = Map::from_iter([("answering".to_owned(), json!({"waits": waits}))]);
    let build = BuildContext::new(Resolver::new(tokio::runtime::Handle::current(), []), Arc::new(NoSecrets));
    let pipeline = Pipeline::build(&configs, &registry, &build, None).unwrap();
    let address = "127.0.0.1:80".parse().unwrap();
    let connection = Rc::new(ConnectionInfo::new(address, address, false));
    let mut cx = RequestContext::new(connection, Method::GET);
    let mut request = Request::new(Method::GET, "/").unwrap();
    match pipeline.access(&mut request, &mut cx).await {
        Ok(Flow::Respond(response)) => Ok(response.status),
        Ok(Flow::Continue) => unreachable!("it always answers"),
        Err(error) => Err(error.status),
    }
}

#[tokio::test]
async fn a_plugin_may_wait_unless_it_says_that_it_never_does() {
    assert_eq!(status::<Answering<false>>(true).await, Ok(StatusCode::OK));
    assert_eq!(status::<Answering<false>>(false).await, Ok(StatusCode::OK));
    assert_eq!(status::<Answering<true>>(false).await, Ok(StatusCode::OK));
    assert_eq!(status::<Answering<true>>(true).await, Err(StatusCode::INTERNAL_SERVER_ERROR));
}
