//! `azure-functions`: answers a route with what an Azure Function behind its HTTP trigger returned.

use lockgate_http::Request;
use lockgate_http::name::Name;
use lockgate_plugin::{BuildContext, BuildError, Error, Flow, MetadataType, Phase, Plugin, RequestContext};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::function::Endpoint;
use crate::function::settings::{Remote, header_value};

/// The headers that Azure looks for a key in. A client that sends either is passed on as it is.
const KEY: &str = "x-functions-key";
const CLIENT_ID: &str = "x-functions-clientid";

/// What users write under `azure-functions`.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Config {
    #[serde(flatten)]
    remote: Remote,
    /// The keys of this function. With it, even where it is empty, those of the metadata are not looked at.
    authorization: Option<Authorization>,
}

/// The keys of a function.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(inline)]
struct Authorization {
    /// The access key, sent as `x-functions-key`.
    #[schemars(extend("x-encrypt" = true))]
    apikey: Option<String>,
    /// The client id, sent as `x-functions-clientid`.
    clientid: Option<String>,
}

/// What users write once, for all functions.
#[derive(Default, Deserialize, JsonSchema)]
struct Metadata {
    /// The access key where neither client nor configuration has any.
    #[serde(default)]
    #[schemars(extend("x-encrypt" = true))]
    master_apikey: String,
    /// The client id that goes with it.
    #[serde(default)]
    master_clientid: String,
}

/// A function, and the keys that open it.
pub(crate) struct AzureFunctions {
    endpoint: Endpoint,
    fields: Vec<(&'static str, Box<[u8]>)>,
}

impl Plugin for AzureFunctions {
    const NAME: &'static str = "azure-functions";
    const PRIORITY: i32 = -1900;
    const PHASES: &'static [Phase] = &[Phase::Access];
    type Config = Config;

    fn metadata() -> Option<MetadataType> {
        Some(MetadataType::of::<Metadata>())
    }

    fn build(config: Config, cx: &BuildContext) -> Result<Self, BuildError> {
        let endpoint = Endpoint::build(&config.remote.settings()?, cx)?;
        let keys = config.authorization.unwrap_or_else(|| {
            let metadata: Metadata = cx.metadata.get(Self::NAME).unwrap_or_default();
            let written = |text: String| Some(text).filter(|text| !text.is_empty());
            Authorization {
                apikey: written(metadata.master_apikey),
                clientid: written(metadata.master_clientid),
            }
        });
        let mut fields = Vec::new();
        for (name, field, text) in [(KEY, "apikey", keys.apikey), (CLIENT_ID, "clientid", keys.clientid)] {
            if let Some(text) = text {
                fields.push((name, header_value(field, &text)?));
            }
        }
        Ok(Self { endpoint, fields })
    }

    async fn access(&self, request: &mut Request, cx: &mut RequestContext) -> Result<Flow, Error> {
        let has_own = request.headers.contains(KEY) || request.headers.contains(CLIENT_ID);
        let fields = self.fields.iter().filter(|_| !has_own);
        let fields: Vec<(Name<'_>, &[u8])> = fields.map(|(name, value)| ((*name).into(), &**value)).collect();
        self.endpoint.call(request, cx, &fields, None).await.map(Flow::Respond)
    }
}
