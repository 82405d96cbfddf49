//! The sections on functions: which there are, and how they are called.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use lockgate_function::{Auth, Description, Name, Program, Runtime};
use serde_json::Value;

use super::Secret;
use super::read::{Place, Readable, Report, Section};

/// Where functions are called, unless the settings say otherwise.
pub(crate) const FUNCTIONS_PORT: u16 = 9070;

/// `functions` and `function_server`: Lambda functions that run on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Functions {
    /// `functions`: by name. Default: none.
    pub(crate) list: Vec<Description>,
    /// `function_server.listen`: where they are called. Default: 127.0.0.1:9070.
    pub(crate) listen: SocketAddr,
    /// Whether `function_server.listen` says so.
    pub(crate) is_listen_set: bool,
    /// `function_server.region`: where they believe to be. Default: us-east-1.
    pub(crate) region: String,
    /// `function_server.credentials`: who calls has to sign with them. Default: none.
    pub(crate) credentials: Option<KeyPair>,
}

/// An access key and its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyPair {
    /// `access_key_id`
    pub(crate) access_key_id: String,
    /// `secret_access_key`
    pub(crate) secret_access_key: Secret,
}

impl Default for Functions {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, FUNCTIONS_PORT)),
            is_listen_set: false,
            region: "us-east-1".to_owned(),
            credentials: None,
        }
    }
}

impl Functions {
    /// Takes functions of another file in, and how they are called where that says so.
    pub(crate) fn take_in(&mut self, other: Self) {
        self.list.retain(|function| other.list.iter().all(|newer| newer.name != function.name));
        self.list.extend(other.list);
        if other.is_listen_set {
            (self.listen, self.is_listen_set) = (other.listen, true);
        }
        self.region = other.region;
        self.credentials = other.credentials.or_else(|| self.credentials.take());
    }

    /// Takes the directories of all functions from a directory.
    pub(crate) fn relative_to(&mut self, base: &Path) {
        for function in &mut self.list {
            let directory = base.join(&function.directory);
            function.directory = std::path::absolute(&directory).unwrap_or(directory);
        }
    }
}

/// Reads both sections.
pub(super) fn read(root: &mut Section<'_>, functions: &mut Functions) {
    if let Some(place) = root.place("functions") {
        match place.value {
            Value::Object(entries) => {
                let entries = entries.iter().filter_map(|(name, value)| read_function(&place, name, value));
                functions.list = entries.collect();
            }
            _ => {
                place.refuse::<()>(
                    "a mapping of names such as hello: {runtime: python3, handler: app.handler}",
                );
            }
        }
    }
    root.within("function_server", |server| read_server(server, functions));
}

fn read_server(server: &mut Section<'_>, functions: &mut Functions) {
    server.within("listen", |listen| {
        functions.is_listen_set = true;
        if let Some(place) = listen.place("ip") {
            match IpAddr::read(&place) {
                Some(ip) if ip.is_loopback() => functions.listen.set_ip(ip),
                Some(_) => place
                    .refuse::<()>("an address of loopback: functions are called through a route")
                    .unwrap_or(()),
                None => {}
            }
        }
        if let Some(port) = listen.get("port") {
            functions.listen.set_port(port);
        }
    });
    server.set("region", &mut functions.region);
    if let Some(place) = server.place("credentials") {
        functions.credentials = place
            .mapping(|pair| {
                let id = pair.get("access_key_id").or_else(|| pair.miss("access_key_id"));
                let secret = pair.place("secret_access_key");
                let secret = match secret {
                    Some(place) => secret_text(&place).map(Secret),
                    None => pair.miss("secret_access_key"),
                };
                Some(KeyPair { access_key_id: id?, secret_access_key: secret? })
            })
            .flatten();
    }
}

fn read_function(parent: &Place<'_>, name: &str, value: &Value) -> Option<Description> {
    let place = Place { path: format!("{}.{name}", parent.path), value, report: parent.report };
    let known: Name = match name.parse() {
        Ok(name) => name,
        Err(error) => return place.complain(format!("{error}")),
    };
    let description = place.mapping(|section| {
        let program = read_program(section)?;
        let mut function = Description::new(known, program, ".");
        read_fields(section, &mut function, parent.report);
        Some(function)
    })??;
    match description.check() {
        Ok(()) => Some(description),
        Err(error) => place.complain(error.to_string()),
    }
}

fn read_program(section: &mut Section<'_>) -> Option<Program> {
    let runtime = section.get("runtime");
    let handler: Option<String> = section.get("handler");
    let command = section.place("command").map(|place| {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        place.text().map_or_else(|| Vec::read(&place), |text| Some(words(text)))
    });
    match (command, runtime, handler) {
        (Some(words), None, None) => Some(Program::Command(words?)),
        (None, Some(runtime), Some(handler)) => Some(Program::Handler { runtime, handler }),
        _ => section.lack("needs command, or runtime and handler"),
    }
}

