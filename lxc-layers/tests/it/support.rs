//! A guest that is this machine, seen through a keyhole: its files lie in a folder.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use async_trait::async_trait;
use lxc_layers::{
    guest::{Error, Guest, HostKey, Invocation, Parcel},
    process::{Finished, OnLine, Program},
    redact::Redactor,
};
use tempfile::TempDir;

/// Where the provisioners work in a real guest.
const PLACE: &str = "/var/lib/proxmox-ci";

/// A guest that runs commands on this machine, with its own programs first in `PATH` and the
/// provisioners' place moved into its folder.
pub(crate) struct LocalGuest {
    pub(crate) folder: TempDir,
    pub(crate) invocations: Mutex<Vec<Invocation>>,
    redactor: Redactor,
}

impl LocalGuest {
    pub(crate) fn new(redactor: Redactor) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        Self {
            folder,
            invocations: Mutex::default(),
            redactor,
        }
    }

    /// Puts a program into its `PATH`.
    pub(crate) fn install(&self, name: &str, script: &str) {
        let path = self.folder.path().join("bin").join(name);
        write_executable(&path, script);
    }

    /// Where the provisioners' place is in its folder.
    pub(crate) fn place(&self) -> PathBuf {
        self.folder.path().join("place")
    }
}

pub(crate) fn write_executable(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[async_trait]
impl Guest for LocalGuest {
    fn called(&self) -> String {
        "local".to_owned()
    }

    async fn first_contact(&self, _limit: Duration) -> Result<Option<HostKey>, Error> {
        Ok(None)
    }

    async fn wait_reachable(&self, _limit: Duration) -> Result<(), Error> {
        Ok(())
    }

    async fn run<'a>(
        &self,
        invocation: Invocation,
        on_line: OnLine<'a>,
    ) -> Result<Finished, Error> {
        self.invocations.lock().unwrap().push(invocation.clone());
        let place = self.place().display().to_string();
        let mut argv = invocation
            .argv
            .iter()
            .map(|word| word.replace(PLACE, &place));
        let path = format!("{}:/usr/bin:/bin", self.folder.path().join("bin").display());
        Program::new(argv.next().unwrap())
            .args(argv)
            .env("PATH", path)
            .env("LOG", self.folder.path().join("log"))
            .input(invocation.input)
            .limit(invocation.limit)
            .redactor(self.redactor.clone())
            .run(on_line)
            .await
            .map_err(|source| Error::Program {
                guest: "local".to_owned(),
                source,
            })
    }

    async fn send(&self, _files: Vec<Parcel>, _directory: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(fs::read(path).ok())
    }

    fn inventory(&self) -> Result<BTreeMap<String, String>, Error> {
        let local = ("ansible_connection".to_owned(), "local".to_owned());
        Ok(BTreeMap::from([local]))
    }
}
