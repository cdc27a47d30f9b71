//! A value of an expression, and how it becomes another type.

use std::cmp::Ordering;

use indexmap::IndexMap;

use super::format::number_text;

/// What an expression gives. Numbers are 64-bit floats, as everywhere in the language.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Value {
    /// Nothing; what an unknown member is.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; may be infinite or not a number.
    Number(f64),
    /// A text.
    String(String),
    /// A list.
    Array(Vec<Self>),
    /// Members in the order in which they came.
    Object(IndexMap<String, Self>),
}

impl Value {
    /// A text value.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// An object of texts.
    pub(crate) fn texts<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self::Object(
            pairs
                .into_iter()
                .map(|(name, text)| (name.into(), Self::text(text)))
                .collect(),
        )
    }

    /// Whether `if` and `&&` take it as true: everything but null, false, zero and the empty text.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(value) => *value != 0.0 && !value.is_nan(),
            Self::String(text) => !text.is_empty(),
            Self::Array(_) | Self::Object(_) => true,
        }
    }

    /// How it reads inside a text.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => number_text(*value),
            Self::String(text) => text.clone(),
            Self::Array(_) => "Array".to_owned(),
            Self::Object(_) => "Object".to_owned(),
        }
    }

    /// What it counts as where a number is needed.
    pub(crate) fn to_number(&self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Number(value) => *value,
            Self::String(text) => text_number(text),
            Self::Array(_) | Self::Object(_) => f64::NAN,
        }
    }

    /// The same as JSON; what is no number there is null.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(value) => json_number(*value),
            Self::String(text) => text.clone().into(),
            Self::Array(items) => items.iter().map(Self::to_json).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), value.to_json()))
                .collect(),
        }
    }

    /// A member by its name, whatever the case; null where there is none.
    pub(crate) fn member(&self, name: &str) -> Self {
        let Self::Object(members) = self else {
            return Self::Null;
        };
        let exact = members.get(name);
        let any = || {
            members
                .iter()
                .find(|(key, _)| same_text(key, name))
                .map(|(_, value)| value)
        };
        exact.or_else(any).cloned().unwrap_or(Self::Null)
    }

    /// `==` of the language: texts without case, other types as numbers.
    pub(crate) fn loosely_equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::String(left), Self::String(right)) => same_text(left, right),
            (Self::Array(_) | Self::Object(_), Self::Array(_) | Self::Object(_)) => self == other,
            _ => self.to_number() == other.to_number(),
        }
    }

    /// `<` and `>` of the language; none where one side is not a number.
    pub(crate) fn loosely_compares(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::String(left), Self::String(right)) => Some(folded(left).cmp(&folded(right))),
            _ => self.to_number().partial_cmp(&other.to_number()),
        }
    }
}

/// A whole number without a point, as it came.
fn json_number(value: f64) -> serde_json::Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and small"
    )]
    let whole = (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64);
    whole.map_or_else(|| value.into(), Into::into)
}

/// Text as it is compared: without case.
fn folded(text: &str) -> String {
    text.to_uppercase()
}

fn same_text(left: &str, right: &str) -> bool {
    left == right || folded(left) == folded(right)
}

/// The number that a text stands for; the empty one is zero, what is no number is not a number.
fn text_number(text: &str) -> f64 {
    if text.is_empty() {
        return 0.0;
    }
    let trimmed = text.trim();
    let based = |prefix: &str, radix: u32| {
        let digits = trimmed.strip_prefix(prefix)?;
        i64::from_str_radix(digits, radix).ok()
    };
    if let Some(whole) = based("0x", 16).or_else(|| based("0o", 8)) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "the language has no other numbers"
        )]
        return whole as f64;
    }
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    match trimmed {
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ if trimmed.chars().all(plain) => trimmed.parse().unwrap_or(f64::NAN),
        _ => f64::NAN,
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(value) => Self::Number(value.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Self::String(text),
            serde_json::Value::Array(items) => {
                Self::Array(items.into_iter().map(Self::from).collect())
            }
            serde_json::Value::Object(members) => Self::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name, value.into()))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_numbers_as_the_language_says() {
        let cases = [
            ("", 0.0),
            (" 12 ", 12.0),
            ("0x10", 16.0),
            ("1e2", 100.0),
            ("0o17", 15.0),
        ];
        for (text, number) in cases {
            assert_eq!(text_number(text), number, "{text:?}");
        }
        for text in [" ", "abc", "1 2", "nan", "inf"] {
            assert!(text_number(text).is_nan(), "{text:?}");
        }
    }

    #[test]
    fn types_are_compared_as_numbers_and_texts_without_case() {
        let equal = [
            (Value::Bool(true), Value::Number(1.0)),
            (Value::text(""), Value::Number(0.0)),
            (Value::Null, Value::text("")),
            (Value::Bool(false), Value::text("")),
            (Value::text("ä"), Value::text("Ä")),
            (Value::text("NaN"), Value::text("NaN")),
        ];
        for (left, right) in equal {
            assert!(left.loosely_equals(&right), "{left:?} == {right:?}");
        }
        assert!(!Value::Bool(true).loosely_equals(&Value::text("true")));
        assert!(!Value::Object(IndexMap::new()).loosely_equals(&Value::Null));
    }

    #[test]
    fn nothing_is_smaller_than_what_is_no_number() {
        assert_eq!(
            Value::text("abc").loosely_compares(&Value::Number(1.0)),
            None
        );
        let texts = Value::text("2").loosely_compares(&Value::text("10"));
        assert_eq!(texts, Some(Ordering::Greater));
    }
}
