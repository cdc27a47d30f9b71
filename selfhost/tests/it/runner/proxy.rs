//! A way to the forge on which answers are lost after the forge has stored what was asked.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Hands calls on, one a connection, and loses answers.
pub(super) struct Proxy {
    address: SocketAddr,
    fetches: Arc<AtomicUsize>,
    waiting: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
}

/// Counts a runner that waits for a job, for as long as it does.
struct Waiting<'a>(Option<&'a AtomicUsize>);

impl<'a> Waiting<'a> {
    fn of(line: &str, counter: &'a AtomicUsize) -> Self {
        let counter = line.contains("FetchTask").then_some(counter);
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        Self(counter)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(counter) = self.0 {
            counter.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Which answers are lost: those to calls of this method, each first of so many.
#[derive(Clone, Copy)]
pub(super) struct Loss {
    pub(super) method: &'static str,
    pub(super) each: usize,
}

impl Proxy {
    pub(super) async fn to(forge: SocketAddr, losses: &'static [Loss]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let lost = Arc::new(AtomicUsize::new(0));
        let fetches = Arc::new(AtomicUsize::new(0));
        let waiting = Arc::new(AtomicUsize::new(0));
        let counts: Arc<Vec<AtomicUsize>> =
            Arc::new(losses.iter().map(|_| AtomicUsize::new(0)).collect());
        tokio::spawn({
            let (lost, fetches) = (Arc::clone(&lost), Arc::clone(&fetches));
            let waiting = Arc::clone(&waiting);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (lost, counts) = (Arc::clone(&lost), Arc::clone(&counts));
                    let (fetches, waiting) = (Arc::clone(&fetches), Arc::clone(&waiting));
                    tokio::spawn(async move {
                        let lose = |head: &str| {
                            let fetch = usize::from(head.contains("FetchTask"));
                            fetches.fetch_add(fetch, Ordering::SeqCst);
                            let at = losses.iter().position(|loss| head.contains(loss.method));
                            at.is_some_and(|at| {
                                let before = counts[at].fetch_add(1, Ordering::SeqCst);
                                before.is_multiple_of(losses[at].each)
                            })
                        };
                        hand_on(stream, forge, lose, (&lost, &waiting)).await;
                    });
                }
            }
        });
        Self {
            address,
            fetches,
            waiting,
            lost,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many times the forge has answered a runner that asked for a job.
    pub(super) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    /// How many runners wait at the forge for a job.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// How many answers were lost.
    pub(super) fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }
}

async fn hand_on(
    mut caller: TcpStream,
    forge: SocketAddr,
    lose: impl Fn(&str) -> bool,
    (lost, waiting): (&AtomicUsize, &AtomicUsize),
) -> Option<()> {
    let mut upstream = TcpStream::connect(forge).await.ok()?;
    loop {
        let request = message(&mut caller).await?;
        let line = request.split(|byte| *byte == b'\r').next()?;
        let line = String::from_utf8_lossy(line);
        let waits = Waiting::of(&line, waiting);
        upstream.write_all(&request).await.ok()?;
        let mut more = [0];
        let answer = tokio::select! {
            answer = message(&mut upstream) => answer?,
            // It hung up, and so do we.
            _ = caller.peek(&mut more) => return None,
        };
        drop(waits);
        if lose(&line) {
            lost.fetch_add(1, Ordering::SeqCst);
            return None;
        }
        caller.write_all(&answer).await.ok()?;
    }
}

/// One request or answer: its head, and as much of a body as the head says.
async fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut whole = None;
    loop {
        let read = stream.read_buf(&mut bytes).await.ok()?;
        if read == 0 {
            return None;
        }
        if whole.is_none()
            && let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n")
        {
            let head = String::from_utf8_lossy(&bytes[..at]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .map_or(0, |length| length.trim().parse().unwrap());
            whole = Some(at + 4 + length);
        }
        if whole.is_some_and(|whole| bytes.len() >= whole) {
            return Some(bytes);
        }
    }
}
