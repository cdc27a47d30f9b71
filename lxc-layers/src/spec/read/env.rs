//! The lines of an env file: `KEY=VALUE`, parsed without a shell.
//!
//! A value stands bare, or in single or double quotes, which mean the same and hold no escapes.
//! `#` begins a comment at the start of a line and after a blank. Nothing is ever run: `$(…)` and
//! backquotes are text. `${NAME}` is replaced later, by container-init.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Located, Span};

/// One line that says something.
pub(super) struct Line {
    pub(super) key: Located<String>,
    pub(super) value: Located<String>,
}

/// All lines of `text`, and a diagnostic for each that is none.
pub(super) fn lines(file: &str, text: &str, problems: &mut Vec<Diagnostic>) -> Vec<Line> {
    let reader = Reader {
        file: Arc::from(file),
        text,
    };
    let mut found: Vec<Line> = Vec::new();
    let mut start = 0;
    for raw in text.split_inclusive('\n') {
        let line = raw.trim_end_matches(['\n', '\r']);
        match reader.line(start, line) {
            Ok(None) => {}
            Ok(Some(line)) => match found
                .iter()
                .find(|earlier| earlier.key.value == line.key.value)
            {
                Some(earlier) => problems.push(twice(&line, earlier)),
                None => found.push(line),
            },
            Err(problem) => problems.push(*problem),
        }
        start += raw.len();
    }
    found
}

fn twice(line: &Line, earlier: &Line) -> Diagnostic {
    let message = format!("`{}` is written twice", line.key.value);
    Diagnostic::error("duplicate-key", line.key.span.clone(), message)
        .related(earlier.key.span.clone(), "first written here")
        .help("keep one of the two lines")
}

struct Reader<'a> {
    file: Arc<str>,
    text: &'a str,
}

impl Reader<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span::of(&self.file, self.text, start, end)
    }

    fn line(&self, start: usize, line: &str) -> Result<Option<Line>, Box<Diagnostic>> {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            return Ok(None);
        }
        let Some(equals) = line.find('=') else {
            return Err(Box::new(self.no_line(start, line)));
        };
        let key = self.key(start, &line[..equals])?;
        let value = self.value(start + equals + 1, &line[equals + 1..])?;
        Ok(Some(Line { key, value }))
    }

    fn no_line(&self, start: usize, line: &str) -> Diagnostic {
        let from = start + (line.len() - line.trim_start().len());
        let span = self.span(from, start + line.trim_end().len());
        Diagnostic::error("bad-line", span, "this line says nothing")
            .expected("expected `KEY=VALUE`")
            .help("write `KEY=VALUE`, or begin the line with `#` to make it a comment")
    }

    fn key(&self, start: usize, written: &str) -> Result<Located<String>, Box<Diagnostic>> {
        let span = self.span(start, start + written.len());
        if let Some(name) = written.trim_start().strip_prefix("export ") {
            let problem = Diagnostic::error("bad-line", span, "this file is not read by a shell")
                .expected(format!("expected `{}=`", name.trim()));
            return Err(Box::new(problem.help("leave `export` away")));
        }
        if written.trim() != written {
            let problem = Diagnostic::error("bad-line", span, "there is a blank beside the key")
                .expected(format!("expected `{}=`", written.trim()));
            return Err(Box::new(problem.help(
                "write the key at the start of the line and `=` right after it",
            )));
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if written.is_empty() || !written.bytes().all(fits) {
            let problem =
                Diagnostic::error("bad-line", span, format!("`{written}` cannot be a key"))
                    .expected("expected capital letters, digits and `_`");
            return Err(Box::new(problem.help("write `KEY=VALUE`")));
        }
        Ok(Located::new(written.to_owned(), span))
    }

    fn value(&self, start: usize, written: &str) -> Result<Located<String>, Box<Diagnostic>> {
        if written.starts_with([' ', '\t'])
            && !written.trim().is_empty()
            && !written.trim().starts_with('#')
        {
            let span = self.span(start, start + written.len() - written.trim_start().len());
            let problem = Diagnostic::error("bad-line", span, "there is a blank after `=`")
                .expected("expected the value right here");
            return Err(Box::new(problem.help(
                "write the value right after `=`, in quotes if it begins with a blank",
            )));
        }
        match written.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(start, written, quote),
            _ => {
                let value = without_comment(written).trim_end();
                Ok(Located::new(
                    value.to_owned(),
                    self.span(start, start + value.len()),
                ))
            }
        }
    }

    fn quoted(
        &self,
        start: usize,
        written: &str,
        quote: char,
    ) -> Result<Located<String>, Box<Diagnostic>> {
        let inner = &written[1..];
        let Some(end) = inner.find(quote) else {
            let span = self.span(start, start + written.trim_end().len());
            let problem = Diagnostic::error(
                "open-quote",
                span,
                format!("the quote {quote} is never closed"),
            );
            return Err(Box::new(
                problem.help("close it on the same line: a value never spans lines"),
            ));
        };
        let rest = &inner[end + 1..];
        if !without_comment(rest).trim().is_empty() {
            let from = start + 1 + end + 1;
            let span = self.span(from, from + rest.trim_end().len());
            let problem =
                Diagnostic::error("bad-line", span, "there is text after the closing quote")
                    .expected("expected the end of the line");
            return Err(Box::new(
                problem.help("put the whole value in one pair of quotes"),
            ));
        }
        Ok(Located::new(
            inner[..end].to_owned(),
            self.span(start + 1, start + 1 + end),
        ))
    }
}

/// The text up to a `#` that begins it or follows a blank.
fn without_comment(text: &str) -> &str {
    let begins = |at: usize| at == 0 || text[..at].ends_with([' ', '\t']);
    let comment = text.match_indices('#').find(|(at, _)| begins(*at));
    comment.map_or(text, |(at, _)| &text[..at])
}
