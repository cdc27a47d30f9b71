//! The TLS server: HTTP as the real node speaks it, reason phrases and oddities included.
//!
//! # Quirks
//! What is copied here was observed on Proxmox VE 8.4 and 9.2: plain HTTP on the TLS port is sent
//! on to `https`; chunked requests, bodies on `GET` and `DELETE` and bodies above 512 KiB are
//! answered 501; more than 64 header lines or 8 KiB of them end the connection without an answer;
//! an idle connection is closed after five seconds, any after a hundred requests or an error.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub use self::tls::{Identity, TlsError};
use super::Desk;

mod answer;
mod connection;
mod pause;
pub mod sim;
mod tls;
mod upload;

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) desk: Arc<Desk>,
    /// Where uploads are spooled; without it their content is dropped.
    pub(crate) spool: Option<PathBuf>,
    /// Brings the state of a real guest up to date before a request that asks for it.
    pub(crate) refresh: Option<Arc<dyn Refresh>>,
}

/// Reads the state of real guests into the world.
#[async_trait::async_trait]
pub(crate) trait Refresh: std::fmt::Debug + Send + Sync {
    /// Brings one guest up to date.
    async fn refresh(&self, vmid: u32);

    /// Waits until the changes of one running guest are true.
    async fn settle(&self, vmid: u32);
}

/// Accepts connections until told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    tokio::spawn(one(stream, peer, tls.clone(), Arc::clone(&shared), stop.clone()));
                }
                // Out of descriptors, or a connection that is gone already: the next may do better.
                Err(_) => pause::after_failed_accept().await,
            },
            _ = stop.changed() => return,
        }
    }
}

async fn one(
    stream: TcpStream,
    _peer: SocketAddr,
    tls: TlsAcceptor,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    tokio::select! {
        // A client that breaks off is no concern of ours.
        _ = connection::run(stream, tls, shared) => {}
        _ = stop.changed() => {}
    }
}

/// Binds an address.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}
