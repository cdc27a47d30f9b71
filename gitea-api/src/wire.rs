//! Values as Gitea writes them: nulls for empty, year one for never, words that may grow.
//!
//! # Quirks
//! - An empty list or map is often `null`, and nearly every member may be absent: both read as empty.
//! - The zero time is `0001-01-01T00:00:00Z`, or `1970-01-01T00:00:00Z` for times of runs and for
//!   "not archived": both read as `None`.
//! - A `null` in a request counts as "not given" (seen on 1.26.3), so a field is cleared by its
//!   empty value: see [`Patch`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

/// A field of an edit: keep what is there, clear it, or set it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Leave the field as it is; it is not sent.
    #[default]
    Keep,
    /// Empty the field. Upstream ignores `null`, so the empty value of the type is sent.
    Clear,
    /// Write this value.
    Set(T),
}

impl<T> Patch<T> {
    pub(crate) fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<T> From<T> for Patch<T> {
    fn from(value: T) -> Self {
        Self::Set(value)
    }
}

impl From<&str> for Patch<String> {
    fn from(value: &str) -> Self {
        Self::Set(value.to_owned())
    }
}

impl<T: Default + Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep => serializer.serialize_none(),
            Self::Clear => T::default().serialize(serializer),
            Self::Set(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Default + PartialEq + Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Option::<T>::deserialize(deserializer)? {
            None => Self::Keep,
            Some(value) if value == T::default() => Self::Clear,
            Some(value) => Self::Set(value),
        })
    }
}

/// Reads a member that may be `null` although its type is not optional.
pub(crate) fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Lenient,
{
    T::lenient(deserializer)
}

/// How a type reads what Gitea sends for it.
pub(crate) trait Lenient: Sized {
    fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// `null` reads as the default; `Option` keeps the difference.
macro_rules! null_is_default {
    ($($type:ty),* $(,)?) => {$(
        impl crate::wire::Lenient for $type {
            fn lenient<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
                let value = <Option<Self> as serde::Deserialize>::deserialize(reader)?;
                Ok(value.unwrap_or_default())
            }
        }
        impl crate::wire::Lenient for Option<$type> {
            fn lenient<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
                serde::Deserialize::deserialize(reader)
            }
        }
    )*};
}
pub(crate) use null_is_default;

null_is_default!(String, bool, i64, u64, u32, serde_json::Value);

impl<T: DeserializeOwned> Lenient for Vec<T> {
    fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or_default())
    }
}

impl<T: DeserializeOwned> Lenient for BTreeMap<String, T> {
    fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or_default())
    }
}

impl<T: DeserializeOwned> Lenient for Option<Box<T>> {
    fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(deserializer)
    }
}

impl Lenient for Option<Timestamp> {
    fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        if text.is_empty() || text.starts_with("0001-01-01T") {
            return Ok(None);
        }
        let time: Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Some(time).filter(|time| *time != Timestamp::UNIX_EPOCH))
    }
}

/// Defines answers: every member may be absent or `null`, unknown members are ignored.
macro_rules! model {
    ($($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_meta])*
            #[serde(deserialize_with = "crate::wire::lenient")]
            pub $field: $type,)*
        }
        crate::wire::null_is_default!($name);
    )*};
}
pub(crate) use model;

/// Defines sets of words that upstream may extend: what is not known is kept as `Other`.
macro_rules! words {
    ($($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)*
    })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)*
            /// A word that this crate does not know; the empty one when none was given.
            Other(String),
        }

        impl $name {
            /// The word as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::Other(String::new())
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(word))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
                writer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
                let word = <String as serde::Deserialize>::deserialize(reader)?;
                Ok(Self::from(word.as_str()))
            }
        }

        crate::wire::null_is_default!($name);
    )*};
}
pub(crate) use words;

