//! A template of a few files, made of this machine's own shell and libraries.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use testkit::process::Program;

/// An init that ends when it is asked to.
pub(crate) const POLITE: &str = "#!/bin/sh\ntrap 'exit 0' PWR\nwhile :; do sleep 0.1; done\n";

/// An init that hears nothing.
pub(crate) const DEAF: &str = "#!/bin/sh\ntrap '' PWR\nwhile :; do sleep 0.1; done\n";

/// The programs in it.
const PROGRAMS: [&str; 3] = ["/bin/sh", "/bin/sleep", "/bin/cat"];

/// Makes a template whose init is this script; without one it has no init.
pub(crate) async fn make(folder: &Path, init: Option<&str>) -> PathBuf {
    let root = folder.join("root");
    for name in [
        "etc/ssh",
        "etc/network",
        "proc",
        "sys",
        "dev",
        "root",
        "bin",
        "sbin",
        "tmp",
        "mnt",
    ] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    for program in PROGRAMS {
        copy(program, &root);
        for library in libraries(program).await {
            copy(&library, &root);
        }
    }
    fs::write(root.join("etc/shadow"), "root:*:19000:0:99999:7:::\n").unwrap();
    fs::write(
        root.join("etc/machine-id"),
        "0123456789abcdef0123456789abcdef\n",
    )
    .unwrap();
    fs::write(
        root.join("etc/ssh/ssh_host_ed25519_key.pub"),
        "ssh-ed25519 AAAA baked\n",
    )
    .unwrap();
    if let Some(script) = init {
        fs::write(root.join("sbin/init"), script).unwrap();
        fs::set_permissions(root.join("sbin/init"), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let template = folder.join("tiny.tar.zst");
    let tar = Program::new("tar")
        .args(["--zstd", "-cf"])
        .arg(&template)
        .arg("-C")
        .arg(&root);
    tar.arg(".").checked().await.unwrap();
    template
}

/// Copies a file to the same place in a new root, following its links.
fn copy(file: &str, root: &Path) {
    let target = root.join(file.trim_start_matches('/'));
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::copy(file, target).unwrap();
}

/// The libraries a program is linked with, its loader among them.
async fn libraries(program: &str) -> Vec<String> {
    let listed = Program::new("ldd").arg(program).checked().await.unwrap();
    let text = String::from_utf8(listed).unwrap();
    text.split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(str::to_owned)
        .collect()
}
