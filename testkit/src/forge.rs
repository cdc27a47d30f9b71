//! The Gitea side as a server: durable if it has a folder, over TLS if it has a certificate.
//!
//! [`run`] is what the command `proxmox-ci forge` calls; [`Forge::start`] is the same in one line for tests.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::gitea::Gitea;

mod exchange;
mod folder;
mod ready;
mod server;
#[cfg(feature = "sim")]
mod sim;
mod storage;
mod tls;

pub use ready::Ready;

/// What a forge shall be.
#[derive(Debug, Clone)]
pub struct ForgeOptions {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where it keeps everything; without it all is gone when it ends.
    pub data: Option<PathBuf>,
    /// The release it plays, such as `1.26`.
    pub version: String,
    /// The login of the administrator, made when the folder is new.
    pub root_user: String,
    /// The administrator's mail address.
    pub root_email: String,
    /// Certificate chain and private key, both PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Where every exchange is written as a JSON line.
    pub journal: Option<PathBuf>,
    /// Where the line goes that says how to reach it; mode 0600.
    pub ready_file: Option<PathBuf>,
    /// Where faults and inspection listen; without it there are none.
    pub sim: Option<SocketAddr>,
}

impl Default for ForgeOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data: None,
            version: "1.26".into(),
            root_user: "root1".into(),
            root_email: "root1@forge.internal".into(),
            tls: None,
            journal: None,
            ready_file: None,
            sim: None,
        }
    }
}

/// Why a forge could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("listening on `{address}`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file could not be read or written.
    #[error("accessing `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another forge uses the folder.
    #[error("the folder `{0}` is in use by another forge")]
    InUse(PathBuf),
    /// The folder was written by another version.
    #[error("the folder `{path}` has format {found}, and this forge reads {wanted}")]
    Format {
        /// The folder.
        path: PathBuf,
        /// The format it has.
        found: u64,
        /// The format we read.
        wanted: u64,
    },
    /// The database could not be read or written.
    #[error("opening the database of `{path}`")]
    Database {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stored row cannot be read.
    #[error("reading row {key} of table `{table}`")]
    Row {
        /// The table.
        table: String,
        /// The row.
        key: i64,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The certificate or the key is not usable.
    #[error("loading the certificate `{0}`")]
    Certificate(PathBuf, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// A version that is not played.
    #[error("version `{0}` is not played; 1.24 to 1.27 are")]
    Version(String),
    /// Something that this build cannot do.
    #[error("this build has no inspection: it lacks the feature `sim`")]
    NoSim,
}

/// Runs a forge until `shutdown` is done.
///
/// # Errors
/// [`Error`] when it cannot start.
pub async fn run(
    options: ForgeOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let forge = Forge::start_with(options).await?;
    shutdown.await;
    forge.stop().await;
    Ok(())
}

/// A forge that runs in this process.
#[derive(Debug)]
pub struct Forge {
    gitea: Arc<Gitea>,
    ready: Ready,
    stop: watch::Sender<bool>,
    serving: Vec<tokio::task::JoinHandle<()>>,
    storage: Option<storage::Closer>,
    /// Removed when the forge is dropped, unless it has a folder to keep.
    _scratch: Option<tempfile::TempDir>,
}

impl Forge {
    /// A forge in memory on a free port of loopback.
    ///
    /// # Errors
    /// As [`run`].
    pub async fn start() -> Result<Self, Error> {
        Self::start_with(ForgeOptions::default()).await
    }

    /// A forge as the options say.
    ///
    /// # Errors
    /// As [`run`].
    pub async fn start_with(options: ForgeOptions) -> Result<Self, Error> {
        let listener = TcpListener::bind(options.listen).await;
        let listener = listener.map_err(|source| Error::Listen {
            address: options.listen,
            source,
        })?;
        let address = listener.local_addr().map_err(|source| Error::Listen {
            address: options.listen,
            source,
        })?;
        let acceptor = tls::acceptor(options.tls.as_ref())?;
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        let opened = folder::open(&options, &url)?;
        let gitea = opened.gitea;
        let (stop, stopped) = watch::channel(false);
        let door = server::Door {
            gitea: Arc::clone(&gitea),
            acceptor,
            faults: server::Faults::default(),
            stopped: stopped.clone(),
        };
        let door = Arc::new(door);
        let mut serving = vec![tokio::spawn(server::serve(
            listener,
            Arc::clone(&door),
            stopped.clone(),
        ))];
        serving.extend(crate::gitea::background(&gitea, &stopped));
        let mut ready = opened.ready;
        if let Some(address) = options.sim {
            serving.push(start_sim(address, &door, &mut ready, stopped).await?);
        }
        if let Some(path) = &options.ready_file {
            ready
                .write(path)
                .map_err(|source| file_error(path, source))?;
        }
        Ok(Self {
            gitea,
            ready,
            stop,
            serving,
            storage: opened.closer,
            _scratch: opened.scratch,
        })
    }

    /// How to reach it, and with which credentials.
    #[must_use]
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.ready.url
    }

    /// What is behind the door: to look at it, or to change it between requests.
    #[must_use]
    pub fn gitea(&self) -> &Arc<Gitea> {
        &self.gitea
    }

    /// Ends it: connections are closed, what was written is safe.
    pub async fn stop(mut self) {
        // Nobody listens any more when all tasks have ended by themselves.
        let _ = self.stop.send(true);
        for task in self.serving.drain(..) {
            // A task that failed has ended, which is all that is wanted here.
            let _ = tokio::time::timeout(std::time::Duration::from_secs(5), task).await;
        }
        if let Some(closer) = self.storage.take() {
            closer.close();
        }
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        // The tasks may have ended already.
        let _ = self.stop.send(true);
    }
}

#[cfg(feature = "sim")]
async fn start_sim(
    address: SocketAddr,
    door: &Arc<server::Door>,
    ready: &mut Ready,
    stopped: watch::Receiver<bool>,
) -> Result<tokio::task::JoinHandle<()>, Error> {
    sim::start(address, Arc::clone(door), ready, stopped).await
}

#[cfg(not(feature = "sim"))]
#[expect(
    clippy::unused_async,
    reason = "the same signature with and without the feature"
)]
async fn start_sim(
    _: SocketAddr,
    _: &Arc<server::Door>,
    _: &mut Ready,
    _: watch::Receiver<bool>,
) -> Result<tokio::task::JoinHandle<()>, Error> {
    Err(Error::NoSim)
}

fn file_error(path: &Path, source: std::io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}
