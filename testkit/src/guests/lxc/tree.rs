//! Files in a guest's root filesystem, reached without ever following a link out of it.
//!
//! What is in there was written by strangers: a link `etc -> /etc` must not lead to this host's
//! `/etc`. The kernel resolves each path as if the guest's root were the only one.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, fchmod, fchown, mkdirat, openat2,
    readlinkat, renameat, statat, symlinkat, unlinkat,
};

/// The most that is read of a file, in bytes.
const READ_MOST: u64 = 1 << 20;

/// A root filesystem whose owner is the guest's root.
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
    owner: u32,
}

impl Tree {
    /// Opens a root filesystem; `owner` is the host's id of the guest's root.
    pub(super) fn open(root: &Path, owner: u32) -> io::Result<Self> {
        let root = File::open(root)?.into();
        Ok(Self { root, owner })
    }

    /// Whether there is a folder at a path.
    pub(super) fn has_folder(&self, path: &str) -> bool {
        self.folder(path).is_ok()
    }

    /// The names in a folder; none when it is not there.
    pub(super) fn names(&self, path: &str) -> io::Result<Vec<String>> {
        let folder = match self.folder(path) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in Dir::new(folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// The beginning of a file as text; `None` when it is not there.
    pub(super) fn read(&self, path: &str) -> io::Result<Option<String>> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat2(
            &self.root,
            relative(path),
            flags,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        ) {
            Ok(file) => File::from(file),
            Err(error) if io::Error::from(error).kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        if !file.metadata()?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(READ_MOST).read_to_end(&mut bytes)?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Puts a file in place, whatever was there before; its folders are made when missing.
    pub(super) fn write(&self, path: &str, content: &str, mode: u32) -> io::Result<()> {
        self.replace(path, content, |file| self.own(file, mode))
    }

    /// Replaces what is in a file that is there, and keeps its owner, group and mode.
    pub(super) fn rewrite(&self, path: &str, content: &str) -> io::Result<()> {
        let (above, name) = split(path);
        let before = statat(&self.folder(above)?, name, AtFlags::SYMLINK_NOFOLLOW)?;
        self.replace(path, content, |file| {
            let (uid, gid) = (Uid::from_raw(before.st_uid), Gid::from_raw(before.st_gid));
            fchown(file, Some(uid), Some(gid))?;
            Ok(fchmod(file, Mode::from_raw_mode(before.st_mode))?)
        })
    }

    /// Writes a new file, hands it to `own`, and puts it where `path` is.
    fn replace(
        &self,
        path: &str,
        content: &str,
        own: impl FnOnce(&OwnedFd) -> io::Result<()>,
    ) -> io::Result<()> {
        let (folder, name) = self.place(path)?;
        let fresh = format!(".{name}.new");
        remove_at(&folder, &fresh)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat2(
            &folder,
            &fresh,
            flags,
            Mode::from_raw_mode(0o600),
            ResolveFlags::BENEATH,
        )?;
        own(&file)?;
        File::from(file).write_all(content.as_bytes())?;
        Ok(renameat(&folder, &fresh, &folder, name)?)
    }

    /// Puts a symbolic link in place, whatever was there before.
    pub(super) fn link(&self, path: &str, target: &str) -> io::Result<()> {
        let (folder, name) = self.place(path)?;
        remove_at(&folder, name)?;
        Ok(symlinkat(target, &folder, name)?)
    }

    /// Removes a file or link; it need not be there.
    pub(super) fn remove(&self, path: &str) -> io::Result<()> {
        let (above, name) = split(path);
        match self.folder(above) {
            Ok(folder) => remove_at(&folder, name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes a folder with its parents. The mode is for the last, whether or not it was there.
    pub(super) fn make_folder(&self, path: &str, mode: u32) -> io::Result<()> {
        self.own(&self.made_folder(path)?, mode)
    }

    /// The place that a path leads to in the guest once its links are followed.
    pub(super) fn resolve(&self, path: &str) -> io::Result<PathBuf> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let found = openat2(
            &self.root,
            relative(path),
            flags,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        )?;
        let at = |fd: &OwnedFd| -> io::Result<PathBuf> {
            use std::os::fd::AsRawFd;
            let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
            let name = readlinkat(rustix::fs::CWD, link, Vec::new())?;
            Ok(PathBuf::from(OsString::from_vec(name.into_bytes())))
        };
        let whole = at(&found)?;
        Ok(whole
            .strip_prefix(at(&self.root)?)
            .map(Path::to_path_buf)
            .unwrap_or(whole))
    }

    fn folder(&self, path: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(openat2(
            &self.root,
            relative(path),
            flags,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        )?)
    }

    fn place<'a>(&self, path: &'a str) -> io::Result<(OwnedFd, &'a str)> {
        let (above, name) = split(path);
        Ok((self.made_folder(above)?, name))
    }

    /// Opens a folder, making it and those above it when they are missing.
    fn made_folder(&self, path: &str) -> io::Result<OwnedFd> {
        match self.folder(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let (above, name) = split(path);
        let parent = self.made_folder(above)?;
        match mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Err(error) if error != rustix::io::Errno::EXIST => return Err(error.into()),
            _ => {}
        }
        let made = self.folder(path)?;
        self.own(&made, 0o755)?;
        Ok(made)
    }

    fn own(&self, file: &impl AsFd, mode: u32) -> io::Result<()> {
        fchown(
            file,
            Some(Uid::from_raw(self.owner)),
            Some(Gid::from_raw(self.owner)),
        )?;
        Ok(fchmod(file, Mode::from_raw_mode(mode))?)
    }
}

fn remove_at(folder: &OwnedFd, name: &str) -> io::Result<()> {
    let kind = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => FileType::from_raw_mode(stat.st_mode),
        Err(error) if error == rustix::io::Errno::NOENT => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let flags = if kind == FileType::Directory {
        AtFlags::REMOVEDIR
    } else {
        AtFlags::empty()
    };
    Ok(unlinkat(folder, name, flags)?)
}

/// A path as the kernel resolves it from an open root.
fn relative(path: &str) -> &str {
    match path.trim_start_matches('/') {
        "" => ".",
        path => path,
    }
}

/// The folder that a path is in, and its last name.
fn split(path: &str) -> (&str, &str) {
    relative(path)
        .rsplit_once('/')
        .unwrap_or((".", relative(path)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree() -> (tempfile::TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        let owner = rustix::process::getuid().as_raw();
        fs::create_dir_all(folder.path().join("rootfs")).unwrap();
        let tree = Tree::open(&folder.path().join("rootfs"), owner).unwrap();
        (folder, tree)
    }

    #[test]
    fn a_link_out_of_the_root_leads_nowhere() {
        let (folder, tree) = tree();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/hostname"), "host").unwrap();
        symlink(
            folder.path().join("outside"),
            folder.path().join("rootfs/etc"),
        )
        .unwrap();
        symlink("../outside", folder.path().join("rootfs/up")).unwrap();
        assert!(tree.write("etc/hostname", "guest", 0o644).is_err());
        assert!(tree.write("up/hostname", "guest", 0o644).is_err());
        assert_eq!(
            fs::read_to_string(folder.path().join("outside/hostname")).unwrap(),
            "host"
        );
    }

    #[test]
    fn a_link_in_place_of_a_file_is_replaced() {
        let (folder, tree) = tree();
        fs::write(folder.path().join("victim"), "host").unwrap();
        fs::create_dir(folder.path().join("rootfs/etc")).unwrap();
        symlink(
            folder.path().join("victim"),
            folder.path().join("rootfs/etc/resolv.conf"),
        )
        .unwrap();
        tree.write("etc/resolv.conf", "nameserver 192.0.2.1\n", 0o644)
            .unwrap();
        assert_eq!(
            tree.read("etc/resolv.conf").unwrap().as_deref(),
            Some("nameserver 192.0.2.1\n")
        );
        assert_eq!(
            fs::read_to_string(folder.path().join("victim")).unwrap(),
            "host"
        );
    }

    #[test]
    fn folders_are_made_on_the_way() {
        let (_folder, tree) = tree();
        tree.write("/root/.ssh/authorized_keys", "key\n", 0o600)
            .unwrap();
        tree.make_folder("root/.ssh", 0o700).unwrap();
        assert_eq!(tree.names("root/.ssh").unwrap(), ["authorized_keys"]);
        tree.remove("root/.ssh/authorized_keys").unwrap();
        tree.remove("root/.ssh/authorized_keys").unwrap();
        assert_eq!(tree.read("root/.ssh/authorized_keys").unwrap(), None);
    }

    #[test]
    fn a_program_is_found_behind_its_links() {
        let (folder, tree) = tree();
        fs::create_dir_all(folder.path().join("rootfs/bin")).unwrap();
        fs::create_dir_all(folder.path().join("rootfs/sbin")).unwrap();
        fs::write(folder.path().join("rootfs/bin/busybox"), "").unwrap();
        symlink("/bin/busybox", folder.path().join("rootfs/sbin/init")).unwrap();
        assert_eq!(tree.resolve("sbin/init").unwrap(), Path::new("bin/busybox"));
    }
}
