//! The two messages of `google.protobuf` that the protocol borrows: a time and a free-form object.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value as Json};

/// A moment, as seconds and nanoseconds since 1970 in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct Timestamp {
    /// Whole seconds since 1970; negative before.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds within the second, 0 to 999,999,999.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Timestamp {
    /// The moment as `jiff` has it, or `None` where it lies outside its range.
    #[must_use]
    pub fn to_jiff(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::new(self.seconds, self.nanos).ok()
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(at: jiff::Timestamp) -> Self {
        Self {
            seconds: at.as_second(),
            nanos: at.subsec_nanosecond(),
        }
    }
}

/// An object whose members are not known beforehand: `google.protobuf.Struct`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Struct {
    /// The members by name.
    #[prost(btree_map = "string, message", tag = "1")]
    pub fields: BTreeMap<String, Value>,
}

/// Any JSON value: `google.protobuf.Value`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Value {
    /// Which kind it is; absent is read as null.
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    pub kind: Option<Kind>,
}

/// The kinds of [`Value`].
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Kind {
    /// Null; the number is always 0.
    #[prost(int32, tag = "1")]
    Null(i32),
    /// Every number is a double.
    #[prost(double, tag = "2")]
    Number(f64),
    /// Text.
    #[prost(string, tag = "3")]
    String(String),
    /// A boolean.
    #[prost(bool, tag = "4")]
    Bool(bool),
    /// An object.
    #[prost(message, tag = "5")]
    Struct(Struct),
    /// A list.
    #[prost(message, tag = "6")]
    List(ListValue),
}

/// A list of any values: `google.protobuf.ListValue`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListValue {
    /// The elements.
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<Value>,
}

impl From<&Map<String, Json>> for Struct {
    fn from(object: &Map<String, Json>) -> Self {
        Self {
            fields: object
                .iter()
                .map(|(name, item)| (name.clone(), item.into()))
                .collect(),
        }
    }
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Self {
        let kind = match json {
            Json::Null => Kind::Null(0),
            Json::Bool(truth) => Kind::Bool(*truth),
            Json::Number(number) => Kind::Number(number.as_f64().unwrap_or_default()),
            Json::String(text) => Kind::String(text.clone()),
            Json::Object(object) => Kind::Struct(object.into()),
            Json::Array(items) => Kind::List(ListValue {
                values: items.iter().map(Self::from).collect(),
            }),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&Struct> for Json {
    fn from(object: &Struct) -> Self {
        Self::Object(
            object
                .fields
                .iter()
                .map(|(name, item)| (name.clone(), item.into()))
                .collect(),
        )
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        match &value.kind {
            None | Some(Kind::Null(_)) => Self::Null,
            Some(Kind::Bool(truth)) => Self::Bool(*truth),
            Some(Kind::Number(number)) => json_number(*number),
            Some(Kind::String(text)) => Self::String(text.clone()),
            Some(Kind::Struct(object)) => object.into(),
            Some(Kind::List(list)) => Self::Array(list.values.iter().map(Self::from).collect()),
        }
    }
}

/// The double as a JSON number: whole ones without a fraction, as protojson writes them.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range was looked at before"
)]
fn json_number(number: f64) -> Json {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        return Json::Number(Number::from(number as i64));
    }
    Number::from_f64(number).map_or(Json::Null, Json::Number)
}
