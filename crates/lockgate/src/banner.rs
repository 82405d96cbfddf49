//! What is shown at start: where it listens, and a line to paste that makes the first route.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::admin_key::{AdminKeys, Source, VARIABLE};
use crate::settings::Functions;

/// The text shown at start; `Display` writes it.
#[derive(Debug)]
pub(crate) struct Banner<'a> {
    /// Where the data plane listens, as bound.
    pub(crate) listeners: &'a [SocketAddr],
    /// Where it listens for HTTPS, as bound, and whether for HTTP/3 at the same port by UDP.
    pub(crate) https: &'a [(SocketAddr, bool)],
    /// Where the Admin API listens, as bound, and who may use it; where there is one.
    pub(crate) admin: Option<(SocketAddr, &'a AdminKeys)>,
    /// Whether it is spoken to by HTTPS.
    pub(crate) is_admin_https: bool,
    /// Where the store and the keys are kept.
    pub(crate) data_dir: &'a Path,
    /// Where functions of this machine are called, and which there are.
    pub(crate) functions: Option<(SocketAddr, &'a Functions)>,
    /// Whether the Admin API makes routes, and they are served here.
    pub(crate) makes_routes: bool,
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "lockgate {}", env!("CARGO_PKG_VERSION"))?;
        let http = self.listeners.iter().map(|address| format!("http://{address}"));
        let https = self.https.iter().map(|(address, has_http3)| {
            format!("https://{address}{}", if *has_http3 { " (and HTTP/3)" } else { "" })
        });
        let listeners: Vec<String> = http.chain(https).collect();
        if !listeners.is_empty() {
            writeln!(f, "  data plane  {}", listeners.join("  "))?;
        }
        if let Some((address, keys)) = self.admin {
            writeln!(f, "  Admin API   {}://{address}/apisix/admin", self.admin_scheme())?;
            if keys.source == Source::Dev
                && let Some(first) = self.listeners.first()
            {
                writeln!(f, "              http://{first}/apisix/admin")?;
            }
        }
        writeln!(f, "  data        {}", self.data_dir.display())?;
        if let Some((_, keys)) = self.admin {
            writeln!(f, "  admin key   {}", key(keys))?;
        }
        self.functions(f)?;
        match self.admin.filter(|_| self.makes_routes) {
            Some((admin, keys)) => {
                writeln!(f, "\nA first route, to paste:\n")?;
                self.first_route(f, admin, keys)
            }
            None => Ok(()),
        }
    }
}

