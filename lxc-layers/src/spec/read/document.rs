//! TOML with places: thin reading of one document, for errors that name line and column.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Located, Span, nearest};

/// One TOML file while it is read.
pub(super) struct Document<'a> {
    file: Arc<str>,
    text: &'a str,
}

/// A key of a table with its value.
pub(super) type Pair<'t, 'a> = (Located<String>, &'t Spanned<DeValue<'a>>);

impl<'a> Document<'a> {
    /// Parses as much as can be; a diagnostic for each mistake of the syntax.
    pub(super) fn parse(
        file: &str,
        text: &'a str,
        problems: &mut Vec<Diagnostic>,
    ) -> (Self, DeTable<'a>) {
        let document = Self {
            file: Arc::from(file),
            text,
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let range = error.span().unwrap_or_default();
            let message = error.message().trim().replace('\n', ", ");
            let problem = Diagnostic::error(
                "bad-toml",
                document.span(range),
                format!("this is not TOML: {message}"),
            );
            problems.push(problem.help(
                "quote text, separate array items by commas, write one `key = value` a line",
            ));
        }
        (document, table.into_inner())
    }

    pub(super) fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span::of(&self.file, self.text, range.start, range.end)
    }

    /// The pairs of a table in the order of the file.
    pub(super) fn pairs<'t>(&self, table: &'t DeTable<'a>) -> Vec<Pair<'t, 'a>> {
        let mut pairs: Vec<_> = table.iter().collect();
        pairs.sort_by_key(|(key, _)| key.span().start);
        let located = |(key, value): (&Spanned<_>, &'t Spanned<DeValue<'a>>)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            (Located::new(name.to_string(), self.span(key.span())), value)
        };
        pairs.into_iter().map(located).collect()
    }

    /// The place of a value.
    pub(super) fn place(&self, value: &Spanned<DeValue<'a>>) -> Span {
        self.span(value.span())
    }

    /// A value as the text that `config.env` would hold: strings, numbers and booleans only.
    pub(super) fn scalar(
        &self,
        value: &Spanned<DeValue<'a>>,
    ) -> Result<Located<String>, Box<Diagnostic>> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string().replace('_', ""),
            DeValue::Float(number) => number.as_str().replace('_', ""),
            DeValue::Boolean(true) => "yes".to_owned(),
            DeValue::Boolean(false) => "no".to_owned(),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                return Err(Box::new(self.wrong(value, "text, a number, true or false")));
            }
        };
        Ok(Located::new(text, self.place(value)))
    }

    /// A string and nothing else.
    pub(super) fn string(
        &self,
        value: &Spanned<DeValue<'a>>,
    ) -> Result<Located<String>, Box<Diagnostic>> {
        match value.get_ref() {
            DeValue::String(text) => Ok(Located::new(text.to_string(), self.place(value))),
            _ => Err(Box::new(self.wrong(value, "text in quotes"))),
        }
    }

    /// A table and nothing else.
    pub(super) fn table<'t>(
        &self,
        value: &'t Spanned<DeValue<'a>>,
    ) -> Result<&'t DeTable<'a>, Box<Diagnostic>> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(Box::new(self.wrong(value, "a table"))),
        }
    }

    /// The diagnostic for a value of the wrong kind.
    pub(super) fn wrong(&self, value: &Spanned<DeValue<'a>>, wanted: &str) -> Diagnostic {
        let kind = match value.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a decimal",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        Diagnostic::error("bad-kind", self.place(value), format!("this is {kind}"))
            .expected(format!("expected {wanted}"))
            .help(format!("write {wanted} here"))
    }
}

/// The diagnostic for a key that nobody reads.
pub(super) fn unknown_key(key: &Located<String>, names: &[&str]) -> Diagnostic {
    let problem = Diagnostic::error(
        "unknown-key",
        key.span.clone(),
        format!("there is no key `{}` here", key.value),
    );
    match nearest(&key.value, names.iter().copied()) {
        Some(name) => problem
            .expected(format!("did you mean `{name}`?"))
            .help(format!("write `{name}`, or remove the line")),
        None => problem
            .expected(format!("expected one of {}", names.join(", ")))
            .help("remove the line"),
    }
}
