//! Hides secrets before anything is buffered.

use std::{collections::BTreeSet, fmt};

use aho_corasick::AhoCorasick;
use base64::{Engine, engine::general_purpose};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Values shorter than this are not hidden: a log without any `a` helps nobody.
const SHORTEST: usize = 2;

/// Only values of some length are looked for in their encodings, or chance would hide too much.
const SHORTEST_ENCODED: usize = 6;

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// The values that must not be seen, in the forms in which they may come.
#[derive(Default)]
pub(crate) struct Masks {
    values: BTreeSet<String>,
    finder: Option<AhoCorasick>,
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masks")
            .field("values", &self.values.len())
            .finish_non_exhaustive()
    }
}

impl Masks {
    /// Hides all of these from now on.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut masks = Self::default();
        for secret in secrets {
            masks.remember(secret);
        }
        masks.build();
        masks
    }

    /// Hides one more value from now on: each of its lines, and its common encodings.
    pub(crate) fn add(&mut self, secret: &str) {
        let before = self.values.len();
        self.remember(secret);
        if self.values.len() > before {
            self.build();
        }
    }

    /// The text with every secret replaced; those that overlap become one.
    pub(crate) fn apply(&self, text: &str) -> String {
        let Some(finder) = &self.finder else {
            return text.to_owned();
        };
        let mut hidden = String::with_capacity(text.len());
        let mut shown_to = 0;
        let mut open: Option<(usize, usize)> = None;
        let mut matches: Vec<(usize, usize)> = finder
            .find_overlapping_iter(text)
            .map(|found| (found.start(), found.end()))
            .collect();
        matches.sort_unstable();
        for (start, end) in matches {
            open = match open {
                Some((from, to)) if start < to => Some((from, to.max(end))),
                Some((from, to)) => {
                    hidden.push_str(&text[shown_to..from]);
                    hidden.push_str(HIDDEN);
                    shown_to = to;
                    Some((start, end))
                }
                None => Some((start, end)),
            };
        }
        if let Some((from, to)) = open {
            hidden.push_str(&text[shown_to..from]);
            hidden.push_str(HIDDEN);
            shown_to = to;
        }
        hidden.push_str(&text[shown_to..]);
        hidden
    }

    fn remember(&mut self, secret: &str) {
        for line in secret
            .lines()
            .map(str::trim)
            .filter(|line| line.len() >= SHORTEST)
        {
            self.values.insert(line.to_owned());
        }
        let whole = secret.trim();
        if whole.len() >= SHORTEST_ENCODED {
            self.values.extend(encodings(whole));
        }
    }

    fn build(&mut self) {
        // Building fails only for automata of gigabytes; then everything is hidden.
        self.finder = AhoCorasick::new(&self.values)
            .ok()
            .or_else(|| AhoCorasick::new(["\n"]).ok());
    }
}

/// Base64 at each of its three alignments, percent-encoded, in JSON, in hexadecimal digits.
fn encodings(secret: &str) -> Vec<String> {
    let mut forms = vec![
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
        serde_json::Value::from(secret)
            .to_string()
            .trim_matches('"')
            .to_owned(),
    ];
    for engine in [
        general_purpose::STANDARD_NO_PAD,
        general_purpose::URL_SAFE_NO_PAD,
    ] {
        for shift in 0..3_usize {
            // The digits that the bytes around the secret have no part in.
            let mut bytes = vec![0; shift];
            bytes.extend_from_slice(secret.as_bytes());
            let digits = engine.encode(&bytes);
            let skipped = [0, 2, 3][shift];
            let whole = bytes.len() * 8 / 6;
            forms.push(digits[skipped..whole].to_owned());
        }
    }
    forms.retain(|form| form.len() >= SHORTEST_ENCODED);
    forms
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_hidden_inside_words_and_line_by_line() {
        let masks = Masks::new([
            "hide-this-1",
            "first-of-two\nsecond-of-two",
            "w",
            "vv",
            "a*b",
        ]);
        let cases = [
            (
                "after: hide-this-1 and xhide-this-1x",
                "after: *** and x***x",
            ),
            ("first-of-two%0Asecond-of-two", "***%0A***"),
            ("w one letter, vv two", "w one letter, *** two"),
            ("a*b aab", "*** aab"),
        ];
        for (text, hidden) in cases {
            assert_eq!(masks.apply(text), hidden);
        }
    }

    #[test]
    fn overlapping_secrets_become_one() {
        let masks = Masks::new(["secret", "secret-and-more", "cretin"]);
        assert_eq!(masks.apply("a secret-and-more, secretin"), "a ***, ***");
    }

    #[test]
    fn a_mask_holds_from_when_it_was_added() {
        let mut masks = Masks::new([]);
        assert_eq!(masks.apply("later"), "later");
        masks.add("later");
        assert_eq!(masks.apply("later"), "***");
    }

    #[test]
    fn debug_tells_no_value() {
        assert_eq!(
            format!("{:?}", Masks::new(["canary"])),
            "Masks { values: 5, .. }"
        );
    }

    proptest! {
        #[test]
        fn no_encoding_lets_the_secret_out(secret in "[a-zA-Z0-9/+]{12,40}", before in "[ -~]{0,5}") {
            let masks = Masks::new([secret.as_str()]);
            let mixed = format!("{before}{secret}{before}");
            for engine in [general_purpose::STANDARD, general_purpose::URL_SAFE] {
                let encoded = masks.apply(&engine.encode(&mixed));
                prop_assert!(encoded.contains(HIDDEN), "{}", encoded);
                prop_assert!(encoded.len() < before.len() * 4 + 16, "{}", encoded);
            }
            prop_assert!(!masks.apply(&mixed).contains(&secret));
        }
    }
}
