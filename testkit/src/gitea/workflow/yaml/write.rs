//! Writes nodes the way the real server does: four blanks, lists indented, no folded lines.

use super::{Content, Layout, Node, Style};

/// The text of a document; it ends with a line feed.
pub(in crate::gitea::workflow) fn write(node: &Node) -> String {
    let mut writer = Writer { out: String::new() };
    match &node.content {
        Content::Mapping(pairs, Layout::Block) if !pairs.is_empty() => {
            writer.pairs(pairs, 0, Start::Here);
        }
        Content::Sequence(items, Layout::Block) if !items.is_empty() => {
            writer.items(items, 0, Start::Here);
        }
        _ => writer.inline(node, 0, 0),
    }
    if !writer.out.ends_with('\n') {
        writer.out.push('\n');
    }
    writer.out
}

struct Writer {
    out: String,
}

/// Whether the first entry of a collection goes on in this line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Here,
    NewLine,
}

/// The indentation of what lies in a mapping of that indentation.
fn deeper(indent: usize) -> usize {
    const STEP: usize = 4;
    STEP * ((indent + STEP) / STEP)
}

impl Writer {
    fn line(&mut self, indent: usize) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn pairs(&mut self, pairs: &[(Node, Node)], indent: usize, start: Start) {
        for (at, (key, value)) in pairs.iter().enumerate() {
            if at > 0 || start == Start::NewLine {
                self.line(indent);
            }
            self.flow(key, Position::Key);
            self.out.push(':');
            self.value(value, indent);
        }
    }

    fn value(&mut self, value: &Node, indent: usize) {
        match &value.content {
            Content::Mapping(pairs, Layout::Block) if !pairs.is_empty() => {
                self.pairs(pairs, deeper(indent), Start::NewLine);
            }
            Content::Sequence(items, Layout::Block) if !items.is_empty() => {
                self.items(items, deeper(indent), Start::NewLine);
            }
            _ => {
                self.out.push(' ');
                self.inline(value, indent, deeper(indent));
            }
        }
    }

    fn items(&mut self, items: &[Node], indent: usize, start: Start) {
        for (at, item) in items.iter().enumerate() {
            if at > 0 || start == Start::NewLine {
                self.line(indent);
            }
            self.out.push_str("- ");
            match &item.content {
                Content::Mapping(pairs, Layout::Block) if !pairs.is_empty() => {
                    self.pairs(pairs, indent + 2, Start::Here);
                }
                Content::Sequence(items, Layout::Block) if !items.is_empty() => {
                    self.items(items, indent + 2, Start::Here);
                }
                _ => self.inline(item, indent, indent + 2),
            }
        }
    }

    /// What fits behind a key or a dash at `parent`; the lines of a block scalar begin at `indent`.
    fn inline(&mut self, node: &Node, parent: usize, indent: usize) {
        match &node.content {
            Content::Scalar(text, style) => {
                self.scalar(text, *style, Position::Block { parent, indent })
            }
            Content::Sequence(..) | Content::Mapping(..) => self.flow(node, Position::Flow),
        }
    }

    fn flow(&mut self, node: &Node, position: Position) {
        match &node.content {
            Content::Scalar(text, style) => self.scalar(text, *style, position),
            Content::Sequence(items, _) => {
                self.out.push('[');
                for (at, item) in items.iter().enumerate() {
                    self.comma(at);
                    self.flow(item, Position::Flow);
                }
                self.out.push(']');
            }
            Content::Mapping(pairs, _) => {
                self.out.push('{');
                for (at, (key, value)) in pairs.iter().enumerate() {
                    self.comma(at);
                    self.flow(key, Position::Flow);
                    self.out.push_str(": ");
                    self.flow(value, Position::Flow);
                }
                self.out.push('}');
            }
        }
    }

    fn comma(&mut self, at: usize) {
        if at > 0 {
            self.out.push_str(", ");
        }
    }

    fn scalar(&mut self, text: &str, style: Style, position: Position) {
        match possible(text, style, position) {
            Style::Plain => self.out.push_str(text),
            Style::Single => {
                self.out.push('\'');
                self.out.push_str(&text.replace('\'', "''"));
                self.out.push('\'');
            }
            Style::Double => self.double(text),
            Style::Literal | Style::Folded => self.literal(text, position),
        }
    }

