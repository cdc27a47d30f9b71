//! One problem of the written form: where it is, what was expected, what to do.

mod render;

use std::fmt;
use std::sync::Arc;

pub use render::{Style, render};

/// A stretch of one file of the fleet repository.
///
/// Offsets are bytes; line and column count from one, the column in characters, since that is what
/// editors show.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Path relative to the fleet's root, with `/`.
    pub file: Arc<str>,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Line of the first byte, from 1.
    pub line: usize,
    /// Column of the first byte in characters, from 1.
    pub column: usize,
}

impl Span {
    /// The stretch `start..end` of `text`, which is the content of `file`.
    #[must_use]
    pub fn of(file: &Arc<str>, text: &str, start: usize, end: usize) -> Self {
        let start = floor_boundary(text, start);
        let end = floor_boundary(text, end).max(start);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            file: Arc::clone(file),
            start,
            end,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The file as a whole: used where something is missing from it.
    #[must_use]
    pub fn whole(file: &str) -> Self {
        Self {
            file: Arc::from(file),
            start: 0,
            end: 0,
            line: 1,
            column: 1,
        }
    }
}

fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for Span {
    /// `config.env:3:8`, or the file alone where it stands for the whole.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.end == 0 {
            return out.write_str(&self.file);
        }
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Located<T> {
    /// A value read at `span`.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// The one of `names` nearest to what was written, when one is near enough to be meant.
#[must_use]
pub fn nearest<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let near = |name: &&str| {
        strsim::jaro_winkler(written, name) > 0.8 || strsim::osa_distance(written, name) <= 1
    };
    let likeness = |name: &str| strsim::jaro_winkler(written, name);
    names
        .into_iter()
        .filter(near)
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth reading; nothing is stopped by it.
    Warning,
    /// Nothing is planned, and no call is made, before this is mended.
    Error,
}

/// One problem of the written form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable name of the kind of problem, such as `unknown-key`; documented, never reused.
    pub code: &'static str,
    /// What is wrong, a lower-case fragment with literal values in backticks.
    pub message: String,
    /// Where; absent only when no file is to blame.
    pub span: Option<Span>,
    /// What was expected at that place, shown under the source line.
    pub expected: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// Other places that belong to the story, each with a word: `first used here`.
    pub related: Vec<(Span, String)>,
}

impl Diagnostic {
    /// An error at `span`.
    #[must_use]
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            span: Some(span),
            expected: None,
            help: None,
            related: Vec::new(),
        }
    }

    /// A warning at `span`.
    #[must_use]
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, message)
        }
    }

    /// Adds what was expected at the place.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place that belongs to the story.
    #[must_use]
    pub fn related(mut self, span: Span, word: impl Into<String>) -> Self {
        self.related.push((span, word.into()));
        self
    }

    /// Whether it stops everything.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Error)
    }
}

impl fmt::Display for Diagnostic {
    /// One line: `config.env:3:8: error[bad-unit]: …`, for logs and for places without colour.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(span) = &self.span {
            write!(out, "{span}: ")?;
        }
        let severity = if self.is_error() { "error" } else { "warning" };
        write!(out, "{severity}[{}]: {}", self.code, self.message)?;
        if let Some(expected) = &self.expected {
            write!(out, "; {expected}")?;
        }
        if let Some(help) = &self.help {
            write!(out, "; help: {help}")?;
        }
        Ok(())
    }
}
