//! Hides secrets before anything is buffered.

use std::{collections::BTreeSet, fmt};

use aho_corasick::AhoCorasick;
use base64::{Engine, engine::general_purpose};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Values shorter than this are not hidden: a log without any `a` helps nobody.
const SHORTEST: usize = 2;

/// Only values of some length are looked for in their encodings, or chance would hide too much.
const SHORTEST_ENCODED: usize = 6;

/// How long the lines of base64 are that common programs write.
const BASE64_WIDTHS: [usize; 2] = [76, 64];

/// What is not encoded in the strict form, and what Python's `quote` leaves beside.
const UNRESERVED_KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const PATH_KEPT: &AsciiSet = &UNRESERVED_KEPT.remove(b'/');

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

    /// Each line of a secret is one too, and each may come alone in an encoding; the whole may be
    /// encoded as it is, or with the newline that `echo` adds.
    fn remember(&mut self, secret: &str) {
        let lines: Vec<&str> = secret
            .lines()
            .map(str::trim)
            .filter(|line| line.len() >= SHORTEST)
            .collect();
        let whole = secret.trim();
        let several = secret.contains('\n').then_some(secret);
        let long = lines.iter().copied().chain([whole]).chain(several);
        for text in long.filter(|text| text.len() >= SHORTEST_ENCODED) {
            self.values.extend(encodings(text));
        }
        self.values.extend(lines.into_iter().map(str::to_owned));
    }

    fn build(&mut self) {
        // Building fails only for automata of gigabytes; then everything is hidden.
        self.finder = AhoCorasick::new(&self.values)
            .ok()
            .or_else(|| AhoCorasick::new(["\n"]).ok());
    }
}

/// The forms in which a secret is likely to be printed: base64 at each of its three alignments and
/// in the lines of the usual tools, percent-encoded, in JSON, in a shell's quotes, in XML, in
/// hexadecimal digits.
///
/// Of several lines only those forms matter that do not show them line by line: each line has all
/// of its own.
fn encodings(secret: &str) -> Vec<String> {
    let mut forms = base64_forms(secret);
    forms.push(secret.bytes().map(|byte| format!("{byte:02x}")).collect());
    forms.push(secret.bytes().map(|byte| format!("{byte:02X}")).collect());
    if !secret.contains('\n') {
        forms.extend(percent_forms(secret));
        forms.extend(json_forms(secret));
        forms.push(secret.replace('\'', r"'\''"));
        forms.push(xml_form(secret));
    }
    forms.retain(|form| form.len() >= SHORTEST_ENCODED);
    forms
}

fn xml_form(secret: &str) -> String {
    secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn base64_forms(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
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
    // `base64` cuts its lines at 76 digits, `openssl` at 64.
    let digits = general_purpose::STANDARD_NO_PAD.encode(secret);
    for width in BASE64_WIDTHS {
        let lines = digits.as_bytes()[..secret.len() * 8 / 6].chunks(width);
        forms.extend(lines.map(|line| String::from_utf8_lossy(line).into_owned()));
    }
    forms
}

/// As RFC 3986 has it, as Python's `quote` does, as forms do, and with everything encoded.
fn percent_forms(secret: &str) -> Vec<String> {
    let strict = utf8_percent_encode(secret, UNRESERVED_KEPT).to_string();
    let path = utf8_percent_encode(secret, PATH_KEPT).to_string();
    let all = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let form = strict.replace("%20", "+");
    let lower = lower_digits(&strict);
    vec![strict, path, all, form, lower]
}

/// The same with digits in lower case, as some libraries write them.
fn lower_digits(encoded: &str) -> String {
    let mut left = 0;
    encoded
        .chars()
        .map(|letter| {
            left = if letter == '%' { 2 } else { left };
            let digit = left > 0 && letter != '%';
            left -= usize::from(digit);
            if digit {
                letter.to_ascii_lowercase()
            } else {
                letter
            }
        })
        .collect()
}

/// As most libraries write it, as Go's does, as Python's does, and with slashes escaped.
fn json_forms(secret: &str) -> Vec<String> {
    let plain = serde_json::Value::from(secret).to_string();
    let plain = plain[1..plain.len() - 1].to_owned();
    let go = plain
        .replace('&', r"\u0026")
        .replace('<', r"\u003c")
        .replace('>', r"\u003e");
    let slashes = plain.replace('/', r"\/");
    let mut ascii = String::with_capacity(plain.len());
    for letter in plain.chars() {
        if letter.is_ascii() {
            ascii.push(letter);
        } else {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    // A text inside of a JSON text.
    let twice = serde_json::Value::from(plain.as_str()).to_string();
    let twice = twice[1..twice.len() - 1].to_owned();
    vec![plain, go, slashes, ascii, twice]
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
            "Masks { values: 6, .. }"
        );
    }

    #[test]
    fn a_key_of_several_lines_is_hidden_in_the_forms_that_tools_print() {
        let body = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW";
        let key =
            format!("-----BEGIN KEY-----\n{body}\nQyNTUxOQAAACB+/&\"é~ x\n-----END KEY-----\n");
        let masks = Masks::new([key.as_str()]);
        let encoded = general_purpose::STANDARD.encode(&key);
        for width in [76, 64, usize::MAX] {
            for line in encoded.as_bytes().chunks(width) {
                let line = String::from_utf8_lossy(line);
                let hidden = masks.apply(line.trim_end_matches('='));
                assert!(hidden.len() <= 9, "{hidden}");
            }
        }
        let line = r#"QyNTUxOQAAACB+/&"é~ x"#;
        for (form, at_most) in [
            (serde_json::Value::from(key.as_str()).to_string(), 26),
            (general_purpose::STANDARD.encode(line), 8),
            ("QyNTUxOQAAACB%2B%2F%26%22%C3%A9~%20x".to_owned(), 3),
            ("QyNTUxOQAAACB%2b%2f%26%22%c3%a9~%20x".to_owned(), 3),
            ("QyNTUxOQAAACB%2B/%26%22%C3%A9~%20x".to_owned(), 3),
            ("QyNTUxOQAAACB%2B%2F%26%22%C3%A9~+x".to_owned(), 3),
            (r#"QyNTUxOQAAACB+/\u0026\"é~ x"#.to_owned(), 3),
            (r#"QyNTUxOQAAACB+/&\"\u00e9~ x"#.to_owned(), 3),
            (r#"QyNTUxOQAAACB+\/&\"é~ x"#.to_owned(), 3),
            (r#"QyNTUxOQAAACB+/&amp;&quot;é~ x"#.to_owned(), 3),
            (line.bytes().map(|byte| format!("{byte:02X}")).collect(), 3),
        ] {
            let hidden = masks.apply(&form);
            assert!(hidden.len() <= at_most, "{form}: {hidden}");
        }
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
