//! Trees: their written form, and a tree with some of its files changed.

use std::collections::BTreeMap;

use super::{Error, Git, Kind};

/// What an entry of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    Blob,
    /// A symbolic link.
    Link,
    /// A folder.
    Tree,
    /// A commit of another repository.
    Submodule,
}

/// One line of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Its name in its folder.
    pub name: String,
    /// Its mode as git writes it, such as `0o100644`.
    pub mode: u32,
    /// What it points at.
    pub id: String,
}

impl TreeEntry {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> EntryKind {
        match self.mode & 0o170_000 {
            0o040_000 => EntryKind::Tree,
            0o120_000 => EntryKind::Link,
            0o160_000 => EntryKind::Submodule,
            _ => EntryKind::Blob,
        }
    }
}

pub(super) fn parse(data: &[u8]) -> Option<Vec<TreeEntry>> {
    let mut entries = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ')?;
        let zero = rest.iter().position(|byte| *byte == 0)?;
        let mode = u32::from_str_radix(std::str::from_utf8(rest.get(..space)?).ok()?, 8).ok()?;
        let name = String::from_utf8_lossy(rest.get(space + 1..zero)?).into_owned();
        let id = hex::encode(rest.get(zero + 1..zero + 21)?);
        entries.push(TreeEntry { name, mode, id });
        rest = &rest[zero + 21..];
    }
    Some(entries)
}

fn written(mut entries: Vec<TreeEntry>) -> Vec<u8> {
    // Git sorts folders as if their names ended in a slash.
    let key = |entry: &TreeEntry| {
        if entry.kind() == EntryKind::Tree {
            format!("{}/", entry.name)
        } else {
            entry.name.clone()
        }
    };
    entries.sort_by_key(|entry| key(entry).into_bytes());
    let mut data = Vec::new();
    for entry in entries {
        data.extend_from_slice(format!("{:o} {}\0", entry.mode, entry.name).as_bytes());
        data.extend_from_slice(&hex::decode(&entry.id).unwrap_or_default());
    }
    data
}

/// What shall become of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// This blob with this mode.
    Put {
        /// The blob.
        id: String,
        /// The mode, such as `0o100644`.
        mode: u32,
    },
    /// Nothing; folders that become empty go too.
    Remove,
}

impl Git {
    /// Writes a tree that is another (or none) with some paths changed, and answers its id.
    ///
    /// # Errors
    /// When a tree on the way cannot be read or written.
    pub fn edit_tree(
        &self,
        repo: i64,
        tree: Option<&str>,
        edits: &BTreeMap<String, Edit>,
    ) -> Result<String, Error> {
        let edits: Vec<(&str, &Edit)> = edits
            .iter()
            .map(|(path, edit)| (path.as_str(), edit))
            .collect();
        match self.edited(repo, tree, &edits)? {
            Some(id) => Ok(id),
            None => self.store(repo, Kind::Tree, b""),
        }
    }

    fn edited(
        &self,
        repo: i64,
        tree: Option<&str>,
        edits: &[(&str, &Edit)],
    ) -> Result<Option<String>, Error> {
        let mut entries = tree.map_or(Ok(Vec::new()), |id| self.tree(repo, id))?;
        let mut folders: BTreeMap<&str, Vec<(&str, &Edit)>> = BTreeMap::new();
        for (path, edit) in edits {
            if let Some((folder, rest)) = path.split_once('/') {
                folders.entry(folder).or_default().push((rest, edit));
                continue;
            }
            entries.retain(|entry| entry.name != *path);
            if let Edit::Put { id, mode } = edit {
                entries.push(TreeEntry {
                    name: (*path).to_owned(),
                    mode: *mode,
                    id: id.clone(),
                });
            }
        }
        for (folder, edits) in folders {
            let old = entries
                .iter()
                .find(|entry| entry.name == folder && entry.kind() == EntryKind::Tree)
                .map(|entry| entry.id.clone());
            let new = self.edited(repo, old.as_deref(), &edits)?;
            let keeps = |entry: &TreeEntry| {
                entry.name != folder || (new.is_none() && entry.kind() != EntryKind::Tree)
            };
            entries.retain(keeps);
            if let Some(id) = new {
                entries.push(TreeEntry {
                    name: folder.to_owned(),
                    mode: 0o040_000,
                    id,
                });
            }
        }
        if entries.is_empty() {
            return Ok(None);
        }
        self.store(repo, Kind::Tree, &written(entries)).map(Some)
    }
}
