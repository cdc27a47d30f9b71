//! Receiving an upload: admitted first, then streamed to disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::Shared;
use crate::doors::multipart::Multipart;
use crate::pve::{Moment, Reply, Request};

/// How long an upload may stall.
const STALL: Duration = Duration::from_secs(5);

pub(super) fn is_upload(request: &Request) -> bool {
    let multipart = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("multipart/form-data"));
    request.method == "POST"
        && multipart
        && request
            .raw_path()
            .trim_end_matches('/')
            .ends_with("/upload")
}

/// Receives the body; the inner error is an answer, the outer one ends the connection.
pub(super) async fn receive(
    request: &mut Request,
    mut body: Incoming,
    shared: &Shared,
) -> io::Result<Result<(), Box<Reply>>> {
    if let Err(refused) = shared.desk.world().admit(request, Moment::now()) {
        return Ok(Err(refused));
    }
    let mut parts = match Multipart::new(request.header("content-type").unwrap_or_default()) {
        Ok(parts) => parts,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut spool = Spool::new(shared)?;
    while let Some(frame) = timeout(STALL, body.frame())
        .await
        .map_err(io::Error::other)?
    {
        let Ok(data) = frame.map_err(io::Error::other)?.into_data() else {
            continue;
        };
        if let Err(refused) = parts.push(&data, &mut |data| spool.write(data)) {
            return Ok(Err(refused));
        }
    }
    match parts.finish() {
        Err(refused) => Ok(Err(refused)),
        Ok(mut upload) => {
            upload.spool = spool.keep()?;
            request.upload = Some(upload);
            Ok(Ok(()))
        }
    }
}

/// A temporary file that disappears unless it is kept.
struct Spool {
    file: Option<(File, PathBuf)>,
}

impl Spool {
    fn new(shared: &Shared) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let Some(folder) = &shared.spool else {
            return Ok(Self { file: None });
        };
        fs::create_dir_all(folder)?;
        let path = folder.join(format!(
            "pveupload-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        Ok(Self {
            file: Some((File::create(&path)?, path)),
        })
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some((file, _)) => file.write_all(data),
            None => Ok(()),
        }
    }

    fn keep(mut self) -> io::Result<Option<PathBuf>> {
        match self.file.take() {
            Some((mut file, path)) => {
                file.flush()?;
                Ok(Some(path))
            }
            None => Ok(None),
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Some((_, path)) = self.file.take() {
            // What cannot be removed now goes with the data folder.
            drop(fs::remove_file(path));
        }
    }
}
