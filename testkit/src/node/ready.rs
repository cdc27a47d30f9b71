//! The ready file: how to reach a node, for its owner alone.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::Value;

use super::error::{Doing, Error};

/// Writes one line of JSON, mode 0600, whole or not at all.
pub(super) fn write(path: &Path, ready: &Value) -> Result<(), Error> {
    let failed = |error| Error::new(Doing::Write(path.to_owned()), error);
    let temporary = path.with_extension("part");
    drop(fs::remove_file(&temporary));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(failed)?;
    file.write_all(format!("{ready}\n").as_bytes())
        .map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)
}

/// A node that is gone is not ready.
pub(super) fn remove(path: &Path) {
    drop(fs::remove_file(path));
}
