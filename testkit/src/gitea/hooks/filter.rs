//! Branch filters of hooks: globs with `*`, `?`, `[abc]` and `{a,b}`.

use regex::Regex;

/// A glob that cannot be read, in the words of the real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct BadGlob(&'static str);

/// Whether a filter lets a branch through; an empty one lets all through, a bad one none.
pub(super) fn lets_through(filter: &str, branch: &str) -> bool {
    matches!(filter, "" | "*") || compile(filter).is_ok_and(|glob| glob.is_match(branch))
}

/// Reads a filter.
pub(super) fn compile(filter: &str) -> Result<Regex, BadGlob> {
    let mut regex = String::from("^(?s:");
    let mut depth = 0;
    let mut rest = filter.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '{' => {
                depth += 1;
                regex.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                regex.push(')');
            }
            ',' if depth > 0 => regex.push('|'),
            '[' => class(&mut rest, &mut regex)?,
            '\\' => literal(
                rest.next().ok_or(BadGlob("unterminated escape"))?,
                &mut regex,
            ),
            other => literal(other, &mut regex),
        }
    }
    if depth > 0 {
        return Err(BadGlob("unterminated alternatives"));
    }
    regex.push_str(")$");
    Regex::new(&regex).map_err(|_| BadGlob("glob cannot be understood"))
}

fn literal(c: char, regex: &mut String) {
    regex.push_str(&regex::escape(&c.to_string()));
}

fn class(rest: &mut std::str::Chars<'_>, regex: &mut String) -> Result<(), BadGlob> {
    regex.push('[');
    let mut first = true;
    for c in rest.by_ref() {
        match c {
            ']' if !first => {
                regex.push(']');
                return Ok(());
            }
            '!' | '^' if first => regex.push('^'),
            '-' => regex.push('-'),
            other => literal(other, regex),
        }
        first = false;
    }
    Err(BadGlob("unterminated character class"))
}
