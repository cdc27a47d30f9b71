//! Masking: secrets never reach a line that is told, kept or written.

use std::{borrow::Cow, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What stands in the place of a secret.
const MASK: &str = "[redacted]";
/// Shorter values are words that occur anywhere; masking them would hide the text, not the secret.
const SHORTEST: usize = 4;

/// The values that must not be seen, and how to hide them.
///
/// A value of several lines is hidden line by line, since output is told line by line. The base64
/// form of a value is hidden too.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a secret that contains another is hidden as a whole.
    hidden: Vec<String>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} values)", self.hidden.len())
    }
}

impl Redactor {
    /// A redactor of these values.
    pub fn new<I, S>(secrets: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let mut hidden = Vec::new();
        for secret in secrets {
            let secret = secret.as_ref();
            hidden.extend(secret.lines().map(|line| line.trim().to_owned()));
            let encoded = STANDARD.encode(secret);
            hidden.push(encoded.trim_end_matches('=').to_owned());
        }
        hidden.retain(|value| value.len() >= SHORTEST);
        hidden.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        hidden.dedup();
        Self { hidden }
    }

    /// The text with every secret masked.
    #[must_use]
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for secret in &self.hidden {
            if masked.contains(secret.as_str()) {
                masked = Cow::Owned(masked.replace(secret.as_str(), MASK));
            }
        }
        masked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_occurrence_is_masked() {
        let redactor = Redactor::new(["s3cret", "s3cret-and-more"]);
        assert_eq!(
            redactor.mask("a s3cret, b s3cret-and-more"),
            "a [redacted], b [redacted]"
        );
    }

    #[test]
    fn the_encoded_form_is_masked_too() {
        let redactor = Redactor::new(["s3cret"]);
        let line = format!("Authorization: Basic {}", STANDARD.encode("s3cret"));
        assert_eq!(redactor.mask(&line), "Authorization: Basic [redacted]");
    }

    #[test]
    fn each_line_of_a_key_is_masked() {
        let redactor = Redactor::new(["-----BEGIN-----\nabcdef\n-----END-----\n"]);
        assert_eq!(redactor.mask("leak abcdef"), "leak [redacted]");
    }

    #[test]
    fn text_without_secrets_is_not_copied() {
        let redactor = Redactor::new(["s3cret", "", "x"]);
        assert!(matches!(redactor.mask("plain x"), Cow::Borrowed("plain x")));
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(
            format!("{:?}", Redactor::new(["s3cret"])),
            "Redactor(2 values)"
        );
    }
}
