//! YAML as a tree of nodes that remember where they stood and how they were written.
//!
//! The real server hands parts of a workflow on as they were written (flow or block, quoted or
//! not), so the style of a node is part of its value here.

mod resolve;
mod write;

use std::collections::HashMap;
use std::fmt;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

pub(super) use resolve::{Resolved, natural_order, reads_as_text, resolve};
pub(super) use write::write;

/// Line and column of something in a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl From<&Marker> for Place {
    fn from(marker: &Marker) -> Self {
        Self {
            line: marker.line(),
            column: marker.col() + 1,
        }
    }
}

/// How a scalar was, or is to be, written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
    Folded,
}

/// Whether a collection stands on one line between brackets, or on lines of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Block,
    Flow,
}

/// One node of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Scalar(String, Style),
    Sequence(Vec<Node>, Layout),
    Mapping(Vec<(Node, Node)>, Layout),
}

impl Node {
    /// A node of our own making.
    pub(super) fn new(content: Content) -> Self {
        Self {
            place: Place::default(),
            content,
        }
    }

    /// A text, written so that it is read as a text again.
    pub(super) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        let style = if text.contains('\n') {
            Style::Literal
        } else if reads_as_text(&text) {
            Style::Plain
        } else {
            Style::Double
        };
        Self::new(Content::Scalar(text, style))
    }

    /// A scalar without quotes.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::new(Content::Scalar(text.into(), Style::Plain))
    }

    /// A block mapping with texts as keys.
    pub(super) fn mapping(pairs: Vec<(&str, Self)>) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(key, value)| (Self::text(key), value))
            .collect();
        Self::new(Content::Mapping(pairs, Layout::Block))
    }

    /// The text of a scalar, whatever it may be read as.
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(text, _) => Some(text),
            Content::Sequence(..) | Content::Mapping(..) => None,
        }
    }

    /// The elements of a sequence.
    pub(super) fn as_items(&self) -> Option<&[Self]> {
        match &self.content {
            Content::Sequence(items, _) => Some(items),
            Content::Scalar(..) | Content::Mapping(..) => None,
        }
    }

    /// The pairs of a mapping.
    pub(super) fn as_pairs(&self) -> Option<&[(Self, Self)]> {
        match &self.content {
            Content::Mapping(pairs, _) => Some(pairs),
            Content::Scalar(..) | Content::Sequence(..) => None,
        }
    }

    /// The value of a key of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let pairs = self.as_pairs()?;
        pairs
            .iter()
            .find(|(name, _)| name.as_text() == Some(key))
            .map(|(_, value)| value)
    }

    /// What the scalar is read as; collections are none of it.
    pub(super) fn resolved(&self) -> Option<Resolved> {
        match &self.content {
            Content::Scalar(text, Style::Plain) => Some(resolve(text)),
            Content::Scalar(text, _) => Some(Resolved::Text(text.clone())),
            Content::Sequence(..) | Content::Mapping(..) => None,
        }
    }

    /// Whether this is `null`, `~` or nothing at all.
    pub(super) fn is_null(&self) -> bool {
        self.resolved() == Some(Resolved::Null)
    }
}

/// Why a text is no YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub(super) struct Broken {
    pub(super) place: Place,
    pub(super) problem: String,
}

/// How many nodes a document may have once its aliases are written out.
const NODES_MAX: usize = 100_000;

/// How deep nodes may lie in each other.
const DEPTH_MAX: usize = 100;

/// Reads the first document of a text; `None` when there is nothing in it.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Broken> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        characters: text.chars().collect(),
        anchors: HashMap::new(),
        nodes: 0,
    };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(None),
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event => {
                let node = reader.node(event, span, 0)?;
                reader.rest()?;
                return Ok(Some(node));
            }
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    characters: Vec<char>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Broken> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(Broken {
                place: error.marker().into(),
                problem: error.info().to_owned(),
            }),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// What stands behind the first document must be YAML too.
    fn rest(&mut self) -> Result<(), Broken> {
        while self.next()?.0 != Event::StreamEnd {}
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Broken> {
        let place = Place::from(&span.start);
        let too_much = |problem: &str| Broken {
            place,
            problem: problem.to_owned(),
        };
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(too_much("document has too many nodes"));
        }
        if depth > DEPTH_MAX {
            return Err(too_much("document is nested too deeply"));
        }
        let (content, anchor) = match event {
            Event::Alias(anchor) => return self.alias(anchor, place),
            Event::Scalar(text, style, anchor, _) => {
                (Content::Scalar(text.into_owned(), style.into()), anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let layout = self.layout(&span, '[');
                (Content::Sequence(self.items(depth)?, layout), anchor)
            }
            Event::MappingStart(anchor, _) => {
                let layout = self.layout(&span, '{');
                (Content::Mapping(self.pairs(depth)?, layout), anchor)
            }
            _ => return Err(too_much("did not find expected node content")),
        };
        let node = Node { place, content };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn layout(&self, span: &Span, bracket: char) -> Layout {
        if self.characters.get(span.start.index()) == Some(&bracket) {
            Layout::Flow
        } else {
            Layout::Block
        }
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<Node, Broken> {
        let node = self.anchors.get(&anchor).cloned();
        let node = node.ok_or(Broken {
            place,
            problem: "unknown anchor".to_owned(),
        })?;
        self.nodes += count(&node);
        Ok(node)
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, Broken> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn pairs(&mut self, depth: usize) -> Result<Vec<(Node, Node)>, Broken> {
        let mut pairs: Vec<(Node, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(pairs);
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            if key.as_text() == Some("<<") {
                merge(&mut pairs, &value);
                continue;
            }
            if pairs.iter().any(|(known, _)| known.content == key.content) {
                let name = key.as_text().unwrap_or("of a collection");
                let problem = format!("mapping key \"{name}\" already defined");
                return Err(Broken {
                    place: key.place,
                    problem,
                });
            }
            pairs.push((key, value));
        }
    }
}

/// `<<: *other`: pairs that the mapping does not have itself.
fn merge(pairs: &mut Vec<(Node, Node)>, source: &Node) {
    let sources = source.as_items().unwrap_or(std::slice::from_ref(source));
    for (key, value) in sources.iter().filter_map(Node::as_pairs).flatten() {
        if !pairs.iter().any(|(known, _)| known.content == key.content) {
            pairs.push((key.clone(), value.clone()));
        }
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.content {
        Content::Scalar(..) => 0,
        Content::Sequence(items, _) => items.iter().map(count).sum(),
        Content::Mapping(pairs, _) => pairs
            .iter()
            .map(|(key, value)| count(key) + count(value))
            .sum(),
    }
}

impl From<ScalarStyle> for Style {
    fn from(style: ScalarStyle) -> Self {
        match style {
            ScalarStyle::Plain => Self::Plain,
            ScalarStyle::SingleQuoted => Self::Single,
            ScalarStyle::DoubleQuoted => Self::Double,
            ScalarStyle::Literal => Self::Literal,
            ScalarStyle::Folded => Self::Folded,
        }
    }
}
