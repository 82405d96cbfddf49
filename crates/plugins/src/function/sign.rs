//! Signed calls: what is signed, when it is worth signing again, and what a refusal says.

use http::StatusCode;
use lockgate_aws::Skew;
use lockgate_http::{Request, Response, name};
use lockgate_plugin::Error;
use lockgate_telemetry::clock;

use super::observe;

/// How much of a refusal is read for its words.
const WORDS: usize = 8 * 1024;

/// Signs requests, after everything else is as it will be sent.
pub(crate) trait Sign {
    /// Whether this request is signed at all.
    fn is_needed(&self, request: &Request) -> bool;
    /// The target as it must be sent, so that signer and verifier read it alike.
    fn wire(&self, target: &str) -> String;
    /// Takes off what must not go out beside a signature: once, before the first.
    fn set_aside(&self, request: &mut Request);
    /// Puts the signature's headers in, in place of those of the attempt before.
    fn sign(&self, request: &mut Request, call: &Signable<'_>) -> Result<(), Error>;
    /// What is known of the endpoint's clock.
    fn skew(&self) -> &Skew;
    /// What has the log say, after a refusal, what its words mean.
    fn explain(&self) -> Explain;
}

/// Takes status, error type and first words of a refusal.
pub(crate) type Explain = Box<dyn FnOnce(StatusCode, &str, &[u8])>;

/// What a signature is over, besides method and headers.
pub(crate) struct Signable<'a> {
    pub(crate) host: &'a str,
    /// As it will be sent.
    pub(crate) target: &'a str,
    pub(crate) body: &'a [u8],
    /// By how many seconds the time of the signature is to differ from ours.
    pub(crate) clock_offset: i64,
}

/// The offset by which a refused request is worth signing again. A 403 may give no reason, or a wrong one: HTTP APIs
/// and function URLs call every bad signature forbidden.
pub(crate) fn worth_another(sign: &dyn Sign, response: &Response) -> Option<i64> {
    let about_time = ["Signature", "RequestExpired", "Skew", "Future"];
    let is_refusal = match response.status {
        StatusCode::FORBIDDEN => true,
        StatusCode::BAD_REQUEST => about_time.iter().any(|part| error_type(response).contains(part)),
        _ => false,
    };
    let date = response.headers.get(name::DATE).filter(|_| is_refusal)?;
    sign.skew().suspect(date, clock::with(clock::Texts::unix_seconds))
}

/// Remembers whether a signature by another clock has helped.
pub(crate) fn settle(sign: &dyn Sign, offset: i64, host: &str, response: &Response) {
    if matches!(response.status, StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST) {
        sign.skew().distrust(clock::with(clock::Texts::unix_seconds));
        return;
    }
    sign.skew().adopt(offset);
    tracing::warn!(
        host,
        offset,
        "the clock of this machine is not that of the endpoint: signatures are made by the endpoint's; set this machine's clock"
    );
}

/// Reads along in the body of a refusal, so that the log says what to mend. The client gets it unchanged, and as
/// soon as it comes.
pub(crate) fn explained(sign: &dyn Sign, mut response: Response) -> Response {
    if !matches!(response.status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN) {
        return response;
    }
    let (status, error_type, explain) = (response.status, error_type(&response).to_owned(), sign.explain());
    response.body =
        observe::beginning(response.body, WORDS, move |words| explain(status, &error_type, words));
    response
}

fn error_type(response: &Response) -> &str {
    let value = response.headers.get("x-amzn-errortype");
    value.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default()
}
