//! Templates: ensured by name, once for each node, however many containers want them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use super::{Error, Run};
use crate::{host::Fetch, resolve::Template};

/// The templates of this run: each is looked for once.
#[derive(Default)]
pub(super) struct Templates(Mutex<HashMap<Wanted, Arc<OnceCell<String>>>>);

/// A node, and what is wanted there.
type Wanted = (String, String);

impl Templates {
    fn slot(&self, node: &str, template: &Template) -> Arc<OnceCell<String>> {
        let key = (node.to_owned(), format!("{template:?}"));
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(key).or_default())
    }
}

impl Run {
    /// The volume of a template on `node`, fetched when it is missing.
    pub(super) async fn template(&self, node: &str, template: &Template) -> Result<String, Error> {
        let slot = self.templates.slot(node, template);
        let volume = slot
            .get_or_try_init(|| self.ensure_template(node, template))
            .await?;
        Ok(volume.clone())
    }

    async fn ensure_template(&self, node: &str, template: &Template) -> Result<String, Error> {
        match template {
            Template::Volume { volume } => self.standing_volume(node, volume).await,
            Template::Name { name, storage } => self.named(node, storage, name).await,
            Template::Url {
                url,
                algorithm,
                checksum,
                storage,
                file,
            } => {
                let volume = format!("{storage}:vztmpl/{file}");
                if self.templates_on(node, storage).await?.contains(&volume) {
                    return Ok(volume);
                }
                let what = Fetch::Url {
                    url: url.clone(),
                    file: file.clone(),
                    algorithm: algorithm.clone(),
                    checksum: checksum.clone(),
                };
                self.fetch_template(node, storage, &what).await?;
                Ok(volume)
            }
        }
    }

    async fn standing_volume(&self, node: &str, volume: &str) -> Result<String, Error> {
        let storage = volume.split(':').next().unwrap_or_default();
        let existing = self.templates_on(node, storage).await?;
        if existing.iter().any(|it| it == volume) {
            return Ok(volume.to_owned());
        }
        Err(Error::NoTemplate {
            wanted: volume.to_owned(),
            storage: storage.to_owned(),
            node: node.to_owned(),
            existing,
        })
    }

    async fn named(&self, node: &str, storage: &str, name: &str) -> Result<String, Error> {
        let existing = self.templates_on(node, storage).await?;
        let volumes = existing.iter().map(String::as_str);
        if let Some(volume) = newest(volumes, name) {
            return Ok(volume.to_owned());
        }
        let doing = format!("reading the appliance catalogue of node `{node}`");
        let offered = self
            .host
            .catalogue(node)
            .await
            .map_err(Error::host(doing))?;
        let Some(template) = newest(offered.iter().map(String::as_str), name) else {
            return Err(Error::NoTemplate {
                wanted: name.to_owned(),
                storage: storage.to_owned(),
                node: node.to_owned(),
                existing,
            });
        };
        let what = Fetch::Appliance {
            template: template.to_owned(),
        };
        self.fetch_template(node, storage, &what).await?;
        Ok(format!("{storage}:vztmpl/{template}"))
    }

    async fn templates_on(&self, node: &str, storage: &str) -> Result<Vec<String>, Error> {
        let doing = format!("listing the templates on `{storage}` of node `{node}`");
        let listed = self.host.templates(node, storage).await;
        listed.map_err(Error::host(doing))
    }

    async fn fetch_template(&self, node: &str, storage: &str, what: &Fetch) -> Result<(), Error> {
        let name = match what {
            Fetch::Appliance { template } => template,
            Fetch::Url { file, .. } => file,
        };
        let doing = || Error::host(format!("fetching the template `{name}` to `{storage}`"));
        let task = self
            .host
            .fetch(node, storage, what)
            .await
            .map_err(doing())?;
        let limit = self.settings.limits.task;
        self.host.finish(&task, limit).await.map_err(doing())?;
        Ok(())
    }
}

/// The newest file whose name is `wanted` or begins with it, at the end of a word.
fn newest<'a>(files: impl Iterator<Item = &'a str>, wanted: &str) -> Option<&'a str> {
    files
        .filter(|file| {
            let name = file.rsplit('/').next().unwrap_or(file);
            name.strip_prefix(wanted).is_some_and(|rest| {
                rest.is_empty() || !rest.starts_with(|next: char| next.is_ascii_alphanumeric())
            })
        })
        .max_by(|a, b| by_version(a).cmp(&by_version(b)))
}

/// The name cut into numbers and words, so that `13.10` is newer than `13.9`.
fn by_version(name: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest
            .find(|next: char| next.is_ascii_digit() != digits)
            .unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        let number = if digits {
            part.parse().unwrap_or(u64::MAX)
        } else {
            0
        };
        parts.push((number, part.to_owned()));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_name_is_taken() {
        let files = [
            "local:vztmpl/debian-12-standard_12.9-1_amd64.tar.zst",
            "local:vztmpl/debian-12-standard_12.10-1_amd64.tar.zst",
            "local:vztmpl/debian-12-turnkey_12.11-1_amd64.tar.zst",
        ];
        assert_eq!(
            newest(files.into_iter(), "debian-12-standard"),
            Some("local:vztmpl/debian-12-standard_12.10-1_amd64.tar.zst")
        );
    }

    #[test]
    fn a_name_ends_where_a_word_ends() {
        let files = ["local:vztmpl/debian-12.tar.zst"];
        assert_eq!(newest(files.into_iter(), "debian-1"), None);
        assert_eq!(newest(files.into_iter(), "debian-12"), Some(files[0]));
        assert_eq!(
            newest(files.into_iter(), "debian-12.tar.zst"),
            Some(files[0])
        );
    }
}
