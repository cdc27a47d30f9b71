//! Property strings, `name=eth0,bridge=vmbr0`: taken apart, put together, and lists of words.

use indexmap::IndexMap;

use super::schema::Property;

/// The keys of a property string by the rules of its schema.
pub(crate) fn parse(
    keys: &IndexMap<String, Property>,
    text: &str,
) -> Result<IndexMap<String, String>, String> {
    let mut values = IndexMap::new();
    let default = keys
        .iter()
        .find(|(_, schema)| schema.is_default_key())
        .map(|(key, _)| key.as_str());
    for part in text.split(',').filter(|part| !part.trim().is_empty()) {
        let (key, value) = match part.split_once('=') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => (key, value),
            Some(_) => return Err("missing key in comma-separated list property\n".to_owned()),
            None => match default {
                Some(key) => (key, part),
                None => {
                    return Err(
                        "value without key, but schema does not define a default key\n".to_owned(),
                    );
                }
            },
        };
        if let Some(written) = keys.get(key).and_then(|schema| schema.key_alias.as_deref()) {
            values.insert(written.to_owned(), key.to_owned());
        }
        let name = keys
            .get(key)
            .and_then(|schema| schema.alias.as_deref())
            .unwrap_or(key);
        let boolean = keys.get(name).and_then(|schema| schema.kind.as_deref()) == Some("boolean");
        let value = if boolean { boolean_of(value) } else { value };
        if values.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(format!(
                "duplicate key in comma-separated list property: {name}\n"
            ));
        }
    }
    Ok(values)
}

/// Inside of property strings booleans have several spellings.
fn boolean_of(value: &str) -> &str {
    match value.to_ascii_lowercase().as_str() {
        "1" | "on" | "yes" | "true" => "1",
        "0" | "off" | "no" | "false" => "0",
        _ => value,
    }
}

/// Writes the keys as the server does: default key, required keys, optional keys, each sorted.
pub(crate) fn print(
    keys: &IndexMap<String, Property>,
    values: &IndexMap<String, String>,
) -> String {
    let mut names: Vec<&String> = values
        .keys()
        .filter(|name| keys.contains_key(*name))
        .collect();
    names.sort_by_key(|name| {
        let schema = &keys[*name];
        (
            !schema.is_default_key(),
            schema.is_optional(),
            (*name).clone(),
        )
    });
    let parts: Vec<String> = names
        .into_iter()
        .map(|name| {
            if keys[name].is_default_key() {
                values[name].clone()
            } else {
                format!("{name}={}", values[name])
            }
        })
        .collect();
    parts.join(",")
}

/// The words of a list: split at commas, semicolons, blanks and NULs.
pub(crate) fn split_list(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| matches!(c, ',' | ';' | '\0') || c.is_ascii_whitespace())
        .filter(|word| !word.is_empty())
}

/// Any property string without a schema: `key=value` pairs, a bare value under the given key.
pub(crate) fn loose(text: &str, default: &str) -> IndexMap<String, String> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((default, part));
            (key.to_owned(), value.to_owned())
        })
        .collect()
}

/// Bytes of a size such as `8G`, `1536M`, `1.5T` or plain bytes.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].trim_end_matches("iB") {
        "" => 1u64,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return None,
    };
    let number: f64 = digits.parse().ok()?;
    (number >= 0.0).then_some((number * unit as f64) as u64)
}

/// A size in the largest unit that leaves no remainder.
pub(crate) fn print_size(bytes: u64) -> String {
    for (shift, unit) in [(40, "T"), (30, "G"), (20, "M"), (10, "K")] {
        if bytes != 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::{parse_size, print_size};

    #[test]
    fn sizes_are_written_in_the_largest_whole_unit() {
        for (text, canonical) in [
            ("8192M", "8G"),
            ("1.5G", "1536M"),
            ("1073741824", "1G"),
            ("7", "7"),
        ] {
            assert_eq!(print_size(parse_size(text).unwrap()), canonical);
        }
        assert_eq!(parse_size("zz"), None);
    }
}
