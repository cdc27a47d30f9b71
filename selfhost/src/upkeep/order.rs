//! What the job leaves for the unit, and what the unit leaves for those who ask later.

use std::{fs, io, os::unix::fs::OpenOptionsExt as _, path::Path};

use gitea_api::Secret;
use serde::{Deserialize, Serialize};

use super::{Layout, Pin};

/// How the control plane reaches its own Git service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its address.
    pub url: String,
    /// SHA-256 of its certificate, where it is pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// An order: install what lies beside, once the job is over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// The build.
    pub pin: Pin,
    /// The Git service, which must serve again.
    pub service: Service,
    /// The token of the job that ordered it; none when a person did. It ends with the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_token: Option<Secret>,
    /// Why the new build is being put back, once that was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put_back: Option<String>,
    /// Where things are.
    pub layout: Layout,
}

/// How an order ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// The new build serves.
    Installed,
    /// Nothing was touched.
    NotBegun {
        /// Why.
        because: String,
    },
    /// The new build did not serve; the old one does again.
    PutBack {
        /// What was wrong with the new one.
        because: String,
    },
    /// Neither serves.
    Sick {
        /// What was wrong with the new one.
        because: String,
        /// What is wrong now.
        now: String,
    },
}

/// A verdict as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When, RFC 3339, UTC.
    pub at: String,
    /// The build.
    pub pin: Pin,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Why an order cannot be read, or its record not kept.
#[derive(Debug, thiserror::Error)]
#[error("the file `{file}`")]
pub struct OrderError {
    file: String,
    #[source]
    source: io::Error,
}

impl Order {
    /// Reads the order that a job left.
    ///
    /// # Errors
    /// When there is none, or it is broken.
    pub fn read(path: &Path) -> Result<Self, OrderError> {
        let read = || Ok(serde_json::from_slice(&fs::read(path)?)?);
        read().map_err(|source| error(path, source))
    }

    /// Keeps it where it was read, mode 0600: it is there whole, before or after.
    pub(super) fn keep(&self) -> Result<(), OrderError> {
        let path = self.layout.order();
        let text = serde_json::to_vec(self).map_err(|source| error(&path, source.into()))?;
        write(&path, &text, 0o600).map_err(|source| error(&path, source))
    }

    /// Takes the order away, and with it the token and the build that carried it out.
    pub(super) fn remove(layout: &Layout) {
        drop(fs::remove_file(layout.order()));
        drop(fs::remove_file(layout.keeper()));
    }
}

impl Record {
    /// Keeps it, mode 0644: there is no secret in it.
    pub(super) fn keep(&self, layout: &Layout) -> Result<(), OrderError> {
        let path = layout.record();
        let text = serde_json::to_vec_pretty(self).map_err(|source| error(&path, source.into()))?;
        write(&path, &text, 0o644).map_err(|source| error(&path, source))
    }
}

/// Writes a file under another name, and gives it its own when it is on the disk.
fn write(path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    let new = path.with_extension("new");
    // One that a killed run left may have another mode.
    drop(fs::remove_file(&new));
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(&new)?;
    io::Write::write_all(&mut file, text)?;
    file.sync_all()?;
    fs::rename(new, path)
}

fn error(path: &Path, source: io::Error) -> OrderError {
    let file = path.display().to_string();
    OrderError { file, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_survives_its_file_and_its_debug_tells_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let order = Order {
            pin: Pin {
                version: "0.3.1".to_owned(),
                sha256: "ab".repeat(32),
            },
            service: Service {
                url: "https://forge".to_owned(),
                fingerprint: None,
            },
            job_token: Some(Secret::new("canary")),
            put_back: None,
            layout: Layout::default(),
        };
        let path = folder.path().join("order.json");
        fs::write(&path, serde_json::to_vec(&order).unwrap()).unwrap();
        let read = Order::read(&path).unwrap();
        assert_eq!(read.job_token, order.job_token);
        assert!(!format!("{read:?}").contains("canary"));
    }

    #[test]
    fn a_record_is_one_flat_object() {
        let record = Record {
            at: "2026-01-01T00:00:00Z".to_owned(),
            pin: Pin {
                version: "0.3.1".to_owned(),
                sha256: "ab".to_owned(),
            },
            verdict: Verdict::PutBack {
                because: "it does not answer".to_owned(),
            },
        };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(
            text,
            r#"{"at":"2026-01-01T00:00:00Z","pin":{"version":"0.3.1","sha256":"ab"},"verdict":"put-back","because":"it does not answer"}"#
        );
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    }
}
