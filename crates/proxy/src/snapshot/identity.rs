//! What the gateway shows of itself to nodes that ask: written in the upstream, or named there by its id.

use lockgate_resource::{Id, Kind, Record, Resources, Ssl, SslUsage, Status, Upstream};

use super::ssl::opened;
use super::{Compiler, Snapshot};

/// Whether an upstream, or what has one in it, names a certificate by its id.
fn names_certificate(record: &Record) -> bool {
    let places = ["/tls/client_cert_id", "/upstream/tls/client_cert_id"];
    places.into_iter().any(|place| record.value.pointer(place).is_some())
}

/// Whether a record is made of other certificates than it was in `previous`.
pub(super) fn is_renewed(record: &Record, resources: &Resources, previous: &Snapshot) -> bool {
    !resources.shares(&previous.resources, Kind::Ssl) && names_certificate(record)
}

/// Whether anything is.
pub(super) fn is_any_renewed(resources: &Resources, previous: &Snapshot) -> bool {
    let kinds = [Kind::Upstream, Kind::Service, Kind::Route];
    !resources.shares(&previous.resources, Kind::Ssl)
        && kinds.into_iter().any(|kind| resources.of(kind).values().any(|record| names_certificate(record)))
}

impl Compiler {
    /// The upstream with the certificate it names and an opened key in it.
    pub(super) fn identified(
        &self,
        mut upstream: Upstream,
        resources: &Resources,
    ) -> Result<Upstream, String> {
        let Some(tls) = &mut upstream.tls else { return Ok(upstream) };
        if let Some(id) = tls.client_cert_id.take() {
            let ssl = client_certificate(&id, resources)?;
            (tls.client_cert, tls.client_key) = (Some(ssl.cert), Some(ssl.key));
        }
        if let Some(key) = &tls.client_key {
            tls.client_key = Some(opened(key, &*self.build.secrets)?.into_owned());
        }
        Ok(upstream)
    }
}

fn client_certificate(id: &Id, resources: &Resources) -> Result<Ssl, String> {
    let record = resources.get(Kind::Ssl, id.as_str());
    let record = record.ok_or_else(|| format!("ssl [{id}] of tls.client_cert_id does not exist"))?;
    let ssl = Ssl::from_value(&record.value)?;
    if ssl.usage != SslUsage::Client {
        return Err(format!("ssl [{id}] of tls.client_cert_id is not of type client"));
    }
    if ssl.status != Status::Enabled {
        return Err(format!("ssl [{id}] of tls.client_cert_id is switched off"));
    }
    Ok(ssl)
}
