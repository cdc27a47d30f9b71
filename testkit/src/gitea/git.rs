//! The bare repositories: objects are read and written here, everything larger is asked of `git` itself.
//!
//! Each repository is a folder `ID.git` as `git init --bare` makes it. Loose objects are inflated in process,
//! packed ones come from a small number of `git cat-file --batch` processes that stay; both go through
//! a bounded cache, since an object never changes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

mod attachment;
mod batch;
mod cache;
mod folder;
mod history;
mod limit;
mod object;
mod patch;
pub(crate) mod program;
mod quarantine;
mod reference;
mod tree;

pub use history::Changes;
pub(crate) use limit::Place;
pub use object::{Commit, Kind, Object, Person, TagObject};
pub use patch::Patched;
pub use program::Finished;
pub(crate) use quarantine::Quarantine;
pub use reference::{Move, RefError};
pub use tree::{Edit, EntryKind, TreeEntry};

/// A folder full of bare repositories; clones share caches and processes.
#[derive(Clone)]
pub struct Git {
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    cache: Mutex<cache::Cache>,
    batches: Mutex<batch::Batches>,
    places: Arc<limit::Places>,
    known: history::Known,
}

/// Why git could not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such object.
    #[error("object `{0}` does not exist")]
    Missing(String),
    /// An object is not of the kind that was needed, or broken.
    #[error("object `{id}` is no readable {kind}")]
    Unreadable {
        /// Its id.
        id: String,
        /// What was wanted.
        kind: &'static str,
    },
    /// A file of a repository could not be read or written.
    #[error("accessing `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `git` ended with an error.
    #[error("git {command} ended with status {status}: {text}")]
    Failed {
        /// The subcommand.
        command: String,
        /// Its exit status.
        status: i32,
        /// What it said, cut short.
        text: String,
    },
    /// `git` could not be started or talked to.
    #[error("running git {command}")]
    Program {
        /// The subcommand.
        command: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl std::fmt::Debug for Git {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Git")
            .field("root", &self.shared.root)
            .finish_non_exhaustive()
    }
}

