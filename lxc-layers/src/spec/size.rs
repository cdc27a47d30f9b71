//! Sizes with a unit, as people write them and as Proxmox VE canonicalises them.

use std::fmt;

use serde::Serialize;

const UNITS: [(char, u64); 4] = [
    ('T', 1 << 40),
    ('G', 1 << 30),
    ('M', 1 << 20),
    ('K', 1 << 10),
];

/// A size in bytes. Units are powers of 1024, as everywhere in Proxmox VE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// So many bytes.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many mebibytes.
    #[must_use]
    pub const fn mib(mib: u64) -> Self {
        Self(mib.saturating_mul(1 << 20))
    }

    /// So many gibibytes.
    #[must_use]
    pub const fn gib(gib: u64) -> Self {
        Self(gib.saturating_mul(1 << 30))
    }

    /// In bytes.
    #[must_use]
    pub const fn as_bytes(self) -> u64 {
        self.0
    }

    /// In whole mebibytes, rounded down.
    #[must_use]
    pub const fn as_mib(self) -> u64 {
        self.0 >> 20
    }

    /// Reads `8G`, `512M`, `1T`, `64K` or, where `bare` gives the unit of a number alone, `8`.
    /// `None` when it is no size, or one beyond what a disk can have.
    #[must_use]
    pub fn parse(text: &str, bare: Option<Self>) -> Option<Self> {
        let (digits, unit) = match UNITS.iter().find(|(letter, _)| text.ends_with(*letter)) {
            Some((_, unit)) => (&text[..text.len() - 1], *unit),
            None => (text, bare?.0),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits.parse::<u64>().ok()?.checked_mul(unit).map(Self)
    }

    /// As the number of gibibytes that `storage:SIZE` allocates: `8`, or `0.5`.
    #[must_use]
    pub fn in_gib(self) -> String {
        let whole = self.0 >> 30;
        let rest = self.0 & ((1 << 30) - 1);
        if rest == 0 {
            return whole.to_string();
        }
        let text = format!("{:.10}", rest as f64 / f64::from(1 << 30));
        format!(
            "{whole}{}",
            text.trim_start_matches('0').trim_end_matches('0')
        )
    }
}

impl fmt::Display for Size {
    /// The canonical form: the largest unit that divides it, `8G` for `8192M`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (letter, unit) in UNITS {
            if self.0 >= unit && self.0.is_multiple_of(unit) {
                return write!(out, "{}{letter}", self.0 / unit);
            }
        }
        write!(out, "{}", self.0)
    }
}

impl Serialize for Size {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_canonical_however_it_was_written() {
        let gib = Some(Size::gib(1));
        for (written, canonical) in [
            ("8", "8G"),
            ("8192M", "8G"),
            ("1024G", "1T"),
            ("1536M", "1536M"),
        ] {
            assert_eq!(
                Size::parse(written, gib)
                    .map(|size| size.to_string())
                    .as_deref(),
                Some(canonical)
            );
        }
    }

    #[test]
    fn no_size_is_read_from_what_is_none() {
        for written in ["", "G", "8X", "-1", "1.5G", "8 G", "99999999999999T"] {
            assert_eq!(Size::parse(written, Some(Size::gib(1))), None, "{written}");
        }
        assert_eq!(Size::parse("8", None), None);
    }

    #[test]
    fn gibibytes_are_whole_where_they_can_be() {
        assert_eq!(Size::gib(8).in_gib(), "8");
        assert_eq!(Size::mib(512).in_gib(), "0.5");
        assert_eq!(Size::mib(1536).in_gib(), "1.5");
    }
}
