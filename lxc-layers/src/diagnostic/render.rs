//! Diagnostics as a person reads them: the source line, a mark under it, and what to do.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Span};
use crate::spec::{Tree, is_local};

/// How wide what we say below a source line may be.
const WIDTH: usize = 80;

/// How words are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Without colour: for files, logs and `NO_COLOR`.
    #[default]
    Plain,
    /// With colour: for a terminal.
    Coloured,
}

/// Renders diagnostics one after the other, each with its source line.
///
/// A line of a file that stays on its machine is never shown: it may be a secret.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], tree: &Tree, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&one(diagnostic, tree, &renderer));
        out.push_str("\n\n");
    }
    out
}

fn one(diagnostic: &Diagnostic, tree: &Tree, renderer: &Renderer) -> String {
    let level = if diagnostic.is_error() {
        Level::ERROR
    } else {
        Level::WARNING
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code);
    let mut group = Group::with_title(title);
    if let Some(span) = &diagnostic.span {
        match shown(span, tree) {
            Some(text) => {
                let label = diagnostic.expected.as_deref();
                let label = label.filter(|_| beside(diagnostic, span, tree));
                group = group.element(snippet(diagnostic, span, text, label));
            }
            None => group = group.element(origin(span)),
        }
        if let Some(expected) = &diagnostic.expected
            && !beside(diagnostic, span, tree)
        {
            group = group.element(Level::NOTE.message(expected.as_str()));
        }
        for (place, word) in diagnostic
            .related
            .iter()
            .filter(|(place, _)| place.file != span.file)
        {
            group = group.element(Level::NOTE.message(format!("{word}: {place}")));
        }
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// Whether what was expected stands beside the mark below the source line: where that is shown, and
/// there is room for it.
fn beside(diagnostic: &Diagnostic, span: &Span, tree: &Tree) -> bool {
    let (Some(text), Some(expected)) = (shown(span, tree), &diagnostic.expected) else {
        return false;
    };
    let marked = text[span.start..span.end].chars().count().max(1);
    let number = span.line.to_string().len();
    number + " | ".len() + span.column + marked + expected.chars().count() <= WIDTH
}

/// The text of a file, when its lines may be shown and there is a stretch to point at.
fn shown<'t>(span: &Span, tree: &'t Tree) -> Option<&'t str> {
    let text = tree
        .texts
        .get(&*span.file)
        .filter(|_| !is_local(&span.file))?;
    (span.end <= text.content.len() && !is_whole(span)).then_some(&*text.content)
}

/// Whether a span stands for its file as a whole.
fn is_whole(span: &Span) -> bool {
    span.end == 0
}

fn origin(span: &Span) -> annotate_snippets::Origin<'_> {
    let origin = annotate_snippets::Origin::path(&*span.file);
    if is_whole(span) {
        origin
    } else {
        origin.line(span.line).char_column(span.column)
    }
}

fn snippet<'d>(
    diagnostic: &'d Diagnostic,
    span: &'d Span,
    text: &'d str,
    label: Option<&'d str>,
) -> Snippet<'d, annotate_snippets::Annotation<'d>> {
    let primary = AnnotationKind::Primary.span(span.start..span.end.max(span.start));
    let primary = match label {
        Some(label) => primary.label(label),
        None => primary,
    };
    let related = diagnostic
        .related
        .iter()
        .filter(|(place, _)| place.file == span.file && !is_whole(place));
    let related = related.map(|(place, word)| {
        AnnotationKind::Context
            .span(place.start..place.end)
            .label(word.as_str())
    });
    Snippet::source(text)
        .path(&*span.file)
        .annotation(primary)
        .annotations(related)
}
