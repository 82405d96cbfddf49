//! A fake function behind an API Gateway: refuses calls without its key, as AWS does.

use std::io;
use std::ops::Deref;
use std::sync::Arc;

use crate::connection::Connection;
use crate::message::Received;
use crate::upstream::{FakeUpstream, Then};

/// The key that [`Function`] asks for.
const KEY: &str = "key-of-the-function";

/// A function that says hello, behind a key.
pub struct Function {
    upstream: FakeUpstream,
}

impl Function {
    /// The key it asks for.
    pub const KEY: &'static str = KEY;

    /// Starts over plain HTTP on a free port.
    pub fn start() -> Self {
        Self { upstream: FakeUpstream::start(hello) }
    }

    /// Starts on a port, over TLS.
    pub fn start_tls(port: u16, tls: Arc<rustls::ServerConfig>) -> Self {
        Self { upstream: FakeUpstream::scripted(port, Some(tls), hello) }
    }
}

impl Deref for Function {
    type Target = FakeUpstream;

    fn deref(&self) -> &FakeUpstream {
        &self.upstream
    }
}

fn hello(request: &Received, connection: &mut Connection) -> io::Result<Then> {
    if request.head.all("x-api-key") != [KEY] {
        let headers = ["Content-Type: application/json", "x-amzn-ErrorType: ForbiddenException"];
        return connection
            .answer("403 Forbidden", &headers, r#"{"message":"Forbidden"}"#)
            .map(|()| Then::Keep);
    }
    let name = request.target().split_once("name=").map_or("World", |(_, name)| name);
    let headers =
        ["Content-Type: application/json", "x-amzn-RequestId: 471289ab-d3b7-4819-9e1a-cb59cac611e0"];
    connection.answer("200 OK", &headers, format!("\"Hello, {name}!\"")).map(|()| Then::Keep)
}
