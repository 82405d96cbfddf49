//! Who may know whom: the crates' dependencies against the floors of the design.

use anyhow::Result;
use serde_json::Value;

use crate::metadata::{self, list, text};

/// A crate and the crates of ours it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("lockgate-resource", &[]),
    ("lockgate-telemetry", &[]),
    ("lockgate-http", &["telemetry"]),
    ("lockgate-aws", &["http"]),
    ("lockgate-function", &["http", "telemetry"]),
    ("lockgate-store", &["resource", "telemetry"]),
    ("lockgate-secret", &["resource", "http", "aws", "telemetry"]),
    ("lockgate-plugin", &["resource", "http", "telemetry"]),
    ("lockgate-plugins", &["plugin", "http", "aws", "telemetry", "resource"]),
    ("lockgate-proxy", &["resource", "plugin", "http", "telemetry"]),
    ("lockgate-admin", &["resource", "plugin", "store", "http", "telemetry"]),
    (
        "lockgate",
        &[
            "admin",
            "proxy",
            "plugins",
            "store",
            "plugin",
            "aws",
            "function",
            "secret",
            "http",
            "resource",
            "telemetry",
        ],
    ),
    ("example-rust", &[]),
    ("lockgate-tests", &[]),
    ("xtask", &[]),
];

/// Crates that a room must not use, and why.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "lockgate-resource",
        &["tokio", "hyper", "axum", "redb"],
        "resources are words, without input or output",
    ),
    ("lockgate-http", &["hyper", "axum", "tower"], "the engine is our own"),
    ("lockgate-proxy", &["hyper", "axum", "tower", "redb"], "the data plane knows neither hyper nor a store"),
    ("lockgate-plugins", &["hyper", "axum", "tower", "redb"], "plugins run on the data plane"),
];

/// Compares; names every edge that the table does not have.
pub(crate) fn check() -> Result<()> {
    let metadata = metadata::load()?;
    let members: Vec<&str> = list(&metadata, "workspace_members").iter().filter_map(Value::as_str).collect();
    let packages =
        list(&metadata, "packages").iter().filter(|package| members.contains(&text(package, "id")));
    let faults: Vec<String> = packages.flat_map(faults).collect();
    crate::report("arrows", &faults)
}

/// What is wrong with the dependencies of one crate; those for its tests do not count.
fn faults(package: &Value) -> Vec<String> {
    let name = text(package, "name");
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{name} is not in the table of xtask/src/arrows.rs")];
    };
    let uses = list(package, "dependencies").iter().filter(|dependency| dependency["kind"] != "dev");
    let mut faults = Vec::new();
    for used in uses.map(|dependency| text(dependency, "name")) {
        let room = used.strip_prefix("lockgate-").unwrap_or_default();
        if (used == "lockgate" || !room.is_empty()) && !allowed.contains(&room) {
            faults.push(format!("{name} may not use {used}"));
        }
        for (_, banned, reason) in FORBIDDEN.iter().filter(|(room, ..)| *room == name) {
            if banned.contains(&used) {
                faults.push(format!("{name} may not use {used}: {reason}"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::faults;

    fn package(name: &str, uses: &[&str]) -> Value {
        let dependencies: Vec<Value> = uses.iter().map(|name| json!({"name": name, "kind": null})).collect();
        json!({"name": name, "dependencies": dependencies})
    }

    #[test]
    fn an_arrow_down_is_allowed_and_one_sideways_is_named() {
        assert!(faults(&package("lockgate-proxy", &["lockgate-http", "bytes"])).is_empty());
        let found = faults(&package("lockgate-proxy", &["lockgate-store", "lockgate-plugins"]));
        assert_eq!(
            found,
            ["lockgate-proxy may not use lockgate-store", "lockgate-proxy may not use lockgate-plugins"]
        );
    }

    #[test]
    fn nobody_uses_the_program() {
        assert_eq!(
            faults(&package("lockgate-admin", &["lockgate"])),
            ["lockgate-admin may not use lockgate"]
        );
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_named() {
        assert_eq!(faults(&package("lockgate-new", &[])).len(), 1);
    }
}
