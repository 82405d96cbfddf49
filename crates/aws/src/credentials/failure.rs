//! Why there are no credentials: what was tried, and what each said, without a secret.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;

/// A longer reason is cut, in characters.
const LONGEST_REASON: usize = 300;

/// Why there are no credentials. `Display` has every reason: it is for logs, not for clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct CredentialsFailure {
    attempts: Vec<(String, String)>,
}

impl CredentialsFailure {
    /// One attempt and why it failed.
    pub(super) fn of(what: impl Into<String>, why: impl Into<String>) -> Self {
        let mut failure = Self::default();
        failure.add(what, why);
        failure
    }

    pub(super) fn add(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.attempts.push((what.into(), why.into()));
    }

    /// What was tried, in order: `env, profile, imds`.
    pub fn tried(&self) -> String {
        let names: Vec<&str> = self.attempts.iter().map(|(what, _)| what.as_str()).collect();
        names.join(", ")
    }
}

impl fmt::Display for CredentialsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (what, why)) in self.attempts.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{what}: {why}")?;
        }
        Ok(())
    }
}

/// What an error and its causes say. Of what STS says, the first line only: the rest may repeat the request,
/// which has a session token in it.
pub(super) fn reason(error: &CredentialsError) -> String {
    let mut text = String::new();
    let mut next = error.source();
    if next.is_none() {
        let is_absent = matches!(error, CredentialsError::CredentialsNotLoaded(_));
        text.push_str(&if is_absent { "there are none".to_owned() } else { error.to_string() });
    }
    while let Some(cause) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        if let Some(said) = service_said(cause) {
            text.push_str(&said);
            break;
        }
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(LONGEST_REASON).collect()
}

fn service_said(error: &(dyn Error + 'static)) -> Option<String> {
    let assume = error.downcast_ref::<SdkError<AssumeRoleError>>().and_then(SdkError::as_service_error);
    let assume = assume.map(|error| (error.code(), error.message()));
    let web = error.downcast_ref::<SdkError<AssumeRoleWithWebIdentityError>>();
    let web = web.and_then(SdkError::as_service_error).map(|error| (error.code(), error.message()));
    match assume.or(web)? {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (said, None) | (None, said) => said.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::error::CredentialsError;

    use super::{CredentialsFailure, reason};

    #[test]
    fn what_was_tried_is_told_apart_from_why_it_failed() {
        let mut failure = CredentialsFailure::of("env", "not set");
        failure.add("imds", "no answer");
        assert_eq!(failure.tried(), "env, imds");
        assert_eq!(failure.to_string(), "env: not set; imds: no answer");
    }

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        assert_eq!(reason(&CredentialsError::provider_error("first\nsecond")), "first");
        assert_eq!(reason(&CredentialsError::provider_error("é".repeat(1000))).chars().count(), 300);
        assert_eq!(reason(&CredentialsError::not_loaded_no_source()), "there are none");
    }
}
