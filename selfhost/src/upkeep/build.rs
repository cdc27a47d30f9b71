//! The build that is pinned: an attachment of a release, and nothing but what the checksum says.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{Error, Pin, Upkeep};

/// How many attachments of a release are looked at.
const ATTACHMENTS_MAX: usize = 200;

/// The name under which a build is attached to its release.
///
/// ```
/// let name = selfhost::upkeep::asset_name(&"0a".repeat(32));
/// assert_eq!(name, "proxmox-ci-0a0a0a0a0a0a");
/// ```
#[must_use]
pub fn asset_name(sha256: &str) -> String {
    format!("proxmox-ci-{}", sha256.get(..12).unwrap_or(sha256))
}

impl Upkeep<'_> {
    /// The build itself.
    pub(super) async fn fetch(&self) -> Result<Bytes, Error> {
        let (tag, name) = (
            format!("v{}", self.pin.version),
            asset_name(&self.pin.sha256),
        );
        let repository = self.repository.to_string();
        let releases = self.forge.repo_at(self.repository.clone()).releases();
        let release = releases.find_by_tag(&tag).await.map_err(Error::Forge)?;
        let release = release.ok_or_else(|| Error::NoRelease {
            repository: repository.clone(),
            tag: tag.clone(),
        })?;
        let attachments = releases.attachments(release.id).collect(ATTACHMENTS_MAX);
        let attachments = attachments.await.map_err(Error::Forge)?;
        // Two attachments may have one name: the newest is meant.
        let found = attachments.iter().rev().find(|it| it.name == name);
        let found = found.ok_or_else(|| Error::NoBuild {
            repository,
            tag,
            name: name.clone(),
        })?;
        let build = releases.download(found).await.map_err(Error::Forge)?;
        verified(build, &self.pin, name)
    }
}

fn verified(build: Bytes, pin: &Pin, name: String) -> Result<Bytes, Error> {
    let found = checksum(&build);
    if found == pin.sha256 {
        return Ok(build);
    }
    Err(Error::Checksum {
        name,
        found,
        pinned: pin.sha256.clone(),
    })
}

/// SHA-256 as pins have it.
pub(super) fn checksum(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing into a text does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_with_another_checksum_is_refused() {
        let pin = Pin {
            version: "0.3.1".to_owned(),
            sha256: checksum(b"the build"),
        };
        let taken = verified(Bytes::from_static(b"the build"), &pin, "b".to_owned());
        assert_eq!(taken.unwrap(), "the build");
        let refused = verified(Bytes::from_static(b"another"), &pin, "b".to_owned());
        assert!(matches!(refused, Err(Error::Checksum { pinned, .. }) if pinned == pin.sha256));
    }
}
