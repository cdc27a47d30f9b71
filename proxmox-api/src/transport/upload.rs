//! The file of an upload: a name, a length, and bytes that come when they are wanted.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

/// Bytes of a file, or why they cannot be read.
pub(crate) type ByteStream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send + Sync>>;

/// Told how many bytes were handed to the connection so far.
pub(crate) type OnProgress = Arc<dyn Fn(u64) + Send + Sync>;

/// A file to be sent.
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) length: u64,
    pub(crate) bytes: ByteStream,
    pub(crate) on_progress: Option<OnProgress>,
}

impl Content {
    /// The bytes, counted as they are handed over.
    pub(super) fn counted(
        self,
        sent: Arc<AtomicU64>,
    ) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Sync {
        let on_progress = self.on_progress;
        self.bytes.inspect(move |chunk| {
            let Ok(chunk) = chunk else { return };
            let length = chunk.len() as u64;
            let total = sent.fetch_add(length, Ordering::Relaxed) + length;
            if let Some(tell) = &on_progress {
                tell(total);
            }
        })
    }
}