fn read_fields(section: &mut Section<'_>, function: &mut Description, report: &Report) {
    if let Some(directory) = section.get::<String>("directory") {
        function.directory = PathBuf::from(directory);
    }
    if let Some(place) = section.place("environment") {
        function.environment = read_environment(&place, report);
    }
    if let Some(memory) = section.get::<u64>("memory") {
        function.memory = u32::try_from(memory).unwrap_or(u32::MAX);
    }
    section.set("timeout", &mut function.timeout);
    section.set("idle_timeout", &mut function.idle_timeout);
    section.set("reload", &mut function.reload);
    section.set("auth", &mut function.auth);
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    if let Some(queue) = section.get::<u64>("queue") {
        function.queue = count(queue);
    }
    section.within("concurrency", |concurrency| {
        if let Some(max) = concurrency.get::<u64>("max") {
            function.concurrency.max = count(max);
        }
        if let Some(min) = concurrency.get::<u64>("min") {
            function.concurrency.min = count(min);
        }
    });
    function.api_key = section.place("api_key").and_then(|place| secret_text(&place));
}

/// The variables of a process: texts, and what is as good as one.
fn read_environment(place: &Place<'_>, report: &Report) -> Vec<(String, String)> {
    let Value::Object(entries) = place.value else {
        place.complain::<()>("expected a mapping of variables");
        return Vec::new();
    };
    let variable = |(name, value): (&String, &Value)| match value {
        Value::String(text) => Some((name.clone(), text.clone())),
        Value::Number(_) | Value::Bool(_) => Some((name.clone(), value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            report.problem(&format!("{}.{name}", place.path), "expected a text");
            None
        }
    };
    entries.iter().filter_map(variable).collect()
}

/// A text that is never shown, not even where it is wrong.
fn secret_text(place: &Place<'_>) -> Option<String> {
    let text =
        place.text().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()));
    match text {
        Some(text) => Some(text.to_owned()),
        None => place.complain("expected a text in quotes, of ASCII characters without spaces"),
    }
}

impl Readable for Runtime {
    fn read(place: &Place<'_>) -> Option<Self> {
        let text = place.text().unwrap_or_default();
        match text {
            _ if text.starts_with("python3") => Some(Self::Python),
            _ if text.starts_with("nodejs") => Some(Self::Node),
            _ => place.refuse("python3 or nodejs"),
        }
    }
}

impl Readable for Auth {
    fn read(place: &Place<'_>) -> Option<Self> {
        match place.text() {
            Some("NONE" | "none") => Some(Self::None),
            Some("AWS_IAM" | "iam") => Some(Self::Iam),
            _ => place.refuse("NONE or AWS_IAM"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lockgate_function::{Auth, Program, Runtime};

    use crate::settings::Settings;

    fn parse(yaml: &str) -> Result<Settings, String> {
        Settings::parse(yaml, |_| None).map(|(settings, _)| settings).map_err(|error| error.to_string())
    }

    #[test]
    fn a_function_has_lambdas_defaults_and_what_is_written() {
        let yaml = "
            functions:
              hello: {command: ./bootstrap --flag}
              greet:
                runtime: python3.12
                handler: app.handler
                directory: src
                environment: {TABLE: t, LIMIT: 5, DEBUG: true}
                memory: 256
                timeout: 30s
                concurrency: {min: 1, max: 4}
                queue: 7
                reload: true
                api_key: k-1
                auth: AWS_IAM
            function_server:
              listen: {port: 9071}
              region: eu-central-1
              credentials: {access_key_id: AKIDLOCAL, secret_access_key: s3}";
        let functions = parse(yaml).unwrap().functions;
        let [hello, greet] = functions.list.as_slice() else { panic!("two functions") };
        assert_eq!(hello.program, Program::Command(vec!["./bootstrap".into(), "--flag".into()]));
        assert_eq!((hello.memory, hello.timeout), (128, Duration::from_secs(3)));
        let handler = "app.handler".to_owned();
        assert_eq!(greet.program, Program::Handler { runtime: Runtime::Python, handler });
        let variables: Vec<String> =
            greet.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(variables, ["TABLE=t", "LIMIT=5", "DEBUG=true"]);
        assert_eq!((greet.concurrency.min, greet.concurrency.max, greet.queue), (1, 4, 7));
        assert_eq!((greet.auth, greet.api_key.as_deref()), (Auth::Iam, Some("k-1")));
        assert_eq!((functions.listen.port(), functions.region.as_str()), (9071, "eu-central-1"));
        assert_eq!(functions.credentials.unwrap().access_key_id, "AKIDLOCAL");
    }

    #[test]
    fn mistakes_are_named_with_their_path_and_without_secrets() {
        for (yaml, error) in [
            (
                "functions: [a]",
                "functions: expected a mapping of names such as hello: {runtime: python3, handler: app.handler}, got [\"a\"]",
            ),
            (
                "functions: {a b: {command: x}}",
                "functions.a b: \"a b\" is no name of a function: letters, digits, - and _, at most 64",
            ),
            ("functions: {a: {}}", "functions.a: needs command, or runtime and handler"),
            (
                "functions: {a: {command: x, runtime: nodejs}}",
                "functions.a: needs command, or runtime and handler",
            ),
            (
                "functions: {a: {command: x, memory: 64}}",
                "functions.a: memory 64 is not between 128 and 1048576",
            ),
            (
                "functions: {a: {command: x, api_key: 12345}}",
                "functions.a.api_key: expected a text in quotes, of ASCII characters without spaces",
            ),
            (
                "function_server: {listen: {ip: 0.0.0.0}}",
                "function_server.listen.ip: expected an address of loopback: functions are called through a route, got \"0.0.0.0\"",
            ),
            (
                "function_server: {credentials: {access_key_id: a}}",
                "function_server.credentials.secret_access_key: has to be given",
            ),
        ] {
            assert_eq!(parse(yaml).unwrap_err(), error, "{yaml}");
        }
    }
}
