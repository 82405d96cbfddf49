//! `deployment.role`: which sides of a gateway this process is, and where its resources come from.

use std::path::PathBuf;

use lockgate_store::document::Format;

use super::Settings;
use super::etcd::{self, Etcd};
use super::read::{Place, Readable, Section};

/// Which sides this process is, and where its resources come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deployment {
    /// `role`. Default: traditional.
    pub(crate) role: DeploymentRole,
    /// `config_provider` of the role's section. Default: redb for traditional.
    pub(crate) provider: Provider,
    /// Where `apisix.yaml` and `apisix.json` are looked for: the directory of the settings file.
    pub(crate) folder: PathBuf,
}

/// Which sides of a gateway a process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DeploymentRole {
    /// Data plane and Admin API.
    #[default]
    Traditional,
    /// It serves requests, and cannot be told anything.
    DataPlane,
    /// The Admin API alone.
    ControlPlane,
}

/// Where resources come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Provider {
    /// A file of this gateway's own, in the data directory.
    #[default]
    Redb,
    /// etcd, with what `deployment.etcd` says.
    Etcd(Box<Etcd>),
    /// `apisix.yaml` or `apisix.json`; for traditional without that file, one call to the Admin API.
    Standalone(Format),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Redb,
    Etcd,
    Standalone(Format),
}

impl DeploymentRole {
    const ALL: [Self; 3] = [Self::Traditional, Self::DataPlane, Self::ControlPlane];

    const fn section(self) -> &'static str {
        match self {
            Self::Traditional => "role_traditional",
            Self::DataPlane => "role_data_plane",
            Self::ControlPlane => "role_control_plane",
        }
    }

    /// The provider that is written, if it goes with the role.
    fn provider(self, place: &Place<'_>) -> Option<Word> {
        let word = match place.text() {
            Some("redb") => Some(Word::Redb),
            Some("etcd") => Some(Word::Etcd),
            Some("yaml") => Some(Word::Standalone(Format::Yaml)),
            Some("json") => Some(Word::Standalone(Format::Json)),
            _ => None,
        };
        match (self, word) {
            (Self::Traditional, Some(word)) => Some(word),
            (Self::Traditional, None) => place.refuse("redb, etcd, yaml or json"),
            (Self::DataPlane, Some(word)) if word != Word::Redb => Some(word),
            (Self::DataPlane, _) => {
                place.refuse("etcd, yaml or json, as a data_plane cannot be told anything")
            }
            (Self::ControlPlane, Some(Word::Etcd)) => Some(Word::Etcd),
            (Self::ControlPlane, _) => place.refuse("etcd, from which data planes read"),
        }
    }
}

impl Readable for DeploymentRole {
    fn read(place: &Place<'_>) -> Option<Self> {
        match place.text() {
            Some("traditional") => Some(Self::Traditional),
            Some("data_plane") => Some(Self::DataPlane),
            Some("control_plane") => Some(Self::ControlPlane),
            _ => place.refuse("traditional, data_plane or control_plane"),
        }
    }
}

/// Reads the role, and where resources come from in it.
pub(super) fn read(deployment: &mut Section<'_>) -> Deployment {
    let role: DeploymentRole = deployment.get("role").unwrap_or_default();
    let (mut word, mut is_written) = (None, false);
    for other in DeploymentRole::ALL {
        deployment.within(other.section(), |section| {
            let place = section.place("config_provider").filter(|_| other == role);
            is_written |= place.is_some();
            word = word.or(place.and_then(|place| role.provider(&place)));
        });
    }
    let default = match role {
        DeploymentRole::Traditional => Some(Word::Redb),
        DeploymentRole::ControlPlane => Some(Word::Etcd),
        DeploymentRole::DataPlane => None,
    };
    if default.is_none() && !is_written {
        deployment.miss::<()>("role_data_plane.config_provider");
    }
    let etcd = etcd::read(deployment);
    let provider = match word.or(default.filter(|_| !is_written)) {
        Some(Word::Etcd) => match etcd {
            Some(etcd) => Provider::Etcd(Box::new(etcd)),
            None => deployment.miss("etcd").unwrap_or_default(),
        },
        Some(Word::Standalone(format)) => Provider::Standalone(format),
        Some(Word::Redb) | None => Provider::Redb,
    };
    Deployment { role, provider, folder: PathBuf::new() }
}

