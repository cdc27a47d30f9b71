//! Images: imported from a container template, fetched, built, removed.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, PoisonError},
};

use bollard::{
    body_full, body_try_stream,
    models::{ImageInspect, ImageSummary},
    query_parameters::{
        BuildImageOptionsBuilder, CreateImageOptionsBuilder, ListImagesOptionsBuilder,
        RemoveImageOptions,
    },
};
use futures_util::TryStreamExt as _;

use super::{
    archive,
    engine::Engine,
    error::{Error, Said},
};
use crate::{
    guest::{LastWords, Parcel, pack},
    process::{OnLine, Stream},
};

/// Labels of an image or a container.
pub type Labels = HashMap<String, String>;

/// What an image is built from.
#[derive(Debug)]
pub struct Recipe<'a> {
    /// What it is called: `name:tag`.
    pub image: &'a str,
    /// The Dockerfile and what lies beside it.
    pub files: &'a [Parcel],
    /// What the Dockerfile is called in messages.
    pub dockerfile: &'a str,
    /// The value of its `ARG BASE`; its own when `None`.
    pub base: Option<&'a str>,
    /// Labels of the image.
    pub labels: &'a Labels,
}

impl Engine {
    /// Labels of an image; `None` when there is no such image.
    ///
    /// # Errors
    ///
    /// When the daemon refuses.
    pub async fn image(&self, image: &str) -> Result<Option<Labels>, Error> {
        let found = self.look(image).await?;
        Ok(found.map(|it| it.config.and_then(|it| it.labels).unwrap_or_default()))
    }

    /// Ports that an image says it listens on, TCP alone.
    ///
    /// # Errors
    ///
    /// When the daemon refuses.
    pub async fn exposed(&self, image: &str) -> Result<Vec<u16>, Error> {
        let config = self.look(image).await?.and_then(|it| it.config);
        let ports = config.and_then(|it| it.exposed_ports).unwrap_or_default();
        let tcp = ports.iter().filter_map(|port| match port.split_once('/') {
            Some((port, "tcp")) => port.parse().ok(),
            Some(_) => None,
            None => port.parse().ok(),
        });
        Ok(tcp.collect())
    }

    async fn look(&self, image: &str) -> Result<Option<ImageInspect>, Error> {
        match self.api.inspect_image(image).await {
            Ok(found) => Ok(Some(found)),
            Err(error) => {
                let said = Said::from(error);
                if said.is_missing() {
                    return Ok(None);
                }
                let doing = format!("looking for the image `{image}`");
                Err(Error::Refused { doing, said })
            }
        }
    }

    /// Makes an image of a container template: `.tar`, `.tar.gz` or `.tar.zst`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or the daemon refuses it.
    pub async fn import(&self, template: &Path, image: &str, labels: &Labels) -> Result<(), Error> {
        let (name, tag) = image.split_once(':').unwrap_or((image, "latest"));
        let mut changes = vec!["CMD [\"/sbin/init\"]".to_owned()];
        changes.extend(
            labels
                .iter()
                .map(|(key, value)| format!("LABEL {key}={value}")),
        );
        let options = CreateImageOptionsBuilder::new()
            .from_src("-")
            .repo(name)
            .tag(tag)
            .changes(changes)
            .build();
        // Why reading failed is known here and not to the daemon, which sees a broken connection.
        let broken = std::sync::Arc::new(Mutex::new(None));
        let note = std::sync::Arc::clone(&broken);
        let archive = archive::unpacked(template.to_owned()).map_err(move |error| {
            let kind = error.kind();
            *note.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            kind.into()
        });
        let told = self
            .api
            .create_image(Some(options), Some(body_try_stream(archive)), None)
            .try_for_each(|_| async { Ok(()) })
            .await;
        let broken = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(source) = broken {
            return Err(Error::File {
                path: template.to_owned(),
                source,
            });
        }
        told.map_err(Error::refused(format!(
            "importing `{}` as an image",
            template.display()
        )))
    }

    /// Fetches an image, telling what the daemon says of it.
    ///
    /// # Errors
    ///
    /// When it cannot be had.
    pub async fn fetch_image(&self, image: &str, on_line: OnLine<'_>) -> Result<(), Error> {
        let options = CreateImageOptionsBuilder::new().from_image(image).build();
        on_line(Stream::Stdout, &format!("fetching the image {image}"));
        self.api
            .create_image(Some(options), None, None)
            .try_for_each(|_| async { Ok(()) })
            .await
            .map_err(|error| Error::NoImage {
                image: image.to_owned(),
                said: error.into(),
            })
    }

