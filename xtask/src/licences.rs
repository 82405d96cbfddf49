//! The licences of all dependencies against the list of `deny.toml`, without a network.

use anyhow::{Context, Result};

use crate::metadata;

/// Compares; names every crate whose licence is not on the list, and every banned crate.
pub(crate) fn check() -> Result<()> {
    let path = metadata::root().join("deny.toml");
    let rules = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let (allowed, banned) = (strings(&rules, "allow = ["), strings(&rules, "deny = ["));
    let mut faults = Vec::new();
    for (package, licence) in metadata::built(&strings(&rules, "targets = ["))? {
        let name = package.split(' ').next().unwrap_or_default();
        if !is_allowed(&licence, &allowed) {
            faults.push(format!("{package}: licence {licence:?} is not on the list"));
        }
        if banned.iter().any(|banned| banned == name) {
            faults.push(format!("{package} is banned"));
        }
        if package.contains("(git+") || package.contains("(https://") {
            faults.push(format!("{package} comes from a repository, not from the registry"));
        }
    }
    crate::report("licences", &faults)
}

/// The quoted words of the first list that starts with `mark`.
fn strings(rules: &str, mark: &str) -> Vec<String> {
    let Some((_, rest)) = rules.split_once(mark) else {
        return Vec::new();
    };
    let list = rest.split(']').next().unwrap_or_default();
    let lines = list.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.flat_map(|line| line.split('"').skip(1).step_by(2).map(str::to_owned)).collect()
}

/// Whether an SPDX expression can be met with these licences. `/` is the old way to write `OR`.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced =
        expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "+WITH+");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    any(&words, &mut at, allowed) && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut result = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        result |= all(words, at, allowed);
    }
    result
}

fn all(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut result = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        result &= one(words, at, allowed);
    }
    result
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word != "(" {
        let licence = word.replace("+WITH+", " WITH ");
        // `+` is "or any later": whoever may take the one may leave the others.
        return allowed.iter().any(|own| *own == licence || licence.strip_suffix('+') == Some(own));
    }
    let result = any(words, at, allowed);
    *at += 1;
    result
}

#[cfg(test)]
mod tests {
    use super::{is_allowed, strings};

    #[test]
    fn one_allowed_alternative_is_enough_and_all_parts_are_needed() {
        let allowed = ["MIT".to_owned(), "ISC".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "ISC+",
            "GPL-3.0/MIT",
            "MIT AND ISC",
            "ISC AND (MIT OR OpenSSL)",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(GPL-3.0 OR OpenSSL) AND MIT", "Apache-2.0", "MIT )"] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn lists_are_read_without_their_comments() {
        let rules = "allow = [\n  \"MIT\", # \"not this\"\n  \"ISC\",\n]\ndeny = []\n";
        assert_eq!(strings(rules, "allow = ["), ["MIT", "ISC"]);
        assert!(strings(rules, "deny = [").is_empty());
    }
}