impl Banner<'_> {
    fn admin_scheme(&self) -> &'static str {
        if self.is_admin_https { "https" } else { "http" }
    }

    /// Each function and how it is called.
    fn functions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((address, functions)) = self.functions else { return Ok(()) };
        writeln!(f, "  functions   http://{address}")?;
        for function in &functions.list {
            let name = &function.name;
            writeln!(f, "\n  {name}")?;
            // What the command asks where it is told nothing.
            let is_default = address == Functions::default().listen;
            let server = if is_default { String::new() } else { format!(" --server {address}") };
            writeln!(f, "    invoke        lockgate invoke {name} -d '{{}}'{server}")?;
            writeln!(f, "                  http://{address}/2015-03-31/functions/{name}/invocations")?;
            writeln!(f, "    function URL  http://{address}/urls/{name}/")?;
            writeln!(f, "    API Gateway   http://{address}/default/{name}")?;
        }
        Ok(())
    }

    fn first_route(&self, f: &mut fmt::Formatter<'_>, admin: SocketAddr, keys: &AdminKeys) -> fmt::Result {
        let key = keys.keys.first().map_or("", |key| key.key.0.as_str());
        let header = match &keys.source {
            Source::Settings(_) => r#"-H "X-API-KEY: $ADMIN_KEY" "#.to_owned(),
            Source::Environment => format!(r#"-H "X-API-KEY: ${VARIABLE}" "#),
            Source::File(_) | Source::Dev => format!("-H 'X-API-KEY: {}' ", key.replace('\'', r"'\''")),
            Source::NotRequired => String::new(),
        };
        let admin = reachable(admin);
        let (route, target) = self.example();
        let scheme = self.admin_scheme();
        writeln!(f, "  curl {scheme}://{admin}/apisix/admin/routes/1 {header}-X PUT -d '{route}'")?;
        match self.listeners.first() {
            Some(first) => writeln!(f, "  curl 'http://{}{target}'", reachable(*first)),
            None => Ok(()),
        }
    }

    /// A route, and what to ask it for: a function where there is one.
    fn example(&self) -> (String, &'static str) {
        let first = self.functions.and_then(|(address, functions)| Some((address, functions.list.first()?)));
        let Some((address, function)) = first else {
            let nodes = r#"{"type":"roundrobin","nodes":{"httpbin.org:80":1}}"#;
            return (format!(r#"{{"uri":"/get","upstream":{nodes}}}"#), "/get");
        };
        let uri = format!("http://{address}/default/{}", function.name);
        let route = format!(r#"{{"uri":"/aws","plugins":{{"aws-lambda":{{"function_uri":"{uri}"}}}}}}"#);
        (route, "/aws?name=APISIX")
    }
}

/// The key, where it is ours to show.
fn key(keys: &AdminKeys) -> String {
    let key = keys.keys.first().map_or("", |key| key.key.0.as_str());
    match &keys.source {
        Source::Settings(name) => format!("{name}, of the settings"),
        Source::Environment => format!("that of {VARIABLE}"),
        Source::File(path) => format!("{key} (kept in {})", path.display()),
        Source::Dev => format!("{key} (the documented one)"),
        Source::NotRequired => "none is asked for".to_owned(),
    }
}

/// An address that a client on this machine can connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::Banner;
    use crate::admin_key::{AdminKeys, Source};

    fn banner(source: Source) -> String {
        let keys = AdminKeys { source, ..AdminKeys::dev() };
        let listeners = ["0.0.0.0:9080".parse().unwrap(), "[::1]:9081".parse().unwrap()];
        let admin = "127.0.0.1:9180".parse().unwrap();
        let admin = Some((admin, &keys));
        let data_dir = "data".as_ref();
        Banner {
            listeners: &listeners,
            https: &[("0.0.0.0:9443".parse().unwrap(), false), ("[::]:8443".parse().unwrap(), true)],
            admin,
            is_admin_https: false,
            data_dir,
            functions: None,
            makes_routes: true,
        }
        .to_string()
    }

    #[test]
    fn without_an_admin_api_nothing_is_said_of_it() {
        let listeners = ["0.0.0.0:9080".parse().unwrap()];
        let data_dir = "data".as_ref();
        let banner = Banner {
            listeners: &listeners,
            https: &[],
            admin: None,
            is_admin_https: false,
            data_dir,
            functions: None,
            makes_routes: false,
        };
        let text = banner.to_string();
        assert!(!text.contains("admin") && text.contains("http://0.0.0.0:9080"), "{text}");
    }

    #[test]
    fn a_key_that_was_made_is_shown_ready_to_paste() {
        let text = banner(Source::File(PathBuf::from("data/admin.key")));
        let line = "curl http://127.0.0.1:9180/apisix/admin/routes/1 -H 'X-API-KEY: edd1c9f034335f136f87ad84b625c8f1' -X PUT";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("curl 'http://127.0.0.1:9080/get'\n"), "{text}");
        assert!(text.contains("http://0.0.0.0:9080  http://[::1]:9081  https://0.0.0.0:9443  https://[::]:8443 (and HTTP/3)\n"), "{text}");
        assert!(text.contains("data/admin.key"), "{text}");
    }

    #[test]
    fn a_key_that_somebody_chose_is_not_shown() {
        for (source, header) in [
            (Source::Settings("ci".to_owned()), r#""X-API-KEY: $ADMIN_KEY""#),
            (Source::Environment, r#""X-API-KEY: $LOCKGATE_ADMIN_KEY""#),
        ] {
            let text = banner(source);
            assert!(!text.contains("edd1c9") && text.contains(header), "{text}");
        }
    }

    #[test]
    fn dev_says_that_the_data_plane_takes_admin_calls() {
        assert!(banner(Source::Dev).contains("http://0.0.0.0:9080/apisix/admin\n"));
    }

    #[test]
    fn without_a_key_the_line_sends_none() {
        assert!(!banner(Source::NotRequired).contains("X-API-KEY"));
    }
}
