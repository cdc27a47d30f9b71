//! A node as a server: the world behind TLS, with containers that are state only or real.
//!
//! In a test, one line starts one:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), testkit::node::Error> {
//! let node = testkit::node::Node::start_memory().await?;
//! assert!(node.url().starts_with("https://127.0.0.1:"));
//! // … a client that trusts `node.fingerprint()` uses `node.root_token()` …
//! assert!(node.journal().lines().is_empty());
//! node.stop().await?;
//! # Ok(()) }
//! ```

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::error::Doing;
pub use self::error::Error;
use crate::doors::Desk;
use crate::doors::server::{self, Identity, Shared};
use crate::guests::{Guests, HostNetwork};
use crate::journal::Journal;
use crate::pve::{Moment, Reply, Request, Setup, World};

mod error;
mod files;
mod hands;
mod ready;
mod real;

/// What stands behind the node's containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GuestKind {
    /// Nothing: they are state.
    #[default]
    Memory,
    /// Real, unprivileged LXC containers on this machine.
    Lxc,
}

/// How a node is to be run.
#[derive(Debug, Clone, Default)]
pub struct NodeOptions {
    /// Where to listen; port 0 is any free port. Empty: `127.0.0.1`, any port.
    pub listen: Vec<SocketAddr>,
    /// What stands behind the containers.
    pub guests: GuestKind,
    /// The folder for uploads, guests and records. With real guests it must be given.
    pub data: Option<PathBuf>,
    /// Where the journal is written.
    pub journal: Option<PathBuf>,
    /// Where the ready file is written when the node accepts connections.
    pub ready_file: Option<PathBuf>,
    /// Where the control calls under `/_sim/` are served; nowhere by default.
    pub sim: Option<SocketAddr>,
    /// How the node looks.
    pub setup: Setup,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    desk: Arc<Desk>,
    urls: Vec<String>,
    identity: Identity,
    setup: Setup,
    sim: Option<(String, String)>,
    network: Option<HostNetwork>,
    guests: Option<Arc<dyn Guests>>,
    files: files::Files,
    ready_file: Option<PathBuf>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Runs a node until `shutdown` comes true, and puts everything back.
///
/// # Errors
/// When the node cannot start, or something on the host could not be undone.
pub async fn run(options: NodeOptions, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let node = Node::start(options).await?;
    shutdown.await;
    node.stop().await
}

/// Binds all addresses: that of the guests' bridge first, so that one endpoint serves host and guests.
async fn listeners(
    listen: &[SocketAddr],
    network: Option<&HostNetwork>,
) -> Result<Vec<TcpListener>, Error> {
    let mut addresses = listen.to_vec();
    if addresses.is_empty() {
        addresses.push(SocketAddr::from(([127, 0, 0, 1], 0)));
    }
    if let Some(network) = network {
        addresses.insert(0, SocketAddr::from((network.gateway, 8006)));
    }
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = server::bind(address).await;
        listeners.push(listener.map_err(|error| Error::new(Doing::Listen(address), error))?);
    }
    Ok(listeners)
}

