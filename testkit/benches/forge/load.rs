//! Callers that ask as fast as they are answered, over connections that stay open.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::forge::Ready;

/// One request, written out.
#[derive(Clone)]
pub(crate) struct Ask(Vec<u8>);

impl Ask {
    /// A request; `headers` end in a line break each.
    pub(crate) fn new(
        ready: &Ready,
        method: &str,
        path: &str,
        headers: &str,
        body: Option<&Value>,
    ) -> Self {
        let host = ready.url.trim_start_matches("http://");
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = if body.is_empty() {
            ""
        } else {
            "content-type: application/json\r\n"
        };
        let length = body.len();
        Self(format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}{kind}content-length: {length}\r\n\r\n{body}").into_bytes())
    }

    /// Asks on a connection of its own.
    pub(crate) fn once(&self, url: &str) -> (u16, Vec<u8>) {
        Line::open(url).ask(self)
    }
}

/// A connection.
struct Line {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Line {
    fn open(url: &str) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Status and body of the answer, which must have a length.
    fn ask(&mut self, ask: &Ask) -> (u16, Vec<u8>) {
        self.stream.write_all(&ask.0).unwrap();
        self.read.clear();
        let mut piece = [0; 16 << 10];
        loop {
            let count = self.stream.read(&mut piece).unwrap();
            assert!(count > 0, "the connection was closed");
            self.read.extend_from_slice(&piece[..count]);
            let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8_lossy(&self.read[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if self.read.len() >= end + 4 + length {
                let status = head[9..12].parse().unwrap();
                return (status, self.read[end + 4..].to_vec());
            }
        }
    }
}

/// Answers per second of the same request on some connections.
pub(crate) fn rate(url: &str, ask: &Ask, connections: usize, span: Duration) -> f64 {
    count(url, connections, span, &|_| ask.clone())
}

/// The same for requests that differ by a number.
pub(crate) fn numbered_rate(
    ready: &Ready,
    connections: usize,
    span: Duration,
    ask: impl Fn(u64) -> Ask + Sync,
) -> f64 {
    count(&ready.url, connections, span, &ask)
}

fn count(url: &str, connections: usize, span: Duration, ask: &(dyn Fn(u64) -> Ask + Sync)) -> f64 {
    let number = AtomicU64::new(0);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let mut line = Line::open(url);
                while begin.elapsed() < span {
                    let (status, _) = line.ask(&ask(number.fetch_add(1, Ordering::Relaxed)));
                    assert!((200..300).contains(&status), "status {status}");
                }
            });
        }
    });
    number.into_inner() as f64 / begin.elapsed().as_secs_f64()
}
