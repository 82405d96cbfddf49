//! The commands on the pages of plugins, run by a shell with real curl; only names and addresses are put in.

use std::path::Path;

use lockgate_tests::{ADMIN_KEY, FakeUpstream, Gateway, sh};

/// The blocks of shell commands on a plugin's page.
fn blocks(plugin: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/plugins/{plugin}.md"));
    let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let starts = page.split("```shell\n").skip(1);
    starts.filter_map(|rest| rest.split_once("```")).map(|(block, _)| block.to_owned()).collect()
}

#[test]
fn the_commands_on_each_plugin_s_page_work_as_printed() {
    for plugin in ["aws-lambda", "azure-functions", "openfunction", "openwhisk", "prometheus"] {
        let upstream = FakeUpstream::fixed(r#"{"body": "Hello, Lockgate"}"#);
        let gateway = Gateway::start();
        let here = format!("http://{}", upstream.node());
        let fill_in = |command: &str| {
            command
                .replace("http://127.0.0.1:9080/apisix", &format!("http://{}/apisix", gateway.admin))
                .replace("http://127.0.0.1:9080", &gateway.url(""))
                .replace("http://127.0.0.1:9180", &format!("http://{}", gateway.admin))
                .replace("http://127.0.0.1:9091", &format!("http://{}", gateway.metrics))
                .replace("127.0.0.1:1980", &upstream.node())
                .replace("$ADMIN_KEY", ADMIN_KEY)
                .replace("edd1c9f034335f136f87ad84b625c8f1", ADMIN_KEY)
                .replace("https://x9w6z07gb9.execute-api.us-east-1.amazonaws.com", &here)
                .replace("https://NAME.azurewebsites.net", &here)
                .replace("http://127.0.0.1:3233", &here)
        };
        let blocks = blocks(plugin);
        assert!(!blocks.is_empty(), "{plugin}: no commands");
        for (at, block) in blocks.iter().enumerate() {
            let output = sh(&fill_in(block)).output;
            assert!(!output.contains("error_msg"), "{plugin}: {block}\n{output}");
            if at == 0 {
                assert!(output.contains("HTTP/1.1 200 OK"), "{plugin}: {block}\n{output}");
                assert!(output.contains("Hello, Lockgate"), "{plugin}: {block}\n{output}");
            }
        }
    }
}
