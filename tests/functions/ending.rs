//! How the functions' server ends: whoever it has taken is answered.

use lockgate_tests::Connection;
use serde_json::json;

use crate::Local;

#[test]
fn a_client_that_was_taken_just_before_the_end_is_answered() {
    let local = Local::start("def handler(event, context):\n    return 'here'\n", json!({}));
    let ask = format!("GET /urls/f/ HTTP/1.1\r\nHost: {}\r\n\r\n", local.server);
    let mut silent = Connection::open(local.server);
    // Clients are taken in their order: when the second is answered, the first has been taken.
    let mut answered = Connection::open(local.server);
    assert_eq!(answered.exchange(&ask).status, 200);
    local.gateway.process().signal("TERM");
    answered.read_to_close();
    let reply = silent.exchange(&ask);
    assert_eq!((reply.status, reply.text().as_str()), (200, "here"));
}
