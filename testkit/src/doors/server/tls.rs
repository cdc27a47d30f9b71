//! The node's certificate: made on the spot, signed by a CA of its own.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[error("making the node's certificate")]
pub struct TlsError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// A certificate, its key, and the CA that vouches for it.
#[derive(Clone)]
pub struct Identity {
    /// The CA's certificate, PEM.
    pub ca_pem: String,
    /// SHA-256 of the node's certificate, `AB:CD:…`.
    pub fingerprint: String,
    config: Arc<ServerConfig>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// A certificate for these names and addresses.
    ///
    /// # Errors
    /// When a name is no valid subject.
    pub fn new(node: &str, addresses: &[IpAddr]) -> Result<Self, TlsError> {
        Self::make(node, addresses).map_err(TlsError)
    }

    fn make(
        node: &str,
        addresses: &[IpAddr],
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.distinguished_name
            .push(DnType::CommonName, "Proxmox CI local node CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let ca_certificate = ca.self_signed(&ca_key)?;
        let issuer = Issuer::new(ca, ca_key);

        let mut names = vec![node.to_owned(), "localhost".to_owned()];
        names.extend(addresses.iter().map(ToString::to_string));
        names.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
        names.sort_unstable();
        names.dedup();
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(names)?;
        leaf.distinguished_name.push(DnType::CommonName, node);
        let certificate = leaf.signed_by(&key, &issuer)?;

        let der = certificate.der().clone();
        let digest: Vec<String> = Sha256::digest(&der)
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![der, ca_certificate.der().clone()], private)?;
        Ok(Self {
            ca_pem: ca_certificate.pem(),
            fingerprint: digest.join(":"),
            config: Arc::new(config),
        })
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}
