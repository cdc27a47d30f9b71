//! A file to be sent to a storage.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::{Checksum, ContentType};
use crate::transport::{ByteStream, Content, OnProgress};
use crate::wire::Params;

/// Bytes read at once from a file.
const CHUNK: usize = 64 << 10;

/// A file to be sent, under a name that decides what the server takes it for.
///
/// ```
/// use proxmox_api::api::{Checksum, ContentType, Upload};
///
/// let upload = Upload::bytes(ContentType::Template, "debian-12.tar.zst", vec![0; 512])
///     .checksum(Checksum::Sha256("00".repeat(32)));
/// ```
#[must_use]
pub struct Upload {
    content: ContentType,
    name: String,
    source: Source,
    checksum: Option<Checksum>,
    on_progress: Option<OnProgress>,
}

enum Source {
    Path(PathBuf),
    Bytes(Bytes),
    Stream(u64, ByteStream),
}

impl Upload {
    /// A file of this machine, under its own name.
    pub fn path(content: ContentType, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Self::new(content, name, Source::Path(path))
    }

    /// Bytes in memory.
    pub fn bytes(content: ContentType, name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self::new(content, name.into(), Source::Bytes(bytes.into()))
    }

    /// Exactly `length` bytes from a stream; the server takes no upload of unknown length.
    pub fn stream(
        content: ContentType,
        name: impl Into<String>,
        length: u64,
        bytes: impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self::new(
            content,
            name.into(),
            Source::Stream(length, Box::pin(bytes)),
        )
    }

    fn new(content: ContentType, name: String, source: Source) -> Self {
        Self {
            content,
            name,
            source,
            checksum: None,
            on_progress: None,
        }
    }

    /// Under another name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// With that checksum, which the server compares before it keeps the file.
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// Telling how many bytes were sent so far.
    pub fn on_progress(mut self, tell: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(tell));
        self
    }

    pub(super) fn params(&self) -> Params {
        let mut params = Params::default();
        params.set("content", self.content);
        if let Some(checksum) = &self.checksum {
            checksum.write(&mut params);
        }
        params
    }

    /// Opens the file, or says why that cannot be.
    pub(super) async fn open(self) -> Result<Content, String> {
        check_name(&self.name)?;
        let (length, bytes): (u64, ByteStream) = match self.source {
            Source::Bytes(bytes) => (
                bytes.len() as u64,
                Box::pin(stream::once(std::future::ready(Ok(bytes)))),
            ),
            Source::Stream(length, bytes) => (length, bytes),
            Source::Path(path) => open_file(&path)
                .await
                .map_err(|error| format!("reading `{}`: {error}", path.display()))?,
        };
        Ok(Content {
            name: self.name,
            length,
            bytes,
            on_progress: self.on_progress,
        })
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("content", &self.content)
            .field("name", &self.name)
            .field("checksum", &self.checksum)
            .finish_non_exhaustive()
    }
}

/// Names that arrive as they were sent; the server reads others as Latin-1, or cuts them.
fn check_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && !b"\"\\/%".contains(&byte);
    if name.is_empty() || name.len() > 255 || !name.bytes().all(plain) {
        return Err(format!(
            "`{name}` cannot be the name of an upload (plain ASCII without `/`, `\\`, `\"`, `%`)"
        ));
    }
    Ok(())
}

async fn open_file(path: &Path) -> std::io::Result<(u64, ByteStream)> {
    let file = File::open(path).await?;
    let about = file.metadata().await?;
    if !about.is_file() {
        return Err(std::io::Error::other("not a file"));
    }
    let chunks = stream::try_unfold(file, |mut file| async move {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let read = file.read_buf(&mut chunk).await?;
        Ok((read > 0).then(|| (chunk.freeze(), file)))
    });
    Ok((about.len(), Box::pin(chunks)))
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_that_would_not_arrive_are_refused() {
        for good in ["debian-12.tar.zst", "gold a.iso"] {
            assert_eq!(check_name(good), Ok(()));
        }
        for bad in ["", "a/b.iso", "a\"b.iso", "é.iso", "a\nb.iso", "a%2Fb.iso"] {
            assert!(
                check_name(bad).unwrap_err().contains("cannot be the name"),
                "{bad}"
            );
        }
    }
}
