//! The pages of plugins against their schemas: every field has its row, with its default.

use std::path::Path;

use lockgate_tests::Gateway;
use serde_json::Value;

/// Every field below a schema by its dotted path, with its schema.
fn fields<'a>(schema: &'a Value, above: &str, found: &mut Vec<(String, &'a Value)>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        if name == "_meta" {
            continue;
        }
        if field["properties"].is_object() {
            fields(field, &path, found);
        } else {
            found.push((path, field));
        }
    }
}

#[test]
fn every_field_of_every_plugin_is_on_its_page_with_its_default() {
    let gateway = Gateway::start();
    let (status, plugins) = gateway.admin("GET", "/plugins?all=true", Value::Null);
    assert_eq!(status, 200);
    let plugins = plugins.as_object().expect("plugins by name");
    assert!(!plugins.is_empty());
    for (name, plugin) in plugins {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/plugins/{name}.md"));
        let page =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut found = Vec::new();
        fields(&plugin["schema"], "", &mut found);
        for (field, schema) in found {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{field}` |")));
            let row = row.unwrap_or_else(|| panic!("{name}: no row for {field}"));
            if let Some(default) = schema.get("default") {
                assert!(
                    row.contains(&default.to_string()),
                    "{name}: {field} has the default {default}: {row}"
                );
            }
        }
        let priority = plugin["priority"].to_string();
        assert!(page.contains(&priority), "{name}: its priority is {priority}");
    }
}
