//! The listener: connections in, calls to the world, answers out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::exchange;
use crate::gitea::Gitea;

/// How many connections may be open at a time.
const CONNECTIONS_MAX: usize = 1024;
/// How long the head of a request may take.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// What a listener leads to.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) gitea: Arc<Gitea>,
    pub(super) acceptor: Option<Acceptor>,
    pub(super) faults: Faults,
    /// Turns when the forge ends: nobody is kept waiting then.
    pub(super) stopped: watch::Receiver<bool>,
}

/// A TLS acceptor that can be printed.
#[derive(Clone)]
pub(super) struct Acceptor(pub(super) TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}

/// Trouble that was ordered.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: std::sync::Mutex<Vec<Fault>>,
    any: AtomicBool,
}

/// One kind of trouble.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(super) struct Fault {
    /// Only calls with this method; empty for any.
    #[serde(default)]
    pub(super) method: String,
    /// Only paths that contain this text; empty for any.
    #[serde(default)]
    pub(super) path: String,
    /// The status answered instead; 0 cuts the connection.
    #[serde(default)]
    pub(super) status: u16,
    /// Whether the call is carried out all the same, and only its answer is lost.
    #[serde(default)]
    pub(super) after: bool,
    /// How long the answer is held back, in milliseconds.
    #[serde(default)]
    pub(super) delay_ms: u64,
    /// How often; 0 is for ever.
    #[serde(default)]
    pub(super) times: u32,
}

impl Faults {
    /// Replaces all orders.
    #[cfg_attr(
        not(feature = "sim"),
        expect(dead_code, reason = "only inspection orders trouble")
    )]
    pub(super) fn set(&self, rules: Vec<Fault>) {
        self.any.store(!rules.is_empty(), Ordering::Release);
        *self
            .rules
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = rules;
    }

    /// All orders that still hold.
    #[cfg_attr(
        not(feature = "sim"),
        expect(dead_code, reason = "only inspection shows orders")
    )]
    pub(super) fn list(&self) -> Vec<Fault> {
        self.rules
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// The trouble for a call, which is then used up by one.
    pub(super) fn take(&self, method: &str, path: &str) -> Option<Fault> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut rules = self
            .rules
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let fits = |fault: &Fault| {
            (fault.method.is_empty() || fault.method == method) && path.contains(&fault.path)
        };
        let at = rules.iter().position(fits)?;
        let found = rules[at].clone();
        match rules[at].times {
            0 => {}
            1 => drop(rules.remove(at)),
            _ => rules[at].times -= 1,
        }
        Some(found)
    }
}

/// Accepts connections until told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    door: Arc<Door>,
    mut stopped: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            _ = stopped.changed() => return,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        // A connection that failed before it was accepted is the caller's trouble.
        let (Ok((stream, _)), Ok(place)) = (accepted, place) else {
            continue;
        };
        let (door, stopped) = (Arc::clone(&door), stopped.clone());
        tokio::spawn(async move {
            connection(stream, &door, stopped).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, door: &Arc<Door>, stopped: watch::Receiver<bool>) {
    // Small answers should not wait for more to send; it is only slower where it cannot be set.
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr().ok();
    match &door.acceptor {
        Some(acceptor) => {
            let accepted = tokio::time::timeout(HEAD_WITHIN, acceptor.0.accept(stream)).await;
            // Whoever does not speak TLS in time is not answered.
            if let Ok(Ok(stream)) = accepted {
                talk(stream, door, local, stopped).await;
            }
        }
        None => talk(stream, door, local, stopped).await,
    }
}

async fn talk<S>(
    stream: S,
    door: &Arc<Door>,
    local: Option<SocketAddr>,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let door = Arc::clone(door);
        async move {
            exchange::answer(&door, request, local)
                .await
                .map_err(|Cut| Cut)
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN);
    let talking = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(talking);
    tokio::select! {
        // How a connection ended is the caller's affair.
        _ = talking.as_mut() => {}
        _ = stopped.changed() => {
            talking.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(Duration::from_secs(2), talking).await;
        }
    }
}

/// The connection is cut without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut by order")]
pub(super) struct Cut;
