//! The certificate of the Git service: made here, shown there, pinned by everybody.

use std::net::Ipv4Addr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gitea_api::{Secret, tls::Fingerprint};
use jiff::{Timestamp, ToSpan as _, Zoned, tz::TimeZone};
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

use super::Error;

/// How long a certificate is good for: those who pin it look at no date.
const YEARS: i32 = 10;

/// A certificate with its private key.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate, PEM.
    pub pem: String,
    /// The private key, PEM.
    pub key: Secret,
    /// SHA-256 of the certificate.
    pub fingerprint: Fingerprint,
}

impl Certificate {
    /// A new one for a service at `address`.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn make(address: Ipv4Addr) -> Result<Self, Error> {
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let mut params =
            CertificateParams::new(vec![address.to_string()]).map_err(Error::Certificate)?;
        // Clocks may differ by a little.
        let from = (Timestamp::now() - 24.hours()).to_zoned(TimeZone::UTC);
        let (year, month, day) = date(&from);
        params.not_before = date_time_ymd(year, month, day);
        params.not_after = date_time_ymd(year + YEARS, month, day);
        params
            .distinguished_name
            .push(DnType::CommonName, format!("Proxmox CI at {address}"));
        let made = params.self_signed(&key).map_err(Error::Certificate)?;
        Ok(Self {
            pem: made.pem(),
            key: Secret::new(key.serialize_pem()),
            fingerprint: Fingerprint::of(made.der()),
        })
    }
}

/// Year, month and day; the 28th stands for later days, which not every month has.
fn date(at: &Zoned) -> (i32, u8, u8) {
    let small = |number: i8| u8::try_from(number).unwrap_or(1);
    (
        i32::from(at.year()),
        small(at.month()),
        small(at.day().min(28)),
    )
}

/// The fingerprint of the first certificate of a PEM text.
#[must_use]
pub(super) fn fingerprint(pem: &str) -> Option<Fingerprint> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let body: String = body.split_whitespace().collect();
    Some(Fingerprint::of(&STANDARD.decode(body).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_known_by_its_pem() {
        let made = Certificate::make(Ipv4Addr::new(10, 0, 3, 100)).unwrap();
        assert_eq!(fingerprint(&made.pem), Some(made.fingerprint));
        assert_eq!(fingerprint("nothing"), None);
    }

    #[test]
    fn two_are_never_the_same_and_the_key_is_not_printed() {
        let make = || Certificate::make(Ipv4Addr::LOCALHOST).unwrap();
        let (one, other) = (make(), make());
        assert_ne!(one.fingerprint, other.fingerprint);
        assert!(!format!("{one:?}").contains("PRIVATE"));
    }
}
