//! `apisix.ssl`: where HTTPS is served, and how TLS is spoken.

use std::path::PathBuf;

use lockgate_http::tls::server::{CipherSuite, ServerTls, Versions, cipher};

use super::Listener;
use super::read::{Place, Readable, Section};

/// HTTPS, and TLS to peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ssl {
    /// `listen`: the ports; none where `enable` is false. Default: 9443.
    pub(crate) listeners: Vec<SslListener>,
    /// Whether the ports were asked for: a default that is taken already is done without.
    pub(crate) is_listen_set: bool,
    /// `ssl_protocols`. Default: TLSv1.2 and TLSv1.3.
    pub(crate) versions: Versions,
    /// `ssl_ciphers`, those that there are. Default: none, which is all.
    pub(crate) ciphers: Vec<CipherSuite>,
    /// `ssl_session_tickets`: whether clients keep their sessions themselves. Default: false.
    pub(crate) tickets: bool,
    /// `fallback_sni`: the name that clients are taken to ask for who name none that is known. Default: none.
    pub(crate) fallback_sni: Option<String>,
    /// `ssl_trusted_certificate`: files with the authorities of peers. Default: none.
    pub(crate) trusted: Vec<PathBuf>,
    /// Whether the system's authorities are trusted beside those files. Default: true.
    pub(crate) trusts_system: bool,
}

/// A port for HTTPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SslListener {
    /// The port.
    pub(crate) listener: Listener,
    /// `enable_http3`: whether HTTP/3 is served at the UDP port of the same number. Default: false.
    pub(crate) http3: bool,
}

impl Default for Ssl {
    fn default() -> Self {
        let listener = Listener { ip: None, port: 9443, http2: true };
        Self {
            listeners: vec![SslListener { listener, http3: false }],
            is_listen_set: false,
            versions: Versions::ALL,
            ciphers: Vec::new(),
            tickets: false,
            fallback_sni: None,
            trusted: Vec::new(),
            trusts_system: true,
        }
    }
}

impl Ssl {
    /// TLS as it is spoken to clients.
    pub(crate) fn server(&self) -> ServerTls {
        ServerTls::new(self.versions, &self.ciphers, self.tickets)
    }
}

pub(super) fn read(section: &mut Section<'_>, ssl: &mut Ssl) {
    let is_on = section.get("enable").unwrap_or(true);
    if let Some(listeners) = section.get::<Vec<SslListener>>("listen") {
        (ssl.listeners, ssl.is_listen_set) = (listeners, true);
    }
    if !is_on {
        ssl.listeners.clear();
    }
    if let Some(versions) = section.place("ssl_protocols").and_then(|place| read_versions(&place)) {
        ssl.versions = versions;
    }
    if let Some(ciphers) = section.place("ssl_ciphers").and_then(|place| read_ciphers(&place)) {
        ssl.ciphers = ciphers;
    }
    section.set("ssl_session_tickets", &mut ssl.tickets);
    ssl.fallback_sni = section.get::<String>("fallback_sni").filter(|name| !name.is_empty());
    if let Some(files) = section.get::<String>("ssl_trusted_certificate") {
        let named = files.split(',').map(str::trim).filter(|file| !file.is_empty());
        let (system, files): (Vec<_>, Vec<_>) = named.partition(|file| *file == "system");
        ssl.trusts_system = !system.is_empty() || files.is_empty();
        ssl.trusted = files.into_iter().map(PathBuf::from).collect();
    }
}

impl Readable for SslListener {
    fn read(place: &Place<'_>) -> Option<Self> {
        if !place.value.is_object() {
            return Listener::read(place).map(|listener| Self { listener, http3: false });
        }
        place.mapping(|section| {
            let ip = section.get("ip");
            let http2 = section.get("enable_http2").unwrap_or(true);
            let http3 = section.get("enable_http3").unwrap_or(false);
            match section.place("port") {
                Some(port) => Some(Self { listener: Listener { ip, port: u16::read(&port)?, http2 }, http3 }),
                None => section.miss("port"),
            }
        })?
    }
}

