//! One container as written, in either form: `config.env` or `container.toml`.

use toml::Spanned;
use toml::de::DeValue;

use super::document::{Document, unknown_key};
use super::env;
use crate::diagnostic::{Diagnostic, Located, Span};
use crate::spec::keys::{Form, Part, Scope, Shape, parts};
use crate::spec::{Entries, Entry, Key};

/// The entries of a `config.env`.
pub(super) fn from_env(file: &str, text: &str, problems: &mut Vec<Diagnostic>) -> Entries {
    let mut entries = Entries::new();
    for line in env::lines(file, text, problems) {
        let Some(key) = Key::find(&line.key.value) else {
            problems.push(no_such_key(&line.key));
            continue;
        };
        let items = match key.row().shape {
            Shape::Scalar => vec![line.value.clone()],
            Shape::List => items(&line.value, text),
        };
        let entry = Entry {
            written: line.key,
            value: line.value.span,
            items,
        };
        check_items(key, &entry, problems);
        insert(&mut entries, key, entry, problems);
    }
    entries
}

/// The items of a list: what stands between commas, blanks and all.
fn items(value: &Located<String>, text: &str) -> Vec<Located<String>> {
    if value.value.is_empty() {
        return Vec::new();
    }
    let mut start = value.span.start;
    let mut found = Vec::new();
    for item in value.value.split(',') {
        let span = Span::of(&value.span.file, text, start, start + item.len());
        found.push(Located::new(item.to_owned(), span));
        start += item.len() + 1;
    }
    found
}

fn check_items(key: Key, entry: &Entry, problems: &mut Vec<Diagnostic>) {
    let list = key.row().shape == Shape::List;
    for item in &entry.items {
        if list && item.value.trim().is_empty() {
            problems.push(
                Diagnostic::error(
                    "empty-item",
                    item.span.clone(),
                    format!("an item of `{}` is empty", entry.written.value),
                )
                .expected("expected a value between the commas")
                .help("remove the comma too many"),
            );
        } else if list && item.value.trim() != item.value {
            let message = format!("there is a blank in the list of `{}`", entry.written.value);
            problems.push(
                Diagnostic::error("blank-in-list", item.span.clone(), message)
                    .expected(format!("expected `{}`", item.value.trim()))
                    .help("separate the items by a comma alone: `a,b`"),
            );
        }
    }
}

/// Adds an entry; two names of one key are refused here, since each alone is right.
fn insert(entries: &mut Entries, key: Key, entry: Entry, problems: &mut Vec<Diagnostic>) {
    let Some(earlier) = entries.get(&key) else {
        entries.insert(key, entry);
        return;
    };
    let (one, other) = (&earlier.written.value, &entry.written.value);
    problems.push(
        Diagnostic::error(
            "two-names",
            entry.written.span.clone(),
            format!("`{other}` and `{one}` are two names of one key"),
        )
        .related(earlier.written.span.clone(), "first written here")
        .help(format!("keep `{}` and put all items there", key.name())),
    );
}

fn no_such_key(key: &Located<String>) -> Diagnostic {
    let problem = Diagnostic::error(
        "unknown-key",
        key.span.clone(),
        format!("there is no key `{}`", key.value),
    );
    match Key::nearest(&key.value) {
        Some(name) => problem
            .expected(format!("did you mean `{name}`?"))
            .help(format!("write `{name}`, or remove the line")),
        None => problem
            .expected("expected a key of the table")
            .help("`proxmox-ci explain` lists them; variables for provisioners go into `VARS`"),
    }
}

/// The entries of a `container.toml`.
pub(super) fn from_toml(file: &str, text: &str, problems: &mut Vec<Diagnostic>) -> Entries {
    let (document, table) = Document::parse(file, text, problems);
    let mut entries = Entries::new();
    for (key, value) in document.pairs(&table) {
        toml_entry(
            &document,
            key,
            value,
            Scope::Container,
            &mut entries,
            problems,
        );
    }
    entries
}

/// One pair of a `container.toml` or of `[defaults]`.
pub(super) fn toml_entry<'a>(
    document: &Document<'a>,
    written: Located<String>,
    value: &Spanned<DeValue<'a>>,
    scope: Scope,
    entries: &mut Entries,
    problems: &mut Vec<Diagnostic>,
) {
    let upper = written.value.to_ascii_uppercase();
    let Some(key) = Key::find(&upper).filter(|_| written.value == upper.to_ascii_lowercase())
    else {
        let mut problem = no_such_key(&written);
        if let Some(name) = Key::nearest(&written.value) {
            let name = name.to_ascii_lowercase();
            problem = problem
                .expected(format!("did you mean `{name}`?"))
                .help(format!("write `{name}`, or remove the line"));
        }
        problems.push(problem);
        return;
    };
    if scope == Scope::Fleet && key.row().scope == Scope::Container {
        problems.push(
            Diagnostic::error(
                "not-a-default",
                written.span.clone(),
                format!("`{}` cannot be the same for all containers", written.value),
            )
            .help("write it in the container's own file"),
        );
        return;
    }
    match toml_items(document, key, value) {
        Ok(items) => {
            let entry = Entry {
                written,
                value: document.place(value),
                items,
            };
            check_items(key, &entry, problems);
            insert(entries, key, entry, problems);
        }
        Err(found) => problems.extend(found),
    }
}

type Items = Result<Vec<Located<String>>, Vec<Diagnostic>>;

