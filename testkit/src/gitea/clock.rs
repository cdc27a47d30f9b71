//! The world's own clock: real time, or a time that a test moves by hand.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What time it is in the world, in whole microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Time passes by itself, shifted by this many microseconds.
    Running {
        /// Added to the machine's time.
        shift: i64,
    },
    /// Time stands still until a test moves it.
    Frozen {
        /// Microseconds since 1970.
        at: i64,
    },
}

impl Default for Clock {
    fn default() -> Self {
        Self::Running { shift: 0 }
    }
}

impl Clock {
    /// Microseconds since 1970.
    #[must_use]
    pub fn micros(self) -> i64 {
        match self {
            Self::Running { shift } => Timestamp::now().as_microsecond().saturating_add(shift),
            Self::Frozen { at } => at,
        }
    }

    /// Seconds since 1970, the resolution in which the records keep time.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.micros().div_euclid(1_000_000)
    }

    /// Moves time forward (or back) by so many microseconds.
    pub fn advance(&mut self, micros: i64) {
        match self {
            Self::Running { shift } => *shift = shift.saturating_add(micros),
            Self::Frozen { at } => *at = at.saturating_add(micros),
        }
    }
}

/// A time in seconds as the API writes it: `2026-01-01T00:00:00Z`, always in UTC.
#[must_use]
pub fn rfc3339(seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(at) => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => ZERO.to_owned(),
    }
}

/// A time with a zone as a commit keeps it: `2026-01-01T01:00:00+01:00`, or `…Z` in UTC.
#[must_use]
pub fn rfc3339_in(seconds: i64, offset_minutes: i32) -> String {
    let Ok(offset) = jiff::tz::Offset::from_seconds(offset_minutes * 60) else {
        return rfc3339(seconds);
    };
    match Timestamp::from_second(seconds) {
        Ok(at) if offset_minutes != 0 => at
            .to_zoned(TimeZone::fixed(offset))
            .strftime("%Y-%m-%dT%H:%M:%S%:z")
            .to_string(),
        _ => rfc3339(seconds),
    }
}

/// A time as HTTP headers write it: `Thu, 01 Jan 2026 00:00:00 GMT`.
#[must_use]
pub fn http_date(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .map(|at| at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .unwrap_or_default()
}

/// The zero time of the year one, which stands where there is no time.
pub const ZERO: &str = "0001-01-01T00:00:00Z";

/// Reads an RFC 3339 time with zone: seconds since 1970 and the zone's offset in minutes.
#[must_use]
pub fn parse(text: &str) -> Option<(i64, i32)> {
    let parsed =
        jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%:z", text.replace('Z', "+00:00")).ok()?;
    let offset = parsed.offset()?;
    let at = parsed.to_timestamp().ok()?;
    Some((at.as_second(), offset.seconds() / 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_its_zone() {
        assert_eq!(
            parse("2026-01-02T03:04:05+01:30"),
            Some((1_767_317_645, 90))
        );
        assert_eq!(
            parse("2026-01-02T03:04:05Z").map(|at| rfc3339(at.0)),
            Some("2026-01-02T03:04:05Z".into())
        );
        assert_eq!(rfc3339_in(1_767_317_645, 90), "2026-01-02T03:04:05+01:30");
        assert_eq!(parse("yesterday"), None);
    }

    #[test]
    fn a_frozen_clock_moves_only_by_hand() {
        let mut clock = Clock::Frozen { at: 5_000_000 };
        clock.advance(2_000_000);
        assert_eq!(clock.seconds(), 7);
    }
}