/// The versions that a text names, as nginx has them.
fn read_versions(place: &Place<'_>) -> Option<Versions> {
    let Some(text) = place.text() else { return place.refuse("versions such as TLSv1.2 TLSv1.3") };
    let mut versions = Versions { tls12: false, tls13: false };
    for word in text.split_whitespace() {
        match word {
            "TLSv1.2" => versions.tls12 = true,
            "TLSv1.3" => versions.tls13 = true,
            "SSLv2" | "SSLv3" | "TLSv1" | "TLSv1.1" => {
                place.warn(format!("{word} is not safe any more and not spoken"));
            }
            _ => return place.refuse("versions such as TLSv1.2 TLSv1.3"),
        }
    }
    if versions.tls12 || versions.tls13 { Some(versions) } else { place.refuse("TLSv1.2, TLSv1.3 or both") }
}

/// The cipher suites of OpenSSL's list that there are; the log is told of the others.
fn read_ciphers(place: &Place<'_>) -> Option<Vec<CipherSuite>> {
    let Some(text) = place.text() else {
        return place.refuse("cipher suites by OpenSSL's names, with : between");
    };
    let names = text.split([':', ' ', ',']).filter(|name| !name.is_empty());
    let (known, others): (Vec<_>, Vec<_>) = names.partition(|name| cipher(name).is_some());
    if known.is_empty() {
        return place.complain("names no cipher suite that there is");
    }
    if !others.is_empty() {
        place.warn(format!(
            "{} are not among the cipher suites there are and have no effect",
            others.join(", ")
        ));
    }
    Some(known.into_iter().filter_map(cipher).collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use lockgate_http::tls::server::Versions;

    use super::super::{Settings, Warning};

    fn parse(yaml: &str) -> (Settings, Vec<Warning>) {
        Settings::parse(yaml, |_| None).unwrap()
    }

    #[test]
    fn https_is_served_at_9443_unless_it_is_switched_off_or_elsewhere() {
        let ports = |yaml: &str| {
            let ssl = parse(yaml).0.ssl;
            let port = |one: &super::SslListener| (one.listener.port, one.listener.http2, one.http3);
            (ssl.listeners.iter().map(port).collect::<Vec<_>>(), ssl.is_listen_set)
        };
        assert_eq!(ports(""), (vec![(9443, true, false)], false));
        assert_eq!(ports("apisix: {ssl: {enable: false}}").0, []);
        let listen = "apisix: {ssl: {listen: [443, {port: 444, enable_http2: false, enable_http3: true}]}}";
        assert_eq!(ports(listen), (vec![(443, true, false), (444, false, true)], true));
        assert!(Settings::parse("apisix: {ssl: {listen: [{}]}}", |_| None).is_err());
        let dev = parse("apisix: {ssl: {listen: [{ip: 0.0.0.0, port: 1}]}}").0.on_loopback(None);
        assert!(dev.unwrap_err().to_string().starts_with("apisix.ssl.listen[0]: lockgate dev"));
    }

    #[test]
    fn versions_and_cipher_suites_that_are_not_there_are_named_and_left_out() {
        let (settings, warnings) = parse(
            "apisix: {ssl: {ssl_protocols: TLSv1.1 TLSv1.2, \
             ssl_ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256'}}",
        );
        assert_eq!(settings.ssl.versions, Versions { tls12: true, tls13: false });
        assert_eq!(settings.ssl.ciphers.len(), 1);
        let texts: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        assert!(texts[0].starts_with("apisix.ssl.ssl_protocols: TLSv1.1 is not safe"), "{texts:?}");
        assert!(texts[1].starts_with("apisix.ssl.ssl_ciphers: DHE-RSA-AES128-GCM-SHA256"), "{texts:?}");
        for wrong in ["ssl_protocols: TLSv1.1", "ssl_protocols: x", "ssl_ciphers: x", "ssl_ciphers: 1"] {
            assert!(Settings::parse(&format!("apisix: {{ssl: {{{wrong}}}}}"), |_| None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn authorities_are_files_the_systems_or_both() {
        let trusted = |yaml: &str| {
            let ssl = parse(&format!("apisix: {{ssl: {{ssl_trusted_certificate: '{yaml}'}}}}")).0.ssl;
            (ssl.trusts_system, ssl.trusted)
        };
        assert_eq!(trusted("system"), (true, vec![]));
        assert_eq!(trusted("/ca.pem"), (false, vec![PathBuf::from("/ca.pem")]));
        assert_eq!(trusted("system, /ca.pem"), (true, vec![PathBuf::from("/ca.pem")]));
    }
}
