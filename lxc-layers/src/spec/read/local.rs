//! The files that stay on this machine: `fleet.local.toml` and `secrets.local.env`.
//!
//! No message of this file holds a value: one of them may be a secret at the wrong place.

use std::collections::BTreeMap;

use super::document::{Document, unknown_key};
use super::env;
use crate::diagnostic::{Diagnostic, Located, Span};
use crate::spec::keys::{File, names};
use crate::spec::{Secret, Tree};

const CONNECTION: &str = "fleet.local.toml";
const SECRETS: &str = "secrets.local.env";

/// How to reach Proxmox VE, as `fleet.local.toml` says it; flags and environment win over it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Where the API is.
    pub url: Option<Located<String>>,
    /// SHA-256 fingerprint of its certificate.
    pub fingerprint: Option<Located<String>>,
    /// File with the authorities to trust, relative to the fleet's root.
    pub ca_file: Option<Located<String>>,
    /// File with the API token, relative to the fleet's root.
    pub token_file: Option<Located<String>>,
}

/// The connection that the tree's `fleet.local.toml` describes; empty without that file.
pub fn connection(tree: &Tree, problems: &mut Vec<Diagnostic>) -> Connection {
    let mut found = Connection::default();
    let Some(text) = tree.texts.get(CONNECTION) else {
        return found;
    };
    let (document, table) = Document::parse(CONNECTION, &text.content, problems);
    for (key, value) in document.pairs(&table) {
        let slot = match key.value.as_str() {
            "url" => &mut found.url,
            "fingerprint" => &mut found.fingerprint,
            "ca_file" => &mut found.ca_file,
            "token_file" => &mut found.token_file,
            _ => {
                problems.push(no_connection_key(&key));
                continue;
            }
        };
        match document.string(value) {
            Ok(text) => *slot = Some(text),
            Err(problem) => problems.push(*problem),
        }
    }
    if let (Some(pin), Some(_)) = (&found.fingerprint, &found.ca_file) {
        problems.push(
            Diagnostic::error("two-trusts", pin.span.clone(), "`fingerprint` and `ca_file` exclude each other")
                .help("keep `fingerprint` for a self-signed certificate, `ca_file` for an authority of your own"),
        );
    }
    found
}

fn no_connection_key(key: &Located<String>) -> Diagnostic {
    if ["token", "password", "secret", "api_token"].contains(&key.value.as_str()) {
        let message = format!(
            "`{}` does not belong here: no secret stands in this file",
            key.value
        );
        return Diagnostic::error("unknown-key", key.span.clone(), message).help(
            "write the token into a file of its own, mode 0600, and name it by `token_file`",
        );
    }
    unknown_key(key, &names(File::Connection, ""))
}

/// The secrets of `secrets.local.env`.
pub(super) fn secrets(
    tree: &Tree,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Located<Secret>> {
    let Some(text) = tree.texts.get(SECRETS) else {
        return BTreeMap::new();
    };
    let mut found = BTreeMap::new();
    for line in env::lines(SECRETS, &text.content, problems) {
        if !is_variable_name(&line.key.value) {
            problems.push(bad_variable(&line.key));
        } else if line.value.value.is_empty() {
            problems.push(
                Diagnostic::error(
                    "empty-value",
                    line.key.span,
                    format!("the secret `{}` is empty", line.key.value),
                )
                .help("give it a value, or remove the line"),
            );
        } else {
            found.insert(
                line.key.value,
                Located::new(Secret::new(line.value.value), line.value.span),
            );
        }
    }
    found
}

/// Whether a name may be one of a variable: capitals, digits, `_`, not beginning with a digit.
pub(crate) fn is_variable_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The diagnostic for a name that is no variable's.
pub(crate) fn bad_variable(name: &Located<String>) -> Diagnostic {
    Diagnostic::error(
        "bad-name",
        name.span.clone(),
        format!("`{}` cannot be the name of a variable", name.value),
    )
    .expected("expected capital letters, digits and `_`")
    .help(format!(
        "write `{}`",
        name.value.to_ascii_uppercase().replace(['-', '.'], "_")
    ))
}

/// Modes of the `.local` files, and whether git tracks one.
pub(super) fn check_files(tree: &Tree, problems: &mut Vec<Diagnostic>) {
    for (path, text) in &tree.texts {
        if is_local(path) && text.mode & 0o077 != 0 {
            let message = format!("others may read `{path}`: its mode is {:04o}", text.mode);
            problems.push(
                Diagnostic::error("open-mode", Span::whole(path), message)
                    .expected("expected mode 0600")
                    .help(format!("run `chmod 600 {path}`")),
            );
        }
    }
    for path in tree.tracked.iter().flatten().filter(|path| is_local(path)) {
        let message = format!("git tracks `{path}`, which must stay on this machine");
        problems.push(
            Diagnostic::error("tracked-local", Span::whole(path), message)
                .help(format!("run `git rm --cached {path}`, add `*.local.*` to `.gitignore`, and renew what stands in it")),
        );
    }
}

/// Whether a path is one of a file that stays on its machine: `NAME.local.ENDING`.
pub(crate) fn is_local(path: &str) -> bool {
    path.rsplit('/')
        .next()
        .is_some_and(|name| name.contains(".local."))
}
