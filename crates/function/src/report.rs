//! The lines that Lambda itself writes to a function's log: START, END and REPORT.

use std::fmt;
use std::time::Duration;

use crate::id::RequestId;

/// What is said of a call once it is over.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) id: RequestId,
    pub(crate) duration: Duration,
    /// MB granted.
    pub(crate) memory: u32,
    /// MB used at most.
    pub(crate) used: u64,
    /// How long the environment took to start, when this was its first call.
    pub(crate) init: Option<Duration>,
    /// `timeout` or `error`, when it went wrong.
    pub(crate) status: Option<&'static str>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        // Starting is billed too, since August 2025.
        let billed = millis(self.duration + self.init.unwrap_or_default()).ceil();
        write!(
            f,
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {billed:.0} ms\tMemory Size: {} MB\t\
             Max Memory Used: {} MB",
            self.id,
            millis(self.duration),
            self.memory,
            self.used,
        )?;
        if let Some(init) = self.init {
            write!(f, "\tInit Duration: {:.2} ms", millis(init))?;
        }
        match self.status {
            Some(status) => write!(f, "\tStatus: {status}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Report;
    use crate::id::RequestId;

    #[test]
    fn the_line_is_lambdas_and_bills_the_start() {
        let id = RequestId::new();
        let report = Report {
            id,
            duration: Duration::from_micros(1_500),
            memory: 128,
            used: 37,
            init: Some(Duration::from_millis(12)),
            status: Some("timeout"),
        };
        let line = format!(
            "REPORT RequestId: {id}\tDuration: 1.50 ms\tBilled Duration: 14 ms\tMemory Size: 128 MB\t\
             Max Memory Used: 37 MB\tInit Duration: 12.00 ms\tStatus: timeout"
        );
        assert_eq!(report.to_string(), line);
    }
}
