//! Quantities with their units: mebibytes, disk sizes, decimal numbers.

use std::fmt;
use std::str::FromStr;

/// A text that is no quantity of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {expected}")]
pub struct InvalidQuantity {
    expected: &'static str,
    value: String,
}

impl InvalidQuantity {
    fn new(expected: &'static str, value: &str) -> Self {
        Self {
            expected,
            value: value.to_owned(),
        }
    }
}

/// An amount of memory in mebibytes, the unit of `memory` and `swap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mib(pub u64);

impl fmt::Display for Mib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Mib {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        text.parse()
            .map(Self)
            .map_err(|_| InvalidQuantity::new("a number of mebibytes", text))
    }
}

/// Size of a volume; kept in bytes, so `8192M` equals `8G`.
///
/// Prints in the largest unit that divides it, as the server does
/// (`PVE::JSONSchema::format_size`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskSize(u64);

const UNITS: [(char, u32); 4] = [('T', 40), ('G', 30), ('M', 20), ('K', 10)];

impl DiskSize {
    /// A size of so many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size of so many mebibytes.
    #[must_use]
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// A size of so many gibibytes.
    #[must_use]
    pub const fn from_gib(gib: u64) -> Self {
        Self(gib << 30)
    }

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The size in gibibytes, as `STORAGE:SIZE` wants it when a volume is to be allocated.
    #[must_use]
    pub fn gib(self) -> Decimal {
        let whole = self.0 >> 30;
        let rest = self.0 & ((1 << 30) - 1);
        // Nine digits after the point tell two bytes apart; the server rounds up to its own unit.
        let fraction = (u128::from(rest) * 1_000_000_000).div_ceil(1 << 30);
        Decimal::from_parts(whole, &format!("{fraction:09}"))
    }
}

impl FromStr for DiskSize {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let refuse =
            || InvalidQuantity::new("a disk size (digits, then K, M, G, T or nothing)", text);
        let (digits, shift) = match text.chars().last() {
            Some(last) if last.is_ascii_digit() => (text, 0),
            Some(last) => {
                let unit = UNITS
                    .iter()
                    .find(|(unit, _)| last.eq_ignore_ascii_case(unit));
                let (_, shift) = unit.ok_or_else(refuse)?;
                (&text[..text.len() - 1], *shift)
            }
            None => return Err(refuse()),
        };
        let number: Decimal = digits.parse().map_err(|_| refuse())?;
        number.shifted(shift).map(Self).ok_or_else(refuse)
    }
}

impl fmt::Display for DiskSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, shift): &&(char, u32)| self.0 != 0 && self.0.trailing_zeros() >= *shift;
        match UNITS.iter().find(fits) {
            Some((unit, shift)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A decimal number that is not negative, e.g. a processor limit; `1.50` equals `1.5`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decimal {
    whole: u64,
    /// Digits after the point without trailing zeros.
    fraction: String,
}

impl Decimal {
    fn from_parts(whole: u64, fraction: &str) -> Self {
        Self {
            whole,
            fraction: fraction.trim_end_matches('0').to_owned(),
        }
    }

    /// The number times 2 to the power of `bits`, if the result is whole to the byte and fits.
    fn shifted(&self, bits: u32) -> Option<u64> {
        let scale = 10_u128.checked_pow(u32::try_from(self.fraction.len()).ok()?)?;
        let part: u128 = if self.fraction.is_empty() {
            0
        } else {
            self.fraction.parse().ok()?
        };
        let units = (u128::from(self.whole).checked_mul(scale)?).checked_add(part)?;
        u64::try_from((units.checked_mul(1 << bits)?) / scale).ok()
    }

    /// The number as a float, for arithmetic that may be inexact.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::INFINITY)
    }
}

impl From<u32> for Decimal {
    fn from(number: u32) -> Self {
        Self::from_parts(number.into(), "")
    }
}

impl FromStr for Decimal {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let refuse = || InvalidQuantity::new("a decimal number", text);
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(refuse());
        }
        Ok(Self::from_parts(
            whole.parse().map_err(|_| refuse())?,
            fraction,
        ))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fraction.as_str() {
            "" => write!(f, "{}", self.whole),
            fraction => write!(f, "{}.{fraction}", self.whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Decimal, DiskSize};

    #[test]
    fn sizes_print_in_the_largest_unit_that_divides() {
        for (text, printed) in [
            ("8192M", "8G"),
            ("1536M", "1536M"),
            ("1.5G", "1536M"),
            ("1024", "1K"),
            ("1023", "1023"),
            ("1T", "1T"),
            ("0", "0"),
            ("4g", "4G"),
        ] {
            assert_eq!(
                text.parse::<DiskSize>().unwrap().to_string(),
                printed,
                "{text}"
            );
        }
        for text in ["", "G", "zz", "-1G", "1X", "1 G", "99999999999999T"] {
            assert!(text.parse::<DiskSize>().is_err(), "`{text}` was accepted");
        }
    }

    #[test]
    fn decimals_forget_trailing_zeros() {
        assert_eq!("1.50".parse::<Decimal>(), "1.5".parse());
        assert_eq!("2.0".parse::<Decimal>().unwrap().to_string(), "2");
        assert!("1e3".parse::<Decimal>().is_err());
        assert!(".5".parse::<Decimal>().is_err());
    }

    #[test]
    fn gibibytes_keep_the_bytes() {
        assert_eq!(DiskSize::from_gib(8).gib().to_string(), "8");
        assert_eq!(DiskSize::from_mib(1536).gib().to_string(), "1.5");
        assert_eq!(DiskSize::from_mib(4).gib().to_string(), "0.00390625");
    }

    proptest! {
        #[test]
        fn sizes_round_trip(bytes in 0_u64..1 << 50) {
            let size = DiskSize::from_bytes(bytes);
            prop_assert_eq!(size.to_string().parse::<DiskSize>().unwrap(), size);
        }

        #[test]
        fn decimals_round_trip(whole in 0_u64..1_000_000, fraction in "[0-9]{1,6}") {
            let number: Decimal = format!("{whole}.{fraction}").parse().unwrap();
            prop_assert_eq!(number.to_string().parse::<Decimal>().unwrap(), number);
        }
    }
}
