//! The ownership marker: a machine-readable block in a guest's notes.
//!
//! The notes are the operator's; the block is one HTML comment in them, so that the web interface
//! does not show it. It is ours to write and never touches what stands around it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::resolve::Fingerprint;
use crate::spec::{ContainerName, FleetId};

/// The tag that every guest of ours bears, beside the marker that says whose it is.
pub const OWNERSHIP_TAG: &str = "proxmox-ci";

const OPEN: &str = "<!-- proxmox-ci ";
const CLOSE: &str = " -->";

/// What stands on a guest of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Version of this form: 1.
    pub version: u32,
    /// Whose it is.
    pub fleet: FleetId,
    /// Which of them.
    pub container: ContainerName,
    /// What each step last brought about, by its id: `default`, `script`, ….
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layers: BTreeMap<String, Fingerprint>,
    /// The guest's ssh host key, `ssh-ed25519 AAAA…`, pinned right after create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// A short hash of each field as it was last applied: tells drift from an edit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// Why a block that looks like a marker is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The block has no end.
    #[error("the marker in the notes has no end")]
    Unclosed,
    /// The block is not what we write.
    #[error("the marker in the notes cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// A later program wrote it.
    #[error("the marker in the notes has version {0}, this program knows 1")]
    Version(u32),
    /// There are two.
    #[error("the notes hold more than one marker")]
    Several,
}

impl Marker {
    /// A marker that knows nothing yet but whose guest it is.
    #[must_use]
    pub const fn new(fleet: FleetId, container: ContainerName) -> Self {
        Self {
            version: 1,
            fleet,
            container,
            layers: BTreeMap::new(),
            host_key: None,
            fields: BTreeMap::new(),
        }
    }

    /// The marker in a guest's notes; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When there is a block that cannot be trusted: cut, damaged, twice, of a later version. Such a
    /// guest is treated as someone else's.
    pub fn find(notes: &str) -> Result<Option<Self>, Error> {
        let Some((_, rest)) = notes.split_once(OPEN) else {
            return Ok(None);
        };
        let Some((json, after)) = rest.split_once(CLOSE) else {
            return Err(Error::Unclosed);
        };
        if after.contains(OPEN) {
            return Err(Error::Several);
        }
        let marker: Self = serde_json::from_str(json).map_err(Error::Unreadable)?;
        if marker.version == 1 {
            Ok(Some(marker))
        } else {
            Err(Error::Version(marker.version))
        }
    }

    /// The notes with this marker in place of the one that stood there; the rest is untouched.
    #[must_use]
    pub fn write_into(&self, notes: &str) -> String {
        let words = words(notes);
        let block = self.block();
        if words.is_empty() {
            format!("{block}\n")
        } else {
            format!("{words}\n\n{block}\n")
        }
    }

    fn block(&self) -> String {
        let json = serde_json::to_string(self).expect("a map of strings is always JSON");
        // A `>` inside the comment could end it early.
        format!("{OPEN}{}{CLOSE}", json.replace('>', "\\u003e"))
    }
}

/// The operator's part of a guest's notes: all but the marker, without blank edges.
#[must_use]
pub fn words(notes: &str) -> String {
    let Some((before, rest)) = notes.split_once(OPEN) else {
        return notes.trim().to_owned();
    };
    let after = rest.split_once(CLOSE).map_or("", |(_, after)| after);
    match (before.trim(), after.trim()) {
        (before, "") => before.to_owned(),
        ("", after) => after.to_owned(),
        (before, after) => format!("{before}\n\n{after}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker() -> Marker {
        let mut marker = Marker::new("fleet-0001".parse().unwrap(), "web".parse().unwrap());
        marker
            .layers
            .insert("script".to_owned(), Fingerprint::from("ab".repeat(32)));
        marker.host_key = Some("ssh-ed25519 AAAA web-->".to_owned());
        marker
    }

    #[test]
    fn a_marker_reads_as_it_was_written_whatever_stands_around_it() {
        for notes in ["", "\n", "my web server", "two\n\nparagraphs\n"] {
            let written = marker().write_into(notes);
            assert_eq!(Marker::find(&written).unwrap(), Some(marker()), "{notes:?}");
            assert_eq!(words(&written), notes.trim());
            assert_eq!(
                marker().write_into(&written),
                written,
                "writing twice changes nothing"
            );
        }
    }

    #[test]
    fn notes_without_a_block_have_no_marker() {
        assert_eq!(Marker::find("proxmox-ci was here").unwrap(), None);
    }

    #[test]
    fn a_damaged_block_is_an_error_not_an_absence() {
        let whole = marker().write_into("");
        assert!(matches!(
            Marker::find(&whole.replace(CLOSE, "")),
            Err(Error::Unclosed)
        ));
        assert!(matches!(
            Marker::find(&whole.replace("fleet", "flea")),
            Err(Error::Unreadable(_))
        ));
        assert!(matches!(
            Marker::find(&whole.replace("version\":1", "version\":2")),
            Err(Error::Version(2))
        ));
        assert!(matches!(
            Marker::find(&format!("{whole}{whole}")),
            Err(Error::Several)
        ));
    }
}
