//! Operator: what this machine needs to speak to the control plane from now on.
//!
//! Three files beside the fleet's others that stay on this machine: `forge.local.toml` says where the
//! Git service is and how it is trusted, `forge.local.crt` is its certificate, `forge.local.token`
//! the administrator's token.

use std::{
    fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, os::unix::fs::PermissionsExt as _,
    path::Path,
};

use async_trait::async_trait;

use super::super::{Call, Error, Found, Ground, Service, Site, Step};

/// The files of the operator's machine say what stands.
pub(super) struct Kept;

/// Each file with its content.
fn files(site: &Site, service: &Service) -> [(&'static str, String); 3] {
    let organisation = &site.settings.names.organisation;
    let fleet = site.settings.imports.first();
    let repository = fleet.map_or("fleet", |import| import.name.as_str());
    let toml = format!(
        "# How this fleet's control plane is reached; written by `proxmox-ci bootstrap`.\nurl = \"{}\"\nfingerprint = \"{}\"\nca_file = \"forge.local.crt\"\ntoken_file = \"forge.local.token\"\nuser = \"{}\"\nrepository = \"{organisation}/{repository}\"\n",
        service.url, service.fingerprint, service.administrator.user,
    );
    let token = format!("{}\n", service.administrator.token.reveal());
    [
        ("forge.local.crt", service.certificate.clone()),
        ("forge.local.token", token),
        ("forge.local.toml", toml),
    ]
}

/// Whether a file stands there with this content, for its owner alone.
fn stands(path: &Path, content: &str) -> bool {
    let mode = fs::metadata(path).map(|file| file.permissions().mode() & 0o777);
    mode.is_ok_and(|mode| mode == 0o600) && fs::read_to_string(path).is_ok_and(|it| it == content)
}

/// Writes a file under another name and renames it.
fn write(path: &Path, content: &str) -> std::io::Result<()> {
    let draft = path.with_extension("local.new");
    // A draft that a killed run left may have any mode.
    drop(fs::remove_file(&draft));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

#[async_trait]
impl Step for Kept {
    fn name(&self) -> String {
        "operator's files".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Service
    }

    fn calls(&self, site: &Site) -> Vec<Call> {
        let root = site.settings.root.display();
        let file = |name: &str| Call::file(format!("write {root}/{name} (mode 0600)"));
        ["forge.local.crt", "forge.local.token", "forge.local.toml"]
            .map(file)
            .into()
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let service = site.service().await?;
        let files = files(site, &service);
        let mut wrong = files
            .iter()
            .filter(|(name, content)| !stands(&site.settings.root.join(name), content));
        Ok(match wrong.next() {
            Some((name, _)) => Found::Needed(format!("`{name}` does not say what stands")),
            None => Found::Settled("`forge.local.toml` says where it is".to_owned()),
        })
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let service = site.service().await?;
        for (name, content) in files(site, &service) {
            let path = site.settings.root.join(name);
            write(&path, &content).map_err(Error::local("writing", &path))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_could_read_does_not_stand() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forge.local.token");
        write(&path, "canary\n").unwrap();
        assert!(stands(&path, "canary\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(!stands(&path, "canary\n"));
        write(&path, "canary\n").unwrap();
        assert!(stands(&path, "canary\n"));
    }
}
