//! Files that change: one operation after the other becomes edits of a tree.

use std::collections::BTreeMap;

use crate::gitea::api::commits::broken;
use crate::gitea::api::files::tidy;
use crate::gitea::git::{Edit, EntryKind, Kind as ObjectKind, TreeEntry};
use crate::gitea::reply::Reply;
use crate::gitea::scene::Scene;

/// What shall become of one file.
pub(super) struct Operation {
    pub(super) word: String,
    pub(super) path: String,
    pub(super) from: String,
    pub(super) sha: String,
    pub(super) content: Option<Vec<u8>>,
}

/// Files that change, and where they are looked for.
pub(super) struct Work<'w, 's> {
    pub(super) scene: &'w Scene<'s>,
    pub(super) tree: Option<&'w str>,
    pub(super) edits: BTreeMap<String, Edit>,
}

impl Work<'_, '_> {
    fn entry(&self, path: &str) -> Result<Option<TreeEntry>, Reply> {
        let Some(tree) = self.tree else {
            return Ok(None);
        };
        self.scene
            .git
            .entry(self.scene.repo, tree, path)
            .map_err(broken(self.scene))
    }

    /// What is there to be changed, if it is what the caller thinks.
    fn existing(&self, path: &str, sha: &str) -> Result<TreeEntry, Reply> {
        let missing = || {
            Reply::error(
                404,
                format!("object does not exist [id: , rel_path: {path}]"),
            )
        };
        let found = self.entry(path)?.ok_or_else(missing)?;
        check_sha(&found, sha)?;
        Ok(found)
    }

    /// Nothing may be where a new file shall be.
    fn check_free(&self, path: &str) -> Result<(), Reply> {
        check_way(self.scene, self.tree, path)?;
        let taken =
            self.entry(path)?.is_some() || matches!(self.edits.get(path), Some(Edit::Put { .. }));
        if taken {
            return Err(Reply::error(
                422,
                format!("repository file already exists [path: {path}]"),
            ));
        }
        Ok(())
    }

    /// Carries one operation out; answers the path of the file, unless it is gone.
    pub(super) fn apply(&mut self, operation: &Operation) -> Result<Option<String>, Reply> {
        let (path, from) = (checked(&operation.path)?, checked(&operation.from)?);
        let content = operation.content.as_deref();
        match operation.word.as_str() {
            "delete" => {
                self.existing(&path, &operation.sha)?;
                self.edits.insert(path, Edit::Remove);
                return Ok(None);
            }
            "create" => {
                self.check_free(&path)?;
                put(
                    self.scene,
                    &mut self.edits,
                    &path,
                    content.unwrap_or_default(),
                    0o100_644,
                )?;
            }
            "upload" => {
                check_way(self.scene, self.tree, &path)?;
                let mode = self.entry(&path)?.map_or(0o100_644, |found| found.mode);
                put(
                    self.scene,
                    &mut self.edits,
                    &path,
                    content.unwrap_or_default(),
                    mode,
                )?;
            }
            "update" => {
                let found = self.existing(&from, &operation.sha)?;
                check_way(self.scene, self.tree, &path)?;
                if from != path {
                    self.check_free(&path)?;
                    self.edits.insert(from, Edit::Remove);
                }
                put(
                    self.scene,
                    &mut self.edits,
                    &path,
                    content.unwrap_or_default(),
                    found.mode,
                )?;
            }
            "rename" => {
                let found = self.existing(&from, &operation.sha)?;
                self.check_free(&path)?;
                self.edits.insert(from, Edit::Remove);
                match content {
                    Some(content) => put(self.scene, &mut self.edits, &path, content, found.mode)?,
                    None => drop(self.edits.insert(
                        path.clone(),
                        Edit::Put {
                            id: found.id,
                            mode: found.mode,
                        },
                    )),
                }
            }
            other => {
                let text = format!(
                    "invalid file operation: {other} {path}, supported operations are create, update, delete"
                );
                return Err(self.scene.internal(&text));
            }
        }
        Ok(Some(path))
    }
}

fn put(
    scene: &Scene<'_>,
    edits: &mut BTreeMap<String, Edit>,
    path: &str,
    content: &[u8],
    mode: u32,
) -> Result<(), Reply> {
    let id = scene
        .git
        .store(scene.repo, ObjectKind::Blob, content)
        .map_err(broken(scene))?;
    edits.insert(path.to_owned(), Edit::Put { id, mode });
    Ok(())
}

/// A path that git can keep: without `..`, `.git`, or nothing at all.
fn checked(path: &str) -> Result<String, Reply> {
    let tidy = tidy(path);
    let bad = |part: &str| {
        part == ".."
            || part.eq_ignore_ascii_case(".git")
            || part.contains(['\0', '\\']) && part.eq_ignore_ascii_case("git~1")
    };
    if tidy.is_empty() || tidy.split('/').any(bad) || tidy.contains('\0') {
        return Err(Reply::error(
            422,
            format!(
                "path contains a malformed path component [path: {}]",
                if tidy.is_empty() { path } else { &tidy }
            ),
        ));
    }
    Ok(tidy)
}

fn check_sha(found: &TreeEntry, given: &str) -> Result<(), Reply> {
    if given.is_empty() || given == found.id {
        return Ok(());
    }
    Err(Reply::error(
        422,
        format!(
            "sha does not match [given: {given}, expected: {}]",
            found.id
        ),
    ))
}

/// Nothing but folders may lie on the way to a file, and no folder or link where it shall be.
fn check_way(scene: &Scene<'_>, tree: Option<&str>, path: &str) -> Result<(), Reply> {
    let Some(tree) = tree else { return Ok(()) };
    let refuse = |what: &str, path: &str| Reply::error(422, format!("{what} [path: {path}]"));
    let ends = path
        .match_indices('/')
        .map(|(at, _)| at)
        .chain([path.len()]);
    for end in ends {
        let at = &path[..end];
        let Some(found) = scene
            .git
            .entry(scene.repo, tree, at)
            .map_err(broken(scene))?
        else {
            return Ok(());
        };
        let is_last = end == path.len();
        match found.kind() {
            EntryKind::Link => {
                return Err(refuse(
                    "a symbolic link exists where you’re trying to create a subdirectory",
                    at,
                ));
            }
            EntryKind::Tree if is_last => {
                return Err(refuse(
                    "a directory exists where you’re trying to create a file",
                    at,
                ));
            }
            EntryKind::Blob | EntryKind::Submodule if !is_last => {
                return Err(refuse(
                    "a file exists where you’re trying to create a subdirectory",
                    at,
                ));
            }
            EntryKind::Tree | EntryKind::Blob | EntryKind::Submodule => {}
        }
    }
    Ok(())
}
