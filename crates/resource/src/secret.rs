//! Secret managers: where the values of secrets are kept that resources refer to.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// A place where secrets are kept. Its id is `MANAGER/ID`, such as `vault/1`. Fields that it does not know are
/// let pass, as in APISIX.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// `HashiCorp` Vault.
    Vault(VaultSecrets),
    /// AWS Secrets Manager.
    Aws(AwsSecrets),
    /// Secret Manager of Google Cloud.
    Gcp(GcpSecrets),
}

/// How `HashiCorp` Vault is reached.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct VaultSecrets {
    /// Where it is, such as `https://vault.example.com`.
    #[schemars(regex(pattern = r"^[^\/]+:\/\/([\da-zA-Z.-]+|\[[\da-fA-F:]+\])(:\d+)?"))]
    pub uri: String,
    /// The first part of the path of each secret, such as `kv/apisix`.
    pub prefix: String,
    /// The token that is shown.
    pub token: String,
    /// The namespace, in its enterprise edition.
    pub namespace: Option<String>,
}

/// How AWS Secrets Manager is reached.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct AwsSecrets {
    /// The id of an access key.
    pub access_key_id: String,
    /// The secret of that key.
    pub secret_access_key: String,
    /// The token of a session, where the key is a temporary one.
    pub session_token: Option<String>,
    /// The region.
    #[serde(default = "AwsSecrets::default_region")]
    #[schemars(extend("default" = "us-east-1"))]
    pub region: String,
    /// Where it is, in place of what the region says.
    #[schemars(regex(pattern = r"^[^\/]+:\/\/([\da-zA-Z.-]+|\[[\da-fA-F:]+\])(:\d+)?"))]
    pub endpoint_url: Option<String>,
}

/// How Secret Manager of Google Cloud is reached: one of `auth_config` and `auth_file` says who we are.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct GcpSecrets {
    /// A service account.
    pub auth_config: Option<GcpAccount>,
    /// Whether its certificate is verified.
    #[serde(default = "GcpSecrets::default_verify")]
    pub ssl_verify: bool,
    /// The file of a service account.
    pub auth_file: Option<String>,
}

/// A service account of Google Cloud.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct GcpAccount {
    /// Its address.
    pub client_email: String,
    /// Its private key, in PEM.
    pub private_key: String,
    /// Its project.
    pub project_id: String,
    /// Where tokens are asked for.
    #[serde(default = "GcpAccount::default_token_uri")]
    pub token_uri: String,
    /// What is asked for.
    #[serde(default = "GcpAccount::default_scope")]
    pub scope: Vec<String>,
    /// Where secrets are.
    #[serde(default = "GcpAccount::default_entries_uri")]
    pub entries_uri: String,
}

impl Secret {
    /// Reads what was written: its `id` says for which manager: `vault`, `aws` or `gcp`. The text of an error never
    /// shows a secret.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        let read = match manager(value) {
            "vault" => VaultSecrets::deserialize(value).map(Self::Vault),
            "aws" => AwsSecrets::deserialize(value).map(Self::Aws),
            "gcp" => GcpSecrets::deserialize(value).map(Self::Gcp),
            other => return Err(format!("invalid secret manager: {other}")),
        };
        read.map_err(|error| error.to_string())
    }
}

/// The manager that the id of a secret names: `vault` of `vault/1`.
pub(crate) fn manager(value: &Value) -> &str {
    let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
    id.split_once('/').map_or(id, |(manager, _)| manager)
}

impl AwsSecrets {
    fn default_region() -> String {
        "us-east-1".to_owned()
    }
}

impl GcpSecrets {
    const fn default_verify() -> bool {
        true
    }
}

impl GcpAccount {
    fn default_token_uri() -> String {
        "https://oauth2.googleapis.com/token".to_owned()
    }

    fn default_scope() -> Vec<String> {
        vec!["https://www.googleapis.com/auth/cloud-platform".to_owned()]
    }

    fn default_entries_uri() -> String {
        "https://secretmanager.googleapis.com/v1".to_owned()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let manager = match self {
            Self::Vault(_) => "vault",
            Self::Aws(_) => "aws",
            Self::Gcp(_) => "gcp",
        };
        f.debug_struct("Secret").field("manager", &manager).finish_non_exhaustive()
    }
}
