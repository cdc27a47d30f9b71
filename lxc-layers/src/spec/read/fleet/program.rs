//! `[program]`: which build of this program the control plane runs, by version and checksum.

use toml::Spanned;
use toml::de::DeValue;

use super::{File, Reader, names, unknown_key};
use crate::diagnostic::{Diagnostic, Located};
use crate::spec::Program;

impl<'a> Reader<'_, 'a> {
    /// Both keys or none of them: a version without its checksum could be anything.
    pub(super) fn program(&mut self, section: &Located<String>, value: &Spanned<DeValue<'a>>) {
        let Some(table) = self.take(self.document.table(value)) else {
            return;
        };
        let before = self.problems.len();
        let (mut version, mut sha256) = (None, None);
        for (key, value) in self.document.pairs(table) {
            let known = names(File::Fleet, "program");
            if !known.contains(&key.value.as_str()) {
                self.problems.push(unknown_key(&key, &known));
                continue;
            }
            let Some(written) = self.take(self.document.string(value)) else {
                continue;
            };
            if key.value == "version" {
                version = self.read(written, release);
            } else {
                sha256 = self.read(written, checksum);
            }
        }
        match (version, sha256) {
            (Some(version), Some(sha256)) => {
                self.fleet.program = Some(Program {
                    version: version.value,
                    sha256: sha256.value,
                });
            }
            _ if self.problems.len() > before => {}
            (None, _) => self.problems.push(missing(section, "version", "0.3.1")),
            (_, None) => self.problems.push(missing(section, "sha256", "…")),
        }
    }
}

fn missing(section: &Located<String>, key: &str, example: &str) -> Diagnostic {
    Diagnostic::error(
        "missing-key",
        section.span.clone(),
        format!("`[program]` has no `{key}`"),
    )
    .expected(format!("expected `{key} = \"{example}\"` below it"))
    .help("write `version` and `sha256` together, or leave `[program]` away")
}

/// A version that can be the name of a tag and a part of a path.
fn release(text: &str) -> Result<String, &'static str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".+-".contains(&byte);
    let begins = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if begins && text.len() <= 64 && text.bytes().all(fits) && !text.contains("..") {
        Ok(text.to_owned())
    } else {
        Err("a version such as `0.3.1`, without the `v` of its tag")
    }
}

fn checksum(text: &str) -> Result<String, &'static str> {
    let text = text.to_ascii_lowercase();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text)
    } else {
        Err("64 hexadecimal digits, as `sha256sum` prints them")
    }
}