impl Git {
    /// The repositories in a folder, which is made when the first repository is.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let shared = Shared {
            root: root.into(),
            cache: Mutex::default(),
            batches: Mutex::default(),
            places: Arc::default(),
            known: history::Known::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The folder of all repositories.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.shared.root
    }

    /// The folder of one repository.
    #[must_use]
    pub fn folder(&self, repo: i64) -> PathBuf {
        self.shared.root.join(format!("{repo}.git"))
    }

    /// Any object by its full id.
    ///
    /// # Errors
    /// [`Error::Missing`], or when it cannot be read.
    pub fn object(&self, repo: i64, id: &str) -> Result<Object, Error> {
        if !is_id(id) {
            return Err(Error::Missing(id.to_owned()));
        }
        let cached = self
            .shared
            .cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(repo, id);
        if let Some(object) = cached {
            return Ok(object);
        }
        let object = match object::read_loose(&self.folder(repo), id)? {
            Some(object) => object,
            None => self.packed(repo, id)?,
        };
        self.shared
            .cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(repo, id, &object);
        Ok(object)
    }

    /// A commit by its full id.
    ///
    /// # Errors
    /// As [`Git::object`]; a tag object is followed to its commit.
    pub fn commit(&self, repo: i64, id: &str) -> Result<Commit, Error> {
        let object = self.object(repo, id)?;
        match object.kind {
            Kind::Commit => Commit::parse(id, &object.data).ok_or(Error::Unreadable {
                id: id.to_owned(),
                kind: "commit",
            }),
            Kind::Tag => {
                let tag = TagObject::parse(&object.data).ok_or(Error::Unreadable {
                    id: id.to_owned(),
                    kind: "tag",
                })?;
                self.commit(repo, &tag.object)
            }
            Kind::Tree | Kind::Blob => Err(Error::Unreadable {
                id: id.to_owned(),
                kind: "commit",
            }),
        }
    }

    /// The entries of a tree by its full id.
    ///
    /// # Errors
    /// As [`Git::object`].
    pub fn tree(&self, repo: i64, id: &str) -> Result<Vec<TreeEntry>, Error> {
        let object = self.object(repo, id)?;
        let entries = if object.kind == Kind::Tree {
            tree::parse(&object.data)
        } else {
            None
        };
        entries.ok_or(Error::Unreadable {
            id: id.to_owned(),
            kind: "tree",
        })
    }

    /// What lies at a path in a tree; the empty path is the tree itself.
    ///
    /// # Errors
    /// When a tree on the way cannot be read.
    pub fn entry(&self, repo: i64, tree: &str, path: &str) -> Result<Option<TreeEntry>, Error> {
        let mut at = TreeEntry {
            name: String::new(),
            mode: 0o40000,
            id: tree.to_owned(),
        };
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if at.kind() != EntryKind::Tree {
                return Ok(None);
            }
            match self
                .tree(repo, &at.id)?
                .into_iter()
                .find(|entry| entry.name == part)
            {
                Some(entry) => at = entry,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// The content of a file in a commit; `None` when there is no such file.
    ///
    /// # Errors
    /// When the commit, a tree on the way or the content cannot be read.
    pub fn file(&self, repo: i64, commit: &str, path: &str) -> Result<Option<Bytes>, Error> {
        let tree = self.commit(repo, commit)?.tree;
        match self.entry(repo, &tree, path)? {
            Some(entry) if entry.kind() == EntryKind::Blob => {
                Ok(Some(self.object(repo, &entry.id)?.data))
            }
            _ => Ok(None),
        }
    }

    /// All files below a folder of a commit, as paths from the root, in order of their names.
    ///
    /// # Errors
    /// When the commit or a tree cannot be read.
    pub fn files_below(&self, repo: i64, commit: &str, folder: &str) -> Result<Vec<String>, Error> {
        let tree = self.commit(repo, commit)?.tree;
        let mut found = Vec::new();
        match self.entry(repo, &tree, folder)? {
            Some(entry) if entry.kind() == EntryKind::Tree => {
                self.walk(repo, &entry.id, folder, &mut found)?
            }
            _ => {}
        }
        Ok(found)
    }

    fn walk(
        &self,
        repo: i64,
        tree: &str,
        folder: &str,
        found: &mut Vec<String>,
    ) -> Result<(), Error> {
        for entry in self.tree(repo, tree)? {
            let path = if folder.is_empty() {
                entry.name.clone()
            } else {
                format!("{folder}/{}", entry.name)
            };
            match entry.kind() {
                EntryKind::Tree => self.walk(repo, &entry.id, &path, found)?,
                EntryKind::Blob | EntryKind::Link => found.push(path),
                EntryKind::Submodule => {}
            }
        }
        Ok(())
    }

    /// The paths that differ between two commits; `before` may be 40 zeros for "nothing at all".
    ///
    /// # Errors
    /// When a commit or a tree cannot be read.
    pub fn changed_paths(
        &self,
        repo: i64,
        before: &str,
        after: &str,
    ) -> Result<Vec<String>, Error> {
        let old = if super::events::is_zero(before) {
            None
        } else {
            Some(self.commit(repo, before)?.tree)
        };
        let new = self.commit(repo, after)?.tree;
        let mut changed = Vec::new();
        self.differ(repo, old.as_deref(), Some(&new), "", &mut changed)?;
        Ok(changed)
    }

    /// The paths that differ between two trees.
    ///
    /// # Errors
    /// When a tree cannot be read.
    pub fn changed_between(&self, repo: i64, old: &str, new: &str) -> Result<Vec<String>, Error> {
        let mut changed = Vec::new();
        self.differ(repo, Some(old), Some(new), "", &mut changed)?;
        Ok(changed)
    }

    fn differ(
        &self,
        repo: i64,
        old: Option<&str>,
        new: Option<&str>,
        folder: &str,
        changed: &mut Vec<String>,
    ) -> Result<(), Error> {
        if old == new {
            return Ok(());
        }
        let before = old.map_or(Ok(Vec::new()), |id| self.tree(repo, id))?;
        let after = new.map_or(Ok(Vec::new()), |id| self.tree(repo, id))?;
        let mut names: Vec<&str> = before
            .iter()
            .chain(&after)
            .map(|entry| entry.name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let one = before.iter().find(|entry| entry.name == name);
            let two = after.iter().find(|entry| entry.name == name);
            if one == two {
                continue;
            }
            let path = if folder.is_empty() {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            };
            let tree_of = |entry: Option<&TreeEntry>| {
                entry
                    .filter(|entry| entry.kind() == EntryKind::Tree)
                    .map(|entry| entry.id.clone())
            };
            let (old_tree, new_tree) = (tree_of(one), tree_of(two));
            if (one.is_some() && old_tree.is_none()) || (two.is_some() && new_tree.is_none()) {
                changed.push(path.clone());
            }
            if old_tree.is_some() || new_tree.is_some() {
                self.differ(
                    repo,
                    old_tree.as_deref(),
                    new_tree.as_deref(),
                    &path,
                    changed,
                )?;
            }
        }
        Ok(())
    }

    /// Stores an object and answers its id.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn store(&self, repo: i64, kind: Kind, data: &[u8]) -> Result<String, Error> {
        object::write_loose(&self.folder(repo), kind, data)
    }

    /// Forgets what is kept in memory of a repository that is deleted or replaced.
    pub fn forget(&self, repo: i64) {
        self.shared
            .cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .forget(repo);
        self.shared
            .batches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .forget(repo);
    }

    /// Deletes the folder of a repository; what cannot be deleted is left to the next start.
    pub fn remove(&self, repo: i64) {
        self.forget(repo);
        // Nothing refers to the folder any more, so a failure harms nobody.
        let _ = std::fs::remove_dir_all(self.folder(repo));
    }

    fn packed(&self, repo: i64, id: &str) -> Result<Object, Error> {
        let batch = self
            .shared
            .batches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .of(repo, &self.folder(repo))?;
        let answer = batch.lock().unwrap_or_else(PoisonError::into_inner).ask(id);
        if matches!(answer, Err(Error::Program { .. })) {
            self.shared
                .batches
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .forget(repo);
        }
        answer
    }
}

/// Whether a text is a full object id.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.len() == 40
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Whether git takes a text for the name of a branch or tag: the rules of `git check-ref-format`.
#[must_use]
pub fn is_ref_name(name: &str) -> bool {
    let part_fits =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    let letter_fits =
        |letter: char| !letter.is_control() && !" ~^:?*[\\".contains(letter) && letter != '\u{7f}';
    name.split('/').all(part_fits)
        && name.chars().all(letter_fits)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
        && !name.starts_with('-')
        && name != "@"
}
