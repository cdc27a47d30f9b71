//! The table of keys as documentation and as a schema, both made from its rows.

use serde_json::{Map, Value, json};

use super::{Key, Row, Scope, Shape, TABLE};

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

/// A JSON schema of `container.toml`, for editors.
#[must_use]
pub fn schema() -> Value {
    let properties: Map<String, Value> = TABLE
        .iter()
        .map(|row| (row.name.to_ascii_lowercase(), property(row)))
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "container.toml",
        "type": "object",
        "required": ["id"],
        "additionalProperties": false,
        "properties": properties,
    })
}

fn property(row: &Row) -> Value {
    let scalar = json!({"type": ["string", "integer", "number", "boolean"]});
    let item = match row.key {
        Key::Mount | Key::Device | Key::Nic => json!({"type": ["string", "object"]}),
        _ => scalar.clone(),
    };
    let mut property = match (row.shape, row.key) {
        (Shape::Scalar, _) => scalar,
        (Shape::List, Key::Vars | Key::Features | Key::Startup) => {
            json!({"anyOf": [{"type": "array", "items": item}, {"type": "object"}, {"type": "string"}]})
        }
        (Shape::List, _) => {
            json!({"anyOf": [{"type": "array", "items": item}, {"type": "string"}]})
        }
    };
    property["description"] = Value::from(format!(
        "{} {}; default: {}.",
        row.meaning, row.grammar, row.default
    ));
    property
}
