//! Scalars as the server writes them, read without insisting on their JSON type.
//!
//! # Quirks
//! `memory` is a number for containers and a text for virtual machines, `nextid` is a text,
//! booleans are 0, 1, `"0"`, `"1"` and, from endpoints written in Rust, `true` and `false`.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::{Decimal, Mib};
use crate::ids::{Digest, NodeName, StorageId, UserId, Vmid, VolumeId};

/// One JSON scalar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Text(String),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, a boolean or null")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Text(u8::from(value).to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }
}

/// What can be read from a scalar of any JSON type.
pub(crate) trait Lax: Sized {
    /// Reads the scalar.
    fn read(scalar: Scalar) -> Result<Self, String>;
}

/// For `#[serde(deserialize_with = "lax")]`.
pub(crate) fn lax<'de, D: Deserializer<'de>, T: Lax>(deserializer: D) -> Result<T, D::Error> {
    T::read(Scalar::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn text(scalar: Scalar) -> Result<String, String> {
    match scalar {
        Scalar::Null => Err("expected a value, found null".to_owned()),
        Scalar::Text(text) => Ok(text),
    }
}

impl Lax for String {
    fn read(scalar: Scalar) -> Result<Self, String> {
        text(scalar)
    }
}

impl<T: Lax> Lax for Option<T> {
    fn read(scalar: Scalar) -> Result<Self, String> {
        match scalar {
            Scalar::Null => Ok(None),
            present @ Scalar::Text(_) => T::read(present).map(Some),
        }
    }
}

impl Lax for bool {
    fn read(scalar: Scalar) -> Result<Self, String> {
        let text = text(scalar)?;
        flag(&text).ok_or_else(|| format!("expected 0 or 1, found `{text}`"))
    }
}

/// Reads the words that the server takes for a boolean (`PVE::JSONSchema::parse_boolean`).
pub(crate) fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "on" | "yes" | "true" => Some(true),
        "0" | "off" | "no" | "false" | "" => Some(false),
        _ => None,
    }
}

/// Whole numbers; a fraction of zeros, as Perl sometimes prints one, is accepted.
macro_rules! whole {
    ($($number:ty),*) => {$(
        impl Lax for $number {
            fn read(scalar: Scalar) -> Result<Self, String> {
                let text = text(scalar)?;
                let whole = match text.split_once('.') {
                    Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
                    _ => text.as_str(),
                };
                whole.trim().parse().map_err(|_| format!("expected a whole number, found `{text}`"))
            }
        }
    )*};
}
whole!(u16, u32, u64, i64);

/// Types that parse from their text.
macro_rules! parsed {
    ($($name:ty),*) => {$(
        impl Lax for $name {
            fn read(scalar: Scalar) -> Result<Self, String> {
                <$name>::from_str(text(scalar)?.trim()).map_err(|error| error.to_string())
            }
        }
    )*};
}
parsed!(
    f64, Decimal, Digest, Mib, NodeName, StorageId, UserId, Vmid, VolumeId
);

#[cfg(test)]
mod tests {
    use super::lax;

    #[derive(serde::Deserialize)]
    struct Of<T: super::Lax>(#[serde(deserialize_with = "lax")] T);

    fn read<T: super::Lax>(json: &str) -> Result<T, String> {
        serde_json::from_str::<Of<T>>(json)
            .map(|of| of.0)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn booleans_come_in_every_dress() {
        for json in ["1", "\"1\"", "true", "\"yes\"", "\"on\""] {
            assert_eq!(read::<bool>(json), Ok(true), "{json}");
        }
        for json in ["0", "\"0\"", "false", "\"\""] {
            assert_eq!(read::<bool>(json), Ok(false), "{json}");
        }
        assert!(read::<bool>("2").unwrap_err().contains("found `2`"));
    }

    #[test]
    fn numbers_may_be_quoted() {
        assert_eq!(read::<u64>("\"1024\""), Ok(1024));
        assert_eq!(read::<u64>("1024"), Ok(1024));
        assert_eq!(read::<u64>("512.0"), Ok(512));
        assert_eq!(read::<f64>("\"0.25\""), Ok(0.25));
        assert_eq!(read::<Option<u64>>("null"), Ok(None));
        assert!(
            read::<u64>("\"many\"")
                .unwrap_err()
                .contains("found `many`")
        );
    }

    #[test]
    fn a_structure_is_no_scalar() {
        assert!(
            read::<u64>("[1]")
                .unwrap_err()
                .contains("expected a number")
        );
    }
}
