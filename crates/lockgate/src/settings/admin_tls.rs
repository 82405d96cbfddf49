//! `deployment.admin.https_admin` and `admin_api_mtls`: the Admin API by HTTPS.

use std::path::PathBuf;

use super::read::Section;

/// What HTTPS of the Admin API needs, as files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdminTls {
    /// `admin_ssl_cert`: the certificate, with its chain.
    pub(crate) cert: PathBuf,
    /// `admin_ssl_cert_key`: its key.
    pub(crate) key: PathBuf,
    /// `admin_ssl_ca_cert`: who issues the certificates that clients then have to show. Default: none is asked for.
    pub(crate) ca: Option<PathBuf>,
}

/// Reads whether the Admin API is to be by HTTPS, and with what.
pub(super) fn read(admin: &mut Section<'_>) -> Option<AdminTls> {
    let is_on = admin.get("https_admin").unwrap_or(false);
    let place = admin.place("admin_api_mtls");
    let files = place.as_ref().and_then(|place| {
        place.mapping(|files| {
            let mut file = |key| files.get::<String>(key).filter(|path| !path.is_empty()).map(PathBuf::from);
            [file("admin_ssl_cert"), file("admin_ssl_cert_key"), file("admin_ssl_ca_cert")]
        })
    });
    let [cert, key, ca] = files.unwrap_or_default();
    match (is_on, cert, key) {
        (true, Some(cert), Some(key)) => Some(AdminTls { cert, key, ca }),
        (true, cert, _) => {
            let missing = if cert.is_some() { "admin_ssl_cert_key" } else { "admin_ssl_cert" };
            admin.miss(&format!("admin_api_mtls.{missing}"))
        }
        (false, ..) => {
            if let Some(place) = place {
                place.warn("has no effect without https_admin: true".to_owned());
            }
            None
        }
    }
}