    fn double(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\t' => self.out.push_str("\\t"),
                '\r' => self.out.push_str("\\r"),
                '\0' => self.out.push_str("\\0"),
                '\u{1b}' => self.out.push_str("\\e"),
                c if !is_printable(c) && u32::from(c) <= 0xff => {
                    self.out.push_str(&format!("\\x{:02X}", u32::from(c)));
                }
                c if !is_printable(c) => self.out.push_str(&format!("\\u{:04X}", u32::from(c))),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    /// A block scalar; a folded one is written literally, which means the same.
    fn literal(&mut self, text: &str, position: Position) {
        let (parent, indent) = match position {
            Position::Block { parent, indent } => (parent, indent),
            Position::Flow | Position::Key => (0, 0),
        };
        self.out.push('|');
        if text.starts_with([' ', '\n']) {
            // The real server always says 4 here, which is wrong in a step.
            self.out.push_str(&(indent - parent).to_string());
        }
        if !text.ends_with('\n') {
            self.out.push('-');
        } else if text.ends_with("\n\n") || text == "\n" {
            self.out.push('+');
        }
        self.out.push('\n');
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            if !line.is_empty() {
                self.out.extend(std::iter::repeat_n(' ', indent));
                self.out.push_str(line);
            }
            self.out.push('\n');
        }
    }
}

/// Where a scalar stands, which limits how it may be written.
#[derive(Clone, Copy)]
enum Position {
    /// Behind a key or a dash.
    Block {
        /// The column of what it belongs to.
        parent: usize,
        /// The column at which its lines would begin.
        indent: usize,
    },
    /// Between brackets.
    Flow,
    /// Before a colon.
    Key,
}

/// The style that is wanted, or the next one that can hold the text.
fn possible(text: &str, wanted: Style, position: Position) -> Style {
    let looks = Looks::of(text);
    let block = matches!(position, Position::Block { .. });
    let mut style = match wanted {
        Style::Literal | Style::Folded if !block || !looks.block_allowed => Style::Double,
        other => other,
    };
    let plain_allowed = if matches!(position, Position::Flow) {
        looks.flow_plain_allowed
    } else {
        looks.block_plain_allowed
    };
    let multiline_key = matches!(position, Position::Key) && text.contains('\n');
    if style == Style::Plain && (!plain_allowed || multiline_key || (text.is_empty() && !block)) {
        style = Style::Single;
    }
    if style == Style::Single && (!looks.single_allowed || text.contains('\n')) {
        style = Style::Double;
    }
    style
}

/// What a text contains that matters for its style.
struct Looks {
    flow_plain_allowed: bool,
    block_plain_allowed: bool,
    single_allowed: bool,
    block_allowed: bool,
}

impl Looks {
    fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self {
                flow_plain_allowed: false,
                block_plain_allowed: true,
                single_allowed: true,
                block_allowed: false,
            };
        }
        let marks = text.starts_with("---") || text.starts_with("...");
        let special = text.chars().any(|c| c != '\n' && !is_printable(c));
        let tabs = text.contains('\t');
        let space_break = text.contains(" \n");
        let break_space = text.contains("\n ");
        let edges = text.starts_with([' ', '\n']) || text.ends_with([' ', '\n']);
        let breaks = text.contains('\n');
        let never_plain = marks || special || tabs || space_break || break_space || edges || breaks;
        Self {
            flow_plain_allowed: !never_plain && !flow_indicators(text) && !block_indicators(text),
            block_plain_allowed: !never_plain && !block_indicators(text),
            single_allowed: !(special || tabs || space_break || break_space),
            block_allowed: !(special || space_break || text.ends_with(' ')),
        }
    }
}

/// Characters that mean something in a block when they stand there.
fn block_indicators(text: &str) -> bool {
    let mut characters = text.chars();
    let first = characters.next().unwrap_or_default();
    let second = characters.next();
    let blank_follows = second.is_none_or(|c| c == ' ' || c == '\t');
    "#,[]{}&*!|>'\"%@`".contains(first)
        || ("?:-".contains(first) && blank_follows)
        || text.contains(": ")
        || text.ends_with(':')
        || text.contains(" #")
        || text.contains("\t#")
}

/// Characters that mean something between brackets.
fn flow_indicators(text: &str) -> bool {
    text.starts_with(['?', ':']) || text.contains([',', '?', '[', ']', '{', '}', ':'])
}

fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\u{20}'..='\u{7e}' | '\u{85}' | '\u{a0}'..='\u{d7ff}'
        | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
