//! Texts that stand for secrets which are kept elsewhere.

/// How they begin, in APISIX's words: in the environment in any case of letters, at a manager in lower case.
const ENVIRONMENT: &str = "$env://";
const MANAGER: &str = "$secret://";

/// Whether a text refers to a secret: `$env://NAME` or `$secret://MANAGER/ID/KEY`.
pub fn is_reference(text: &str) -> bool {
    let is_environment =
        || text.get(..ENVIRONMENT.len()).is_some_and(|start| start.eq_ignore_ascii_case(ENVIRONMENT));
    text.starts_with(MANAGER) || is_environment()
}

#[cfg(test)]
mod tests {
    use super::is_reference;

    #[test]
    fn a_reference_is_known_by_how_it_begins() {
        assert!(["$env://A", "$ENV://A", "$secret://vault/1/a/b"].into_iter().all(is_reference));
        assert!(
            !["", "$", "$env:/A", "$SECRET://a", "x$env://A", "$env:\u{e9}/"].into_iter().any(is_reference)
        );
    }
}
