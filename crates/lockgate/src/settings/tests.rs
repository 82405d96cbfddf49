//! What a file says, and what is said of its mistakes.

use std::time::Duration;

use lockgate_store::SealingKey;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use serde_json::Value;
use tracing::level_filters::LevelFilter;

use super::{Escape, Role, Settings, Workers};

fn parse(yaml: &str) -> Settings {
    let (settings, warnings) = Settings::parse(yaml, |_| None).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    settings
}

/// The lines that say what is wrong.
fn problems(yaml: &str) -> Vec<String> {
    let error = Settings::parse(yaml, |_| None).expect_err(yaml);
    error.to_string().lines().map(str::to_owned).collect()
}

fn problem(yaml: &str) -> String {
    let all = problems(yaml);
    assert_eq!(all.len(), 1, "{all:?}");
    all.concat()
}

#[test]
fn the_reference_file_says_what_holds_without_it() {
    assert_eq!(parse(include_str!("../../../../conf/config.yaml")), Settings::default());
}

#[test]
fn an_empty_file_says_nothing() {
    for yaml in ["", "\n", "# only a comment\n", "---\n", "{}", "apisix:\n", "nginx_config:\n  http:\n"] {
        assert_eq!(parse(yaml), Settings::default(), "{yaml:?}");
    }
}

#[test]
fn listeners_are_written_in_three_ways() {
    let listeners = |yaml: &str| -> Vec<String> {
        let listeners = parse(&format!("apisix: {{node_listen: {yaml}}}")).listeners;
        listeners.iter().map(|listener| format!("{} {}", listener.address(), listener.http2)).collect()
    };
    assert_eq!(listeners("80"), ["0.0.0.0:80 true"]);
    assert_eq!(listeners("[80, 81]"), ["0.0.0.0:80 true", "0.0.0.0:81 true"]);
    assert_eq!(listeners("{ip: '::1', port: 80, enable_http2: false}"), ["[::1]:80 false"]);
    assert_eq!(
        listeners("[{ip: 127.0.0.1, port: 80}, 0, 0]"),
        ["127.0.0.1:80 true", "0.0.0.0:0 true", "0.0.0.0:0 true"]
    );
}

#[test]
fn one_word_turns_http_2_off_at_every_port() {
    let mut settings = parse(
        "apisix: {enable_http2: false, node_listen: [80, {port: 81, enable_http2: true}], \
         ssl: {listen: [443]}, proxy_protocol: {listen_https_port: 444}}",
    );
    assert!(settings.listeners.iter().all(|listener| !listener.http2));
    assert!(settings.ssl.listeners.iter().all(|port| !port.listener.http2));
    assert!(settings.proxy_protocol.listeners().all(|(_, port)| !port.http2));
}

#[test]
fn listeners_that_cannot_be_are_refused() {
    let refused = |yaml: &str| problem(&format!("apisix: {{node_listen: {yaml}}}"));
    let wanted = "expected a port, or a mapping with ip, port and enable_http2";
    assert_eq!(refused("65536"), format!("apisix.node_listen: {wanted}, got 65536"));
    assert_eq!(refused("[80, '81']"), format!("apisix.node_listen[1]: {wanted}, got \"81\""));
    assert_eq!(refused("[]"), "apisix.node_listen: expected at least one port, got []");
    let both = problems("apisix: {node_listen: {ip: a}}");
    let expected = [
        "apisix.node_listen.ip: expected an IP address, got \"a\"",
        "apisix.node_listen.port: has to be given",
    ];
    assert_eq!(both, expected);
    assert_eq!(refused("[80, {ip: 0.0.0.0, port: 80}]"), "apisix.node_listen: 0.0.0.0:80 is there twice");
}

const EVERYTHING: &str = r#"
apisix:
  enable_server_tokens: false
  data_encryption: {enable_encrypt_fields: false, keyring: [qeddd145sfvddff3, edd1c9f0985e76a2]}
deployment:
  role: traditional
  admin:
    admin_key: [{name: ci, key: abc, role: viewer}, {name: unset, key: "", role: admin}, {key: def}]
    admin_key_required: false
    allow_admin: [10.0.0.0/8, "::1", 192.0.2.1]
    admin_listen: {ip: 0.0.0.0, port: 9999}
    enable_admin_cors: false
    admin_api_version: v2
