//! Do the links of the documentation lead somewhere? Those within the repository; nothing is fetched.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use crate::metadata::root;

/// Looks at every link to a file, and to a heading of one, in every `*.md`.
pub(crate) fn check() -> Result<()> {
    let root = fs::canonicalize(root()).context("finding the repository")?;
    let mut pages = Vec::new();
    find(&root, &mut pages)?;
    pages.sort();
    let mut faults = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page).with_context(|| format!("reading {}", page.display()))?;
        let name = page.strip_prefix(&root).unwrap_or(page).display();
        for (line, target) in links(&text) {
            if let Some(fault) = fault(&root, page, target) {
                faults.push(format!("{name}:{line}: {target} {fault}"));
            }
        }
    }
    crate::report("links", &faults)
}

/// Every page below a directory, but not what was built or is hidden.
fn find(directory: &Path, pages: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))? {
        let entry = entry.context("reading a directory")?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_ours = !name.as_encoded_bytes().starts_with(b".") && name != "target";
        let kind = entry.file_type().context("reading a directory")?;
        if kind.is_dir() && is_ours {
            find(&path, pages)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    Ok(())
}

/// The targets of a page's links with their lines, without those that stand in code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
            continue;
        }
        if in_code || line.starts_with("    ") {
            continue;
        }
        // Every second piece between backticks is code.
        for piece in line.split('`').step_by(2) {
            let targets = piece.split("](").skip(1);
            let targets = targets.filter_map(|rest| rest.split([')', ' ']).next());
            found.extend(targets.map(|target| (number, target)));
        }
        let defined = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        found.extend(defined.map(|(_, target)| (number, target.trim())));
    }
    found
}

/// Why a link leads nowhere.
fn fault(root: &Path, page: &Path, target: &str) -> Option<&'static str> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    if path.starts_with('/') {
        return Some("is not relative");
    }
    let found = match path {
        "" => page.to_owned(),
        path => resolve(&page.parent()?.join(path)),
    };
    if !found.starts_with(root) {
        return Some("leads out of the repository");
    }
    if !found.exists() {
        return Some("is not there");
    }
    if !heading.is_empty() && !has_heading(&fs::read_to_string(&found).unwrap_or_default(), heading) {
        return Some("names no heading of that page");
    }
    None
}

/// The path without its `.` and `..`.
fn resolve(path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(resolved.pop()),
            Component::CurDir => {}
            component => resolved.push(component),
        }
    }
    resolved
}

/// Whether a page has a heading with this anchor: its words in lower case, with a dash for each space.
fn has_heading(text: &str, anchor: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| line.trim_start_matches('#').trim()).any(|heading| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let slug: String =
            kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect();
        slug == anchor
    })
}

#[cfg(test)]
mod tests {
    use super::{fault, has_heading, links};

    #[test]
    fn links_are_found_but_not_those_in_code() {
        let text = "see [a](b.md) and [c](d.md#e \"title\"), not `[x](y)`\n```\n[x](y)\n```\n[f]: g.md\n";
        assert_eq!(links(text), [(1, "b.md"), (1, "d.md#e"), (5, "g.md")]);
    }

    #[test]
    fn a_link_must_lead_to_a_file_of_the_repository() {
        let folder = std::env::temp_dir().join(format!("lockgate-links-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("docs")).unwrap();
        let page = folder.join("docs/a.md");
        std::fs::write(&page, "# One Heading, `code`\n").unwrap();
        std::fs::write(folder.join("b.md"), "").unwrap();
        let of = |target| fault(&folder, &page, target);
        for good in
            ["../b.md", "a.md", ".", "#one-heading-code", "a.md#one-heading-code", "https://example.com/x"]
        {
            assert_eq!(of(good), None, "{good}");
        }
        for bad in ["b.md", "../../c.md", "/b.md", "#two", "../b.md#one"] {
            assert!(of(bad).is_some(), "{bad}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn anchors_are_headings_without_their_signs() {
        assert!(has_heading("## Where it differs, on purpose\n", "where-it-differs-on-purpose"));
        assert!(!has_heading("Where it differs\n", "where-it-differs"));
    }
}
