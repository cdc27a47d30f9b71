//! One connection: TLS or not, and request after request until it ends.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, CONNECTION, HOST};
use http::{Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::answer::{self, Body};
use super::{Shared, pause, upload};
use crate::pve::{Damage, Reply, Request};

/// How long a connection may be silent.
const IDLE: Duration = Duration::from_secs(5);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Requests on one connection.
const REQUESTS: u32 = 100;
/// Bytes of a body that is no upload.
const BODY: u64 = 512 * 1024;
/// Lines and bytes of headers.
const HEADERS: (usize, usize) = (64, 8 * 1024);
/// How long an answer that never comes does not come.
const NEVER: Duration = Duration::from_secs(600);

pub(super) async fn run(
    stream: TcpStream,
    tls: TlsAcceptor,
    shared: Arc<Shared>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    timeout(IDLE, stream.peek(&mut first)).await??;
    let socket = Arc::new(stream.as_fd().try_clone_to_owned()?);
    // A TLS record of a handshake begins with 22.
    if first[0] == 22 {
        let stream = timeout(HANDSHAKE, tls.accept(stream)).await??;
        let seen = Arc::new(AtomicU32::new(0));
        let service = service_fn(move |request| {
            let (shared, socket, seen) =
                (Arc::clone(&shared), Arc::clone(&socket), Arc::clone(&seen));
            async move { exchange(request, &shared, &socket, &seen).await }
        });
        drive(stream, service).await
    } else {
        drive(
            stream,
            service_fn(|request| async move { Ok::<_, io::Error>(redirect(&request)) }),
        )
        .await
    }
}

async fn drive<S, F>(stream: S, service: F) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Service<hyper::Request<Incoming>, Response = Response<Body>, Error = io::Error>,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_headers(1000)
        .title_case_headers(true);
    builder.max_buf_size(1 << 20).half_close(false);
    builder
        .serve_connection(TokioIo::new(stream), service)
        .await
        .map_err(io::Error::other)
}

/// Plain HTTP is sent on to `https`.
fn redirect(request: &hyper::Request<Incoming>) -> Response<Body> {
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    let mut reply = Reply::text(301, "Moved Permanently");
    reply.headers.push((
        "Location".to_owned(),
        format!("https://{host}{}", request.uri()),
    ));
    reply.close = true;
    answer::render(reply, false)
}

async fn exchange(
    request: hyper::Request<Incoming>,
    shared: &Shared,
    socket: &OwnedFd,
    seen: &AtomicU32,
) -> io::Result<Response<Body>> {
    let headers = request.headers();
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if headers.len() > HEADERS.0 || bytes > HEADERS.1 {
        return Err(io::Error::other("more headers than the server takes"));
    }
    let asks_close = headers.get(CONNECTION).is_some_and(|value| {
        value
            .to_str()
            .unwrap_or_default()
            .to_lowercase()
            .contains("close")
    });
    let last = seen.fetch_add(1, Ordering::Relaxed) + 1 >= REQUESTS;
    let old = request.version() < Version::HTTP_11;
    let gzip = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .any(|value| value.to_str().is_ok_and(|text| text.contains("gzip")));
    let mut reply = reply(request, shared).await?;
    reply.close |= asks_close || last || old;
    pause::delay(reply.delay).await;
    match reply.fault {
        Some(Damage::Reset) => {
            let linger = Some(Duration::ZERO);
            rustix::net::sockopt::set_socket_linger(socket, linger)?;
            Err(io::Error::other("reset on demand"))
        }
        Some(Damage::Hang) => {
            pause::delay(NEVER).await;
            Err(io::Error::other("hung on demand"))
        }
        _ => Ok(answer::render(reply, gzip)),
    }
}

/// The world's answer, or that of the HTTP layer before it.
async fn reply(request: hyper::Request<Incoming>, shared: &Shared) -> io::Result<Reply> {
    let headers = request.headers();
    if headers.contains_key(http::header::TRANSFER_ENCODING) {
        return Ok(Reply::text(501, "chunked transfer encoding not supported"));
    }
    let length: u64 = headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    let (parts, body) = request.into_parts();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut asked = Request {
        method: parts.method.to_string(),
        target: parts
            .uri
            .path_and_query()
            .map_or_else(|| parts.uri.to_string(), ToString::to_string),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        ..Request::default()
    };
    if upload::is_upload(&asked) {
        return match upload::receive(&mut asked, body, shared).await? {
            Ok(()) => Ok(shared.desk.ask(&asked)),
            Err(refused) => Ok(*refused),
        };
    }
    if length > BODY {
        return Ok(Reply::text(501, "for data too large"));
    }
    asked.body = read(body).await?;
    if let (Some(refresh), Some(vmid)) = (&shared.refresh, guest_asked_for(&asked)) {
        refresh.refresh(vmid).await;
    }
    let reply = shared.desk.ask(&asked);
    if let (Some(refresh), Some(vmid)) = (&shared.refresh, guest_changed(&asked)) {
        refresh.settle(vmid).await;
    }
    Ok(reply)
}

/// The guest whose configuration a request changes.
fn guest_changed(request: &Request) -> Option<u32> {
    let (_, rest) = request.raw_path().split_once("/lxc/")?;
    let vmid = rest
        .strip_suffix("/config")
        .filter(|_| request.method == "PUT")?;
    vmid.parse().ok()
}

async fn read(mut body: Incoming) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    while let Some(frame) = timeout(IDLE, body.frame())
        .await
        .map_err(io::Error::other)?
    {
        if let Ok(bytes) = frame.map_err(io::Error::other)?.into_data() {
            data.extend_from_slice(&bytes);
        }
    }
    Ok(data)
}

/// The guest whose live state a request is about.
fn guest_asked_for(request: &Request) -> Option<u32> {
    let (_, rest) = request.raw_path().split_once("/lxc/")?;
    let (vmid, what) = rest.split_once('/')?;
    let live =
        matches!(what, "status/current" | "interfaces" | "rrddata") && request.method == "GET";
    let acts = what.starts_with("status/") && request.method == "POST";
    (live || acts).then(|| vmid.parse().ok())?
}

/// An answer without a body.
pub(super) fn bytes(data: Vec<u8>) -> Full<Bytes> {
    Full::new(Bytes::from(data))
}
