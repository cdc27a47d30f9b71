//! Carries deliveries to their addresses, over plain HTTP and over TLS.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Outgoing, Verdict, delivered, outgoing, pending};
use crate::gitea::Gitea;

/// How long a receiver has to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many deliveries are under way at a time.
const AT_A_TIME: usize = 8;
/// How much of an answer is kept.
const ANSWER_BYTES_MAX: usize = 1024;
/// How many redirections are followed.
const HOPS_MAX: usize = 5;

/// Sends what is to be sent, again and again, until the world is gone. Each delivery is tried once;
/// one that was under way when the forge was killed is sent again.
///
/// Behind `https` addresses those are trusted whom the operating system trusts.
pub async fn deliver_forever(gitea: Arc<Gitea>) {
    let tls = Arc::new(OnceLock::new());
    let mut changes = gitea.changes();
    let room = Arc::new(Semaphore::new(AT_A_TIME));
    let mut begun = BTreeSet::new();
    loop {
        changes.borrow_and_update();
        let waiting: BTreeSet<i64> = gitea.read(|world, _| pending(world)).into_iter().collect();
        begun.retain(|id| waiting.contains(id));
        for id in waiting {
            if !begun.insert(id) {
                continue;
            }
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            let (gitea, tls) = (Arc::clone(&gitea), Arc::clone(&tls));
            tokio::spawn(async move {
                deliver(&gitea, id, &tls).await;
                drop(permit);
            });
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Whom to trust, found out when it is needed first.
type Trust = OnceLock<Option<Arc<rustls::ClientConfig>>>;

async fn deliver(gitea: &Gitea, id: i64, tls: &Trust) {
    let Some(request) = gitea.read(|world, _| outgoing(world, id)) else {
        return;
    };
    let sent = timeout(PATIENCE, send(request, tls)).await;
    let (status, told) = match sent {
        Ok(Ok((status, told))) => (status.as_u16(), told),
        Ok(Err(error)) => (0, error.to_string()),
        Err(_) => (0, "no answer in time".to_owned()),
    };
    let (_, receipt) = gitea.write(|world, _, _| {
        let at = world.now();
        delivered(world, id, Verdict { status, told, at });
    });
    // A verdict that is lost means that the delivery is sent again, no more.
    let _ = receipt.stored().await;
}

/// Why an address was not told.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("address `{0}` cannot be used")]
    Address(String),
    #[error("connecting to `{0}`")]
    Connect(String, #[source] std::io::Error),
    #[error("talking to the receiver")]
    Http(#[from] hyper::Error),
}

/// Sends a request and follows redirections the way the real server does: as GET, without a body.
async fn send(request: Outgoing, tls: &Trust) -> Result<(StatusCode, String), Error> {
    let (mut url, mut method, mut body) = (request.url, Method::POST, Bytes::from(request.body));
    for _ in 0..HOPS_MAX {
        let uri: Uri = url.parse().map_err(|_| Error::Address(url.clone()))?;
        let answer = exchange(&uri, method, (&request.headers, body.clone()), tls).await?;
        match answer.location {
            Some(location) => {
                url = absolute(&uri, &location);
                (method, body) = (Method::GET, Bytes::new());
            }
            None => return Ok((answer.status, answer.told)),
        }
    }
    Err(Error::Address(url))
}

struct Answered {
    status: StatusCode,
    told: String,
    location: Option<String>,
}

async fn exchange(
    uri: &Uri,
    method: Method,
    (headers, body): (&[(&'static str, String)], Bytes),
    tls: &Trust,
) -> Result<Answered, Error> {
    let bad = || Error::Address(uri.to_string());
    let host = uri.host().ok_or_else(bad)?.to_owned();
    let secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let authority = uri.authority().ok_or_else(bad)?.as_str().to_owned();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", &authority);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(body)).map_err(|_| bad())?;
    let failed = |error| Error::Connect(authority.clone(), error);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((bare, port)).await.map_err(failed)?;
    if !secure {
        return talk(stream, request).await;
    }
    let tls = tls.get_or_init(roots).clone().ok_or_else(bad)?;
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| bad())?;
    let connector = tokio_rustls::TlsConnector::from(tls);
    talk(
        connector.connect(name, stream).await.map_err(failed)?,
        request,
    )
    .await
}

async fn talk<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answered, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let location = answer
        .headers()
        .get("location")
        .filter(|_| status.is_redirection());
    let location = location
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let told = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await;
    let told = told.map(|told| told.to_bytes()).unwrap_or_default();
    driver.abort();
    Ok(Answered {
        status,
        told: String::from_utf8_lossy(&told).into_owned(),
        location,
    })
}

/// The roots of the operating system; `None` when there are none that can be used.
fn roots() -> Option<Arc<rustls::ClientConfig>> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One bad certificate is no reason to trust nobody.
        let _ = roots.add(certificate);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    Some(Arc::new(
        builder.with_root_certificates(roots).with_no_client_auth(),
    ))
}

fn absolute(from: &Uri, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let scheme = from.scheme_str().unwrap_or("http");
    let authority = from.authority().map_or("", |authority| authority.as_str());
    format!(
        "{scheme}://{authority}/{}",
        location.trim_start_matches('/')
    )
}