impl Node {
    /// A node with containers that are state only, on a free port of loopback.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start_memory() -> Result<Self, Error> {
        Self::start(NodeOptions::default()).await
    }

    /// Starts a node.
    ///
    /// # Errors
    /// When an address is taken, a file cannot be written, or the host cannot hold containers.
    pub async fn start(mut options: NodeOptions) -> Result<Self, Error> {
        let files = files::Files::new(options.data.clone())?;
        let guests = hands::guests(options.guests, &files)?;
        let network = match &guests {
            Some(guests) => Some(
                guests
                    .prepare()
                    .await
                    .map_err(|error| Error::new(Doing::Prepare, error))?,
            ),
            None => None,
        };
        let started = Self::open(&mut options, files, guests.clone(), network).await;
        if let (Err(_), Some(guests)) = (&started, &guests) {
            // The first error counts; what cannot be undone now is reaped at the next start.
            drop(guests.undo().await);
        }
        started
    }

    async fn open(
        options: &mut NodeOptions,
        files: files::Files,
        guests: Option<Arc<dyn Guests>>,
        network: Option<HostNetwork>,
    ) -> Result<Self, Error> {
        let listeners = listeners(&options.listen, network.as_ref()).await?;
        let names: Vec<IpAddr> = listeners
            .iter()
            .filter_map(|l| Some(l.local_addr().ok()?.ip()))
            .collect();
        let identity = Identity::new(&options.setup.node, &names)
            .map_err(|error| Error::new(Doing::Certificate, error))?;
        let setup = &mut options.setup;
        setup.fingerprint.clone_from(&identity.fingerprint);
        if guests.is_some() {
            setup.real_guests = true;
            setup.templates.clear();
            setup.host = real::host(&files);
        }
        setup.templates.extend(files.templates()?);
        let journal = match &options.journal {
            Some(path) => Journal::to_file(path)
                .map_err(|error| Error::new(Doing::Write(path.clone()), error))?,
            None => Journal::default(),
        };
        let desk = Arc::new(Desk::new(World::new(setup, Moment::now()), journal));
        let (stop, stopped) = watch::channel(false);
        let mut node = Self {
            desk,
            urls: Vec::new(),
            identity,
            setup: setup.clone(),
            sim: None,
            network,
            guests,
            files,
            ready_file: options.ready_file.clone(),
            stop,
            tasks: Vec::new(),
        };
        node.serve(listeners, &stopped)?;
        if let Some(address) = options.sim {
            node.open_sim(address, stopped).await?;
        }
        node.write_ready()?;
        Ok(node)
    }

    /// Gives the desk its hands and opens the doors.
    fn serve(
        &mut self,
        listeners: Vec<TcpListener>,
        stopped: &watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let refresh = hands::attach(&self.desk, self.guests.clone(), &self.files, stopped);
        let shared = Arc::new(Shared {
            desk: Arc::clone(&self.desk),
            spool: self.files.spool(),
            refresh,
        });
        for listener in listeners {
            let address = listener
                .local_addr()
                .map_err(|error| Error::new(Doing::Certificate, error))?;
            self.urls.push(format!("https://{address}"));
            let serving = server::serve(
                listener,
                self.identity.acceptor(),
                Arc::clone(&shared),
                stopped.clone(),
            );
            self.tasks.push(tokio::spawn(serving));
        }
        Ok(())
    }

    async fn open_sim(
        &mut self,
        address: SocketAddr,
        stopped: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let listening = |error| Error::new(Doing::Listen(address), error);
        let listener = server::bind(address).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let token = hex::encode(rand::random::<[u8; 16]>());
        self.sim = Some((format!("http://{address}/_sim"), token.clone()));
        self.tasks.push(tokio::spawn(server::sim::serve(
            listener,
            token,
            Arc::clone(&self.desk),
            stopped,
        )));
        Ok(())
    }

    fn write_ready(&self) -> Result<(), Error> {
        let Some(path) = &self.ready_file else {
            return Ok(());
        };
        let ca_file = self.files.write_ca(path, &self.identity.ca_pem)?;
        let mut ready = self.describe();
        ready["ca_file"] = json!(ca_file);
        ready::write(path, &ready)
    }

    /// What the ready file says, but for the CA's place.
    fn describe(&self) -> Value {
        let network = self.network.as_ref();
        let mut ready = json!({
            "pid": std::process::id(),
            "urls": self.urls,
            "fingerprint": self.identity.fingerprint,
            "ca_file": null,
            "node": self.setup.node,
            "bridge": network.map(|network| network.bridge.clone()),
            "subnet": network.map(|network| network.subnet.clone()),
            "gateway": network.map(|network| network.gateway.to_string()),
            "storage": "local",
            "root_password": self.setup.root_password,
            "root_token": self.setup.root_token(),
        });
        if let Some((url, token)) = &self.sim {
            ready["sim_url"] = json!(url);
            ready["sim_token"] = json!(token);
        }
        ready
    }

    /// The first address, `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.urls.last().map_or("", String::as_str)
    }

    /// All addresses.
    #[must_use]
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// SHA-256 fingerprint of the certificate, `AB:CD:…`.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.identity.fingerprint
    }

    /// The CA's certificate, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.identity.ca_pem
    }

    /// The node's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.setup.node
    }

    /// Password of `root@pam`.
    #[must_use]
    pub fn root_password(&self) -> &str {
        &self.setup.root_password
    }

    /// Root's API token, `root@pam!ci=SECRET`.
    #[must_use]
    pub fn root_token(&self) -> String {
        self.setup.root_token()
    }

    /// What the node answers root, asked past every network: `path` is below `/api2/json`, `form` is
    /// URL-encoded.
    #[must_use]
    pub fn ask(&self, method: &str, path: &str, form: &str) -> Reply {
        let mut request = Request::new(method, &format!("/api2/json{path}"));
        let token = format!("PVEAPIToken={}", self.root_token());
        let kind = "application/x-www-form-urlencoded".to_owned();
        request.headers = vec![
            ("Authorization".to_owned(), token),
            ("Content-Type".to_owned(), kind),
        ];
        request.body = form.as_bytes().to_vec();
        self.desk.ask(&request)
    }

    /// Address and token of the control calls, when there are any.
    #[must_use]
    pub fn sim(&self) -> Option<(&str, &str)> {
        self.sim
            .as_ref()
            .map(|(url, token)| (url.as_str(), token.as_str()))
    }

    /// Address of the page that shows the node to a person, its token in it; when there are control
    /// calls.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        let (url, token) = self.sim()?;
        Some(format!("{}/?token={token}", url.trim_end_matches("/_sim")))
    }

    /// What was asked and answered.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.desk.journal
    }

    /// The world itself, to look at it or to change it between requests.
    #[must_use]
    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Stops the node and puts the host back as it was.
    ///
    /// # Errors
    /// When something on the host could not be undone.
    pub async fn stop(mut self) -> Result<(), Error> {
        // Nobody listening any more is no reason not to go on.
        let _ = self.stop.send(true);
        for task in self.tasks.drain(..) {
            drop(task.await);
        }
        if let Some(guests) = &self.guests {
            guests
                .undo()
                .await
                .map_err(|error| Error::new(Doing::Undo, error))?;
        }
        if let Some(path) = &self.ready_file {
            ready::remove(path);
        }
        self.files.clean();
        Ok(())
    }
}
