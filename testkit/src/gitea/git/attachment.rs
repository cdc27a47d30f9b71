//! Files attached to releases, beside the repositories.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::Git;

impl Git {
    fn attachment(&self, uuid: &str) -> io::Result<PathBuf> {
        let plain = uuid.len() == 36
            && uuid
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        let folder = self.root().with_file_name("attachments");
        if plain {
            Ok(folder.join(uuid))
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    /// Keeps a file; it is whole or not there.
    pub(crate) fn write_attachment(&self, uuid: &str, data: &[u8]) -> io::Result<()> {
        let path = self.attachment(uuid)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let draft = path.with_extension("part");
        fs::write(&draft, data)?;
        fs::rename(draft, path)
    }

    /// The bytes of a file.
    pub(crate) fn read_attachment(&self, uuid: &str) -> io::Result<Vec<u8>> {
        fs::read(self.attachment(uuid)?)
    }

    /// Throws a file away.
    pub(crate) fn remove_attachment(&self, uuid: &str) {
        if let Ok(path) = self.attachment(uuid) {
            // Nothing refers to it any more, so a failure harms nobody.
            let _ = fs::remove_file(path);
        }
    }
}
