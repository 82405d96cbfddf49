//! What is known of one secret.

use std::sync::Arc;
use std::time::Duration;

use lockgate_resource::Secret;
use tokio::time::Instant;

use super::Settings;

/// How long it is waited after the first failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// One secret.
#[derive(Clone)]
pub(super) struct Entry {
    value: Option<String>,
    /// Why it could not be fetched when that was tried last.
    fault: Option<String>,
    /// When it is to be fetched next.
    pub(super) due: Instant,
    /// Whether a call is under way.
    pub(super) is_asked: bool,
    failures: u32,
}

impl Entry {
    pub(super) fn new(now: Instant) -> Self {
        Self { value: None, fault: None, due: now, is_asked: false, failures: 0 }
    }

    /// To be fetched anew; a value stays good until then.
    pub(super) fn renewed(self, now: Instant) -> Self {
        Self { fault: None, due: now, failures: 0, ..self }
    }

    /// With what its manager says of it: without one there is nothing to ask, and what it said once is void.
    pub(super) fn of(self, id: &str, manager: Option<&Result<Arc<Secret>, String>>) -> Self {
        let why = match manager {
            Some(Ok(_)) => return self,
            Some(Err(why)) => format!("secret manager {id} cannot be used: {why}"),
            None => format!("there is no secret manager {id}"),
        };
        Self { value: None, fault: Some(why), ..self }
    }

    pub(super) fn value(&self) -> Result<String, String> {
        let why = || self.fault.clone().unwrap_or_else(|| "it is not fetched yet".to_owned());
        self.value.clone().ok_or_else(why)
    }

    pub(super) fn is_settled(&self) -> bool {
        self.value.is_some() || self.fault.is_some()
    }

    /// Takes in what came of a call. Answers whether that is news: another value, or another reason for having none.
    pub(super) fn note(
        &mut self,
        outcome: Result<String, String>,
        now: Instant,
        settings: &Settings,
    ) -> bool {
        match outcome {
            Ok(value) => {
                let is_news = self.value.as_ref() != Some(&value);
                *self = Self {
                    value: Some(value),
                    fault: None,
                    due: now + settings.ttl,
                    is_asked: false,
                    failures: 0,
                };
                is_news
            }
            Err(why) => {
                let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(16));
                self.due = now + wait.min(settings.negative_ttl.max(FIRST_WAIT));
                self.failures = self.failures.saturating_add(1);
                let is_news = self.value.is_none() && self.fault.as_ref() != Some(&why);
                self.fault = Some(why);
                is_news
            }
        }
    }
}
