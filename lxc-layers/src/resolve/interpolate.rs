//! `${NAME}`: variables of the fleet and of the container, and secrets where nobody sees them.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::diagnostic::{Diagnostic, Located, nearest};
use crate::resolve::Variable;
use crate::spec::Secret;

/// How far a variable may refer to others: a bound against a circle, far beyond any use.
const DEPTH_MAX: usize = 16;

/// The names that may stand in `${…}`.
pub(super) struct Scope<'a> {
    /// `VARS` of the container.
    pub(super) own: IndexMap<String, Located<String>>,
    /// `[vars]` of the fleet.
    pub(super) fleet: &'a IndexMap<String, Located<String>>,
    /// `secrets.local.env`.
    pub(super) secrets: &'a BTreeMap<String, Located<Secret>>,
}

/// A text with its names replaced.
struct Expanded {
    text: String,
    secret: bool,
}

impl Scope<'_> {
    /// A text for a field that Proxmox VE shows to everyone: no secret may enter it.
    pub(super) fn plain(&self, item: &Located<String>) -> Result<String, Box<Diagnostic>> {
        let expanded = self.expand(item, &item.value, 0)?;
        if expanded.secret {
            let message = "a secret would be shown to everyone who may see the guest";
            let problem = Diagnostic::error("secret-in-field", item.span.clone(), message);
            return Err(Box::new(
                problem.help("give secrets to the provisioners, by `SECRETS`"),
            ));
        }
        Ok(expanded.text)
    }

    /// A variable for a provisioner: a secret one when a secret enters it.
    pub(super) fn variable(&self, item: &Located<String>) -> Result<Variable, Box<Diagnostic>> {
        let expanded = self.expand(item, &item.value, 0)?;
        Ok(if expanded.secret {
            Variable::Secret(Secret::new(expanded.text))
        } else {
            Variable::Plain(expanded.text)
        })
    }

    fn expand(
        &self,
        item: &Located<String>,
        text: &str,
        depth: usize,
    ) -> Result<Expanded, Box<Diagnostic>> {
        let mut out = Expanded {
            text: String::new(),
            secret: false,
        };
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            // `$${` is a literal `${`.
            if rest[..at].ends_with('$') {
                out.text.push_str(&rest[..at]);
                out.text.push('{');
                rest = &rest[at + 2..];
                continue;
            }
            out.text.push_str(&rest[..at]);
            let Some(end) = rest[at..].find('}') else {
                let problem =
                    Diagnostic::error("open-name", item.span.clone(), "`${` is never closed");
                return Err(Box::new(
                    problem
                        .expected("expected `${NAME}`")
                        .help("close it, or write `$${` for the two characters"),
                ));
            };
            self.name(item, &rest[at + 2..at + end], depth, &mut out)?;
            rest = &rest[at + end + 1..];
        }
        out.text.push_str(rest);
        Ok(out)
    }

    fn name(
        &self,
        item: &Located<String>,
        name: &str,
        depth: usize,
        out: &mut Expanded,
    ) -> Result<(), Box<Diagnostic>> {
        if depth >= DEPTH_MAX {
            let problem = Diagnostic::error(
                "variable-cycle",
                item.span.clone(),
                format!("`{name}` refers to itself"),
            );
            return Err(Box::new(
                problem.help("break the circle in `[vars]` or `VARS`"),
            ));
        }
        if let Some(value) = self.own.get(name).or_else(|| self.fleet.get(name)) {
            let expanded = self.expand(item, &value.value, depth + 1)?;
            out.text.push_str(&expanded.text);
            out.secret |= expanded.secret;
        } else if let Some(secret) = self.secrets.get(name) {
            out.text.push_str(secret.value.reveal());
            out.secret = true;
        } else {
            return Err(Box::new(self.unknown(item, name)));
        }
        Ok(())
    }

    fn unknown(&self, item: &Located<String>, name: &str) -> Diagnostic {
        let known = self
            .own
            .keys()
            .chain(self.fleet.keys())
            .chain(self.secrets.keys());
        let problem = Diagnostic::error(
            "unknown-name",
            item.span.clone(),
            format!("nothing is called `{name}`"),
        );
        let problem = match nearest(name, known.map(String::as_str)) {
            Some(known) => problem.expected(format!("did you mean `${{{known}}}`?")),
            None => {
                problem.expected("expected a name of `[vars]`, of `VARS` or of `secrets.local.env`")
            }
        };
        problem.help(format!(
            "add `{name}` to `[vars]` in `fleet.toml`, or write `$${{` for a literal `${{`"
        ))
    }
}
