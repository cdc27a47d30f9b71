//! The tables of keys as documentation, made from their rows.

use super::{File, Form, Key, Row, SECTIONS, Scope, Shape, TABLE, parts};

/// The table as Markdown, one row a key.
#[must_use]
pub fn markdown() -> String {
    let mut out = "| key | Proxmox VE field, or who reads it | value | without it | in `[defaults]` | a change is | privilege | meaning |\n\
                   | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for row in &TABLE {
        out.push_str(&line(row));
    }
    out
}

fn line(row: &Row) -> String {
    let name = match row.alias {
        Some(alias) => format!("`{}`, `{alias}`", row.name),
        None => format!("`{}`", row.name),
    };
    let list = if row.shape == Shape::List {
        "list of "
    } else {
        ""
    };
    let shared = if row.scope == Scope::Fleet {
        "yes"
    } else {
        "no"
    };
    let grammar = format!("{list}{}", row.grammar);
    let cells = [
        &name,
        row.field,
        &grammar,
        row.default,
        shared,
        row.class.words(),
        row.privilege,
        row.meaning,
    ];
    format!(
        "| {} |\n",
        cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
    )
}

/// The table for a terminal, three lines a key.
#[must_use]
pub fn text() -> String {
    TABLE.iter().map(paragraph).collect()
}

fn paragraph(row: &Row) -> String {
    let list = if row.shape == Shape::List {
        "list of "
    } else {
        ""
    };
    let alias = row
        .alias
        .map(|alias| format!(" (or {alias})"))
        .unwrap_or_default();
    format!(
        "{}{alias}: {}\n    {list}{}\n    without it: {}; a change is: {}\n",
        row.name,
        row.meaning,
        row.grammar,
        row.default,
        row.class.words()
    )
}

/// The parts of one item of a key that has any, as Markdown.
#[must_use]
pub fn parts_markdown(key: Key) -> String {
    let mut out =
        "| in `container.toml` | in `config.env` | meaning |\n| --- | --- | --- |\n".to_owned();
    for part in parts(key) {
        let text = match part.form {
            Form::Bare => part.written.to_owned(),
            Form::Named(name) => format!(":{name}=…"),
            Form::WhenTrue(word) | Form::WhenFalse(word) => format!(":{word}"),
        };
        let value = match part.form {
            Form::WhenTrue(_) => "true",
            Form::WhenFalse(_) => "false",
            Form::Bare | Form::Named(_) => "…",
        };
        out.push_str(&format!(
            "| `{} = {value}` | `{text}` | {} |\n",
            part.name, part.meaning
        ));
    }
    out
}

/// The keys of a file of the fleet's own, as Markdown.
#[must_use]
pub fn sections_markdown(file: File) -> String {
    let mut out = "| key | value | without it | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for section in SECTIONS.iter().filter(|section| section.file == file) {
        out.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            section.path(),
            section.grammar,
            section.default,
            section.meaning
        ));
    }
    out
}
