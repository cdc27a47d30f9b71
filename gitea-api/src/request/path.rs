//! Templates of paths, and what is filled into them.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A template with its places filled. `{+name}` may hold slashes.
pub(super) fn fill(
    template: &str,
    arguments: &[(Cow<'static, str>, String)],
) -> Result<String, String> {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .ok_or("the template has no closing brace")?;
        path.push_str(before);
        let (name, slashes) = name
            .strip_prefix('+')
            .map_or((name, false), |name| (name, true));
        let value = arguments
            .iter()
            .find_map(|(given, value)| (given == name).then_some(value))
            .ok_or_else(|| format!("`{name}` is not given"))?;
        path.push_str(&encode(value, slashes)?);
        rest = after;
    }
    path.push_str(rest);
    Ok(path)
}

/// What is percent-encoded in a segment: everything but RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A value as one segment of a path, or as several. Empty and dotted segments are refused: every
/// URL library reads them as another path.
fn encode(value: &str, slashes: bool) -> Result<String, String> {
    let check = |segment: &str| match segment {
        "" => Err(format!("`{value}` has an empty path segment")),
        "." | ".." => Err(format!("`{value}` has a dot for a path segment")),
        segment => Ok(utf8_percent_encode(segment, SEGMENT).to_string()),
    };
    if slashes {
        let segments: Result<Vec<_>, _> = value.trim_matches('/').split('/').map(check).collect();
        segments.map(|segments| segments.join("/"))
    } else {
        check(value)
    }
}
