//! The certificate a forge shows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::Error;
use super::server::Acceptor;

/// What accepts TLS connections, if there is a certificate.
pub(super) fn acceptor(files: Option<&(PathBuf, PathBuf)>) -> Result<Option<Acceptor>, Error> {
    let Some((chain, key)) = files else {
        return Ok(None);
    };
    let broken = |path: &Path, source: Box<dyn std::error::Error + Send + Sync>| {
        Error::Certificate(path.to_owned(), source)
    };
    let certificates =
        CertificateDer::pem_file_iter(chain).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|source| broken(chain, source.into()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|source| broken(key, source.into()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| broken(chain, source.into()))?
        .with_no_client_auth()
        .with_single_cert(certificates, private)
        .map_err(|source| broken(chain, source.into()))?;
    Ok(Some(Acceptor(TlsAcceptor::from(Arc::new(config)))))
}
