//! Build: the program that was installed, as a file of a release of the project's own repository, so
//! that `[program]` of `fleet.toml` can name it and the control plane can fetch it again.

use async_trait::async_trait;
use gitea_api::api::repos::releases::{Attachment, CreateRelease, Release, Releases};

use super::{
    super::{Call, Content, Error, Found, Ground, Import, PROGRAM, Site, Step, inside},
    repository::{self, MAIN},
};
use crate::upkeep::asset_name;

/// How many files of a release are looked at.
const FILES_MAX: usize = 1_000;

/// The release of the program's version holds the build.
pub(super) struct Released(pub(super) Import);

/// What is looked for, and what of it is there.
struct Seen {
    tag: String,
    name: String,
    release: Option<Release>,
    files: Vec<Attachment>,
}

impl Seen {
    fn is_whole(&self, content: &Content) -> bool {
        let length = u64::try_from(content.bytes.len()).unwrap_or(u64::MAX);
        self.files.iter().any(|file| file.size == length)
    }
}

/// Whether another build than this machine's is the one that counts.
fn another_is_pinned(site: &Site, content: &Content) -> bool {
    let pinned = site.settings.pinned.as_deref();
    pinned.is_some_and(|pinned| !pinned.eq_ignore_ascii_case(&content.sha256))
}

impl Released {
    async fn releases(&self, site: &Site) -> Result<Releases, Error> {
        let service = site.service().await?;
        Ok(repository::repository(site, &service, &self.0).releases())
    }

    async fn look(&self, site: &Site, content: &Content) -> Result<Seen, Error> {
        let releases = self.releases(site).await?;
        let tag = format!("v{}", version(site).await?);
        let name = asset_name(&content.sha256);
        let doing = || Error::forge(format!("looking for the release `{tag}`"));
        let release = releases.find_by_tag(&tag).await.map_err(doing())?;
        let mut files = match &release {
            Some(release) => releases.attachments(release.id).collect(FILES_MAX).await,
            None => Ok(Vec::new()),
        }
        .map_err(doing())?;
        files.retain(|file| file.name == name);
        Ok(Seen {
            tag,
            name,
            release,
            files,
        })
    }

    async fn attach(&self, site: &Site, seen: Seen, content: &Content) -> Result<(), Error> {
        let releases = self.releases(site).await?;
        let Seen {
            tag, name, release, ..
        } = &seen;
        let release = match release {
            Some(release) => release.id,
            None => {
                let wish = CreateRelease::new(tag)
                    .target_commitish(MAIN)
                    .name(tag.trim_start_matches('v'));
                let made = releases.create(&wish).await;
                made.map_err(Error::forge(format!("making the release `{tag}`")))?
                    .id
            }
        };
        // What a cut upload left is in the way of nobody, and is nobody's.
        for file in &seen.files {
            let deleted = releases.delete_attachment(release, file.id).await;
            deleted.map_err(Error::forge(format!("removing an incomplete `{name}`")))?;
        }
        let attached = releases.attach(release, name, &content.bytes).await;
        attached
            .map_err(Error::forge(format!("attaching `{name}` to `{tag}`")))
            .map(drop)
    }
}

/// The version that the program in the container tells.
async fn version(site: &Site) -> Result<String, Error> {
    let said = inside::ask(site, "asking the program", r#""$1" --version"#, [PROGRAM]).await?;
    let version = said.split_whitespace().last().unwrap_or_default();
    if version.is_empty() {
        return Err(Error::refused(
            "the program in the container tells no version",
            "bootstrap again with a program that answers `--version`",
        ));
    }
    Ok(version.to_owned())
}

#[async_trait]
impl Step for Released {
    fn name(&self) -> String {
        format!("build of {}", self.0.name)
    }

    fn ground(&self) -> Ground {
        Ground::Service
    }

    fn calls(&self, site: &Site) -> Vec<Call> {
        let path = repository::path(site, &self.0);
        vec![
            Call::forge(format!(
                "POST /api/v1/repos/{path}/releases (tag v<version>)"
            )),
            Call::forge(format!(
                "POST /api/v1/repos/{path}/releases/…/assets (program)"
            )),
        ]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let content = site.program().await?;
        if another_is_pinned(site, content) {
            return Ok(Found::Settled("the fleet pins another build".to_owned()));
        }
        let seen = self.look(site, content).await?;
        let short = content.sha256.get(..12).unwrap_or_default();
        Ok(Found::when(
            seen.is_whole(content),
            format!("`{}` has the build {short}", seen.tag),
            format!("`{}` has no whole build {short}", seen.tag),
        ))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let content = site.program().await?;
        let seen = self.look(site, content).await?;
        if seen.release.is_none() {
            // A tag is made, and no run is to begin with it.
            let service = site.service().await?;
            repository::switch_off(&repository::repository(site, &service, &self.0)).await?;
        }
        self.attach(site, seen, content).await
    }
}
