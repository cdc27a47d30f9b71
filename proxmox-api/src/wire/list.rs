//! Lists within a text: tags, content types, name servers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// Splits a list as the server does: at commas, semicolons and blanks; empty items do not count.
pub(crate) fn split_list(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c == ';' || c == '\0' || c.is_whitespace())
        .filter(|item| !item.is_empty())
}

/// The tags of a guest: a set in which case does not matter, since the server sorts tags, drops
/// repetitions and, unless the datacenter says otherwise, folds their case. They print as they
/// were written.
#[derive(Debug, Clone, Default)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Whether the tag is there.
    #[must_use]
    pub fn contains(&self, tag: &str) -> bool {
        self.0.contains_key(&tag.to_ascii_lowercase())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tags in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }
}

impl PartialEq for Tags {
    fn eq(&self, other: &Self) -> bool {
        self.0.keys().eq(other.0.keys())
    }
}

impl Eq for Tags {}

impl<S: AsRef<str>> FromIterator<S> for Tags {
    fn from_iter<I: IntoIterator<Item = S>>(tags: I) -> Self {
        let folded = |tag: S| (tag.as_ref().to_ascii_lowercase(), tag.as_ref().to_owned());
        Self(tags.into_iter().map(folded).collect())
    }
}

impl FromStr for Tags {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(split_list(text).collect())
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags: Vec<&str> = self.iter().collect();
        f.write_str(&tags.join(";"))
    }
}

#[cfg(test)]
mod tests {
    use super::Tags;

    #[test]
    fn tags_compare_as_the_server_keeps_them() {
        let typed: Tags = "Z;y,x y".parse().unwrap();
        let kept: Tags = "x;y;z".parse().unwrap();
        assert_eq!(typed, kept);
        assert_eq!(typed.to_string(), "x;y;Z");
        assert!(typed.contains("z") && kept.contains("Z") && !kept.is_empty());
        assert_ne!(kept, "x;y".parse().unwrap());
    }
}
