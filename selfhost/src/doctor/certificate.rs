//! How long a certificate is valid: the one thing that a pin does not look at, and others do.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::{Check, Finding};

/// DER's tags of the two ways to write a time.
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Fewer days than this are told.
const SOON: i64 = 30;

/// Judges the certificate in PEM form at the moment `now`.
pub(super) fn judge(pem: &str, now: Timestamp) -> Finding {
    let renew = "make a new one: take `/etc/proxmox-ci/forge.crt` away on the control plane and bootstrap again";
    let Some(ends) = not_after(pem) else {
        return Finding::failed(Check::Certificate, "the certificate cannot be read", renew);
    };
    let days = (ends.as_second() - now.as_second()) / 86_400;
    let day = ends.strftime("%Y-%m-%d");
    match days {
        ..0 => Finding::failed(Check::Certificate, format!("it ended on {day}"), renew),
        0..SOON => Finding::warning(Check::Certificate, format!("it ends on {day}"), renew),
        _ => Finding::ok(Check::Certificate, format!("valid until {day}")),
    }
}

/// The end of the validity: the second of two times that follow each other in a sequence, the first
/// such pair of a certificate (RFC 5280, 4.1.2.5).
fn not_after(pem: &str) -> Option<Timestamp> {
    let body: String = pem
        .split("-----BEGIN CERTIFICATE-----")
        .nth(1)?
        .split("-----END")
        .next()?
        .split_whitespace()
        .collect();
    let der = STANDARD.decode(body).ok()?;
    (0..der.len()).find_map(|at| {
        let (_, rest) = time(der.get(at..)?)?;
        Some(time(rest)?.0)
    })
}

/// A time at the begin of `der`, and what follows it.
fn time(der: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (tag, length) = (*der.first()?, usize::from(*der.get(1)?));
    let text = std::str::from_utf8(der.get(2..2 + length)?).ok()?;
    let text = text.strip_suffix('Z')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = match (tag, length) {
        // Two digits of the year: up to 49 they are of this century.
        (UTC_TIME, 13) if text.get(..2)? < "50" => format!("20{text}"),
        (UTC_TIME, 13) => format!("19{text}"),
        (GENERALIZED_TIME, 15) => text.to_owned(),
        _ => return None,
    };
    if !digits(&whole) {
        return None;
    }
    let parsed = DateTime::strptime("%Y%m%d%H%M%S", &whole).ok()?;
    let moment = parsed.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some((moment, &der[2 + length..]))
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn pem(times: &[u8]) -> String {
        let body = STANDARD.encode([b"\x30\x82\x01\x00\x17\x02ab", times].concat());
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn the_second_of_two_times_is_the_end() {
        let utc = pem(b"\x17\x0d260101000000Z\x17\x0d270203040506Z");
        assert_eq!(not_after(&utc).unwrap().to_string(), "2027-02-03T04:05:06Z");
        let long = pem(b"\x18\x0f19750101000000Z\x18\x0f40960101000000Z");
        assert_eq!(
            not_after(&long).unwrap().to_string(),
            "4096-01-01T00:00:00Z"
        );
        assert_eq!(not_after("nonsense"), None);
    }

    #[test]
    fn one_that_ends_soon_is_told_and_one_that_has_ended_is_a_failure() {
        let pem = pem(b"\x17\x0d260101000000Z\x17\x0d270203040506Z");
        let at = |text: &str| judge(&pem, text.parse().unwrap()).state;
        assert_eq!(at("2026-02-03T00:00:00Z"), State::Ok);
        assert_eq!(at("2027-01-20T00:00:00Z"), State::Warning);
        assert_eq!(at("2027-02-05T00:00:00Z"), State::Failed);
    }
}