/// Defines parameters: required ones in `new`, the rest by chained methods; the struct is the wire
/// form. A flag takes a `bool`, because absent, true and false are three different requests.
macro_rules! params {
    ($(#[$meta:meta])* pub struct $name:ident {
        required { $($(#[$rm:meta])* $rf:ident: $rt:ty,)+ }
        $(optional { $($optional:tt)* })?
        $(lists { $($lists:tt)* })?
        $(patch { $($patch:tt)* })?
    }) => {
        crate::wire::params!{@build
            [$(#[$meta])*] $name
            [$($(#[$rm])* $rf: $rt,)+] [$($($optional)*)?] [$($($lists)*)?] [$($($patch)*)?]
        }
    };
    ($(#[$meta:meta])* pub struct $name:ident {
        $(optional { $($optional:tt)* })?
        $(lists { $($lists:tt)* })?
        $(patch { $($patch:tt)* })?
    }) => {
        crate::wire::params!{@build
            [$(#[$meta])* #[derive(Default)]] $name
            [] [$($($optional)*)?] [$($($lists)*)?] [$($($patch)*)?]
        }
    };
    (@build [$(#[$meta:meta])*] $name:ident
        [$($(#[$rm:meta])* $rf:ident: $rt:ty,)*]
        [$($(#[$om:meta])* $of:ident: $opt:ty,)*]
        [$($(#[$lm:meta])* $lf:ident: $lt:ty,)*]
        [$($(#[$pm:meta])* $pf:ident: $pt:ty,)*]
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $($(#[$rm])* pub(crate) $rf: $rt,)*
            $($(#[$om])* #[serde(default, skip_serializing_if = "Option::is_none")]
            pub(crate) $of: Option<$opt>,)*
            $($(#[$lm])* #[serde(default, skip_serializing_if = "Option::is_none")]
            pub(crate) $lf: Option<Vec<$lt>>,)*
            $($(#[$pm])* #[serde(default, skip_serializing_if = "crate::wire::Patch::is_keep")]
            pub(crate) $pf: crate::wire::Patch<$pt>,)*
        }

        impl $name {
            /// The required fields; everything else is left to the server until it is set.
            #[must_use]
            pub fn new($($rf: impl Into<$rt>),*) -> Self {
                Self {
                    $($rf: $rf.into(),)*
                    $($of: None,)*
                    $($lf: None,)*
                    $($pf: crate::wire::Patch::Keep,)*
                }
            }
            $($(#[$om])* #[must_use]
            pub fn $of(mut self, value: impl Into<$opt>) -> Self {
                self.$of = Some(value.into());
                self
            })*
            $($(#[$lm])* #[must_use]
            pub fn $lf(mut self, values: impl IntoIterator<Item = impl Into<$lt>>) -> Self {
                self.$lf = Some(values.into_iter().map(Into::into).collect());
                self
            })*
            $($(#[$pm])* #[must_use]
            pub fn $pf(mut self, value: impl Into<crate::wire::Patch<$pt>>) -> Self {
                self.$pf = value.into();
                self
            })*
        }
    };
}
pub(crate) use params;

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macros define public types")]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::Patch;

    model! {
        /// A sample.
        pub struct Sample {
            /// A list.
            pub names: Vec<String>,
            /// A time.
            pub when: Option<Timestamp>,
            /// A word.
            pub state: Word,
            /// A number.
            pub size: u64,
        }
    }

    words! {
        /// A sample.
        pub enum Word {
            /// One.
            Open = "open",
        }
    }

    params! {
        /// A sample.
        pub struct Change {
            optional {
                /// A flag.
                private: bool,
            }
            patch {
                /// A text.
                description: String,
            }
        }
    }

    #[track_caller]
    fn sample(value: Value) -> Sample {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn absent_and_null_members_are_empty() {
        assert_eq!(sample(json!({})), Sample::default());
        let nulls = json!({"names": null, "when": null, "state": null, "size": null});
        assert_eq!(sample(nulls), Sample::default());
    }

    #[test]
    fn both_zero_times_are_none() {
        for zero in [
            "0001-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z",
            "1970-01-01T01:00:00+01:00",
        ] {
            assert_eq!(sample(json!({"when": zero})).when, None, "{zero}");
        }
        let time = sample(json!({"when": "2026-01-02T03:04:05+02:00"})).when;
        assert_eq!(time.unwrap().to_string(), "2026-01-02T01:04:05Z");
    }

    #[test]
    fn an_unknown_word_survives_the_round_trip() {
        let word = sample(json!({"state": "brand-new"})).state;
        assert_eq!(word, Word::Other("brand-new".to_owned()));
        assert_eq!(serde_json::to_value(&word).unwrap(), json!("brand-new"));
        assert_eq!(sample(json!({"state": "open"})).state, Word::Open);
    }

    #[test]
    fn a_patch_keeps_clears_and_sets() {
        let written = |change: Change| serde_json::to_value(change).unwrap();
        assert_eq!(written(Change::new()), json!({}));
        assert_eq!(
            written(Change::new().description(Patch::Clear)),
            json!({"description": ""})
        );
        let both = Change::new().description("x").private(false);
        assert_eq!(written(both), json!({"private": false, "description": "x"}));
    }
}
