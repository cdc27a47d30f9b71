//! A server that answers as a test tells it to, down to cut connections and odd reason phrases.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proxmox_api::{Client, ClientBuilder, RetryPolicy};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a server does with a request.
pub(crate) enum Reply {
    /// Answers with status, reason phrase and body.
    Answer(u16, String, String),
    /// Answers with these bytes, then closes.
    Bytes(Vec<u8>),
    /// Closes without a word.
    Close,
    /// Says nothing for a long time.
    Stall,
}

impl Reply {
    /// A success with that data.
    pub(crate) fn data(data: &str) -> Self {
        Self::Answer(200, "OK".to_owned(), format!(r#"{{"data":{data}}}"#))
    }

    /// An error as the server makes them: the reason phrase holds the first line.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        let reason = message.lines().next().unwrap_or_default().to_owned();
        let body = serde_json::json!({"data": null, "message": format!("{message}\n")});
        Self::Answer(status, reason, body.to_string())
    }

    /// An error whose only text is the reason phrase.
    pub(crate) fn reason(status: u16, reason: &str) -> Self {
        Self::Answer(status, reason.to_owned(), String::new())
    }

    /// One refused parameter.
    pub(crate) fn refused(parameter: &str, reason: &str) -> Self {
        let message = "Parameter verification failed.";
        let body = serde_json::json!({
            "data": null, "errors": {parameter: reason}, "message": format!("{message}\n"),
        });
        Self::Answer(400, message.to_owned(), body.to_string())
    }
}

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method and target, e.g. `GET /api2/json/version`.
    pub(crate) call: String,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Number of the connection it came on.
    pub(crate) connection: usize,
}

impl Seen {
    /// The body as text.
    pub(crate) fn form(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

type Script = Arc<dyn Fn(&Seen, usize) -> Reply + Send + Sync>;

/// A running server; it ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Without TLS. The script gets the request and how many came before it.
    pub(crate) async fn plain(
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start(None, script).await
    }

    /// That always says the same.
    pub(crate) async fn always(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Self {
        Self::start(None, move |_, _| reply()).await
    }

    /// With TLS.
    pub(crate) async fn start(
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(accept(listener, tls, Arc::new(script), Arc::clone(&seen)));
        Self {
            address,
            seen,
            task,
        }
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.call).collect()
    }

    /// Describes a client of this server that does not pause between attempts.
    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder(format!("http://{}", self.address)).retry(quick())
    }

    /// A client with a token.
    pub(crate) fn client(&self) -> Client {
        self.builder()
            .token("root@pam!ci=canary".parse().unwrap())
            .build()
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Three attempts without a pause.
pub(crate) fn quick() -> RetryPolicy {
    RetryPolicy {
        attempts: 3,
        pause: Duration::ZERO,
        pause_max: Duration::ZERO,
    }
}

/// An address at which nobody listens, and which no other test is given.
pub(crate) fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    script: Script,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let mut connection = 0;
    while let Ok((stream, _)) = listener.accept().await {
        connection += 1;
        let (script, seen, tls) = (Arc::clone(&script), Arc::clone(&seen), tls.clone());
        tokio::spawn(async move {
            let Some(tls) = tls else {
                return converse(stream, connection, &script, &seen).await;
            };
            if let Ok(stream) = tls.accept(stream).await {
                converse(stream, connection, &script, &seen).await;
            }
        });
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    script: &Script,
    seen: &Mutex<Vec<Seen>>,
) {
    while let Some(request) = read(&mut stream, connection).await {
        let before = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        match script(&request, before) {
            Reply::Answer(status, reason, body) => {
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json;charset=UTF-8\r\n\
                     Content-Length: {length}\r\n\r\n"
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
            Reply::Bytes(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Reply::Close => return,
            Reply::Stall => std::future::pending().await,
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), connection: usize) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let call = head
        .lines()
        .next()
        .unwrap()
        .rsplit_once(' ')
        .unwrap()
        .0
        .to_owned();
    let mut request = Seen {
        call,
        head,
        body: bytes[end..].to_vec(),
        connection,
    };
    let length: usize = request
        .header("content-length")
        .map_or(0, |text| text.parse().unwrap());
    while request.body.len() < length {
        if stream.read_buf(&mut request.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(request)
}
