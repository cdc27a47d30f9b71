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
            offered: Vec::new(),
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
                offered: nearest(offered, name),
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

/// So many of the catalogue are named where none fits.
const NAMED: usize = 6;

/// Those of the catalogue whose names come nearest to the wanted one.
fn nearest(mut offered: Vec<String>, wanted: &str) -> Vec<String> {
    let likeness = |name: &String| strsim::jaro_winkler(wanted, name);
    offered.sort_by(|a, b| {
        likeness(b)
            .total_cmp(&likeness(a))
            .then_with(|| by_version(b).cmp(&by_version(a)))
    });
    offered.truncate(NAMED);
    offered
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
    use crate::{
        execute::scene::scene,
        host::{self, MockHost, TaskEnd, TaskId},
    };

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

    const PLACE: (&str, &str) = ("pve1", "local");

    fn host(stored: &'static [&'static str]) -> MockHost {
        let mut host = MockHost::new();
        host.expect_templates().returning(|_, _| {
            Ok(stored
                .iter()
                .map(|name| format!("local:vztmpl/{name}"))
                .collect())
        });
        host
    }

    fn named(name: &str) -> Template {
        Template::Name {
            name: name.to_owned(),
            storage: PLACE.1.to_owned(),
        }
    }

    fn address() -> Template {
        Template::Url {
            url: "https://example.org/small.tar.zst".to_owned(),
            algorithm: "sha256".to_owned(),
            checksum: "ab".repeat(32),
            storage: PLACE.1.to_owned(),
            file: "small.tar.zst".to_owned(),
        }
    }

    #[tokio::test]
    async fn what_the_storage_has_is_not_fetched() {
        let scene = scene(host(&[
            "debian-12-standard_12.2-1_amd64.tar.zst",
            "small.tar.zst",
        ]));
        let found = scene
            .run
            .template(PLACE.0, &named("debian-12-standard"))
            .await;
        assert_eq!(
            found.unwrap(),
            "local:vztmpl/debian-12-standard_12.2-1_amd64.tar.zst"
        );
        let found = scene.run.template(PLACE.0, &address()).await;
        assert_eq!(found.unwrap(), "local:vztmpl/small.tar.zst");
    }

    #[tokio::test]
    async fn what_the_catalogue_has_is_fetched_once_and_its_task_awaited() {
        let mut host = host(&[]);
        host.expect_catalogue()
            .times(1)
            .returning(|_| Ok(vec!["debian-12-standard_12.7-1_amd64.tar.zst".to_owned()]));
        host.expect_fetch().times(1).returning(|_, storage, what| {
            assert_eq!(storage, "local");
            assert!(matches!(what, Fetch::Appliance { .. }));
            Ok(TaskId("UPID:fetch".to_owned()))
        });
        host.expect_finish()
            .times(1)
            .returning(|_, _| Ok(TaskEnd::Ok));
        let scene = scene(host);
        for _ in 0..2 {
            let found = scene
                .run
                .template(PLACE.0, &named("debian-12-standard"))
                .await;
            assert_eq!(
                found.unwrap(),
                "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"
            );
        }
    }

    #[tokio::test]
    async fn a_checksum_that_does_not_fit_ends_it_before_anything_is_created() {
        let mut host = host(&[]);
        host.expect_fetch().times(1).returning(|_, _, what| {
            assert!(matches!(what, Fetch::Url { .. }));
            Ok(TaskId("UPID:fetch".to_owned()))
        });
        host.expect_finish().returning(|_, _| {
            let words = "checksum mismatch: got 'cd' != expect 'ab'";
            Err(host::Error::new(host::Kind::TaskFailed, words))
        });
        host.expect_act().never();
        let error = scene(host)
            .run
            .template(PLACE.0, &address())
            .await
            .unwrap_err();
        insta::assert_snapshot!(error, @"fetching the template `small.tar.zst` to `local`");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("checksum mismatch"), "{cause}");
        insta::assert_snapshot!(error.hint().unwrap(), @"compare the checksum in TEMPLATE with what the publisher gives; nothing was created");
    }

    #[tokio::test]
    async fn what_exists_is_listed_when_the_wanted_one_does_not() {
        let mut host = host(&["alpine-3.20-default.tar.xz"]);
        host.expect_catalogue().returning(|_| {
            let names = [
                "alpine-3.20-default.tar.xz",
                "debian-11-standard_11.7-1_arm64.tar.zst",
                "debian-12-standard_12.7-1_amd64.tar.zst",
            ];
            Ok(names.map(str::to_owned).to_vec())
        });
        let error = scene(host)
            .run
            .template(PLACE.0, &named("debian-12-riscv"))
            .await;
        insta::assert_snapshot!(error.unwrap_err(), @"there is no template `debian-12-riscv` on `local` of node `pve1`; there are: local:vztmpl/alpine-3.20-default.tar.xz; the catalogue has: debian-12-standard_12.7-1_amd64.tar.zst, debian-11-standard_11.7-1_arm64.tar.zst, alpine-3.20-default.tar.xz");
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
