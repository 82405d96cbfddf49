//! What the Admin API shows of itself by HTTPS, and whom it lets in.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use lockgate_http::tls::server::{Keys, ServerTls};
use lockgate_http::tls::{Terms, Verification, certificate};
use rustls::ServerConfig;

use crate::settings::AdminTls;

/// How many certificates may stand between a client's and its issuer's: nginx's.
const DEPTH: usize = 1;

/// Reads the files. Clients have to show a certificate where there is somebody to have issued it.
pub(crate) fn config(tls: &AdminTls) -> anyhow::Result<Arc<ServerConfig>> {
    let read = |name: &str, path: &Path| {
        fs::read_to_string(path)
            .with_context(|| format!("deployment.admin.admin_api_mtls.{name}: {}", path.display()))
    };
    let wrong = |reason: String| anyhow::anyhow!("deployment.admin.admin_api_mtls: {reason}");
    let (cert, key) = (read("admin_ssl_cert", &tls.cert)?, read("admin_ssl_cert_key", &tls.key)?);
    certificate::check(&cert, &key).map_err(wrong)?;
    let keys = Arc::new(Keys::new(vec![certificate::read(&cert, &key).map_err(wrong)?]));
    let ca = tls.ca.as_deref().map(|path| read("admin_ssl_ca_cert", path)).transpose()?;
    let verification = ca.map(|pem| Verification::new(&pem, DEPTH, false)).transpose().map_err(wrong)?;
    let config = ServerTls::default().config(keys, None, verification.as_ref(), Terms::new());
    let mut config = ServerConfig::clone(&*config.map_err(wrong)?);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
