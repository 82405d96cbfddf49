//! Why AWS refused a signed request, read from what it answered, so that somebody can be told what to mend.

use std::fmt;

/// The longest name that is taken from an answer.
const LONGEST: usize = 200;

/// Why a signed request was refused. `Display` says it in a sentence; names in it come from the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The signature is for another service, with the one AWS names.
    Service(Option<String>),
    /// The signature is for another region, with the one AWS names.
    Region(Option<String>),
    /// The time in the signature is too far from AWS's.
    Clock,
    /// The session token has expired.
    Expired,
    /// The access key is unknown, or comes without its session token.
    Key,
    /// The signature is not what AWS makes of the request: the secret key is another, or something between has
    /// changed the request.
    Mismatch,
    /// The signature could not be read: something between has changed it, or put another in its place.
    Unreadable,
    /// Whoever signed may not do this.
    Rights {
        /// What they may not do: `execute-api:Invoke`.
        action: Option<String>,
        /// To what: the ARN, in which AWS hides a part of the account.
        resource: Option<String>,
    },
    /// There is no such path, method or stage; API Gateway calls it a missing authentication token.
    NoSuchPath,
}

impl Refusal {
    /// Reads the status, the `x-amzn-errortype` (empty where there is none) and the beginning of the body of an
    /// answer. `None` where they do not look like AWS refusing a signature.
    pub fn of(status: u16, error_type: &str, body: &[u8]) -> Option<Self> {
        if !matches!(status, 400 | 401 | 403) {
            return None;
        }
        // `InvalidSignatureException:http://internal.amazon.com/…` in older services.
        let kind = error_type.split(':').next().unwrap_or_default();
        let kind = kind.strip_suffix("Exception").unwrap_or(kind);
        let body = String::from_utf8_lossy(body);
        Self::of_text(&body).or_else(|| Self::of_kind(kind)).or_else(|| {
            // All that an HTTP API says, whatever was wrong.
            let is_forbidden =
                status == 403 && body.trim().eq_ignore_ascii_case(r#"{"message":"Forbidden"}"#);
            is_forbidden.then_some(Self::Rights { action: None, resource: None })
        })
    }

    /// The phrases that the services share. Those about the scope come first: their error type is that of a
    /// wrong signature.
    fn of_text(body: &str) -> Option<Self> {
        let has = |phrase: &str| body.contains(phrase);
        if let Some((_, rest)) = body.split_once("scoped to correct service") {
            return Some(Self::Service(quoted(rest)));
        }
        if has("scoped to a valid region") || has("scoped to the correct region") {
            return Some(Self::Region(None));
        }
        if let Some((_, rest)) = body.split_once("is wrong; expecting ") {
            return Some(Self::Region(quoted(rest)));
        }
        if has("Signature expired") || has("Signature not yet current") {
            return Some(Self::Clock);
        }
        if let Some((_, rest)) = body.split_once("is not authorized to perform: ") {
            let resource = rest.split_once("on resource: ").and_then(|(_, resource)| name(resource));
            return Some(Self::Rights { action: name(rest), resource });
        }
        if has("signature we calculated does not match") {
            return Some(Self::Mismatch);
        }
        if has("security token included in the request is expired") {
            return Some(Self::Expired);
        }
        has("security token included in the request is invalid").then_some(Self::Key)
    }

    fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "RequestExpired" | "RequestTimeTooSkewed" | "RequestInTheFuture" => Self::Clock,
            "ExpiredToken" => Self::Expired,
            "UnrecognizedClient" | "InvalidClientTokenId" | "InvalidAccessKeyId" => Self::Key,
            "InvalidSignature" | "SignatureDoesNotMatch" => Self::Mismatch,
            "IncompleteSignature" => Self::Unreadable,
            "AccessDenied" | "Forbidden" => Self::Rights { action: None, resource: None },
            "MissingAuthenticationToken" => Self::NoSuchPath,
            _ => return None,
        })
    }
}

/// The name between the next single quotes.
fn quoted(text: &str) -> Option<String> {
    name(text.split_once('\'')?.1)
}

