//! The guide's tables name what there is: every variable and every operator.

use std::fs;

use lockgate_plugin::{Condition, Variable};
use serde_json::{Value, json};

/// The rows of the table below this heading, as their cells.
fn table(heading: &str) -> Vec<Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/routing.md");
    let text = fs::read_to_string(path).expect("the guide can be read");
    let section = text.split(&format!("\n## {heading}\n")).nth(1).expect("the guide has this section");
    let rows =
        section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.skip(2).map(cells).collect()
}

/// What stands between back-ticks.
fn codes(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_variable_of_the_guide_is_known() {
    let rows = table("Variables");
    assert!(rows.len() > 30);
    for name in rows.iter().flat_map(|row| codes(&row[0])) {
        assert!(Variable::parse(&name.replace("NAME", "x")).is_some(), "{name}");
    }
}

#[test]
fn every_condition_of_the_guide_can_be_written() {
    let rows = table("Conditions");
    assert!(rows.len() >= 9);
    for example in rows.iter().flat_map(|row| codes(&row[2])) {
        let condition: Value =
            serde_json::from_str(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        assert!(Condition::parse(&json!([condition])).is_ok(), "{example}");
    }
}