nginx_config:
  worker_processes: 3
  worker_shutdown_timeout: 5
  error_log_level: notice
  http:
    keepalive_timeout: 1m
    client_header_timeout: 500ms
    client_body_timeout: 0
    client_max_body_size: 16k
    send_timeout: 1h
    upstream: {keepalive: 7, keepalive_timeout: 8s, keepalive_requests: 9}
    enable_access_log: false
    access_log: logs/access.log
    access_log_buffer: 4096
    access_log_format: $status
    access_log_format_escape: json
network:
  resolve: ["a.example:443:127.0.0.1:8443"]
"#;

#[test]
fn every_section_of_the_node_and_the_admin_api_is_read() {
    let settings = parse(EVERYTHING);
    assert!(!settings.server_tokens && !settings.encryption.enabled && !settings.admin.key_required);
    let keys = [*b"qeddd145sfvddff3", *b"edd1c9f0985e76a2"];
    assert!(settings.encryption.keys() == keys.map(SealingKey::from));
    let keys: Vec<_> =
        settings.admin.keys.iter().map(|key| (key.name.as_str(), key.key.0.as_str(), key.role)).collect();
    assert_eq!(keys, [("ci", "abc", Role::Viewer), ("admin", "def", Role::Admin)]);
    let allowed: Vec<_> = settings.admin.allow.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, ["10.0.0.0/8", "::1/128", "192.0.2.1/32"]);
    assert_eq!(settings.admin.listen.to_string(), "0.0.0.0:9999");
    assert!(!settings.admin.cors);
    assert_eq!(settings.admin.version, lockgate_admin::ApiVersion::V2);
}

#[test]
fn every_section_of_nginx_is_read() {
    let settings = parse(EVERYTHING);
    assert!(!settings.access_log.enabled);
    assert_eq!(settings.workers.count().get(), 3);
    assert_eq!((settings.shutdown_timeout.as_secs(), settings.log_level), (5, LevelFilter::INFO));
    assert_eq!(settings.http.keepalive_timeout, Duration::from_mins(1));
    assert_eq!(settings.http.client_header_timeout, Duration::from_millis(500));
    assert_eq!(settings.http.client_body_timeout, Duration::ZERO);
    assert_eq!(settings.http.client_max_body_size, Some(16_384));
    assert_eq!(settings.http.send_timeout, Duration::from_hours(1));
    let pool = &settings.upstream;
    assert_eq!((pool.keepalive, pool.keepalive_timeout.as_secs(), pool.keepalive_requests), (7, 8, 9));
    assert_eq!(settings.access_log.path.to_str(), Some("logs/access.log"));
    assert_eq!((settings.access_log.buffer, settings.access_log.format.as_str()), (4096, "$status"));
    assert_eq!(settings.access_log.escape, Escape::Json);
    assert_eq!(settings.resolve[0].host, "a.example");
}

#[test]
fn unknown_keys_are_named_in_full_and_have_no_effect() {
    let yaml = "apisix: {extra_lua_path: /x, node_listen: [{port: 80, backlog: 1}]}\nplugins: [cors]\n";
    let (settings, warnings) = Settings::parse(yaml, |_| None).unwrap();
    assert_eq!(settings.listeners[0].port, 80);
    let named: Vec<_> = warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(named, ["apisix.node_listen[0].backlog", "apisix.extra_lua_path", "plugins"]);
    assert_eq!(warnings[1].to_string(), "apisix.extra_lua_path: is not known here and has no effect");
}

