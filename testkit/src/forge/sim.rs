//! Faults and inspection under `/_sim/`, on a listener of its own that asks for a token.
//!
//! | call | what it does |
//! | --- | --- |
//! | `GET /_sim/faults`, `PUT /_sim/faults` | the trouble that is ordered, as a list of rules |
//! | `GET /_sim/clock`, `POST /_sim/clock {"advance_seconds"}` | the world's time |
//! | `GET /_sim/journal` | the last exchanges, when no file was named for them |
//! | `GET /_sim/tables` | how many rows each table has |

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Error;
use super::exchange::{Sent, respond};
use super::ready::Ready;
use super::server::{Cut, Door, Fault};
use crate::gitea::Reply;
use crate::gitea::password::same;
use crate::gitea::random::Random;

/// The largest body of an order.
const BODY_MAX: usize = 1 << 20;

/// Listens, and writes where and with which token into the ready line.
pub(super) async fn start(
    address: SocketAddr,
    door: Arc<Door>,
    ready: &mut Ready,
    stopped: watch::Receiver<bool>,
) -> Result<tokio::task::JoinHandle<()>, Error> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen { address, source })?;
    let local = listener
        .local_addr()
        .map_err(|source| Error::Listen { address, source })?;
    let token = Random::from_system().hex(40);
    ready.sim_url = Some(format!("http://{local}"));
    ready.sim_token = Some(token.clone());
    Ok(tokio::spawn(serve(
        listener,
        door,
        Arc::from(token),
        stopped,
    )))
}

async fn serve(
    listener: TcpListener,
    door: Arc<Door>,
    token: Arc<str>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (door, token) = (Arc::clone(&door), Arc::clone(&token));
        tokio::spawn(async move {
            let service =
                service_fn(|request| answer(Arc::clone(&door), Arc::clone(&token), request));
            // How a connection ended is the caller's affair.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    door: Arc<Door>,
    token: Arc<str>,
    request: Request<Incoming>,
) -> Result<Response<Sent>, Cut> {
    let shown = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let shown = shown
        .strip_prefix("Bearer ")
        .or_else(|| shown.strip_prefix("token "))
        .unwrap_or_default();
    if !same(shown.as_bytes(), token.as_bytes()) {
        return Ok(respond(Reply::json(
            401,
            json!({ "message": "the token of the ready line is required" }),
        )));
    }
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(respond(Reply::json(413, json!({ "message": "too large" })))),
    };
    let reply = match (head.method.as_str(), head.uri.path()) {
        ("GET", "/_sim/faults") => Reply::ok(json!(door.faults.list())),
        ("PUT", "/_sim/faults") => match serde_json::from_slice::<Vec<Fault>>(&body) {
            Ok(rules) => {
                door.faults.set(rules);
                Reply::no_content()
            }
            Err(error) => Reply::json(422, json!({ "message": error.to_string() })),
        },
        ("GET", "/_sim/clock") => clock(&door, 0),
        ("POST", "/_sim/clock") => {
            let order: Value = serde_json::from_slice(&body).unwrap_or_default();
            clock(&door, order["advance_seconds"].as_i64().unwrap_or_default())
        }
        ("GET", "/_sim/journal") => Reply::ok(json!(
            door.gitea
                .journal()
                .map(|journal| journal.exchanges())
                .unwrap_or_default()
        )),
        ("GET", "/_sim/tables") => tables(&door),
        _ => Reply::json(404, json!({ "message": "no such inspection" })),
    };
    Ok(respond(reply))
}

fn clock(door: &Door, seconds: i64) -> Reply {
    // Nothing of this is stored: the clock starts anew with the process.
    let (now, _) = door.gitea.write(|world, _, _| {
        world.clock.advance(seconds.saturating_mul(1_000_000));
        world.now()
    });
    Reply::ok(json!({ "now": crate::gitea::clock::rfc3339(now) }))
}

fn tables(door: &Door) -> Reply {
    let (counts, _) = door.gitea.write(|world, _, _| {
        let rows = world.tables().into_iter().map(|table| {
            (
                table.name().to_owned(),
                json!(table.dump().len().saturating_sub(1)),
            )
        });
        rows.collect::<serde_json::Map<String, Value>>()
    });
    Reply::ok(Value::Object(counts))
}
