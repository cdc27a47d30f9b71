//! The folder of a bare repository.

use std::fs;
use std::io;
use std::path::Path;

use super::{Error, Git};

/// What git itself would write, and what serving needs: partial clones, wants by id, push options,
/// and no housekeeping behind our back.
const CONFIG: &str = "[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
[receive]
\tadvertisePushOptions = true
\tautogc = false
[gc]
\tauto = 0
";

impl Git {
    /// Makes the folder of an empty repository whose `HEAD` names a branch.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn init(&self, repo: i64, branch: &str) -> Result<(), Error> {
        let folder = self.folder(repo);
        self.forget(repo);
        make(&folder, branch).map_err(|source| Error::File {
            path: folder,
            source,
        })
    }

    /// Gives a repository all objects of another; files are linked, since objects never change.
    ///
    /// # Errors
    /// When the files cannot be read or written.
    pub fn copy_objects(&self, from: i64, to: i64) -> Result<(), Error> {
        let (from, to) = (
            self.folder(from).join("objects"),
            self.folder(to).join("objects"),
        );
        link_tree(&from, &to).map_err(|source| Error::File { path: from, source })
    }

    /// The size of a repository's folder in KiB.
    #[must_use]
    pub fn size_kib(&self, repo: i64) -> i64 {
        i64::try_from(size_of(&self.folder(repo)) / 1024).unwrap_or(i64::MAX)
    }
}

fn make(folder: &Path, branch: &str) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    for inner in [
        "objects/info",
        "objects/pack",
        "refs/heads",
        "refs/tags",
        "info",
    ] {
        fs::create_dir_all(folder.join(inner))?;
    }
    fs::write(folder.join("config"), CONFIG)?;
    fs::write(folder.join("HEAD"), format!("ref: refs/heads/{branch}\n"))
}

fn link_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            let quarantine = entry.file_name().to_string_lossy().starts_with("tmp_");
            if !quarantine {
                link_tree(&entry.path(), &target)?;
            }
        } else if !target.exists() && fs::hard_link(entry.path(), &target).is_err() {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

fn size_of(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size_of(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}
