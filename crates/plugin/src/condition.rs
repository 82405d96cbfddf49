//! Conditions on a request, in the words of APISIX's `vars`: `[["arg_name", "==", "json"], …]`.
//!
//! An array of arrays holds when all of them do; `["OR", …]`, `["AND", …]`, `["!OR", …]` and `["!AND", …]` join
//! others; `[variable, operator, value]` compares, `[variable, "!", operator, value]` the other way round, and
//! `[variable, value]` is short for `==`.

mod compare;
mod parse;

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use lockgate_http::Request;
use serde_json::Value;

use crate::{RequestContext, Variable};
use compare::{Comparison, Given};

/// A condition, understood.
#[derive(Clone, Debug)]
pub struct Condition(Rule);

#[derive(Clone, Debug)]
enum Rule {
    All(Box<[Rule]>),
    Any(Box<[Rule]>),
    Not(Box<Rule>),
    Compare {
        /// `None` for a name that nothing here has: it is never present.
        variable: Option<Variable>,
        comparison: Comparison,
    },
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A longer value's memory is not kept for the next condition.
const SCRATCH_BYTES: usize = 16 * 1024;

impl Condition {
    /// Understands a condition. The words of errors are lua-resty-expr's: `invalid operator 'bad'`.
    pub fn parse(value: &Value) -> Result<Self, String> {
        parse::condition(value).map(Self)
    }

    /// Whether it asks for what [`RequestContext::read_content`] reads.
    pub fn asks_content(&self) -> bool {
        self.0.asks_content()
    }

    /// Whether it holds for a request. Nothing is allocated once a thread is warm.
    pub fn holds(&self, request: &Request, cx: &RequestContext) -> bool {
        let mut scratch = SCRATCH.take();
        let holds = self.0.holds(request, cx, &mut scratch);
        if scratch.capacity() <= SCRATCH_BYTES {
            SCRATCH.set(scratch);
        }
        holds
    }
}

impl Rule {
    fn asks_content(&self) -> bool {
        match self {
            Self::All(rules) | Self::Any(rules) => rules.iter().any(Self::asks_content),
            Self::Not(rule) => rule.asks_content(),
            Self::Compare { variable, .. } => variable.as_ref().is_some_and(Variable::asks_content),
        }
    }

    fn holds(&self, request: &Request, cx: &RequestContext, scratch: &mut Vec<u8>) -> bool {
        match self {
            Self::All(rules) => rules.iter().all(|rule| rule.holds(request, cx, scratch)),
            Self::Any(rules) => rules.iter().any(|rule| rule.holds(request, cx, scratch)),
            Self::Not(rule) => !rule.holds(request, cx, scratch),
            Self::Compare { variable, comparison } => {
                if let Some(variable) = variable.as_ref().filter(|variable| variable.asks_content()) {
                    return comparison
                        .holds(variable.of_content(request, cx).map_or(Given::Absent, Given::from));
                }
                scratch.clear();
                let is_present =
                    variable.as_ref().is_some_and(|variable| variable.write(request, cx, scratch));
                comparison.holds(if is_present { Given::Text(scratch) } else { Given::Absent })
            }
        }
    }
}
