//! What a key means, in words for a terminal: `proxmox-ci explain KEY`.

use std::fmt::Write as _;

use serde::Serialize;

use super::{ChangeClass, Form, Key, Row, SECTIONS, Scope, Section, Shape, TABLE, parts};
use crate::diagnostic::nearest;

/// All that is to be said of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Its name: `MEMORY`, `network.subnet`.
    pub key: String,
    /// Other names for it, such as the one in TOML.
    pub also: Vec<String>,
    /// What it means, in one sentence.
    pub meaning: String,
    /// Grammar of its value.
    pub value: String,
    /// The unit of a number that stands alone.
    pub unit: Option<String>,
    /// From where to where, or the words that may stand.
    pub range: Option<String>,
    /// What holds when it is not written.
    pub default: String,
    /// What a change of it costs; `None` for what is no container's.
    pub change: Option<ChangeClass>,
    /// The privilege that Proxmox VE asks for.
    pub privilege: Option<String>,
    /// The field of Proxmox VE, or who reads it.
    pub field: Option<String>,
    /// The files it may stand in.
    pub files: Vec<String>,
    /// The named parts of one item.
    pub parts: Vec<ItemPart>,
    /// Lines that say it, with the file they belong to.
    pub examples: Vec<Example>,
}

/// One named part of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ItemPart {
    /// In a table of `container.toml`.
    pub name: String,
    /// In the text form.
    pub text: String,
    /// What it means.
    pub meaning: String,
}

/// One example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The file.
    pub file: String,
    /// What stands in it.
    pub text: String,
}

/// Everything that can be explained, in the order of the documentation.
#[must_use]
pub fn all() -> Vec<Explanation> {
    let keys = TABLE.iter().map(of_row);
    keys.chain(SECTIONS.iter().map(of_section)).collect()
}

/// What is known of a key: more than one where two files have a key of that name.
///
/// # Errors
/// The name nearest to what was written, when one is near enough to be meant.
pub fn explain(written: &str) -> Result<Vec<Explanation>, Option<String>> {
    let wanted = written
        .replace(['[', ']'], "")
        .to_ascii_lowercase()
        .replace('-', "_");
    let all = all();
    let found: Vec<Explanation> = all
        .iter()
        .filter(|it| names(it).any(|name| name == wanted))
        .cloned()
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let known: Vec<String> = all.iter().flat_map(names).collect();
    let near = nearest(&wanted, known.iter().map(String::as_str));
    Err(near.map(|near| {
        let meant = all.iter().find(|it| names(it).any(|name| name == near));
        meant.map_or_else(|| near.to_owned(), |it| it.key.clone())
    }))
}

