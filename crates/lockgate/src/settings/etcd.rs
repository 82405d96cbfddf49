//! `deployment.etcd`: where resources are kept by several gateways together.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;

use super::Secret;
use super::read::{Place, Readable, Section};

/// Where etcd is, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Etcd {
    /// `host`: its members, such as `http://127.0.0.1:2379`.
    pub(crate) hosts: Vec<String>,
    /// `prefix`: what its keys begin with. Default: `/apisix`.
    pub(crate) prefix: String,
    /// `timeout`: how long an answer may take. Default: 30s.
    pub(crate) timeout: Duration,
    /// `watch_timeout`: how long a watch may be silent before it is begun anew. Default: 50s.
    pub(crate) watch_timeout: Duration,
    /// `user` and `password`: who asks. Default: nobody in particular.
    pub(crate) user: Option<(String, Secret)>,
    /// `tls`: how `https://` is spoken.
    pub(crate) tls: EtcdTls,
}

/// How `https://` is spoken to etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EtcdTls {
    /// `verify`: whether its certificate is verified. Default: true.
    pub(crate) verify: bool,
    /// `sni`: the name it is verified for. Default: the host's.
    pub(crate) name: Option<String>,
    /// `cert` and `key`: files of what this side shows of itself. Default: nothing.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// Reads what there is of it.
pub(super) fn read(deployment: &mut Section<'_>) -> Option<Etcd> {
    deployment.place("etcd").and_then(|place| place.mapping(read_etcd)).flatten()
}

fn read_etcd(section: &mut Section<'_>) -> Option<Etcd> {
    let hosts = match section.place("host") {
        Some(place) => Vec::<Member>::read(&place)?,
        None => return section.miss("host"),
    };
    let mut etcd = Etcd {
        hosts: hosts.into_iter().map(|member| member.0).collect(),
        prefix: "/apisix".to_owned(),
        timeout: Duration::from_secs(30),
        watch_timeout: Duration::from_secs(50),
        user: None,
        tls: EtcdTls { verify: true, name: None, identity: None },
    };
    section.set("prefix", &mut etcd.prefix);
    section.set("timeout", &mut etcd.timeout);
    section.set("watch_timeout", &mut etcd.watch_timeout);
    let (user, password) = (section.get("user"), section.get::<Password>("password"));
    etcd.user = user.zip(password.map(|password| password.0));
    section.within("tls", |tls| {
        tls.set("verify", &mut etcd.tls.verify);
        etcd.tls.name = tls.get("sni");
        let (cert, key) = (tls.get::<String>("cert"), tls.get::<String>("key"));
        etcd.tls.identity = cert.map(PathBuf::from).zip(key.map(PathBuf::from));
    });
    Some(etcd)
}

struct Member(String);

impl Readable for Member {
    fn read(place: &Place<'_>) -> Option<Self> {
        let is_fit = |uri: Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        let written = place.text().filter(|text| text.parse().is_ok_and(is_fit));
        written
            .map(|text| Self(text.to_owned()))
            .or_else(|| place.refuse("an address such as http://127.0.0.1:2379"))
    }
}

/// A password may have any character.
struct Password(Secret);

impl Readable for Password {
    fn read(place: &Place<'_>) -> Option<Self> {
        place.text().map(|text| Self(Secret(text.to_owned()))).or_else(|| place.refuse("a text"))
    }
}
