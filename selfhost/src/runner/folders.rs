//! The folders of one job: fresh at its start, gone at its end.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// Everything that a job may write to, below one folder of its own.
#[derive(Debug)]
pub(crate) struct Folders {
    root: TempDir,
}

/// What the name of each job's folder begins with; leftovers are known by it.
const PREFIX: &str = "job-";

impl Folders {
    /// Makes the folders below `work`, mode 0700: other users of the host see nothing of a job.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub(crate) fn make(work: &Path) -> io::Result<Self> {
        private(work)?;
        let root = tempfile::Builder::new().prefix(PREFIX).tempdir_in(work)?;
        let folders = Self { root };
        for folder in [
            folders.workspace(),
            folders.temp(),
            folders.home(),
            folders.scripts(),
        ] {
            private(&folder)?;
        }
        private(&folders.tools())?;
        Ok(folders)
    }

    /// Takes away what killed runners left behind. Only for a runner that holds the folder alone.
    pub(crate) fn sweep(work: &Path) {
        for entry in fs::read_dir(work).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                drop(fs::remove_dir_all(entry.path()));
            }
        }
    }

    /// `GITHUB_WORKSPACE`: empty at the start.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.root.path().join("workspace")
    }

    /// `RUNNER_TEMP`: empty at the start.
    pub(crate) fn temp(&self) -> PathBuf {
        self.root.path().join("temp")
    }

    /// `HOME`: empty at the start.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// `RUNNER_TOOL_CACHE`.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.path().join("tools")
    }

    /// Scripts and the files that steps write to.
    pub(crate) fn scripts(&self) -> PathBuf {
        self.root.path().join("scripts")
    }

    /// `GITHUB_EVENT_PATH`.
    pub(crate) fn event(&self) -> PathBuf {
        self.root.path().join("event.json")
    }

    /// Takes everything away. What a job made unreadable for us stays, and is swept later.
    pub(crate) fn remove(self) -> io::Result<()> {
        self.root.close()
    }
}

fn private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_job_has_empty_folders_that_nobody_else_can_read() {
        let work = tempfile::tempdir().unwrap();
        let folders = Folders::make(work.path()).unwrap();
        for folder in [folders.workspace(), folders.temp(), folders.home()] {
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
            assert_eq!(
                fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
                0o700
            );
        }
        folders.remove().unwrap();
        assert_eq!(fs::read_dir(work.path()).unwrap().count(), 0);
    }

    #[test]
    fn leftovers_are_swept_and_nothing_else() {
        let work = tempfile::tempdir().unwrap();
        fs::create_dir_all(work.path().join("job-old/workspace")).unwrap();
        fs::write(work.path().join("registration.json"), "{}").unwrap();
        Folders::sweep(work.path());
        let left: Vec<_> = fs::read_dir(work.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["registration.json"]);
    }
}