fn toml_items<'a>(document: &Document<'a>, key: Key, value: &Spanned<DeValue<'a>>) -> Items {
    match (key.row().shape, value.get_ref()) {
        (Shape::List, DeValue::Array(array)) => {
            let mut items = Vec::new();
            let mut problems = Vec::new();
            for item in array.iter() {
                match toml_item(document, key, item) {
                    Ok(item) => items.push(item),
                    Err(found) => problems.extend(found),
                }
            }
            if problems.is_empty() {
                Ok(items)
            } else {
                Err(problems)
            }
        }
        (Shape::List, DeValue::Table(table))
            if matches!(key, Key::Vars | Key::Features | Key::Startup) =>
        {
            document
                .pairs(table)
                .into_iter()
                .map(|(name, value)| {
                    let text = document.scalar(value).map_err(|problem| vec![*problem])?;
                    let is_yes =
                        key == Key::Features && matches!(value.get_ref(), DeValue::Boolean(true));
                    let is_no =
                        key == Key::Features && matches!(value.get_ref(), DeValue::Boolean(false));
                    let text = if is_yes {
                        "1"
                    } else if is_no {
                        "0"
                    } else {
                        text.value.as_str()
                    };
                    Ok(Located::new(format!("{}={text}", name.value), name.span))
                })
                .collect()
        }
        (Shape::List, DeValue::String(_)) => Ok(vec![
            document.string(value).map_err(|problem| vec![*problem])?,
        ]),
        (Shape::List, _) => Err(vec![document.wrong(value, "an array")]),
        (Shape::Scalar, _) => document
            .scalar(value)
            .map(|item| vec![item])
            .map_err(|problem| vec![*problem]),
    }
}

/// An item of an array: text, or for mounts, devices and interfaces a table with named parts.
fn toml_item<'a>(
    document: &Document<'a>,
    key: Key,
    item: &Spanned<DeValue<'a>>,
) -> Result<Located<String>, Vec<Diagnostic>> {
    let parts = parts(key);
    let (DeValue::Table(table), false) = (item.get_ref(), parts.is_empty()) else {
        return document.scalar(item).map_err(|problem| vec![*problem]);
    };
    let mut problems = Vec::new();
    let mut texts: Vec<(usize, String)> = Vec::new();
    let mut given = Vec::new();
    for (name, value) in document.pairs(table) {
        let Some(position) = parts.iter().position(|part| part.name == name.value) else {
            problems.push(unsupported(&name).unwrap_or_else(|| {
                unknown_key(
                    &name,
                    &parts.iter().map(|part| part.name).collect::<Vec<_>>(),
                )
            }));
            continue;
        };
        given.push(parts[position].name);
        match part_text(document, &parts[position], value) {
            Ok(text) => texts.extend(text.map(|text| (position, text))),
            Err(problem) => problems.push(*problem),
        }
    }
    if let Some(wanted) = incomplete(key, &given).filter(|_| problems.is_empty()) {
        problems.push(
            Diagnostic::error(
                "missing-part",
                document.place(item),
                "this item does not say all that it must",
            )
            .expected(format!("expected {wanted}"))
            .help(format!("give it {wanted}")),
        );
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    texts.sort_by_key(|(position, _)| *position);
    let texts: Vec<_> = texts.into_iter().map(|(_, text)| text).collect();
    Ok(Located::new(texts.join(":"), document.place(item)))
}

/// What a named part adds to the text form; `None` for a switch that stands as it does anyway.
fn part_text<'a>(
    document: &Document<'a>,
    part: &Part,
    value: &Spanned<DeValue<'a>>,
) -> Result<Option<String>, Box<Diagnostic>> {
    let text = document.scalar(value)?.value;
    let is_word = matches!(value.get_ref(), DeValue::String(_) | DeValue::Integer(_));
    let one_part = !text.contains(':');
    match part.form {
        Form::Bare | Form::Named(_) if !is_word => {
            Err(Box::new(document.wrong(value, "text or a number")))
        }
        Form::Bare if one_part => Ok(Some(text)),
        Form::Bare => Err(Box::new(document.wrong(value, "text without `:`"))),
        Form::Named(name) => Ok(Some(format!("{name}={text}"))),
        Form::WhenTrue(word) | Form::WhenFalse(word) => {
            let says = match text.as_str() {
                "yes" => true,
                "no" => false,
                _ => return Err(Box::new(document.wrong(value, "true or false"))),
            };
            let counts = matches!(part.form, Form::WhenTrue(_));
            Ok((says == counts).then(|| word.to_owned()))
        }
    }
}

/// What an item with these parts lacks, or has too much.
fn incomplete(key: Key, given: &[&str]) -> Option<&'static str> {
    let has = |name: &str| given.contains(&name);
    let is_whole = match key {
        Key::Mount => {
            let kinds = ["folder", "size", "volume"].iter().filter(|kind| has(kind));
            let fits = has("storage") || !has("volume");
            has("target") && kinds.count() == 1 && fits && !(has("folder") && has("storage"))
        }
        Key::Device => has("path"),
        _ => has("bridge") && has("address"),
    };
    (!is_whole).then_some(match key {
        Key::Mount => "`target`, and one of `folder`, `size`, or `storage` with `volume`",
        Key::Device => "`path`",
        _ => "`bridge` and `address`",
    })
}

/// What the grammar knows by name, and this program does not do yet.
fn unsupported(name: &Located<String>) -> Option<Diagnostic> {
    let later = ["idmap", "mac", "firewall", "rate", "mtu", "ip6", "gateway6"];
    later.contains(&name.value.as_str()).then(|| {
        Diagnostic::error(
            "not-yet-supported",
            name.span.clone(),
            format!("`{}` is not yet supported", name.value),
        )
        .help("remove it; it would be ignored otherwise, and nothing is ignored here")
    })
}
