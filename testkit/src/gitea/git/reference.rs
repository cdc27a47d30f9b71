//! Branches and tags on disk, in git's own files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Error, Git};
use crate::gitea::events::is_zero;

/// A reference that shall move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The full name.
    pub name: String,
    /// What it must be now; 40 zeros when it must not be there.
    pub from: String,
    /// What it shall be; 40 zeros to delete it.
    pub to: String,
}

/// Why a reference did not move.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefError {
    /// It is not where it was thought to be.
    #[error("reference `{0}` has moved meanwhile")]
    Stale(String),
    /// A branch `a` and a branch `a/b` cannot both be.
    #[error("reference `{name}` clashes with `{other}`")]
    Clash {
        /// The new name.
        name: String,
        /// The name in its way.
        other: String,
    },
    /// The files could not be written.
    #[error("writing a reference")]
    Write(#[source] Error),
}

impl Git {
    /// All references of a repository, from its files.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub fn references(&self, repo: i64) -> Result<BTreeMap<String, String>, Error> {
        let folder = self.folder(repo);
        let mut found = packed(&folder)?;
        loose(&folder, "refs", &mut found)?;
        Ok(found)
    }

    /// Moves one reference that is known to be at `from` in `known`, the references as we keep them.
    ///
    /// # Errors
    /// [`RefError`]; nothing was changed then.
    pub fn move_reference(
        &self,
        repo: i64,
        known: &BTreeMap<String, String>,
        step: &Move,
    ) -> Result<(), RefError> {
        let have = known.get(&step.name).map(String::as_str);
        if have.is_none_or(is_zero) != is_zero(&step.from)
            || have.is_some_and(|have| have != step.from)
        {
            return Err(RefError::Stale(step.name.clone()));
        }
        if have.is_none()
            && let Some(other) = clash(known, &step.name)
        {
            return Err(RefError::Clash {
                name: step.name.clone(),
                other,
            });
        }
        let folder = self.folder(repo);
        let done = if is_zero(&step.to) {
            remove(&folder, &step.name)
        } else {
            write(&folder, &step.name, &step.to)
        };
        done.map_err(|source| {
            RefError::Write(Error::File {
                path: folder.join(&step.name),
                source,
            })
        })
    }

    /// Makes `HEAD` name a branch, there or not.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_head(&self, repo: i64, branch: &str) -> Result<(), Error> {
        let folder = self.folder(repo);
        replace(
            &folder.join("HEAD"),
            format!("ref: refs/heads/{branch}\n").as_bytes(),
        )
        .map_err(|source| Error::File {
            path: folder,
            source,
        })
    }
}

/// A known name that stands in the way of a new one.
fn clash(known: &BTreeMap<String, String>, name: &str) -> Option<String> {
    let below = format!("{name}/");
    let inside = known
        .range(below.clone()..)
        .next()
        .map(|(other, _)| other)
        .filter(|other| other.starts_with(&below));
    let above = name
        .match_indices('/')
        .map(|(at, _)| &name[..at])
        .find(|prefix| known.contains_key(*prefix));
    inside.cloned().or(above.map(str::to_owned))
}

fn packed(folder: &Path) -> Result<BTreeMap<String, String>, Error> {
    let path = folder.join("packed-refs");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(source) => return Err(Error::File { path, source }),
    };
    let lines = text.lines().filter(|line| !line.starts_with(['#', '^']));
    Ok(lines
        .filter_map(|line| line.split_once(' '))
        .map(|(id, name)| (name.to_owned(), id.to_owned()))
        .collect())
}

fn loose(folder: &Path, name: &str, found: &mut BTreeMap<String, String>) -> Result<(), Error> {
    let path = folder.join(name);
    let broken = |source| Error::File {
        path: path.clone(),
        source,
    };
    for entry in fs::read_dir(&path).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let Ok(part) = entry.file_name().into_string() else {
            continue;
        };
        let name = format!("{name}/{part}");
        if entry.file_type().map_err(broken)?.is_dir() {
            loose(folder, &name, found)?;
        } else if !name.ends_with(".lock") {
            let text = fs::read_to_string(entry.path()).map_err(broken)?;
            if super::is_id(text.trim()) {
                found.insert(name, text.trim().to_owned());
            }
        }
    }
    Ok(())
}

fn write(folder: &Path, name: &str, id: &str) -> io::Result<()> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    // Git leaves empty folders behind where a deleted reference lay.
    if path.is_dir() {
        remove_empty(&path)?;
    }
    replace(&path, format!("{id}\n").as_bytes())
}

fn remove_empty(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        remove_empty(&entry?.path())?;
    }
    fs::remove_dir(path)
}

fn remove(folder: &Path, name: &str) -> io::Result<()> {
    let list = folder.join("packed-refs");
    if let Ok(text) = fs::read_to_string(&list)
        && text.lines().any(|line| line.ends_with(&format!(" {name}")))
    {
        replace(&list, without(&text, name).as_bytes())?;
    }
    match fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => {
            prune(folder, name);
            Ok(())
        }
    }
}

/// Takes away the folders that a deleted reference leaves empty, so that their names are free again.
fn prune(folder: &Path, name: &str) {
    let mut parent = Path::new(name).parent();
    while let Some(path) = parent.filter(|path| path.components().count() > 2) {
        // Not empty, or gone already: either way there is nothing left to do.
        if fs::remove_dir(folder.join(path)).is_err() {
            return;
        }
        parent = path.parent();
    }
}

fn without(text: &str, name: &str) -> String {
    let mut kept = String::new();
    let mut dropping = false;
    for line in text.lines() {
        dropping = if line.starts_with('^') {
            dropping
        } else {
            line.ends_with(&format!(" {name}"))
        };
        if !dropping {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&lock)?;
    file.write_all(content)?;
    fs::rename(&lock, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_and_a_folder_of_its_name_clash() {
        let known = BTreeMap::from([
            ("refs/heads/dev".to_owned(), "1".to_owned()),
            ("refs/heads/a/b".to_owned(), "1".to_owned()),
        ]);
        assert_eq!(
            clash(&known, "refs/heads/dev/x").as_deref(),
            Some("refs/heads/dev")
        );
        assert_eq!(
            clash(&known, "refs/heads/a").as_deref(),
            Some("refs/heads/a/b")
        );
        assert_eq!(clash(&known, "refs/heads/ab"), None);
    }

    #[test]
    fn a_packed_tag_goes_with_what_it_points_at() {
        assert_eq!(
            without("# head\n1 refs/tags/a\n^2\n3 refs/tags/b\n", "refs/tags/a"),
            "# head\n3 refs/tags/b\n"
        );
    }
}
