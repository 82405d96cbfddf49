//! `lockgate invoke` and `lockgate logs`: small callers of functions that run on this machine.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use lockgate_aws::{Credentials, Payload, Signable, Signer};
use serde_json::Value;

use crate::cli::{InvokeOptions, LogsOptions};

/// How long the functions' server may take to be reached.
const CONNECT: Duration = Duration::from_secs(2);
/// The longest event that is read from a file or a pipe, in bytes: what Lambda takes.
const LONGEST_EVENT: u64 = 6 << 20;
/// The longest head of an answer, in bytes.
const LONGEST_HEAD: u64 = 64 << 10;

/// Calls a function and prints its answer. Whether it succeeded.
pub(crate) fn invoke(options: &InvokeOptions) -> anyhow::Result<bool> {
    let event = event(options.data.as_deref())?;
    let path = format!("/2015-03-31/functions/{}/invocations", options.name);
    let kind = if options.event { "Event" } else { "RequestResponse" };
    let log = if options.log { "Tail" } else { "None" };
    let headers = format!("X-Amz-Invocation-Type: {kind}\r\nX-Amz-Log-Type: {log}\r\n");
    let mut answer = Answer::to(options.server, "POST", &path, &headers, &event)?;
    let mut body = Vec::new();
    answer.body.read_to_end(&mut body)?;
    let mut errors = io::stderr().lock();
    if let Some(log) = answer.header("x-amz-log-result") {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.decode(log).unwrap_or_default();
        errors.write_all(&text)?;
    }
    if answer.status >= 300 {
        bail!("{}", refusal(options.server, answer.status, &body));
    }
    let mut out = io::stdout().lock();
    if options.event {
        writeln!(errors, "taken in as {}", answer.header("x-amzn-requestid").unwrap_or("an event"))?;
        return Ok(true);
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(value) if io::IsTerminal::is_terminal(&out) => writeln!(out, "{value:#}")?,
        _ => {
            out.write_all(&body)?;
            writeln!(out)?;
        }
    }
    Ok(answer.header("x-amz-function-error").is_none())
}

/// What is sent: the text itself, `@FILE`, or `-` for what is piped in.
fn event(data: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let mut event = Vec::new();
    match data {
        None => event.extend_from_slice(b"{}"),
        Some("-") => drop(io::stdin().lock().take(LONGEST_EVENT + 1).read_to_end(&mut event)?),
        Some(text) => match text.strip_prefix('@') {
            Some(path) => {
                let file = std::fs::File::open(path).with_context(|| path.to_owned())?;
                file.take(LONGEST_EVENT + 1).read_to_end(&mut event)?;
            }
            None => event.extend_from_slice(text.as_bytes()),
        },
    }
    ensure!(event.len() as u64 <= LONGEST_EVENT, "the event is longer than 6 MB");
    Ok(event)
}

/// Prints a function's log; with `follow`, until the server ends or the reader leaves.
pub(crate) fn logs(options: &LogsOptions) -> anyhow::Result<()> {
    let follow = if options.follow { "&follow" } else { "" };
    let path = format!("/lockgate/functions/{}/log?lines={}{follow}", options.name, options.lines);
    let mut answer = Answer::to(options.server, "GET", &path, "", b"")?;
    if answer.status != 200 {
        let mut body = Vec::new();
        answer.body.read_to_end(&mut body)?;
        bail!("{}", refusal(options.server, answer.status, &body));
    }
    let mut out = io::stdout().lock();
    for line in answer.body.lines() {
        let line: Value = serde_json::from_str(&line?).context("a line of the log")?;
        let id = line["requestId"].as_str().map_or("-", |id| id.get(..8).unwrap_or(id));
        writeln!(out, "{id:8} {}", line["text"].as_str().unwrap_or_default())?;
        out.flush()?;
    }
    Ok(())
}

/// What the server said, and which functions there are where it knows no such one.
fn refusal(server: SocketAddr, status: u16, body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = value["Message"].as_str().or(value["message"].as_str()).unwrap_or("it says no more");
    let mut text = format!("{server} answers {status}: {message}");
    if status == 404
        && let Ok(names) = names(server)
    {
        text += "; it has ";
        text += &if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    }
    text
}

fn names(server: SocketAddr) -> anyhow::Result<Vec<String>> {
    let mut answer = Answer::to(server, "GET", "/2015-03-31/functions", "", b"")?;
    let mut body = Vec::new();
    answer.body.read_to_end(&mut body)?;
    let list: Value = serde_json::from_slice(&body)?;
    let functions = list["Functions"].as_array().into_iter().flatten();
    Ok(functions.filter_map(|function| Some(function["FunctionName"].as_str()?.to_owned())).collect())
}

/// The lines that sign a request, where the environment has keys as AWS's tools take them.
fn signature(
    server: SocketAddr,
    method: &str,
    target: &str,
    headers: &str,
    body: &[u8],
) -> anyhow::Result<String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(id), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) else {
        return Ok(String::new());
    };
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let signer = Signer::new(region.as_deref().unwrap_or("us-east-1"), "lambda")?;
    let credentials = Credentials::new(&id, &secret, None)?;
    let host = server.to_string();
    let given = headers.lines().filter_map(|line| line.split_once(": "));
    let given = given.map(|(name, value)| (name, value.as_bytes()));
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let headers: Vec<(&str, &[u8])> = given.chain([("host", host.as_bytes())]).collect();
    let request = Signable { method, path, query, headers, payload: Payload::Bytes(body) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let proof = signer.sign(&credentials, now, request)?;
    Ok(proof.headers().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect())
}

/// An answer whose body goes on until the connection ends.
struct Answer {
    status: u16,
    headers: Vec<String>,
    body: BufReader<TcpStream>,
}

impl Answer {
    /// Sends a request. In HTTP/1.0, so that the body of the answer has no framing.
    fn to(server: SocketAddr, method: &str, path: &str, headers: &str, body: &[u8]) -> anyhow::Result<Self> {
        let connected = TcpStream::connect_timeout(&server, CONNECT);
        let mut socket = connected.with_context(|| {
            format!("no functions are served on {server}; start them with: lockgate dev --function NAME=PATH")
        })?;
        let headers = format!("{headers}{}", signature(server, method, path, headers, body)?);
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {server}\r\n{headers}Content-Length: {length}\r\n\r\n"
        );
        socket.write_all(head.as_bytes())?;
        socket.write_all(body)?;
        let mut reader = BufReader::new(socket);
        let mut lines = Vec::new();
        let mut left = reader.by_ref().take(LONGEST_HEAD);
        loop {
            let mut line = String::new();
            left.read_line(&mut line)?;
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            lines.push(line.to_owned());
        }
        let status = lines.first().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.with_context(|| format!("{server} does not answer in HTTP"))?;
        Ok(Self { status, headers: lines.split_off(1), body: reader })
    }

    fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.headers.iter().filter_map(|line| line.split_once(':'));
        pairs.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}
