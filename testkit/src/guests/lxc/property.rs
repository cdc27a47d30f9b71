//! The property strings of a container's configuration: `name=eth0,bridge=vmbr0,…`.

use std::collections::BTreeMap;

/// A property string taken apart. Its first part may be a value without a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Property {
    first: Option<String>,
    named: BTreeMap<String, String>,
}

impl Property {
    /// Takes a text apart. Whether the keys make sense is for the one who asks for them.
    pub(super) fn parse(text: &str) -> Self {
        let mut property = Self {
            first: None,
            named: BTreeMap::new(),
        };
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            match part.split_once('=') {
                Some((key, value)) => {
                    property
                        .named
                        .insert(key.trim().to_owned(), value.trim().to_owned());
                }
                None => property.first = property.first.take().or(Some(part.to_owned())),
            }
        }
        property
    }

    /// The value without a key, or that of `key`, under which it may be written too.
    pub(super) fn first_or(&self, key: &str) -> Option<&str> {
        self.first.as_deref().or_else(|| self.get(key))
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.named.get(key).map(String::as_str)
    }

    /// Whether a key is switched on (`1`, `on`, `yes`, `true`).
    pub(super) fn is_on(&self, key: &str) -> bool {
        matches!(self.get(key), Some("1" | "on" | "yes" | "true"))
    }
}

/// The entries of a configuration whose key is `prefix` and a number, in the order of the numbers.
pub(super) fn numbered<'a>(
    config: &'a super::Config,
    prefix: &'a str,
) -> impl Iterator<Item = (u32, Property)> + use<'a> {
    let found: BTreeMap<u32, Property> = config
        .iter()
        .filter_map(|(key, value)| {
            let number = key.strip_prefix(prefix)?.parse().ok()?;
            Some((number, Property::parse(value)))
        })
        .collect();
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn a_mount_point_has_a_volume_and_options() {
        let property = Property::parse("local:100/vm-100-disk-1.raw,mp=/srv,ro=1,size=1G");
        assert_eq!(
            property.first_or("volume"),
            Some("local:100/vm-100-disk-1.raw")
        );
        assert_eq!(property.get("mp"), Some("/srv"));
        assert!(property.is_on("ro"));
        assert!(!property.is_on("backup"));
    }

    #[test]
    fn numbered_keys_come_in_the_order_of_their_numbers() {
        let config: Config = ["net10", "net2", "nettle", "memory", "net"]
            .map(|key| (key.to_owned(), "x".to_owned()))
            .into();
        let numbers: Vec<u32> = numbered(&config, "net").map(|(number, _)| number).collect();
        assert_eq!(numbers, [2, 10]);
    }
}
