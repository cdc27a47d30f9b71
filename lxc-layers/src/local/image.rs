//! The image of a tried container: the fleet's Dockerfile on its base, built when it changed.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{BASE, DOCKERFILE, Error, STEP, TEMPLATE, Trial, definition, labels, listener};
use crate::{
    event::{Kind, Layer},
    guest::{
        Parcel,
        docker::{Labels, Recipe, digest},
    },
};

/// The Dockerfile of a fleet, relative to its root.
const PATH: &str = "local/Dockerfile";
/// Where our images are: a name without a place is one that Podman fetches.
const HERE: &str = "localhost";
/// What imported templates are called, their digest left out. It is no tag, which Podman ignores when
/// it imports.
pub(super) const IMPORTED: &str = "localhost/proxmox-ci-template-";
/// How deep the folder of the Dockerfile may be.
const DEPTH_MAX: usize = 16;

/// The image that a container is made from.
pub(super) struct Image {
    /// Its name.
    pub(super) name: String,
    /// Ports that it says it listens on.
    pub(super) exposed: Vec<u16>,
}

/// What an image is built on.
struct Base {
    /// Its name; `None` where the Dockerfile settles it by itself.
    name: Option<String>,
    /// Whether it was not there before this run.
    made: bool,
}

impl Trial<'_> {
    /// The image, built where it is not there yet.
    pub(super) async fn image(&self) -> Result<Image, Error> {
        let files = files(&self.settings.root.join("local"))?;
        let base = self.base(&files).await?;
        let fingerprint = definition::fingerprint(&files, base.name.as_deref().unwrap_or_default());
        let name = format!("{HERE}/{}:{fingerprint}", super::name(self.settings));
        if self.engine.image(&name).await?.is_some() {
            self.unchanged(Layer::Init, "image", Kind::Unpack);
        } else {
            self.build(&name, &files, base).await?;
        }
        let exposed = self.engine.exposed(&name).await?;
        Ok(Image { name, exposed })
    }

    async fn build(&self, name: &str, files: &[Parcel], base: Base) -> Result<(), Error> {
        let mut labels = labels(self.settings);
        let ours = base.name.clone().filter(|_| base.made);
        labels.extend(ours.map(|name| (BASE.to_owned(), name)));
        let files = stepwise(files, self.settings.fleet.as_str());
        let recipe = Recipe {
            image: name,
            files: &files,
            dockerfile: PATH,
            base: base.name.as_deref(),
            labels: &labels,
        };
        let on_line = listener(&self.events, self.settings.container.name.as_str());
        let engine = self.engine;
        let work = async { Ok(engine.build(&recipe, &on_line).await?) };
        self.step((Layer::Init, "image", Kind::Unpack), work).await
    }

    /// What the image is built on: the template, imported once; else the Dockerfile's own, fetched
    /// when it is not here.
    async fn base(&self, files: &[Parcel]) -> Result<Base, Error> {
        let dockerfile = files.iter().find(|file| file.path == "Dockerfile");
        let text = dockerfile.map_or("".into(), |file| String::from_utf8_lossy(&file.content));
        let own = definition::base(&text);
        match (&self.settings.base_template, own) {
            (Some(template), Some(_)) => self.template(template.clone()).await,
            (Some(_), None) => Err(Error::FixedBase {
                dockerfile: PATH.to_owned(),
            }),
            (None, Some(image)) if !image.is_empty() => self.fetched(image).await,
            (None, _) => Ok(Base {
                name: None,
                made: false,
            }),
        }
    }

    async fn template(&self, template: PathBuf) -> Result<Base, Error> {
        let digest = digest(&template).await.map_err(Error::file(&template))?;
        let digest = definition::short(&digest);
        let name = format!("{IMPORTED}{digest}:latest");
        if self.engine.image(&name).await?.is_none() {
            let labels = Labels::from([(TEMPLATE.to_owned(), digest)]);
            let engine = self.engine;
            let work = async { Ok(engine.import(&template, &name, &labels).await?) };
            self.step((Layer::Init, "template", Kind::Unpack), work)
                .await?;
        }
        Ok(Base {
            name: Some(name),
            made: true,
        })
    }

    async fn fetched(&self, image: String) -> Result<Base, Error> {
        let made = self.engine.image(&image).await?.is_none();
        if made {
            let on_line = listener(&self.events, self.settings.container.name.as_str());
            let engine = self.engine;
            let work = async { Ok(engine.fetch_image(&image, &on_line).await?) };
            self.step((Layer::Init, "base image", Kind::Unpack), work)
                .await?;
        }
        Ok(Base {
            name: Some(image),
            made,
        })
    }
}

/// The files of a build, the label of its steps in their Dockerfile.
fn stepwise(files: &[Parcel], fleet: &str) -> Vec<Parcel> {
    let mut files = files.to_vec();
    for file in files.iter_mut().filter(|file| file.path == "Dockerfile") {
        // One that is no UTF-8 is the daemon's to refuse, as it is.
        if let Ok(text) = std::str::from_utf8(&file.content) {
            file.content = definition::labelled(text, (STEP, fleet)).into_bytes();
        }
    }
    files
}

/// The Dockerfile and what lies beside it; the program's own where the fleet has none.
fn files(folder: &Path) -> Result<Vec<Parcel>, Error> {
    let mut files = Vec::new();
    if folder.is_dir() {
        walk(folder, "", 0, &mut files).map_err(Error::file(folder))?;
    }
    // The script stands for the command; that it changed is no other image.
    files.retain(|file| file.path != "run.sh");
    if !files.iter().any(|file| file.path == "Dockerfile") {
        files.push(Parcel {
            path: "Dockerfile".to_owned(),
            content: DOCKERFILE.as_bytes().to_vec(),
            mode: 0o644,
        });
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn walk(folder: &Path, below: &str, depth: usize, files: &mut Vec<Parcel>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        // A name that is no UTF-8 is none that a Dockerfile could write.
        let Some(name) = name.to_str().filter(|name| !name.contains(".local.")) else {
            continue;
        };
        let path = format!("{below}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < DEPTH_MAX {
            walk(&entry.path(), &format!("{path}/"), depth + 1, files)?;
        } else if kind.is_file() {
            let executable = entry.metadata()?.permissions().mode() & 0o100 != 0;
            files.push(Parcel {
                path,
                content: fs::read(entry.path())?,
                mode: if executable { 0o755 } else { 0o644 },
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_without_a_dockerfile_has_the_one_of_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let local = folder.path().join("local");
        let only = files(&local).unwrap();
        assert_eq!(only[0].content, DOCKERFILE.as_bytes());
        fs::create_dir_all(local.join("files")).unwrap();
        for (path, text) in [
            ("Dockerfile", "FROM scratch\n"),
            ("run.sh", "#!/bin/sh\n"),
            ("files/a", "a"),
            ("key.local.pem", "secret"),
        ] {
            fs::write(local.join(path), text).unwrap();
        }
        let found = files(&local).unwrap();
        let paths: Vec<&str> = found.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["Dockerfile", "files/a"]);
    }
}