/// The names by which an explanation is found, in lower case.
fn names(of: &Explanation) -> impl Iterator<Item = String> {
    let own = [of.key.clone()].into_iter().chain(of.also.clone());
    let all: Vec<String> = own
        .map(|name| name.trim_matches(['[', ']']).to_ascii_lowercase())
        .flat_map(|name| {
            let last = name.rsplit('.').next().map(str::to_owned);
            [Some(name), last]
        })
        .flatten()
        .collect();
    all.into_iter()
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn of_row(row: &Row) -> Explanation {
    let list = if row.shape == Shape::List {
        "list of "
    } else {
        ""
    };
    let mut files = vec!["config.env".to_owned(), "container.toml".to_owned()];
    if row.scope == Scope::Fleet {
        files.push("[defaults] of fleet.toml".to_owned());
    }
    Explanation {
        key: row.name.to_owned(),
        also: [
            Some(row.name.to_ascii_lowercase()),
            row.alias.map(str::to_owned),
        ]
        .into_iter()
        .flatten()
        .collect(),
        meaning: row.meaning.to_owned(),
        value: format!("{list}{}", row.grammar),
        unit: some(row.unit),
        range: row.kind.range(),
        default: row.default.to_owned(),
        change: Some(row.class),
        privilege: some(row.privilege),
        field: some(row.field),
        files,
        parts: parts(row.key).iter().map(item_part).collect(),
        examples: examples(row),
    }
}

/// The example of the table in both forms, and as a table where its items may be tables.
fn examples(row: &Row) -> Vec<Example> {
    let env = format!("{}={}", row.name, row.example);
    let mut examples = vec![("config.env", env), ("container.toml", toml_example(row))];
    let table = match row.key {
        Key::Mount => {
            "[[mount]]\nstorage = \"local-lvm\"\nsize = \"20G\"\ntarget = \"/var/lib/data\"\nbackup = false"
        }
        Key::Device => "[[device]]\npath = \"/dev/ttyUSB0\"\nmode = \"0660\"\ngid = 20",
        Key::Nic => "[[nic]]\nbridge = \"vmbr1\"\naddress = \"10.1.0.5/24\"\nvlan = 7",
        _ => "",
    };
    if !table.is_empty() {
        examples.push(("container.toml, the same as a table", table.to_owned()));
    }
    let example = |(file, text): (&str, String)| Example {
        file: file.to_owned(),
        text,
    };
    examples.into_iter().map(example).collect()
}

fn item_part(part: &super::Part) -> ItemPart {
    ItemPart {
        name: part.name.to_owned(),
        text: match part.form {
            Form::Bare => part.written.to_owned(),
            Form::Named(name) => format!(":{name}=…"),
            Form::WhenTrue(word) | Form::WhenFalse(word) => format!(":{word}"),
        },
        meaning: part.meaning.to_owned(),
    }
}

/// The example of the table as TOML has it.
fn toml_example(row: &Row) -> String {
    let name = row.name.to_ascii_lowercase();
    let bare = row.example.trim_matches('"');
    let quoted = |text: &str| match text {
        "yes" | "true" => "true".to_owned(),
        "no" | "false" => "false".to_owned(),
        text if text.parse::<f64>().is_ok() => text.to_owned(),
        text => format!("\"{text}\""),
    };
    match row.shape {
        Shape::Scalar => format!("{name} = {}", quoted(bare)),
        Shape::List => {
            let items: Vec<String> = bare.split(',').map(|item| format!("\"{item}\"")).collect();
            format!("{name} = [{}]", items.join(", "))
        }
    }
}

fn of_section(section: &Section) -> Explanation {
    let table = match section.table {
        "" => String::new(),
        table => format!("[{table}]\n"),
    };
    let key = match (section.table, section.name) {
        ("", "id") => "fleet.id".to_owned(),
        _ => section.path(),
    };
    Explanation {
        key,
        also: Vec::new(),
        meaning: section.meaning.to_owned(),
        value: section.grammar.to_owned(),
        unit: None,
        range: None,
        default: section.default.to_owned(),
        change: None,
        privilege: None,
        field: None,
        files: vec![section.file.name().to_owned()],
        parts: Vec::new(),
        examples: vec![Example {
            file: section.file.name().to_owned(),
            text: format!("{table}{}", section.example),
        }],
    }
}

/// Where the words of a property begin.
const INDENT: usize = 13;
const WIDTH: usize = 80;

impl Explanation {
    /// In words, at most eighty columns wide.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = match self
            .also
            .iter()
            .rev()
            .find(|name| !name.eq_ignore_ascii_case(&self.key))
        {
            Some(alias) => format!("{} (or {alias})\n", self.key),
            None => format!("{}\n", self.key),
        };
        property(&mut out, "", &self.meaning);
        out.push('\n');
        property(&mut out, "value", &self.value);
        let optional = [("unit", &self.unit), ("range", &self.range)];
        for (name, text) in optional {
            if let Some(text) = text {
                property(&mut out, name, text);
            }
        }
        property(&mut out, "without it", &self.default);
        if let Some(class) = self.change {
            property(
                &mut out,
                "a change is",
                &format!("{}. {}", class.words(), class.meaning()),
            );
        }
        let optional = [("privilege", &self.privilege), ("field", &self.field)];
        for (name, text) in optional {
            if let Some(text) = text {
                property(&mut out, name, text);
            }
        }
        property(&mut out, "stands in", &self.files.join(", "));
        self.add_parts(&mut out);
        self.add_examples(&mut out);
        out
    }

    fn add_parts(&self, out: &mut String) {
        if self.parts.is_empty() {
            return;
        }
        out.push_str("\n  Parts of an item, by name in container.toml and as text:\n");
        for part in &self.parts {
            let _ = write!(out, "    {:9} {:15} ", part.name, part.text);
            let mut lines = wrapped(&part.meaning, WIDTH - 30).into_iter();
            let _ = writeln!(out, "{}", lines.next().unwrap_or_default());
            for line in lines {
                let _ = writeln!(out, "{:30}{line}", "");
            }
        }
    }

    fn add_examples(&self, out: &mut String) {
        for example in &self.examples {
            let _ = writeln!(out, "\n  In {}:", example.file);
            for line in example.text.lines() {
                let _ = writeln!(out, "    {line}");
            }
        }
    }
}

/// One property: its name, and its words beside it.
fn property(out: &mut String, name: &str, words: &str) {
    let indent = if name.is_empty() { 2 } else { INDENT + 2 };
    for (number, line) in wrapped(words, WIDTH - indent).iter().enumerate() {
        let name = if number == 0 { name } else { "" };
        let _ = writeln!(out, "  {name:width$}{line}", width = indent - 2);
    }
}

/// Words in lines of at most so many columns; a word that is longer stands alone.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        let room = line.chars().count() + 1 + word.chars().count();
        if line.is_empty() {
            line.push_str(word);
        } else if room <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Everything that can be explained, a line each, for whoever does not know the name.
#[must_use]
pub fn list() -> String {
    let mut out = String::new();
    for it in all() {
        let mut lines = wrapped(&it.meaning, WIDTH - 20).into_iter();
        let _ = writeln!(out, "{:18}  {}", it.key, lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(out, "{:20}{line}", "");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_explained_by_each_of_its_names() {
        for row in &TABLE {
            for name in [
                row.name,
                &row.name.to_ascii_lowercase(),
                row.alias.unwrap_or(row.name),
            ] {
                let found = explain(name).unwrap();
                assert!(found.iter().any(|it| it.key == row.name), "{name}");
            }
        }
        for name in [
            "network.subnet",
            "subnet",
            "[network].vmids",
            "reboot",
            "vars",
            "token-file",
        ] {
            assert!(explain(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn two_keys_of_one_name_are_both_explained() {
        let found = explain("ID").unwrap();
        let keys: Vec<&str> = found.iter().map(|it| it.key.as_str()).collect();
        assert_eq!(keys, ["ID", "fleet.id"]);
    }

    #[test]
    fn what_was_meant_is_told_where_it_can_be_guessed() {
        assert_eq!(explain("MEMROY"), Err(Some("MEMORY".to_owned())));
        assert_eq!(explain("subnets"), Err(Some("network.subnet".to_owned())));
        assert_eq!(explain("xyzzy"), Err(None));
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for it in all() {
            for line in it.to_text().lines() {
                let is_example = line.starts_with("    ");
                assert!(is_example || line.chars().count() <= WIDTH, "{line}");
            }
        }
        assert!(list().lines().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn the_key_of_an_item_with_parts_shows_them() {
        let text = explain("MOUNT").unwrap()[0].to_text();
        assert!(
            text.contains("nobackup") && text.contains("(or SHARED)"),
            "{text}"
        );
    }
}
