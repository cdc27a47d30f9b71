//! Objects of a push, kept apart until the push is found good.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Error, Git, program};

/// Fewer objects than this are unpacked one by one; a larger pack is kept whole (as `receive.unpackLimit`).
const UNPACK_LIMIT: u32 = 100;

/// A folder beside the objects of a repository; dropping it throws away what is in it.
#[derive(Debug)]
pub(crate) struct Quarantine {
    repo: PathBuf,
    folder: PathBuf,
}

impl Git {
    /// An empty quarantine of a repository.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(crate) fn quarantine(&self, repo: i64) -> Result<Quarantine, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "tmp_objdir-incoming-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let repo = self.folder(repo);
        let folder = repo.join("objects").join(name);
        fs::create_dir_all(folder.join("pack")).map_err(|source| Error::File {
            path: folder.clone(),
            source,
        })?;
        Ok(Quarantine { repo, folder })
    }

    /// Throws away what a push left behind that was interrupted.
    pub(crate) fn remove_leftovers(&self, repo: i64) {
        let Ok(entries) = fs::read_dir(self.folder(repo).join("objects")) else {
            return;
        };
        for entry in entries.filter_map(Result::ok) {
            if entry.file_name().to_string_lossy().starts_with("tmp_") {
                // What cannot be removed takes up room, and no more.
                let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
            }
        }
    }
}

impl Quarantine {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// Stores a pack; a push of what is here already may come without one.
    pub(crate) fn unpack(&self, mut pack: Box<dyn Read + Send>) -> Result<(), String> {
        let mut head = Vec::new();
        pack.by_ref()
            .take(12)
            .read_to_end(&mut head)
            .map_err(|error| error.to_string())?;
        if head.is_empty() {
            return Ok(());
        }
        let count = head
            .get(8..12)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u32::from_be_bytes);
        let arguments: &[&str] = if count < UNPACK_LIMIT {
            &["unpack-objects", "-q"]
        } else {
            &["index-pack", "--stdin", "--fix-thin"]
        };
        self.feed(arguments, &mut io::Cursor::new(head).chain(pack))
    }

    /// Checks that everything is there that these objects need.
    pub(crate) fn check_connected(&self, ids: &[&str]) -> Result<(), String> {
        let arguments = [
            "rev-list",
            "--objects",
            "--stdin",
            "--not",
            "--all",
            "--quiet",
        ];
        let mut list = String::new();
        for id in ids {
            list.push_str(id);
            list.push('\n');
        }
        self.feed(&arguments, &mut list.as_bytes())
            .map_err(|_| "missing necessary objects".to_owned())
    }

    fn feed(&self, arguments: &[&str], input: &mut dyn Read) -> Result<(), String> {
        let mut command = program::command(&self.repo, arguments);
        command.env("GIT_OBJECT_DIRECTORY", &self.folder).env(
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            self.repo.join("objects"),
        );
        command.env("GIT_QUARANTINE_PATH", &self.folder);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|error| error.to_string())?;
        if let Some(mut stdin) = child.stdin.take() {
            // A broken pipe means that git has given up, and then says why.
            let _ = io::copy(input, &mut stdin).and_then(|_| stdin.flush());
        }
        let done = child
            .wait_with_output()
            .map_err(|error| error.to_string())?;
        if done.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&done.stderr).trim().to_owned())
        }
    }

    /// Makes the objects part of the repository.
    pub(crate) fn accept(self) -> io::Result<()> {
        move_into(&self.folder, &self.repo.join("objects"))
    }
}

/// Moves files, packs before their indexes, since an index makes a pack seen.
fn move_into(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(from)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| {
        entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "idx")
    });
    for entry in entries {
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            move_into(&entry.path(), &target)?;
        } else if !target.exists() {
            fs::rename(entry.path(), &target)?;
        }
    }
    Ok(())
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        // What is left is removed at the next start.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
