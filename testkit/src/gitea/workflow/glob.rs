//! The patterns of `branches`, `tags` and `paths`.

use regex::Regex;

/// A pattern: `*` within a folder, `**` across them, `?` and `+` after a character as in regular
/// expressions, `[a-z]`, `\` before a character that is meant, and `!` in front to take away.
#[derive(Debug, Clone)]
pub struct Pattern {
    negative: bool,
    regex: Regex,
}

/// A pattern that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern `{pattern}`: {problem}")]
pub struct PatternError {
    pattern: String,
    problem: &'static str,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] for an open bracket or a backslash at the end.
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        let problem = |problem| PatternError {
            pattern: pattern.to_owned(),
            problem,
        };
        let (negative, positive) = match pattern.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let regex = translate(positive).map_err(problem)?;
        let regex = Regex::new(&regex).map_err(|_| problem("cannot be understood"))?;
        Ok(Self { negative, regex })
    }

    /// Whether at least one of the values gets through: the last pattern that fits it decides.
    #[must_use]
    pub fn any_passes(patterns: &[Self], values: &[String]) -> bool {
        patterns.is_empty() || values.iter().any(|value| Self::passes(patterns, value))
    }

    /// Whether every one of the values is caught by the patterns of an `-ignore` list.
    #[must_use]
    pub fn all_ignored(patterns: &[Self], values: &[String]) -> bool {
        !patterns.is_empty() && values.iter().all(|value| Self::passes(patterns, value))
    }

    fn passes(patterns: &[Self], value: &str) -> bool {
        let last = patterns
            .iter()
            .rev()
            .find(|pattern| pattern.regex.is_match(value));
        last.is_some_and(|pattern| !pattern.negative)
    }
}

fn translate(pattern: &str) -> Result<String, &'static str> {
    let mut regex = String::from("^");
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '*' if rest.starts_with("**/") => {
                regex.push_str("(.+/)?");
                3
            }
            '*' if rest.starts_with("**") => {
                regex.push_str(".*");
                2
            }
            '*' => {
                regex.push_str("[^/]*");
                1
            }
            '+' | '?' if rest.len() < pattern.len() => {
                regex.push(first);
                1
            }
            '[' => class(rest, &mut regex)?,
            '\\' => {
                let meant = rest[1..].chars().next().ok_or("a backslash at the end")?;
                regex.push_str(&regex::escape(&meant.to_string()));
                1 + meant.len_utf8()
            }
            other => {
                regex.push_str(&regex::escape(&other.to_string()));
                other.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    regex.push('$');
    Ok(regex)
}

/// `[a-z0-9]`: letters, digits and ranges of them.
fn class(rest: &str, regex: &mut String) -> Result<usize, &'static str> {
    let end = rest.find(']').ok_or("an open bracket")?;
    let inner = &rest[1..end];
    if inner.is_empty() || !inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err("a bracket with more than letters and digits");
    }
    regex.push_str(&rest[..=end]);
    Ok(end + 1)
}
