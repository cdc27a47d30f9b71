//! Container templates as the Docker API wants them: a plain tar archive, unpacked while it is sent.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read, Seek as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::{Stream, stream};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

/// Bytes that travel at once.
const CHUNK: usize = 256 * 1024;
/// Chunks that may wait for the daemon.
const AHEAD: usize = 8;

/// The SHA-256 of a file, hexadecimal.
pub(crate) async fn digest(path: &Path) -> io::Result<String> {
    let path = path.to_owned();
    let digest = tokio::task::spawn_blocking(move || {
        let mut hash = Sha256::new();
        let mut file = File::open(path)?;
        let mut chunk = vec![0; CHUNK];
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(hex::encode(hash.finalize())),
                read => hash.update(&chunk[..read]),
            }
        }
    });
    digest.await.map_err(io::Error::other)?
}

/// The archive in `path`, unpacked on the way.
pub(super) fn unpacked(path: PathBuf) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (send, receive) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = pump(&path, &send) {
            // A receiver that went away has an error of its own to tell.
            drop(send.blocking_send(Err(error)));
        }
    });
    stream::unfold(receive, |mut receive| async move {
        receive.recv().await.map(|chunk| (chunk, receive))
    })
}

fn pump(path: &Path, send: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let mut archive = reader(path)?;
    loop {
        let mut chunk = vec![0; CHUNK];
        let mut filled = 0;
        while filled < CHUNK {
            match archive.read(&mut chunk[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        chunk.truncate(filled);
        if filled == 0 || send.blocking_send(Ok(chunk.into())).is_err() {
            return Ok(());
        }
    }
}

/// By its first bytes: zstd, gzip, or what the daemon knows by itself.
fn reader(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = File::open(path)?;
    let mut first = [0; 4];
    let read = file.read(&mut first)?;
    file.rewind()?;
    let file = BufReader::with_capacity(CHUNK, file);
    Ok(match &first[..read] {
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(Frames::new(file)?),
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(file)),
        _ => Box::new(file),
    })
}

/// Zstandard frames one after the other, as programs write them that pack in parallel.
struct Frames {
    frame: Option<StreamingDecoder<BufReader<File>, FrameDecoder>>,
}

impl Frames {
    fn new(file: BufReader<File>) -> io::Result<Self> {
        Ok(Self {
            frame: frame(file)?,
        })
    }
}

impl Read for Frames {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(mut present) = self.frame.take() {
            let read = present.read(into)?;
            if read > 0 {
                self.frame = Some(present);
                return Ok(read);
            }
            self.frame = frame(present.into_inner())?;
        }
        Ok(0)
    }
}

/// The next frame, with those in front of it left out that hold no data; `None` at the end.
fn frame(
    mut file: BufReader<File>,
) -> io::Result<Option<StreamingDecoder<BufReader<File>, FrameDecoder>>> {
    while matches!(file.fill_buf()?, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
        let mut header = [0; 8];
        file.read_exact(&mut header)?;
        let [.., a, b, c, d] = header;
        file.seek_relative(u32::from_le_bytes([a, b, c, d]).into())?;
    }
    if file.fill_buf()?.is_empty() {
        return Ok(None);
    }
    StreamingDecoder::new(file)
        .map(Some)
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use futures_util::TryStreamExt as _;

    use super::*;

    async fn read(content: &[u8]) -> io::Result<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("template");
        std::fs::write(&path, content).unwrap();
        let chunks: Vec<Bytes> = unpacked(path).try_collect().await?;
        Ok(chunks.concat())
    }

    #[tokio::test]
    async fn every_packing_comes_out_as_it_was() {
        let plain: Vec<u8> = (0..CHUNK * 2 + 17).map(|at| (at % 251) as u8).collect();
        assert_eq!(read(&plain).await.unwrap(), plain);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        assert_eq!(read(&gzip.finish().unwrap()).await.unwrap(), plain);
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let zstd = ruzstd::encoding::compress_to_vec(plain.as_slice(), level);
        assert_eq!(read(&zstd).await.unwrap(), plain);
        let skipped = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9];
        let twice = [zstd.as_slice(), skipped.as_slice(), zstd.as_slice()].concat();
        assert_eq!(
            read(&twice).await.unwrap(),
            [plain.as_slice(), &plain].concat()
        );
    }

    #[tokio::test]
    async fn a_damaged_archive_is_an_error_and_not_a_short_one() {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let plain = vec![7_u8; 1000];
        let mut zstd = ruzstd::encoding::compress_to_vec(plain.as_slice(), level);
        zstd.truncate(zstd.len() / 2);
        assert!(read(&zstd).await.is_err());
    }
}
