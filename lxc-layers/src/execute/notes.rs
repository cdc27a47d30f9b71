//! Notes: the marker in a guest's notes, read and rewritten without touching what stands around it.

use std::collections::BTreeMap;

use super::{Error, Run, settle::Subject};
use crate::{
    host::{Act, Kind},
    plan::{GuestConfig, Marker},
};

/// So often the notes are read again when another hand wrote in between.
const AGAIN: u32 = 4;

/// What a rewrite left behind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rewritten {
    /// The digest before it.
    pub(super) before: Option<String>,
    /// The digest after it.
    pub(super) after: Option<String>,
}

impl Run {
    /// The configuration of a guest that must be there.
    pub(super) async fn config_of(&self, subject: Subject<'_>) -> Result<GuestConfig, Error> {
        self.host
            .config(subject.place)
            .await
            .map_err(Error::host(format!("reading `{}`", subject.name)))?
            .ok_or_else(|| Error::Gone {
                vmid: subject.place.vmid.get(),
                node: subject.place.node.clone(),
            })
    }

    /// The marker of a guest that must be this container.
    pub(super) fn marker_of(
        &self,
        subject: Subject<'_>,
        config: &GuestConfig,
    ) -> Result<Marker, Error> {
        let not_ours = |marker| Error::NotOurs {
            vmid: subject.place.vmid.get(),
            node: subject.place.node.clone(),
            container: subject.name.to_string(),
            marker,
        };
        match Marker::find(notes(config)) {
            Ok(Some(marker)) if marker.fleet == self.fleet && marker.container == *subject.name => {
                Ok(marker)
            }
            Ok(_) => Err(not_ours(None)),
            Err(error) => Err(not_ours(Some(error))),
        }
    }

    /// Edits the marker as it stands now, and the operator's words where `words` gives new ones.
    pub(super) async fn rewrite(
        &self,
        subject: Subject<'_>,
        words: Option<&str>,
        edit: impl Fn(&mut Marker),
    ) -> Result<Rewritten, Error> {
        let mut tries = 0;
        loop {
            let config = self.config_of(subject).await?;
            let mut marker = self.marker_of(subject, &config)?;
            edit(&mut marker);
            let present = notes(&config);
            let wanted = marker.write_into(words.unwrap_or(present));
            if wanted.trim() == present.trim() {
                return Ok(Rewritten {
                    before: config.digest.clone(),
                    after: config.digest,
                });
            }
            let write = Act::Configure {
                set: BTreeMap::from([("description".to_owned(), wanted)]),
                delete: Vec::new(),
                digest: config.digest.clone(),
            };
            match self.cause(subject, &write).await {
                Ok(()) => {
                    return Ok(Rewritten {
                        before: config.digest,
                        after: self.config_of(subject).await?.digest,
                    });
                }
                Err(Error::Host { source, .. })
                    if source.kind() == Kind::Changed && tries < AGAIN =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn notes(config: &GuestConfig) -> &str {
    config.values.get("description").map_or("", String::as_str)
}
