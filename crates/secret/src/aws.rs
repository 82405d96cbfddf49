//! Secrets of AWS Secrets Manager.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use lockgate_aws::{Credentials, Payload, Signable, Signer};
use lockgate_resource::AwsSecrets;
use serde_json::{Value, json};

use crate::batch::as_text;
use crate::call::Caller;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const TARGET: &str = "secretsmanager.GetSecretValue";

/// Why a secret is not read.
enum Failure {
    /// There is none of that name.
    Missing(String),
    Other(String),
}

/// The secret of a key. Names of secrets may have slashes: the longest one that there is is the name, and what is
/// left the key in its JSON object.
pub(crate) async fn read(caller: &Caller, aws: &AwsSecrets, key: &str) -> Result<String, String> {
    let (mut name, mut field) = (key, None);
    loop {
        match get(caller, aws, name).await {
            Ok(found) => return field.map_or(Ok(found.clone()), |field| pick(&found, field)),
            Err(Failure::Other(why)) => return Err(why),
            Err(Failure::Missing(why)) => {
                let (shorter, _) = name.rsplit_once('/').ok_or(why)?;
                (name, field) = (shorter, key.get(shorter.len() + 1..));
            }
        }
    }
}

fn pick(found: &str, field: &str) -> Result<String, String> {
    let object: Value =
        serde_json::from_str(found).map_err(|_| "the secret is not a JSON object".to_owned())?;
    object.get(field).and_then(as_text).ok_or_else(|| format!("the secret has no text under {field}"))
}

async fn get(caller: &Caller, aws: &AwsSecrets, name: &str) -> Result<String, Failure> {
    let request = request(aws, name).map_err(Failure::Other)?;
    let answer = caller.call(request).await.map_err(Failure::Other)?;
    let found: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status == StatusCode::OK {
        return text(&found).map_err(Failure::Other);
    }
    let kind = found["__type"].as_str().unwrap_or_default();
    let kind = kind.rsplit_once('#').map_or(kind, |(_, kind)| kind);
    if kind.starts_with("ResourceNotFoundException") {
        return Err(Failure::Missing("Secrets Manager has no such secret".to_owned()));
    }
    let why = format!("Secrets Manager answers {} {kind}", answer.status.as_u16());
    Err(Failure::Other(why.trim_end().to_owned()))
}

fn text(found: &Value) -> Result<String, String> {
    if let Some(text) = found["SecretString"].as_str() {
        return Ok(text.to_owned());
    }
    let binary = found["SecretBinary"].as_str().and_then(|text| STANDARD.decode(text).ok());
    let binary = binary.ok_or_else(|| "the answer of Secrets Manager has no secret".to_owned())?;
    String::from_utf8(binary).map_err(|_| "the secret is no text".to_owned())
}

fn request(aws: &AwsSecrets, name: &str) -> Result<Request<Full<Bytes>>, String> {
    let uri = endpoint(aws)?;
    let host = uri.authority().map(ToString::to_string).unwrap_or_default();
    let body = json!({"SecretId": name, "VersionStage": "AWSCURRENT"}).to_string();
    let token = aws.session_token.as_deref().filter(|token| !token.is_empty());
    let credentials = Credentials::new(&aws.access_key_id, &aws.secret_access_key, token)
        .map_err(|error| error.to_string())?;
    let signer = Signer::new(&aws.region, "secretsmanager").map_err(|error| error.to_string())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let headers = [
        ("host", host.as_bytes()),
        ("content-type", CONTENT_TYPE.as_bytes()),
        ("x-amz-target", TARGET.as_bytes()),
    ];
    let payload = Payload::Bytes(body.as_bytes());
    let signable = Signable { method: "POST", path: "/", query: None, headers, payload };
    let proof = signer.sign(&credentials, now, signable).map_err(|error| error.to_string())?;
    let mut request = Request::post(uri).header("content-type", CONTENT_TYPE).header("x-amz-target", TARGET);
    for (name, value) in proof.headers() {
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())
}

/// Where Secrets Manager is, with the path of its API.
fn endpoint(aws: &AwsSecrets) -> Result<Uri, String> {
    let domain = if aws.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let place = match &aws.endpoint_url {
        Some(url) => url.clone(),
        None => format!("https://secretsmanager.{}.{domain}", aws.region),
    };
    let uri: Uri = place.parse().map_err(|_| format!("{place} is no address"))?;
    let mut parts = uri.into_parts();
    parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
    Uri::from_parts(parts).map_err(|_| format!("{place} is no address"))
}

#[cfg(test)]
mod tests {
    use lockgate_resource::Secret;
    use serde_json::json;

    use super::{endpoint, pick, text};

    fn endpoint_of(more: &serde_json::Value) -> String {
        let mut value = json!({"id": "aws/1", "access_key_id": "a", "secret_access_key": "s"});
        for (name, field) in more.as_object().unwrap() {
            value[name] = field.clone();
        }
        let Ok(Secret::Aws(aws)) = Secret::from_value(&value) else { panic!("{value}") };
        endpoint(&aws).unwrap().to_string()
    }

    #[test]
    fn the_region_says_where_it_is_unless_it_is_written() {
        assert_eq!(endpoint_of(&json!({})), "https://secretsmanager.us-east-1.amazonaws.com/");
        let china = endpoint_of(&json!({"region": "cn-north-1"}));
        assert_eq!(china, "https://secretsmanager.cn-north-1.amazonaws.com.cn/");
        assert_eq!(endpoint_of(&json!({"endpoint_url": "http://127.0.0.1:4566"})), "http://127.0.0.1:4566/");
    }

    #[test]
    fn a_secret_is_a_text_or_binary() {
        assert_eq!(text(&json!({"SecretString": "s"})), Ok("s".to_owned()));
        assert_eq!(text(&json!({"SecretBinary": "cw=="})), Ok("s".to_owned()));
        assert!(text(&json!({"SecretBinary": "/w=="})).is_err());
        assert!(text(&json!({})).is_err());
    }

    #[test]
    fn a_field_of_a_secret_is_a_text_in_its_object() {
        assert_eq!(pick(r#"{"key": "v"}"#, "key"), Ok("v".to_owned()));
        assert_eq!(pick("v", "key"), Err("the secret is not a JSON object".to_owned()));
        assert_eq!(pick("{}", "key"), Err("the secret has no text under key".to_owned()));
    }
}
