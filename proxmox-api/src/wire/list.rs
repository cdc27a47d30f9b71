//! Lists within a text: tags, content types, name servers.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// Splits a list as the server does: at commas, semicolons and blanks; empty items do not count.
pub(crate) fn split_list(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c == ';' || c == '\0' || c.is_whitespace())
        .filter(|item| !item.is_empty())
}

/// The tags of a guest: a set, since the server sorts them, folds their case and drops repetitions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tags(BTreeSet<String>);

impl Tags {
    /// Whether the tag is there.
    #[must_use]
    pub fn contains(&self, tag: &str) -> bool {
        self.0.contains(&tag.to_ascii_lowercase())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tags in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl<S: AsRef<str>> FromIterator<S> for Tags {
    fn from_iter<I: IntoIterator<Item = S>>(tags: I) -> Self {
        Self(
            tags.into_iter()
                .map(|tag| tag.as_ref().to_ascii_lowercase())
                .collect(),
        )
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
        assert_eq!(typed.to_string(), "x;y;z");
        assert!(typed.contains("Z"));
    }
}
