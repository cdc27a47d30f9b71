//! Whom to trust: the system's roots, one authority, or one certificate.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How a server proves itself over TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// By the authorities that the operating system trusts.
    #[default]
    SystemRoots,
    /// By the authorities in a PEM file, and no others.
    CaFile(PathBuf),
    /// By authorities in PEM form, and no others.
    CaPem(Vec<u8>),
    /// By showing exactly this certificate; names and dates in it are not looked at.
    Pin(Fingerprint),
}

/// The SHA-256 of a certificate, written as hex digits with or without colons.
///
/// ```
/// use gitea_api::tls::Fingerprint;
///
/// let text = "AB:".repeat(31) + "AB";
/// let print: Fingerprint = text.parse()?;
/// assert_eq!(print.to_string(), text);
/// # Ok::<(), gitea_api::tls::InvalidFingerprint>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER form.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

/// A text that is no SHA-256 fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 fingerprint has 64 hex digits, with or without colons")]
pub struct InvalidFingerprint;

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text
            .trim()
            .chars()
            .filter(|letter| *letter != ':')
            .collect();
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| InvalidFingerprint)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

/// Why a trust policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("reading `{}`", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the certificates are not in PEM form")]
    Pem(#[source] rustls::pki_types::pem::Error),
    #[error("there is no certificate to trust")]
    NoRoots,
    #[error("the certificates cannot be used")]
    Verifier(#[source] rustls::client::VerifierBuilderError),
    #[error("TLS cannot be set up")]
    Protocol(#[source] Error),
}

/// The configuration of TLS under a policy, with ring as its provider.
pub(crate) fn configure(trust: &Trust) -> Result<ClientConfig, Unusable> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(trust, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Unusable::Protocol)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

fn verifier(
    trust: &Trust,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Unusable> {
    let roots = match trust {
        Trust::Pin(pin) => {
            return Ok(Arc::new(Pinned {
                pin: *pin,
                provider: provider.clone(),
            }));
        }
        Trust::SystemRoots => system_roots(),
        Trust::CaFile(path) => pem_roots(&read(path)?)?,
        Trust::CaPem(pem) => pem_roots(pem)?,
    };
    if roots.is_empty() {
        // Plain HTTP needs no roots, so their absence must not keep a client from being built.
        return if *trust == Trust::SystemRoots {
            Ok(Arc::new(Nobody {
                provider: provider.clone(),
            }))
        } else {
            Err(Unusable::NoRoots)
        };
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(Unusable::Verifier)?;
    Ok(verifier)
}

fn read(path: &Path) -> Result<Vec<u8>, Unusable> {
    std::fs::read(path).map_err(|source| Unusable::File {
        path: path.to_owned(),
        source,
    })
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // What cannot be read is not trusted; what can be read still is.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn pem_roots(pem: &[u8]) -> Result<RootCertStore, Unusable> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots
            .add(certificate.map_err(Unusable::Pem)?)
            .map_err(Unusable::Protocol)?;
    }
    Ok(roots)
}

/// Accepts one certificate.
#[derive(Debug)]
struct Pinned {
    pin: Fingerprint,
    provider: Arc<CryptoProvider>,
}

/// Accepts none: this system trusts nobody.
#[derive(Debug)]
struct Nobody {
    provider: Arc<CryptoProvider>,
}

/// The signatures of a handshake are checked alike, whoever signed.
macro_rules! checks_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let known = &self.provider.signature_verification_algorithms;
            verify_tls12_signature(message, cert, signed, known)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let known = &self.provider.signature_verification_algorithms;
            verify_tls13_signature(message, cert, signed, known)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider
                .signature_verification_algorithms
                .supported_schemes()
        }
    };
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Fingerprint::of(end_entity);
        if bool::from(shown.0.ct_eq(&self.pin.0)) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            ))
        }
    }

    checks_signatures!();
}

impl ServerCertVerifier for Nobody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }

    checks_signatures!();
}
