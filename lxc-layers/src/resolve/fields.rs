//! The cascade: one key of one container, from its file, the fleet's defaults or the program's.

use crate::diagnostic::{Diagnostic, Located, Span};
use crate::resolve::interpolate::Scope;
use crate::resolve::{Explained, Origin};
use crate::spec::keys::Scope as KeyScope;
use crate::spec::{ContainerSpec, Entry, Fleet, Key};

/// Why a text cannot be a value of its key: the parts of a diagnostic that lacks its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) expected: String,
    pub(super) help: String,
}

impl Wrong {
    /// A value that is none of what the key takes.
    pub(super) fn value(text: &str, expected: impl Into<String>) -> Self {
        let expected = expected.into();
        Self {
            code: "bad-value",
            message: format!("`{text}` is no value"),
            help: String::new(),
            expected: format!("expected {expected}"),
        }
    }

    /// The same with a code and words of its own.
    pub(super) fn other(
        code: &'static str,
        message: impl Into<String>,
        expected: &str,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            expected: format!("expected {expected}"),
            help: help.into(),
        }
    }
}

/// What was written for a key: its items, interpolated, and where they came from.
pub(super) struct Cell {
    pub(super) items: Vec<Located<String>>,
    pub(super) origin: Origin,
}

/// Reads the fields of one container; keeps what is wrong, and what each field came from.
pub(super) struct Fields<'a> {
    spec: &'a ContainerSpec,
    fleet: &'a Fleet,
    scope: &'a Scope<'a>,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) explained: Vec<Explained>,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(
        spec: &'a ContainerSpec,
        fleet: &'a Fleet,
        scope: &'a Scope<'a>,
    ) -> Self {
        Self {
            spec,
            fleet,
            scope,
            problems: Vec::new(),
            explained: Vec::new(),
        }
    }

    /// What is written for a key, the container's own first.
    pub(super) fn cell(&mut self, key: Key) -> Option<Cell> {
        let own = self
            .spec
            .entries
            .get(&key)
            .map(|entry| (entry, Origin::Container(entry.value.clone())));
        let fleet = || {
            self.fleet
                .defaults
                .get(&key)
                .map(|entry| (entry, Origin::Fleet(entry.value.clone())))
        };
        let (entry, origin) = own.or_else(fleet)?;
        Some(Cell {
            items: self.interpolated(entry),
            origin,
        })
    }

    fn interpolated(&mut self, entry: &Entry) -> Vec<Located<String>> {
        let mut items = Vec::new();
        for item in &entry.items {
            match self.scope.plain(item) {
                Ok(text) => items.push(Located::new(text, item.span.clone())),
                Err(problem) => self.problems.push(*problem),
            }
        }
        items
    }

    /// The single value of a key, or what `absent` gives.
    pub(super) fn one<T>(
        &mut self,
        key: Key,
        absent: T,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> T {
        self.maybe(key, parse)
            .map_or(absent, |located| located.value)
    }

    /// The single value of a key with its place, when it is written and right.
    pub(super) fn maybe<T>(
        &mut self,
        key: Key,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        let Some(cell) = self.cell(key) else {
            self.explain(key, key.row().default.to_owned(), Origin::BuiltIn);
            return None;
        };
        let item = cell.items.into_iter().next()?;
        self.explain(key, item.value.clone(), cell.origin);
        if item.value.is_empty() && key != Key::Description {
            let message = format!("`{}` is empty", key.name());
            self.problems.push(
                Diagnostic::error("empty-value", item.span, message)
                    .expected(format!("expected {}", key.row().grammar))
                    .help(match (key.row().default, key.row().scope) {
                        ("required", KeyScope::Fleet) => {
                            "give it a value, or remove the line where `[defaults]` has one"
                                .to_owned()
                        }
                        ("required", KeyScope::Container) => "give it a value".to_owned(),
                        (default, _) => {
                            format!("give it a value, or remove the line: the default is {default}")
                        }
                    }),
            );
            return None;
        }
        match parse(&item.value) {
            Ok(value) => Some(Located::new(value, item.span)),
            Err(wrong) => {
                self.reject(key, item, wrong);
                None
            }
        }
    }

    /// The items of a list that are right; `None` when the key is not written at all.
    pub(super) fn many<T>(
        &mut self,
        key: Key,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<Located<T>>> {
        let Some(cell) = self.cell(key) else {
            self.explain(key, key.row().default.to_owned(), Origin::BuiltIn);
            return None;
        };
        let texts: Vec<_> = cell.items.iter().map(|item| item.value.as_str()).collect();
        self.explain(key, texts.join(","), cell.origin);
        let mut found = Vec::new();
        // A blank or empty item was reported where it was read.
        for item in cell
            .items
            .into_iter()
            .filter(|item| !item.value.trim().is_empty())
        {
            match parse(item.value.trim()) {
                Ok(value) => found.push(Located::new(value, item.span)),
                Err(wrong) => self.reject(key, item, wrong),
            }
        }
        Some(found)
    }

    fn reject(&mut self, key: Key, item: Located<String>, wrong: Wrong) {
        let row = key.row();
        let (message, help) = match wrong.help.as_str() {
            "" => (
                format!("{} of `{}`", wrong.message, row.name),
                match row.default {
                    "required" => format!("`{}` takes {}, and is required", row.name, row.grammar),
                    default => {
                        format!(
                            "`{}` takes {}; without it: {default}",
                            row.name, row.grammar
                        )
                    }
                },
            ),
            help => (wrong.message, help.to_owned()),
        };
        self.problems.push(
            Diagnostic::error(wrong.code, item.span, message)
                .expected(wrong.expected)
                .help(help),
        );
    }

    /// Says where a value came from that no file holds.
    pub(super) fn derived(&mut self, key: Key, value: impl Into<String>, from: &str) {
        self.explained.retain(|explained| explained.key != key);
        self.explain(key, value.into(), Origin::Derived(from.to_owned()));
    }

    /// Says that a value came from `[network]`.
    pub(super) fn fleet_wide(&mut self, key: Key, value: String, span: Span) {
        self.explained.retain(|explained| explained.key != key);
        self.explain(key, value, Origin::Fleet(span));
    }

    fn explain(&mut self, key: Key, value: String, origin: Origin) {
        self.explained.push(Explained { key, value, origin });
    }
}