#[test]
fn all_mistakes_are_found_at_once() {
    let yaml = "
nginx_config:
  worker_processes: many
  http: {keepalive_timeout: [1], client_max_body_size: big, send_timeout: 2y, access_log: {a: 1}}
deployment: {role: edge, admin: {admin_key_required: 'yes', allow_admin: [x], admin_listen: 9180}}
network: {resolve: [a]}
apisix: {data_encryption: {keyring: short}}
";
    let expected = [
        "apisix.data_encryption.keyring: expected a key of 16 bytes (AES-128) or 32 (AES-256), got a text",
        "deployment.admin.admin_key_required: expected true or false, got \"yes\"",
        "deployment.admin.allow_admin[0]: expected a range of addresses such as 10.0.0.0/8, got \"x\"",
        "deployment.admin.admin_listen: expected a mapping, got 9180",
        "deployment.role: expected traditional, data_plane or control_plane, got \"edge\"",
        "nginx_config.worker_processes: expected auto or a count from 1 to 1024, got \"many\"",
        "nginx_config.http.keepalive_timeout: expected a time such as 60s, got [1]",
        "nginx_config.http.send_timeout: expected a time such as 60s, got \"2y\"",
        "nginx_config.http.client_max_body_size: expected a size such as 16k, got \"big\"",
        "nginx_config.http.access_log: expected a text, got a mapping",
        "network.resolve[0]: expected HOST:PORT:ADDRESS or HOST:PORT:ADDRESS:PORT, got \"a\"",
    ];
    assert_eq!(problems(yaml), expected);
}

#[test]
fn what_is_no_mapping_is_no_settings_file() {
    assert_eq!(problem("[1]"), "the file: expected a mapping such as apisix: {node_listen: 9080}");
    assert_eq!(problem("apisix: 1"), "apisix: expected a mapping, got 1");
    for broken in ["a: [", "a: 1\na: 2\n", "\t: x: y", "a: 1\n---\nb: 2\n"] {
        assert!(
            problems(broken)[0].starts_with("the file: is not YAML: "),
            "{broken:?}: {:?}",
            problems(broken)
        );
    }
}

