//! The items of a property string, before they have types.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use crate::wire::flag;

/// A text that is no property string of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {reason}")]
pub struct InvalidProperty {
    text: String,
    reason: String,
}

impl InvalidProperty {
    pub(super) fn new(text: &str, reason: impl Into<String>) -> Self {
        Self {
            text: text.to_owned(),
            reason: reason.into(),
        }
    }
}

/// What makes a property of items, and items of a property.
pub(crate) trait Property: Sized {
    /// The key that may be left out before its value.
    const DEFAULT_KEY: Option<&'static str>;
    /// Keys that are written first, in this order, before the others in theirs.
    const FIRST: &'static [&'static str];

    /// Takes what it knows and keeps the rest.
    fn from_items(items: Items) -> Result<Self, String>;
    /// Everything that is to be written.
    fn to_items(&self) -> Items;

    /// What the server would refuse whatever the rest of the request says.
    fn check(&self) -> Result<(), String> {
        self.to_items().check()
    }
}

/// Keys and values of a property string.
#[derive(Debug, Clone, Default)]
pub(crate) struct Items(BTreeMap<String, String>);

impl Items {
    fn parse(text: &str, default_key: Option<&str>) -> Result<Self, String> {
        let mut items = BTreeMap::new();
        for item in text.split(',').filter(|item| !item.is_empty()) {
            let (key, value) = match (item.split_once('='), default_key) {
                (Some(pair), _) => pair,
                (None, Some(key)) => (key, item),
                (None, None) => return Err(format!("`{item}` has no value")),
            };
            if value.is_empty() {
                return Err(format!("`{key}` has an empty value"));
            }
            if items.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(format!("`{key}` occurs twice"));
            }
        }
        Ok(Self(items))
    }

    /// From what a property kept without understanding it.
    pub(crate) fn from_rest(rest: &BTreeMap<String, String>) -> Self {
        Self(rest.clone())
    }

    /// Takes a value of that key, if it reads as the wanted type; else it stays with the rest.
    pub(crate) fn take<T: FromStr>(&mut self, key: &str) -> Option<T> {
        self.take_by(key, |text| text.parse().ok())
    }

    /// Takes a boolean; absent is `None`.
    pub(crate) fn take_flag(&mut self, key: &str) -> Option<bool> {
        self.take_by(key, flag)
    }

    /// Takes a value if `read` understands it.
    pub(crate) fn take_by<T>(&mut self, key: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = read(self.0.get(key)?)?;
        self.0.remove(key);
        Some(value)
    }

    /// Takes a value that must be there.
    pub(crate) fn require<T: FromStr>(&mut self, key: &str) -> Result<T, String> {
        let text = self
            .0
            .remove(key)
            .ok_or_else(|| format!("`{key}` is missing"))?;
        text.parse()
            .map_err(|_| format!("`{key}={text}` cannot be read"))
    }

    /// What nobody took.
    pub(crate) fn rest(self) -> BTreeMap<String, String> {
        self.0
    }

    /// Adds a value.
    pub(crate) fn put(&mut self, key: &str, value: impl Display) {
        self.0.insert(key.to_owned(), value.to_string());
    }

    /// Adds a value if there is one.
    pub(crate) fn put_some(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// Adds `key=1` if the flag is raised.
    pub(crate) fn put_flag(&mut self, key: &str, flag: bool) {
        if flag {
            self.put(key, 1);
        }
    }

    /// Adds a set as its items with semicolons between, if it has any.
    pub(crate) fn put_set<T: Display>(&mut self, key: &str, set: impl IntoIterator<Item = T>) {
        let items: Vec<String> = set.into_iter().map(|item| item.to_string()).collect();
        if !items.is_empty() {
            self.put(key, items.join(";"));
        }
    }

    fn check(&self) -> Result<(), String> {
        for (key, value) in &self.0 {
            if value.is_empty() {
                return Err(format!("`{key}` has an empty value"));
            }
            let breaks = |c: char| c == ',' || c.is_control();
            if value.contains(breaks) || key.contains(breaks) || key.contains('=') {
                return Err(format!("`{key}` holds a comma or a control character"));
            }
        }
        Ok(())
    }

    fn write(mut self, default_key: Option<&str>, first: &[&str]) -> String {
        let mut parts = Vec::new();
        for key in first {
            if let Some(value) = self.0.remove(*key) {
                let bare = default_key == Some(key) && !value.contains('=');
                parts.push(if bare {
                    value
                } else {
                    format!("{key}={value}")
                });
            }
        }
        parts.extend(self.0.iter().map(|(key, value)| format!("{key}={value}")));
        parts.join(",")
    }
}

/// Reads a property from its text.
pub(crate) fn read<P: Property>(text: &str) -> Result<P, InvalidProperty> {
    Items::parse(text, P::DEFAULT_KEY)
        .and_then(P::from_items)
        .map_err(|reason| InvalidProperty::new(text, reason))
}

/// The text of a property.
pub(crate) fn write<P: Property>(property: &P) -> String {
    property.to_items().write(P::DEFAULT_KEY, P::FIRST)
}
