//! TLS: configurations towards peers, certificates and handshakes towards clients.

pub mod certificate;
mod client;
mod handshake;
mod info;
pub mod server;
mod session;
mod verification;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use client::{client_config, client_config_as, trust};
pub use handshake::{AcceptError, Accepted, accept};
pub use info::{ClientCertificate, TlsInfo, Verified};
pub use verification::{Terms, Verification};

/// The one set of algorithms there is.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())).clone()
}