#[test]
fn secrets_are_never_quoted() {
    for yaml in [
        "deployment: {admin: {admin_key: [{name: a, key: hunter2 hunter2}]}}",
        "deployment: {admin: {admin_key: [hunter2]}}",
        "deployment: {admin: {admin_key: hunter2}}",
        "apisix: {data_encryption: {keyring: [hunter2]}}",
        "deployment:\n  admin:\n    admin_key:\n      - key: hunter2\n        key: hunter2\n",
    ] {
        let all = problems(yaml).concat();
        assert!(!all.contains("hunter2"), "{all}");
    }
    let settings = parse("deployment: {admin: {admin_key: [{key: hunter2}]}}");
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn variables_stand_for_texts_numbers_and_truth() {
    let env = |name: &str| match name {
        "PORT" => Some("8080".to_owned()),
        "NO" => Some("false".to_owned()),
        "KEY" => Some("0123".to_owned()),
        _ => None,
    };
    let yaml = "
apisix: {node_listen: '${{PORT}}', enable_server_tokens: '${{NO}}'}
deployment: {admin: {admin_key: [{key: '${{KEY}}'}], admin_listen: {port: '${{ADMIN_PORT:=9999}}'}}}
nginx_config: {worker_processes: '${{WORKERS:=auto}}', http: {send_timeout: '${{PORT}}ms'}}
";
    let (settings, _) = Settings::parse(yaml, env).unwrap();
    assert_eq!((settings.listeners[0].port, settings.server_tokens), (8080, false));
    assert_eq!(settings.admin.keys[0].key.0, "0123");
    assert_eq!((settings.admin.listen.port(), settings.workers), (9999, Workers::Auto));
    assert_eq!(settings.http.send_timeout, Duration::from_millis(8080));
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    let yaml = "deployment: {admin: {admin_key: [{name: a, key: '${{ADMIN_KEY}}'}]}}";
    assert_eq!(
        problems(yaml)[0],
        "deployment.admin.admin_key[0].key: the environment variable ADMIN_KEY is not set"
    );
}

#[test]
fn what_the_environment_says_is_not_quoted() {
    let env = |_: &str| Some("hunter2".to_owned());
    let error =
        Settings::parse("nginx_config: {http: {send_timeout: '${{KEY}}'}}", env).unwrap_err().to_string();
    assert_eq!(
        error,
        "nginx_config.http.send_timeout: expected a time such as 60s, got another text from the environment"
    );
}

#[test]
fn the_control_api_is_on_loopback_unless_told_otherwise() {
    let at = |yaml: &str| parse(yaml).control.map(|address| address.to_string());
    assert_eq!(at("").as_deref(), Some("127.0.0.1:9090"));
    assert_eq!(at("apisix: {control: {port: 1}}").as_deref(), Some("127.0.0.1:1"));
    assert_eq!(at("apisix: {enable_control: true, control: {ip: '::1'}}").as_deref(), Some("[::1]:9090"));
    assert_eq!(at("apisix: {enable_control: false, control: {port: 1}}"), None);
    let dev = parse("apisix: {control: {ip: 0.0.0.0}}").on_loopback(None).unwrap_err().to_string();
    assert!(dev.starts_with("apisix.control: lockgate dev listens on loopback alone"), "{dev}");
}

#[test]
fn the_state_is_told_where_that_is_asked_for() {
    let at = |yaml: &str| parse(yaml).status.map(|address| address.to_string());
    assert_eq!(at(""), None);
    assert_eq!(at("apisix: {status: {}}").as_deref(), Some("127.0.0.1:7085"));
    assert_eq!(at("apisix: {status: {ip: 0.0.0.0, port: 1}}").as_deref(), Some("0.0.0.0:1"));
    let dev = parse("apisix: {status: {ip: 0.0.0.0}}").on_loopback(None).unwrap_err().to_string();
    assert!(dev.starts_with("apisix.status: lockgate dev listens on loopback alone"), "{dev}");
}

#[test]
fn dev_keeps_to_loopback() {
    let dev = |yaml: &str, listen: Option<&str>| {
        let settings = parse(yaml).on_loopback(listen.map(|address| address.parse().unwrap()));
        settings.map(|settings| {
            settings.listeners.iter().map(|one| one.address().to_string()).collect::<Vec<_>>()
        })
    };
    assert_eq!(dev("", None).unwrap(), ["127.0.0.1:9080", "127.0.0.1:9081"]);
    assert_eq!(dev("", Some("[::1]:0")).unwrap(), ["[::1]:0"]);
    let refused = dev("apisix: {node_listen: {ip: 0.0.0.0, port: 80}}", None).unwrap_err().to_string();
    assert!(
        refused.starts_with("apisix.node_listen[0]: lockgate dev listens on loopback alone, not on 0.0.0.0")
    );
    let refused = dev("deployment: {admin: {admin_listen: {ip: 0.0.0.0}}}", None).unwrap_err().to_string();
    assert!(refused.starts_with("deployment.admin.admin_listen: lockgate dev"), "{refused}");
}

/// Any value, with keys that the settings know among others.
fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[ -~]{0,12}",
        "[0-9]{0,22}(ms|s|m|h|d|k|g)?",
        "(\\$|\\{\\{|\\}\\}|X|:=){0,6}",
        "[a-z0-9:.\\[\\]]{0,20}",
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "apisix",
        "node_listen",
        "ip",
        "port",
        "data_encryption",
        "keyring",
        "deployment",
        "role",
        "admin",
        "admin_key",
        "key",
        "allow_admin",
        "admin_listen",
        "nginx_config",
        "worker_processes",
        "http",
        "upstream",
        "keepalive",
        "keepalive_timeout",
        "client_max_body_size",
        "access_log_buffer",
        "network",
        "resolve",
        "other",
    ]);
    leaf.prop_recursive(6, 60, 6, move |inner| {
        let object = prop::collection::vec((key.clone(), inner.clone()), 0..6).prop_map(|fields| {
            fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Value>()
        });
        prop_oneof![prop::collection::vec(inner, 0..4).prop_map(Value::from), object]
    })
}

proptest::proptest! {
    #[test]
    fn no_value_makes_it_panic(value in any_value()) {
        drop(Settings::parse(&value.to_string(), |name| Some(name.to_owned())));
    }

    #[test]
    fn no_text_makes_it_panic(text in "([a-z_]{1,8}|:|-|\\[|\\]|\\{|\\}|,|#|&a|\\*a|!!|'|\"| |\n|  |\\||>|\\PC){0,40}") {
        drop(Settings::parse(&text, |_| None));
    }

    #[test]
    fn a_known_section_with_anything_in_it_does_not_make_it_panic(value in any_value()) {
        for path in ["apisix", "nginx_config", "deployment"] {
            drop(Settings::parse(&serde_json::json!({path: value}).to_string(), |_| None));
        }
    }
}
