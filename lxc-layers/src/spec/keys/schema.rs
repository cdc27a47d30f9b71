//! JSON schemas of the files that people write, made from the tables, so that editors complete and
//! check them.
//!
//! A schema refuses nothing that the parser takes. It takes some of what the parser refuses: whether
//! two containers have one number, or a name stands for something, no schema can say.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::sections::names;
use super::{Form, Key, Kind, Part, Row, SECTIONS, Scope, Shape, TABLE, parts};

/// A file of a fleet that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// `containers/NAME/container.toml`.
    Container,
    /// `fleet.toml`.
    Fleet,
    /// `fleet.local.toml`.
    Connection,
}

impl File {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Container, Self::Fleet, Self::Connection];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Container => "container.toml",
            Self::Fleet => "fleet.toml",
            Self::Connection => "fleet.local.toml",
        }
    }
}

impl fmt::Display for File {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for File {
    type Err = String;

    /// The file of this name; otherwise the names that there are.
    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|file| file.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there are schemas of {names}")
        })
    }
}

/// The JSON schema of a file, draft 2020-12.
#[must_use]
pub fn schema(file: File) -> Value {
    let mut schema = match file {
        File::Container => object(TABLE.iter()),
        File::Fleet | File::Connection => of_sections(file),
    };
    schema["$schema"] = DRAFT.into();
    schema["title"] = file.name().into();
    schema["$defs"] = json!({"reference": {
        "type": "string", "pattern": r"\$\{",
        "description": "${NAME} is replaced by a name of vars.",
    }});
    if file != File::Connection {
        schema["required"] = json!(["id"]);
    }
    schema
}

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

fn object<'r>(rows: impl Iterator<Item = &'r Row>) -> Value {
    let mut properties = Map::new();
    for row in rows {
        for name in [Some(row.name), row.alias].into_iter().flatten() {
            properties.insert(name.to_ascii_lowercase(), property(row));
        }
    }
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

/// One key, with what an editor shows of it.
fn property(row: &Row) -> Value {
    let mut property = match row.shape {
        Shape::Scalar => value(row.kind),
        Shape::List => list(row),
    };
    let text = format!(
        "{} Value: {}. Without it: {}. A change is: {}.",
        row.meaning,
        row.grammar,
        row.default,
        row.class.words()
    );
    property["description"] = text.into();
    property
}

fn any_of(ways: &[Value]) -> Value {
    json!({"anyOf": ways})
}

/// Text that takes its value from `[vars]` or `vars`: what it becomes is known later.
fn reference() -> Value {
    json!({"$ref": "#/$defs/reference"})
}

/// The text of one value.
fn text_of(kind: Kind) -> Value {
    match kind.pattern() {
        Some(pattern) => json!({"type": "string", "pattern": pattern}),
        None => json!({"type": "string"}),
    }
}

/// One value: a number, true or false, or text, each where its text could be right.
fn value(kind: Kind) -> Value {
    let text = text_of(kind);
    let bare = match kind {
        Kind::Number { least, most } | Kind::Size { least, most } => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        Kind::Decimal { least, most } => {
            json!({"type": "number", "minimum": least, "maximum": most})
        }
        Kind::Disk => json!({"type": "integer", "minimum": 1}),
        Kind::Startup => json!({"type": "integer", "minimum": 0}),
        Kind::YesNo => json!({"enum": [true, false, 0, 1]}),
        // A number or a word may be a name.
        Kind::Name
        | Kind::Host
        | Kind::Container
        | Kind::Tag
        | Kind::Template
        | Kind::Item
        | Kind::Text => json!({"type": ["number", "boolean"]}),
        _ => return any_of(&[text, reference()]),
    };
    any_of(&[bare, text, reference()])
}

/// A list: an array, one item as text, or for some keys a table.
fn list(row: &Row) -> Value {
    let mut item = value(row.kind);
    let text = text_of(row.kind);
    if let (Some(ways), false) = (item["anyOf"].as_array_mut(), parts(row.key).is_empty()) {
        ways.push(item_table(row.key));
    }
    let mut forms = vec![json!({"type": "array", "items": item}), text, reference()];
    forms.extend(table(row.key));
    any_of(&forms)
}

/// The table that stands for a whole list.
fn table(key: Key) -> Option<Value> {
    let switch = || any_of(&[json!({"enum": [true, false, 0, 1, "0", "1"]}), reference()]);
    let number = || {
        any_of(&[
            json!({"type": "integer", "minimum": 0}),
            json!({"type": "string", "pattern": "^[0-9]+$"}),
            reference(),
        ])
    };
    Some(match key {
        Key::Vars => variables(),
        Key::Startup => json!({
            "type": "object", "additionalProperties": false,
            "properties": {"order": number(), "up": number(), "down": number()},
        }),
        Key::Features => json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "nesting": switch(), "keyctl": switch(), "fuse": switch(), "mknod": switch(),
                "force_rw_sys": switch(), "mount": {"type": ["string", "integer"]},
            },
        }),
        _ => return None,
    })
}

fn variables() -> Value {
    json!({
        "type": "object",
        "propertyNames": {"pattern": "^[A-Z_][A-Z0-9_]*$"},
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    })
}

/// The table that stands for one item of a list.
fn item_table(key: Key) -> Value {
    let properties: Map<String, Value> = parts(key)
        .iter()
        .map(|part| (part.name.to_owned(), item_part(part)))
        .collect();
    let required = match key {
        Key::Mount => vec!["target"],
        Key::Device => vec!["path"],
        _ => vec!["bridge", "address"],
    };
    json!({
        "type": "object", "additionalProperties": false,
        "properties": properties, "required": required,
    })
}

fn item_part(part: &Part) -> Value {
    let mut schema = match part.form {
        Form::Bare | Form::Named(_) => json!({"type": ["string", "integer"]}),
        Form::WhenTrue(_) | Form::WhenFalse(_) => {
            any_of(&[json!({"type": "boolean"}), json!({"enum": ["yes", "no"]})])
        }
    };
    schema["description"] = part.meaning.into();
    schema
}

/// A file whose keys stand in sections.
fn of_sections(file: File) -> Value {
    let properties: Map<String, Value> = names(file, "")
        .into_iter()
        .map(|name| (name.to_owned(), section(file, name)))
        .collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

/// A key at the top of the file, or a whole table.
fn section(file: File, name: &str) -> Value {
    let own = SECTIONS.iter().filter(|row| row.file == file);
    if let Some(row) = own
        .clone()
        .find(|row| row.table.is_empty() && row.name == name)
    {
        return text(row.pattern, row.meaning);
    }
    let mut schema = match name {
        "defaults" => object(TABLE.iter().filter(|row| row.scope == Scope::Fleet)),
        "vars" => variables(),
        _ => {
            let rows: Vec<_> = own.clone().filter(|row| row.table == name).collect();
            let properties: Map<String, Value> = rows
                .iter()
                .map(|row| (row.name.to_owned(), text(row.pattern, row.meaning)))
                .collect();
            let required: Vec<&str> = rows
                .iter()
                .filter(|row| row.default.starts_with("required"))
                .map(|row| row.name)
                .collect();
            json!({
                "type": "object", "additionalProperties": false,
                "properties": properties, "required": required,
            })
        }
    };
    if let Some(row) = own
        .clone()
        .find(|row| row.table == name && row.name.is_empty())
    {
        schema["description"] = row.meaning.into();
    }
    schema
}

fn text(pattern: &str, meaning: &str) -> Value {
    let mut schema = json!({"type": "string", "description": meaning});
    if !pattern.is_empty() {
        schema["pattern"] = pattern.into();
    }
    schema
}
