//! What the Invoke API says when it does not call: Lambda's codes, statuses and shape.

use http::{Response, StatusCode};
use serde_json::json;

use super::access::Denied;
use super::{json, set};
use crate::body::Body;
use crate::invocation::Refusal;

/// Lambda's code for why there is no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    ResourceNotFound,
    NotFound,
    InvalidParameter,
    InvalidContent,
    TooLarge,
    TooMany,
    Broken,
    Ending,
    Forbidden,
    Unsigned,
    UnknownKey,
    BadSignature,
}

impl Code {
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::ResourceNotFound => (StatusCode::NOT_FOUND, "ResourceNotFoundException", "User"),
            Self::NotFound => (StatusCode::NOT_FOUND, "UnknownOperationException", "User"),
            Self::InvalidParameter => (StatusCode::BAD_REQUEST, "InvalidParameterValueException", "User"),
            Self::InvalidContent => (StatusCode::BAD_REQUEST, "InvalidRequestContentException", "User"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", "User"),
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "User"),
            Self::Broken => (StatusCode::BAD_GATEWAY, "InvalidRuntimeException", "Service"),
            Self::Ending => (StatusCode::SERVICE_UNAVAILABLE, "ServiceException", "Service"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "AccessDeniedException", "User"),
            Self::Unsigned => (StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", "User"),
            Self::UnknownKey => (StatusCode::FORBIDDEN, "UnrecognizedClientException", "User"),
            Self::BadSignature => (StatusCode::FORBIDDEN, "InvalidSignatureException", "User"),
        }
    }
}

/// A refusal in the shape that Lambda's clients read.
pub(super) fn refuse(code: Code, message: &str) -> Response<Body> {
    let (status, name, side) = code.parts();
    let mut body = json!({"Type": side, "Message": message, "message": message});
    if code == Code::TooMany {
        body["Reason"] = "ConcurrentInvocationLimitExceeded".into();
    }
    let mut response = json(status, body.to_string());
    set(&mut response, "x-amzn-errortype", name);
    if code == Code::TooMany {
        set(&mut response, "retry-after", "1");
    }
    response
}

/// A call that reached no environment.
pub(super) fn not_called(refusal: &Refusal) -> Response<Body> {
    match refusal {
        Refusal::Throttled => refuse(Code::TooMany, "Rate Exceeded."),
        Refusal::WaitedTooLong => refuse(Code::TooMany, "no environment came free in time"),
        Refusal::Ending => refuse(Code::Ending, "the program is ending"),
        Refusal::Broken(failure) => refuse(Code::Broken, &failure.message),
    }
}

/// A signature that does not count.
pub(super) fn denied(denied: &Denied) -> Response<Body> {
    match denied {
        Denied::Missing => refuse(Code::Unsigned, "Missing Authentication Token"),
        Denied::UnknownKey(_) => {
            refuse(Code::UnknownKey, "The security token included in the request is invalid.")
        }
        Denied::Wrong(text) => refuse(
            Code::BadSignature,
            &format!("The request signature we calculated does not match the signature you provided: {text}"),
        ),
    }
}
