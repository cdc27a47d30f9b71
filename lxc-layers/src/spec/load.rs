//! The rim of the written form: the one place that reads a fleet's folder.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Input, Text, Tree};

/// How deep a layer's folder may be: a bound, not a limit anyone meets.
const DEPTH_MAX: usize = 32;

/// A fleet's folder that cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[error("reading the fleet in `{}`", .folder.display())]
pub struct Error {
    folder: PathBuf,
    #[source]
    source: io::Error,
}

/// Reads a fleet's folder: what is parsed as text, what layers use by digest.
///
/// A single file that cannot be read is a problem of the tree, reported with all the others.
///
/// # Errors
///
/// When the folder itself is not there or cannot be listed.
pub fn load(fleet: &Path) -> Result<Tree, Error> {
    let wrap = |source| Error {
        folder: fleet.to_owned(),
        source,
    };
    let mut tree = Tree::default();
    for name in [
        "fleet.toml",
        "fleet.local.toml",
        "secrets.local.env",
        "config.env",
    ] {
        if fleet.join(name).is_file() {
            read_text(fleet, name, &mut tree);
        }
    }
    // Listing the root also tells a folder that is missing from one that is empty.
    for entry in fs::read_dir(fleet).map_err(wrap)? {
        let name = entry.map_err(wrap)?.file_name();
        match name.to_str() {
            Some(layer @ ("default" | "config")) => walk(fleet, layer, 0, &mut tree),
            Some("containers") => walk(fleet, "containers", 0, &mut tree),
            _ => {}
        }
    }
    Ok(tree)
}

fn walk(fleet: &Path, folder: &str, depth: usize, tree: &mut Tree) {
    let listed = fs::read_dir(fleet.join(folder)).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = match listed {
        Ok(entries) if depth < DEPTH_MAX => entries,
        Ok(_) => return tree.unreadable(folder, "is deeper than any layer should be"),
        // A file at the place of a folder is found by what is missing in it.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return,
        Err(error) => return tree.unreadable(folder, &error.to_string()),
    };
    for entry in entries {
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            tree.unreadable(folder, "holds a name that is not UTF-8");
            continue;
        };
        let path = format!("{folder}/{name}");
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !is_noise(&name) => walk(fleet, &path, depth + 1, tree),
            Ok(kind) if kind.is_dir() => {}
            Ok(_) if is_definition(&path) => read_text(fleet, &path, tree),
            Ok(_) if !is_noise(&name) => read_input(fleet, &path, tree),
            Ok(_) => {}
            Err(error) => tree.unreadable(&path, &error.to_string()),
        }
    }
}

/// `containers/NAME/config.env` and `containers/NAME/container.toml` are parsed, not sent.
fn is_definition(path: &str) -> bool {
    matches!(
        path.split('/').collect::<Vec<_>>().as_slice(),
        ["containers", _, "config.env" | "container.toml"]
    )
}

/// What editors, interpreters and git leave behind, and what must stay on this machine.
fn is_noise(name: &str) -> bool {
    matches!(name, ".git" | "__pycache__" | ".DS_Store")
        || name.contains(".local.")
        || [".pyc", ".swp", ".retry", "~"]
            .iter()
            .any(|ending| name.ends_with(ending))
}

fn read_text(fleet: &Path, path: &str, tree: &mut Tree) {
    let read =
        fs::metadata(fleet.join(path)).and_then(|about| Ok((about, fs::read(fleet.join(path))?)));
    match read.map(|(about, bytes)| (about, String::from_utf8(bytes))) {
        Ok((about, Ok(content))) => {
            let text = Text {
                content: Arc::from(content),
                mode: about.permissions().mode() & 0o777,
            };
            tree.texts.insert(path.to_owned(), text);
        }
        Ok((_, Err(_))) => tree.unreadable(path, "is not UTF-8"),
        Err(error) => tree.unreadable(path, &error.to_string()),
    }
}

fn read_input(fleet: &Path, path: &str, tree: &mut Tree) {
    let read =
        fs::metadata(fleet.join(path)).and_then(|about| Ok((about, fs::read(fleet.join(path))?)));
    match read {
        Ok((about, content)) => {
            let input = Input::of(&content, about.permissions().mode() & 0o100 != 0);
            tree.inputs.insert(path.to_owned(), input);
        }
        Err(error) => tree.unreadable(path, &error.to_string()),
    }
}

impl Tree {
    fn unreadable(&mut self, path: &str, why: &str) {
        self.unreadable.insert(path.to_owned(), why.to_owned());
    }

    /// A tree from texts in memory, each with mode 0600: for tests and for a first try.
    #[must_use]
    pub fn of_texts<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let text = |(path, content): (&str, &str)| {
            (
                path.to_owned(),
                Text {
                    content: Arc::from(content),
                    mode: 0o600,
                },
            )
        };
        Self {
            texts: texts.into_iter().map(text).collect::<BTreeMap<_, _>>(),
            ..Self::default()
        }
    }

    /// The same tree with one more file that a layer uses.
    #[must_use]
    pub fn with_input(mut self, path: &str, content: &str, executable: bool) -> Self {
        self.inputs
            .insert(path.to_owned(), Input::of(content.as_bytes(), executable));
        self
    }
}
