//! Bodies of the Admin API: what the JSON parser reads is read alike, a forgiven comma aside, and no resource
//! makes a check panic.

use lockgate_admin::json::parse;
use lockgate_resource::{Kind, references};
use serde_json::Value;

/// Panics where that does not hold of this text.
pub(crate) fn check(text: &[u8]) {
    let read = parse(text);
    match (serde_json::from_slice::<Value>(text), &read) {
        (Ok(strict), Ok(lenient)) => assert_eq!(strict, *lenient),
        (Ok(_), Err(why)) => assert!(why.contains("too many nested"), "{why}"),
        (Err(_), Ok(lenient)) => assert!(parse(lenient.to_string().as_bytes()).is_ok()),
        (Err(_), Err(_)) => {}
    }
    let Ok(value) = read else { return };
    for kind in Kind::ALL {
        drop(lockgate_resource::check(kind, &value));
    }
    drop(references(&value));
}
