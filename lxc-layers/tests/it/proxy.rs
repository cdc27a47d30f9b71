//! A proxy on loopback: plain HTTP in front, TLS to the node behind. It cuts one connection, before a
//! request is sent on or after its answer was made.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use testkit::node::Node;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The request never reaches the node.
    Before,
    /// The node has done it; its answer never arrives.
    After,
}

/// A proxy that runs until it is dropped.
pub(crate) struct Proxy {
    pub(crate) url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    node: String,
    tls: TlsConnector,
    seen: AtomicU64,
    cut: Mutex<Option<(u64, Cut)>>,
}

impl Proxy {
    /// A proxy before this node.
    pub(crate) async fn before(node: &Node) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(node.ca_pem().as_bytes()).unwrap();
        roots.add(authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let shared = Arc::new(Shared {
            node: node.url().trim_start_matches("https://").to_owned(),
            tls: TlsConnector::from(Arc::new(config)),
            seen: AtomicU64::new(0),
            cut: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self {
            url,
            shared,
            serving,
        }
    }

    /// Cuts the connection of the `nth` request from now on, and of no other.
    pub(crate) fn cut(&self, nth: u64, cut: Cut) {
        *self.shared.cut.lock().unwrap() = Some((self.seen() + nth, cut));
    }

    /// How many requests came so far.
    pub(crate) fn seen(&self) -> u64 {
        self.shared.seen.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        // Either end may hang up at any time.
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { drop(shared.carry(client).await) });
    }
}

impl Shared {
    /// Carries the requests of one connection, one after the other.
    async fn carry(&self, mut client: TcpStream) -> io::Result<()> {
        let node = TcpStream::connect(&self.node).await?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut node = self.tls.connect(name, node).await?;
        loop {
            let request = message(&mut client).await?;
            let nth = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
            let struck = self.cut.lock().unwrap().filter(|(at, _)| *at == nth);
            if matches!(struck, Some((_, Cut::Before))) {
                return Ok(());
            }
            node.write_all(&request).await?;
            node.flush().await?;
            let answer = message(&mut node).await?;
            if matches!(struck, Some((_, Cut::After))) {
                return Ok(());
            }
            client.write_all(&answer).await?;
        }
    }
}

/// One message of HTTP/1.1 whose length is said in its head; without a length it has no body.
async fn message(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    assert!(
        !text.contains("chunked"),
        "this proxy knows no chunks: {text}"
    );
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |length| length.trim().parse().unwrap());
    while bytes.len() < head + length {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(bytes)
}
