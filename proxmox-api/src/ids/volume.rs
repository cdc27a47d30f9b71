//! The name of a volume: a storage, and what the storage calls it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{InvalidId, StorageId, text_conversions};

/// A volume on a storage, e.g. `local:vztmpl/debian-12.tar.zst` or `local:100/vm-100-disk-0.raw`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeId {
    text: String,
    storage: StorageId,
}

impl VolumeId {
    /// The volume `name` on `storage`; the name as the storage writes it, e.g. `vztmpl/a.tar.zst`.
    ///
    /// # Errors
    /// When the name is empty or holds control characters.
    pub fn new(storage: &StorageId, name: &str) -> Result<Self, InvalidId> {
        format!("{storage}:{name}").parse()
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The storage that holds the volume.
    #[must_use]
    pub fn storage(&self) -> &StorageId {
        &self.storage
    }

    /// The volume's name within its storage: everything after the first colon.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[self.storage.as_str().len() + 1..]
    }

    /// The last part of the name, after any `/`: the file's name on a file based storage.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.name().rsplit('/').next().unwrap_or_default()
    }
}

impl FromStr for VolumeId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let refuse = || InvalidId::new("a volume (`storage:name`)", text);
        let (storage, name) = text.split_once(':').ok_or_else(refuse)?;
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(refuse());
        }
        let storage = storage.parse().map_err(|_| refuse())?;
        Ok(Self {
            text: text.to_owned(),
            storage,
        })
    }
}

text_conversions!(VolumeId);
