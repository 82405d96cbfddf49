//! The commands of the guide's page, run by a shell with real curl; only addresses are put in.

use std::fs;

use lockgate_tests::{ADMIN_KEY, FakeUpstream, Gateway, sh};

#[test]
fn the_commands_of_the_page_do_what_it_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/routing.md");
    let page = fs::read_to_string(path).unwrap();
    let [node, function] = ["node", "closed"].map(FakeUpstream::fixed);
    let gateway = Gateway::start();
    let mut blocks = 0;
    for block in page.split("```shell\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        let block = block
            .replace("http://127.0.0.1:9180", &format!("http://{}", gateway.admin))
            .replace("127.0.0.1:8080", &node.node())
            .replace("127.0.0.1:7071", &function.node());
        let run = sh(&format!("ADMIN_KEY={ADMIN_KEY}; {block}"));
        assert!(run.is_success && !run.output.contains("error_msg"), "{block}\n{run:?}");
        blocks += 1;
    }
    assert_eq!(blocks, 2);
    let ask = |version: &str, headers: &[&str]| {
        let reply = gateway.request("GET", &format!("/orders/7?version={version}"), headers, b"");
        (reply.status, reply.text())
    };
    assert_eq!(ask("v2", &["X-Tenant: red-1"]), (200, "node".to_owned()));
    assert_eq!(ask("v2", &[]).0, 404);
    assert_eq!(ask("v1", &["X-Tenant: red-1"]).0, 404);
    assert_eq!(ask("v1", &["X-Closed: 1"]), (200, "closed".to_owned()));
}
