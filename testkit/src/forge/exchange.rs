//! One exchange: a request of hyper becomes a call, a reply becomes a response.

use std::io::{Read, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::{Request, Response, header};
use tokio::sync::mpsc;

use super::server::{Cut, Door};
use crate::gitea::call::{self, Call, Upload};
use crate::gitea::reply;
use crate::gitea::{Handled, Reply};

/// The largest body of a git request.
const GIT_BODY_MAX: u64 = 4 << 30;
/// What is kept in memory of a git request before it goes to a file.
const GIT_MEMORY_MAX: usize = 1 << 20;
/// How much of a streamed answer waits to be sent, in pieces.
const PIECES: usize = 4;
/// The size of such a piece.
const PIECE_BYTES: usize = 64 << 10;

/// Answers one request, or cuts the connection where that was ordered.
pub(super) async fn answer(
    door: &Arc<Door>,
    request: Request<Incoming>,
    local: Option<SocketAddr>,
) -> Result<Response<Sent>, Cut> {
    let (head, body) = request.into_parts();
    let mut call = call_of(&head, door.acceptor.is_some(), local);
    let fault = door.faults.take(&call.method, &call.path);
    if let Some(fault) = fault.as_ref().filter(|fault| !fault.after) {
        tokio::time::timeout(
            Duration::from_millis(fault.delay_ms),
            std::future::pending::<()>(),
        )
        .await
        .unwrap_or_default();
        return if fault.status == 0 {
            Err(Cut)
        } else {
            Ok(respond(
                Reply::error(fault.status, "fault by order").finish(&call.base),
            ))
        };
    }
    let limit = door.gitea.read(|world, _| world.settings.body_size_max);
    let handled = match receive(&mut call, body, limit).await {
        Ok(()) => {
            let stopped = door.stopped.clone();
            crate::gitea::runners::await_work(&door.gitea, &call, stopped).await;
            handle(door, call).await
        }
        Err(refusal) => refusal.into(),
    };
    let reply = if handled.receipt.stored().await {
        handled.reply
    } else {
        Reply::error(500, "not stored").finish("")
    };
    if let Some(fault) = fault {
        tokio::time::timeout(
            Duration::from_millis(fault.delay_ms),
            std::future::pending::<()>(),
        )
        .await
        .unwrap_or_default();
        return if fault.status == 0 {
            Err(Cut)
        } else {
            Ok(respond(
                Reply::error(fault.status, "fault by order").finish(""),
            ))
        };
    }
    Ok(respond(reply))
}

/// Small reads are answered at once; what may wait for git, a disk or a slow hash has a thread of its own.
async fn handle(door: &Arc<Door>, call: Call) -> Handled {
    if crate::gitea::api::is_quick(&call) {
        return door.gitea.handle(call);
    }
    let gitea = Arc::clone(&door.gitea);
    let done = tokio::task::spawn_blocking(move || gitea.handle(call)).await;
    done.unwrap_or_else(|_| Reply::error(500, "").finish("").into())
}

fn call_of(head: &http::request::Parts, is_tls: bool, local: Option<SocketAddr>) -> Call {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect();
    let find = |name: &str| {
        headers
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.clone())
    };
    let scheme = find("x-forwarded-proto").filter(|proto| proto == "https" || proto == "http");
    let scheme = scheme.unwrap_or_else(|| if is_tls { "https" } else { "http" }.to_owned());
    let host = find("x-forwarded-host")
        .or_else(|| find("host"))
        .or_else(|| local.map(|local| local.to_string()))
        .unwrap_or_default();
    Call {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: call::pairs(head.uri.query().unwrap_or_default()),
        headers,
        base: format!("{scheme}://{host}"),
        ..Call::default()
    }
}

/// Reads the body into the call: git's into a file when it is large, all others within the limit.
async fn receive(call: &mut Call, mut body: Incoming, limit: usize) -> Result<(), Reply> {
    let for_git = crate::gitea::smart::takes_body(&call.path);
    let mut kept = BytesMut::new();
    let mut file: Option<std::fs::File> = None;
    let mut size = 0_u64;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(Reply::error(400, "the body ended early"));
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        size += data.len() as u64;
        if size > if for_git { GIT_BODY_MAX } else { limit as u64 } {
            return Err(Reply::error(413, "request body too large"));
        }
        match &mut file {
            Some(file) => file.write_all(&data).map_err(|_| Reply::error(500, ""))?,
            None => kept.extend_from_slice(&data),
        }
        if for_git && file.is_none() && kept.len() > GIT_MEMORY_MAX {
            let mut spool = tempfile::tempfile().map_err(|_| Reply::error(500, ""))?;
            spool.write_all(&kept).map_err(|_| Reply::error(500, ""))?;
            kept.clear();
            file = Some(spool);
        }
    }
    if let Some(mut file) = file {
        file.seek(SeekFrom::Start(0))
            .map_err(|_| Reply::error(500, ""))?;
        call.upload = Some(Upload::new(file));
    }
    call.body = kept.freeze();
    Ok(())
}

/// The body of a response.
pub(super) enum Sent {
    /// Known at once.
    Whole(Option<Bytes>),
    /// Coming from a thread that reads it.
    Pieces(mpsc::Receiver<std::io::Result<Bytes>>),
}

impl Body for Sent {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pieces(pieces) => pieces
                .poll_recv(context)
                .map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}

pub(super) fn respond(reply: Reply) -> Response<Sent> {
    let kind = reply.content_type().map(str::to_owned);
    let mut builder = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        if *name != "content-type" {
            builder = builder.header(*name, value);
        }
    }
    if let Some(kind) = kind {
        builder = builder.header(header::CONTENT_TYPE, kind);
    }
    let body = match reply.body {
        reply::Body::Empty | reply::Body::Problem(_) => Sent::Whole(None),
        reply::Body::Json(value) => Sent::Whole(Some(written(&value))),
        reply::Body::Written(_, text) => Sent::Whole(Some(text)),
        reply::Body::Bytes(_, bytes) => Sent::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())),
        reply::Body::Stream(_, reader) => Sent::Pieces(pieces(reader)),
    };
    // Only a header value with a line break could fail here, and none of ours has one.
    builder
        .body(body)
        .unwrap_or_else(|_| Response::new(Sent::Whole(None)))
}

/// JSON as the real one writes it: with a newline at the end.
fn written(value: &serde_json::Value) -> Bytes {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    Bytes::from(text)
}

fn pieces(mut reader: Box<dyn Read + Send>) -> mpsc::Receiver<std::io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let read = match reader.read(&mut piece) {
                Ok(0) => return,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    // Nobody may be there to hear it.
                    let _ = sender.blocking_send(Err(error));
                    return;
                }
            };
            piece.truncate(read);
            if sender.blocking_send(Ok(Bytes::from(piece))).is_err() {
                return;
            }
        }
    });
    receiver
}
