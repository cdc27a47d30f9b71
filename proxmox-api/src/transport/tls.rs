//! Whom to trust: the system's roots, a CA file, or one certificate by its fingerprint.
//!
//! Whatever the policy, a certificate that is not trusted ends the connection before anything is
//! sent, and the error says which fingerprint the server showed.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use sha2::{Digest, Sha256};

use crate::ids::InvalidId;

/// Which certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Tls {
    /// Those that the operating system trusts, for the server's name.
    #[default]
    System,
    /// Those signed by an authority in this file of PEM certificates, for the server's name.
    CaFile(PathBuf),
    /// Those signed by an authority in this text of PEM certificates, for the server's name.
    CaPem(String),
    /// The one with this fingerprint, whatever its name, age and signer.
    Pinned(Fingerprint),
}

impl Tls {
    /// The configuration of the TLS library; without encryption nothing is loaded.
    pub(super) fn config(&self, encrypted: bool) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        if !encrypted {
            return Ok(builder
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth());
        }
        let verifier = Verifier {
            judge: self.judge(&provider)?,
            provider,
        };
        Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth())
    }

    fn judge(&self, provider: &Arc<CryptoProvider>) -> Result<Judge, String> {
        let (certificates, origin) = match self {
            Self::Pinned(fingerprint) => return Ok(Judge::Pin(*fingerprint)),
            Self::System => (
                rustls_native_certs::load_native_certs().certs,
                "the system".to_owned(),
            ),
            Self::CaPem(pem) => (read_pem(pem.as_bytes())?, "the given text".to_owned()),
            Self::CaFile(path) => {
                let origin = format!("`{}`", path.display());
                let pem =
                    std::fs::read(path).map_err(|error| format!("reading {origin}: {error}"))?;
                (
                    read_pem(&pem).map_err(|error| format!("{origin}: {error}"))?,
                    origin,
                )
            }
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        if roots.is_empty() {
            return Err(format!(
                "{origin} has no usable certificate; give a CA file or a fingerprint"
            ));
        }
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map(Judge::Roots)
            .map_err(|error| error.to_string())
    }
}

fn read_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("not a PEM certificate: {error}"))
}

/// SHA-256 of a certificate, as `pvenode cert info` and the web interface show it.
///
/// ```
/// use proxmox_api::Fingerprint;
///
/// let with_colons = ["AB"; 32].join(":");
/// let fingerprint: Fingerprint = with_colons.parse()?;
/// assert_eq!("ab".repeat(32).parse::<Fingerprint>()?, fingerprint);
/// assert_eq!(fingerprint.to_string(), with_colons);
/// # Ok::<(), proxmox_api::ids::InvalidId>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    #[must_use]
    pub fn of_der(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidId;

    /// Reads 32 bytes in hexadecimal digits of any case, with or without colons between them.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let refuse = || InvalidId::new("a SHA-256 fingerprint (32 bytes in hexadecimal)", text);
        let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b':').collect();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(refuse());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| refuse())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| refuse())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|byte| format!("{byte:02X}")).collect();
        f.write_str(&parts.join(":"))
    }
}

/// Why a certificate was not trusted, and which one it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server's certificate is not trusted: {reason}; it showed the SHA-256 fingerprint {shown}"
)]
pub(super) struct Rejected {
    pub(super) shown: Fingerprint,
    reason: String,
}

impl Rejected {
    /// The rejection within an error of the TLS library, if that is what it is.
    pub(super) fn of(error: &rustls::Error) -> Option<Self> {
        match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
                inner.downcast_ref::<Self>().cloned()
            }
            _ => None,
        }
    }
}

#[derive(Debug)]
enum Judge {
    Pin(Fingerprint),
    Roots(Arc<WebPkiServerVerifier>),
}

/// Judges the certificate; the proof that the server holds its key is checked in either case.
#[derive(Debug)]
struct Verifier {
    judge: Judge,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Fingerprint::of_der(end_entity);
        let reason = match &self.judge {
            Judge::Pin(pinned) if *pinned == shown => return Ok(ServerCertVerified::assertion()),
            Judge::Pin(pinned) => format!("it is not the pinned one ({pinned})"),
            Judge::Roots(roots) => {
                let verdict = roots.verify_server_cert(
                    end_entity,
                    intermediates,
                    server_name,
                    ocsp_response,
                    now,
                );
                match verdict {
                    Ok(verified) => return Ok(verified),
                    Err(error) => error.to_string(),
                }
            }
        };
        let rejected = OtherError(Arc::new(Rejected { shown, reason }));
        Err(rustls::Error::InvalidCertificate(CertificateError::Other(
            rejected,
        )))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::{Fingerprint, Tls};

    #[test]
    fn fingerprints_read_with_and_without_colons() {
        let text = "AB:".repeat(31) + "ab";
        let fingerprint: Fingerprint = text.parse().unwrap();
        assert_eq!(fingerprint.to_string(), text.to_uppercase());
        for bad in ["", "AB", &"zz".repeat(32), &"ab".repeat(33)] {
            assert!(bad.parse::<Fingerprint>().is_err(), "`{bad}` was accepted");
        }
    }

    #[test]
    fn a_ca_without_certificates_trusts_nobody() {
        let refused = Tls::CaPem("no certificate".to_owned())
            .config(true)
            .unwrap_err();
        assert!(refused.contains("no usable certificate"), "{refused}");
        let missing = Tls::CaFile("/nowhere/ca.pem".into())
            .config(true)
            .unwrap_err();
        assert!(missing.contains("/nowhere/ca.pem"), "{missing}");
    }
}