impl Settings {
    /// Whether there is an Admin API.
    pub(crate) fn serves_admin(&self) -> bool {
        self.admin.enabled && self.deployment.role != DeploymentRole::DataPlane
    }

    /// Whether requests are served.
    pub(crate) fn serves_requests(&self) -> bool {
        self.deployment.role != DeploymentRole::ControlPlane
    }

    /// Takes away the ports that the role does not have.
    pub(super) fn keep_to_role(&mut self) {
        if !self.serves_requests() {
            self.listeners.clear();
            self.ssl.listeners.clear();
            (self.proxy_protocol.http, self.proxy_protocol.https) = (None, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use lockgate_store::document::Format;

    use super::{DeploymentRole, Provider};
    use crate::settings::Settings;

    fn read(yaml: &str) -> Result<Settings, String> {
        Settings::parse(yaml, |_| None).map(|(settings, _)| settings).map_err(|error| error.to_string())
    }

    #[test]
    fn a_role_says_where_resources_may_come_from() {
        let data_plane =
            read("deployment: {role: data_plane, role_data_plane: {config_provider: yaml}}").unwrap();
        assert_eq!(data_plane.deployment.provider, Provider::Standalone(Format::Yaml));
        assert!(!data_plane.serves_admin() && data_plane.serves_requests());
        let control_plane =
            read("deployment: {role: control_plane, etcd: {host: ['http://127.0.0.1:2379']}}").unwrap();
        assert!(matches!(control_plane.deployment.provider, Provider::Etcd(_)));
        assert!(control_plane.serves_admin() && control_plane.listeners.is_empty());
        assert!(control_plane.ssl.listeners.is_empty());
        let both = read("deployment: {role_traditional: {config_provider: json}}").unwrap();
        assert_eq!(both.deployment.provider, Provider::Standalone(Format::Json));
        assert_eq!(both.deployment.role, DeploymentRole::Traditional);
        assert!(!read("apisix: {enable_admin: false}").unwrap().serves_admin());
    }

    #[test]
    fn what_does_not_go_together_is_named_by_its_key() {
        let rows = [
            (
                "deployment: {role: edge}",
                "deployment.role: expected traditional, data_plane or control_plane",
            ),
            ("deployment: {role: data_plane}", "deployment.role_data_plane.config_provider: has to be given"),
            (
                "deployment: {role: data_plane, role_data_plane: {config_provider: redb}}",
                "deployment.role_data_plane.config_provider: expected etcd, yaml or json",
            ),
            (
                "deployment: {role: control_plane, role_control_plane: {config_provider: yaml}}",
                "deployment.role_control_plane.config_provider: expected etcd",
            ),
            ("deployment: {role: control_plane}", "deployment.etcd: has to be given"),
            ("deployment: {role_traditional: {config_provider: etcd}}", "deployment.etcd: has to be given"),
            (
                "deployment: {role_traditional: {config_provider: consul}}",
                "deployment.role_traditional.config_provider: expected redb, etcd, yaml or json",
            ),
            (
                "{apisix: {enable_admin: false}, deployment: {role: control_plane, etcd: {host: ['http://a:1']}}}",
                "apisix.enable_admin: has to be true for a control_plane",
            ),
        ];
        for (yaml, problem) in rows {
            let error = read(yaml).unwrap_err();
            assert!(error.starts_with(problem) && !error.contains('\n'), "{yaml}: {error}");
        }
    }
}