    /// Builds an image, telling each line of the build.
    ///
    /// # Errors
    ///
    /// When the build fails or the daemon refuses it.
    pub async fn build(&self, recipe: &Recipe<'_>, on_line: OnLine<'_>) -> Result<(), Error> {
        let context = pack(recipe.files).map_err(|source| Error::File {
            path: recipe.dockerfile.into(),
            source,
        })?;
        let arguments: Labels = recipe
            .base
            .map(|base| ("BASE".to_owned(), base.to_owned()))
            .into_iter()
            .collect();
        let options = BuildImageOptionsBuilder::new()
            .dockerfile("Dockerfile")
            .t(recipe.image)
            .rm(true)
            .forcerm(true)
            .buildargs(&arguments)
            .labels(recipe.labels)
            .build();
        let mut last = Vec::new();
        let mut lines = self
            .api
            .build_image(options, None, Some(body_full(context.into())));
        let failed = loop {
            match lines.try_next().await {
                Ok(Some(info)) => {
                    let text = info.stream.or(info.status).unwrap_or_default();
                    for line in text.lines().filter(|line| !line.trim().is_empty()) {
                        on_line(Stream::Stdout, line);
                        last.push(line.to_owned());
                    }
                    if let Some(error) = info.error_detail.and_then(|it| it.message) {
                        break error;
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => break Said::from(error).to_string(),
            }
        };
        last.push(failed);
        let from = last.len().saturating_sub(12);
        Err(Error::Build {
            dockerfile: recipe.dockerfile.to_owned(),
            last: LastWords::new(&last[from..]),
        })
    }

    /// Names of the images that bear all these labels.
    ///
    /// # Errors
    ///
    /// When the daemon refuses.
    pub async fn images(&self, labels: &Labels) -> Result<Vec<String>, Error> {
        let found = self.listed(labels, false).await?;
        let names = found.into_iter().flat_map(|image| {
            let tags = named(&image);
            // One that lost its name to a newer one has its number still.
            if tags.is_empty() {
                vec![image.id]
            } else {
                tags
            }
        });
        Ok(names.collect())
    }

    /// Ids of the images without a name that bear all these labels, those of unfinished builds too.
    ///
    /// # Errors
    ///
    /// When the daemon refuses.
    pub async fn nameless(&self, labels: &Labels) -> Result<Vec<String>, Error> {
        let found = self.listed(labels, true).await?.into_iter();
        Ok(found
            .filter(|image| named(image).is_empty())
            .map(|image| image.id)
            .collect())
    }

    /// Names of the images whose name begins this way.
    ///
    /// # Errors
    ///
    /// When the daemon refuses.
    pub async fn called(&self, beginning: &str) -> Result<Vec<String>, Error> {
        let found = self.listed(&Labels::new(), false).await?;
        let names = found.iter().flat_map(named);
        Ok(names.filter(|name| name.starts_with(beginning)).collect())
    }

    async fn listed(&self, labels: &Labels, all: bool) -> Result<Vec<ImageSummary>, Error> {
        // Podman finds nothing by two labels at once, so that all are asked for and looked at here.
        let options = ListImagesOptionsBuilder::new().all(all).build();
        let found = self.api.list_images(Some(options)).await;
        let mut found = found.map_err(Error::refused("listing images"))?;
        found.retain(|image| {
            labels
                .iter()
                .all(|(name, value)| image.labels.get(name) == Some(value))
        });
        Ok(found)
    }

    /// Removes an image with the layers that only it has; false when something uses it.
    ///
    /// # Errors
    ///
    /// When the daemon refuses for another reason than that.
    pub async fn remove_image(&self, image: &str) -> Result<bool, Error> {
        let removed = self
            .api
            .remove_image(image, None::<RemoveImageOptions>, None)
            .await;
        let Err(error) = removed else {
            return Ok(true);
        };
        let said = Said::from(error);
        if said.is_missing() || said.is_conflict() {
            return Ok(said.is_missing());
        }
        Err(Error::Refused {
            doing: format!("removing the image `{image}`"),
            said,
        })
    }
}

/// The names of an image; an image without one is listed under a sign that says so.
fn named(image: &ImageSummary) -> Vec<String> {
    let tags = image.repo_tags.iter();
    tags.filter(|tag| !tag.starts_with("<none>"))
        .cloned()
        .collect()
}
