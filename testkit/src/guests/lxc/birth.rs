//! A new guest's files: its root unpacked from the template, and what only this one has.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use rand::RngExt;
use sha2::{Digest, Sha256};

use super::Failure;
use super::inside::HostKey;
use super::render::IDS;
use super::tools::while_doing;
use crate::guests::{Secret, TaskLog};
use crate::process::Program;

/// The kinds of ssh host keys that a guest gets.
const KEY_KINDS: [&str; 3] = ["rsa", "ecdsa", "ed25519"];

/// How long unpacking may take.
const UNPACKING: Duration = Duration::from_secs(600);

/// The letters of a password's salt.
const SALT: &[u8] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Unpacks a template into a new root filesystem, as the guest's own root would: what it may not
/// make, such as device nodes, is left out.
pub(super) async fn unpack(
    template: &Path,
    rootfs: &Path,
    first_id: u32,
    log: &TaskLog,
) -> Result<(), Failure> {
    let compression = match template.file_name().and_then(|name| name.to_str()) {
        Some(name) if name.ends_with(".zst") => Some("--zstd"),
        Some(name) if name.ends_with(".gz") || name.ends_with(".tgz") => Some("--gzip"),
        Some(name) if name.ends_with(".xz") => Some("--xz"),
        Some(name) if name.ends_with(".bz2") => Some("--bzip2"),
        _ => None,
    };
    let archive = File::open(template).map_err(while_doing(format!(
        "opening template `{}`",
        template.display()
    )))?;
    log.write(format!("extracting archive '{}'", template.display()));
    let (users, groups) = (
        format!("u:0:{first_id}:{IDS}"),
        format!("g:0:{first_id}:{IDS}"),
    );
    let output = Program::new("lxc-usernsexec")
        .args([
            "-m",
            &users,
            "-m",
            &groups,
            "--",
            "tar",
            "--extract",
            "--file",
            "-",
        ])
        .args(compression)
        .args([
            "--preserve-permissions",
            "--numeric-owner",
            "--totals",
            "--anchored",
        ])
        .args(["--exclude", "./dev/*", "--exclude", "dev/*", "--directory"])
        .arg(rootfs)
        .stdin_file(archive)
        .limit(UNPACKING)
        .output()
        .await
        .map_err(while_doing("unpacking the template"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    log.write(words.trim());
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "unpacking `{}` failed: {}",
        template.display(),
        output.words()
    )))
}

/// Makes the folders of a container, the root filesystem and volumes owned by the guest's root.
pub(super) fn make_folders(
    container: &Path,
    volumes: impl Iterator<Item = PathBuf>,
    first_id: u32,
) -> io::Result<()> {
    fs::create_dir(container)?;
    fs::set_permissions(container, PermissionsExt::from_mode(0o711))?;
    make_folder(&container.join("rootfs"), first_id)?;
    volumes
        .into_iter()
        .try_for_each(|volume| make_folder(&volume, first_id))
}

/// Makes a folder owned by the guest's root, with its parents; one that is there is left alone.
pub(super) fn make_folder(folder: &Path, first_id: u32) -> io::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, PermissionsExt::from_mode(0o755))?;
    chown(folder, Some(first_id), Some(first_id))
}

/// Makes new ssh host keys in a private folder, which is removed again.
pub(super) async fn host_keys(
    folder: &Path,
    hostname: &str,
    log: &TaskLog,
) -> Result<Vec<HostKey>, Failure> {
    let place = folder.join("keys");
    let failed = |error| while_doing::<io::Error>("making ssh host keys")(error);
    fs::create_dir(&place).map_err(failed)?;
    fs::set_permissions(&place, PermissionsExt::from_mode(0o700)).map_err(failed)?;
    let short = hostname.split('.').next().unwrap_or(hostname);
    let made = KEY_KINDS.map(|kind| host_key(&place, kind, short));
    let made = futures_util::future::join_all(made).await;
    fs::remove_dir_all(&place).map_err(failed)?;
    let keys: Vec<HostKey> = made.into_iter().collect::<Result<_, _>>()?;
    for key in &keys {
        log.write(format!(
            "Creating SSH host key '{}' - this may take some time ...",
            key.file
        ));
        log.write(format!(
            "done: {} root@{short}",
            fingerprint(&key.public).unwrap_or_default()
        ));
    }
    Ok(keys)
}

async fn host_key(place: &Path, kind: &str, hostname: &str) -> Result<HostKey, Failure> {
    let file = format!("ssh_host_{kind}_key");
    let path = place.join(&file);
    Program::new("ssh-keygen")
        .args([
            "-q",
            "-t",
            kind,
            "-N",
            "",
            "-C",
            &format!("root@{hostname}"),
            "-f",
        ])
        .arg(&path)
        .checked()
        .await
        .map_err(while_doing("making ssh host keys"))?;
    let read = |path: &Path| fs::read_to_string(path).map_err(while_doing("reading ssh host keys"));
    Ok(HostKey {
        private: read(&path)?,
        public: read(&path.with_extension("pub"))?,
        file,
    })
}

/// The fingerprint of a public key, in the form that `ssh-keygen -l` prints.
fn fingerprint(public: &str) -> Option<String> {
    let blob = STANDARD.decode(public.split_whitespace().nth(1)?).ok()?;
    Some(format!(
        "SHA256:{}",
        STANDARD_NO_PAD.encode(Sha256::digest(blob))
    ))
}

/// Hashes a password as a shadow file has it. The password goes through a pipe, never an argument.
pub(super) async fn password_hash(password: &Secret) -> Result<String, Failure> {
    let letter = |_| char::from(SALT[rand::rng().random_range(0..SALT.len())]);
    let salt: String = (0..16).map(letter).collect();
    let script = "chomp(my $word = <STDIN>); print crypt($word, $ARGV[0])";
    let hash = Program::new("perl")
        .args(["-e", script, &format!("$6${salt}$")])
        .stdin(format!("{}\n", password.reveal()))
        .checked()
        .await
        .map_err(while_doing("hashing the password"))?;
    let hash = String::from_utf8_lossy(&hash).trim().to_owned();
    if hash.starts_with("$6$") && !hash.contains([':', '\n']) {
        return Ok(hash);
    }
    Err(Failure::new(
        "hashing the password: no SHA-512 in this system's crypt",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_what_ssh_prints() {
        let public =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f x";
        let made = fingerprint(public).unwrap();
        assert!(made.starts_with("SHA256:"), "{made}");
        assert_eq!(made.len(), "SHA256:".len() + 43);
        assert_eq!(fingerprint("ssh-ed25519"), None);
    }

    #[tokio::test]
    async fn a_password_is_hashed_with_a_salt_of_its_own() {
        let secret = Secret::new("open sesame");
        let (one, two) = (
            password_hash(&secret).await.unwrap(),
            password_hash(&secret).await.unwrap(),
        );
        assert!(one.starts_with("$6$"));
        assert_eq!(one.len(), 106);
        assert_ne!(one, two);
    }
}