/// The name that a text begins with. Nothing that could make a log line look like another is part of one.
fn name(text: &str) -> Option<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-_*:/.$@+=~%".contains(letter);
    let end = text.find(|letter| !is_part(letter)).unwrap_or(text.len());
    (1..=LONGEST).contains(&end).then(|| text[..end].to_owned())
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(Some(service)) => write!(f, "the endpoint is one of service {service}"),
            Self::Service(None) => f.write_str("the endpoint is one of another service"),
            Self::Region(Some(region)) => write!(f, "the endpoint is in region {region}"),
            Self::Region(None) => f.write_str("the endpoint is in another region"),
            Self::Clock => f.write_str("the time of the signature is too far from AWS's"),
            Self::Expired => f.write_str("the session token has expired"),
            Self::Key => f.write_str("the access key is unknown, or comes without its session token"),
            Self::Mismatch => f.write_str("the signature is not what AWS makes of the request"),
            Self::Unreadable => f.write_str("the signature could not be read"),
            Self::Rights { action: Some(action), resource: Some(resource) } => {
                write!(f, "the access key lacks the right {action} to {resource}")
            }
            Self::Rights { action: Some(action), resource: None } => {
                write!(f, "the access key lacks the right {action}")
            }
            Self::Rights { action: None, .. } => f.write_str("the access key lacks the right to call it"),
            Self::NoSuchPath => f.write_str("the API has no such path, method or stage"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal;

    /// Status, error type, body, what it means.
    const ANSWERS: &[(u16, &str, &str, &str)] = &[
        (
            403,
            "InvalidSignatureException",
            r#"{"message":"Credential should be scoped to correct service: 'lambda'. "}"#,
            "the endpoint is one of service lambda",
        ),
        (
            403,
            "InvalidSignatureException",
            r#"{"message":"Credential should be scoped to a valid region, not 'us-east-1'. "}"#,
            "the endpoint is in another region",
        ),
        (
            400,
            "",
            "<Error><Message>The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'</Message>",
            "the endpoint is in region eu-west-1",
        ),
        (
            403,
            "InvalidSignatureException",
            r#"{"message":"Signature expired: 20150830T123600Z is now earlier than 20150830T124100Z (…)"}"#,
            "the time of the signature is too far from AWS's",
        ),
        (400, "RequestExpired", "", "the time of the signature is too far from AWS's"),
        (
            403,
            "AccessDeniedException",
            r#"{"Message":"User: arn:aws:iam::123456789012:user/x is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********9012:x9w6/default/GET/a"}"#,
            "the access key lacks the right execute-api:Invoke to arn:aws:execute-api:us-east-1:********9012:x9w6/default/GET/a",
        ),
        (403, "AccessDeniedException", r#"{"Message":null}"#, "the access key lacks the right to call it"),
        (403, "", r#"{"message":"Forbidden"}"#, "the access key lacks the right to call it"),
        (
            403,
            "InvalidSignatureException:http://internal/",
            r#"{"message":"The request signature we calculated does not match the signature you provided."}"#,
            "the signature is not what AWS makes of the request",
        ),
        (
            403,
            "UnrecognizedClientException",
            r#"{"message":"The security token included in the request is invalid."}"#,
            "the access key is unknown, or comes without its session token",
        ),
        (403, "ExpiredTokenException", "", "the session token has expired"),
        (400, "IncompleteSignatureException", "{}", "the signature could not be read"),
        (
            403,
            "MissingAuthenticationTokenException",
            r#"{"message":"Missing Authentication Token"}"#,
            "the API has no such path, method or stage",
        ),
    ];

    #[test]
    fn the_words_of_aws_say_what_to_mend() {
        for (status, kind, body, expected) in ANSWERS {
            let refusal = Refusal::of(*status, kind, body.as_bytes());
            assert_eq!(refusal.map(|refusal| refusal.to_string()).as_deref(), Some(*expected), "{body}");
        }
    }

    #[test]
    fn other_answers_are_the_functions_own() {
        for (status, kind, body) in [
            (200, "AccessDeniedException", "Signature expired"),
            (403, "", r#"{"message":"not yours"}"#),
            (403, "", ""),
            (400, "InvalidRequestContentException", "Could not parse request body into json"),
            (500, "InvalidSignatureException", ""),
        ] {
            assert_eq!(Refusal::of(status, kind, body.as_bytes()), None, "{status} {kind} {body}");
        }
    }

    #[test]
    fn what_is_no_name_is_not_repeated() {
        let of = |body: &str| Refusal::of(403, "", body.as_bytes());
        for bad in ["'lam bda\n'", "'\nforged: line'", "''", "", "'\u{1b}[31m'"] {
            let found = of(&format!("Credential should be scoped to correct service: {bad}"));
            let Some(Refusal::Service(name)) = found else { panic!("{bad}: {found:?}") };
            assert!(name.is_none_or(|name| name == "lam"), "{bad}");
        }
        let long = format!("scoped to correct service: '{}'", "a".repeat(1000));
        assert_eq!(of(&long), Some(Refusal::Service(None)));
        assert_eq!(Refusal::of(403, "", b"scoped to correct service: '\xff"), Some(Refusal::Service(None)));
    }
}
