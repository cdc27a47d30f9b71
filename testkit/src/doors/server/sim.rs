//! Faults and inspection under `/_sim/`: a listener of its own, for whoever knows its token.
//!
//! | call | what it does |
//! | --- | --- |
//! | `GET`, `POST`, `DELETE /_sim/faults` | rules: list, add one ([`Fault`]), forget all |
//! | `PUT /_sim/tasks` `{"timing": "instant" \| "natural" \| {"millis": N} \| {"polls": N}}` | when tasks end |
//! | `GET`, `PUT /_sim/clock` `{"freeze": true, "advance": MILLIS}` | the world's clock |
//! | `GET`, `PUT /_sim/state` | a snapshot of the whole world |
//! | `GET`, `DELETE /_sim/journal` | what was asked and answered |
//! | `PUT /_sim/refusals` `{"slow": true}` | whether a 401 takes three seconds |
//! | `GET /_sim/overview` | guests, the last tasks and exchanges, in short |
//!
//! `GET /?token=TOKEN` is a page that shows them to a person.

mod page;

use std::io;
use std::sync::Arc;

use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::doors::Desk;
use crate::pve::{Fault, Moment, Timing, World};

/// A snapshot of a large world fits.
const BODY_MAX: usize = 256 << 20;

/// Serves the control calls until told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    token: String,
    desk: Arc<Desk>,
    mut stop: watch::Receiver<bool>,
) {
    let token = Arc::new(token);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    super::pause::after_failed_accept().await;
                    continue;
                }
            },
            _ = stop.changed() => return,
        };
        let (desk, token, mut stop) = (Arc::clone(&desk), Arc::clone(&token), stop.clone());
        tokio::spawn(async move {
            let service =
                service_fn(move |request| answer(request, Arc::clone(&desk), Arc::clone(&token)));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // A control client that breaks off has its reasons.
                _ = connection => {}
                _ = stop.changed() => {}
            }
        });
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    desk: Arc<Desk>,
    token: Arc<String>,
) -> io::Result<Response<Full<Bytes>>> {
    if let Some(page) =
        page::answer(request.uri(), &token).filter(|_| request.method() == Method::GET)
    {
        return Ok(page);
    }
    let given = request
        .headers()
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .unwrap_or_default();
    if !bool::from(given.ct_eq(token.as_bytes())) {
        return say(
            StatusCode::UNAUTHORIZED,
            &json!({"error": "the bearer token stands in the ready file"}),
        );
    }
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_MAX)
        .collect()
        .await
        .map_err(io::Error::other)?
        .to_bytes();
    let body = if body.is_empty() {
        Ok(Value::Null)
    } else {
        serde_json::from_slice(&body)
    };
    let outcome = match body {
        Ok(body) => control(&parts.method, parts.uri.path(), body, &desk),
        Err(error) => Err((StatusCode::BAD_REQUEST, error.to_string())),
    };
    match outcome {
        Ok(data) => say(StatusCode::OK, &data),
        Err((status, error)) => say(status, &json!({"error": error})),
    }
}

fn say(status: StatusCode, data: &Value) -> io::Result<Response<Full<Bytes>>> {
    let body = Full::new(Bytes::from(data.to_string()));
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body)
        .map_err(io::Error::other)
}

type Outcome = Result<Value, (StatusCode, String)>;

fn control(method: &Method, path: &str, body: Value, desk: &Desk) -> Outcome {
    match (
        method.as_str(),
        path.strip_prefix("/_sim/").unwrap_or_default(),
    ) {
        ("GET", "faults") => Ok(json!(desk.world().faults())),
        ("POST", "faults") => {
            let number = desk.world().add_fault(decode::<Fault>(body)?);
            Ok(json!({"id": number}))
        }
        ("DELETE", "faults") => {
            desk.world().clear_faults();
            Ok(Value::Null)
        }
        ("PUT", "tasks") => {
            let timing = decode::<Timing>(body.get("timing").cloned().unwrap_or_default())?;
            desk.world().set_timing(timing);
            Ok(Value::Null)
        }
        ("PUT", "refusals") => {
            desk.world()
                .set_slow_refusals(body["slow"].as_bool().unwrap_or_default());
            Ok(Value::Null)
        }
        ("GET", "clock") => Ok(clock(desk)),
        ("PUT" | "POST", "clock") => {
            set_clock(desk, &body);
            Ok(clock(desk))
        }
        ("GET", "state") => serde_json::to_value(&*desk.world())
            .map_err(|e| (StatusCode::INTERNAL_SERVER_ERROR, e.to_string())),
        ("PUT", "state") => {
            *desk.world() = decode::<World>(body)?;
            Ok(Value::Null)
        }
        ("GET", "overview") => Ok(overview(desk)),
        ("GET", "journal") => Ok(json!(desk.journal.exchanges())),
        ("DELETE", "journal") => {
            desk.journal.clear();
            Ok(Value::Null)
        }
        _ => Err((
            StatusCode::NOT_FOUND,
            format!("there is no `{method} {path}`"),
        )),
    }
}

fn decode<T: serde::de::DeserializeOwned>(body: Value) -> Result<T, (StatusCode, String)> {
    serde_json::from_value(body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))
}

/// How many exchanges the overview tells.
const EXCHANGES: usize = 60;

fn overview(desk: &Desk) -> Value {
    let mut overview = {
        let mut world = desk.world();
        world.advance(Moment::now());
        world.overview()
    };
    let (seen, exchanges) = desk.journal.latest(EXCHANGES);
    overview["seen"] = json!(seen);
    overview["exchanges"] = json!(exchanges);
    overview
}

fn clock(desk: &Desk) -> Value {
    let mut world = desk.world();
    world.advance(Moment::now());
    let (now, frozen) = world.time();
    json!({"now": now.millis(), "frozen": frozen})
}

fn set_clock(desk: &Desk, body: &Value) {
    let now = Moment::now();
    let mut world = desk.world();
    match body["freeze"].as_bool() {
        Some(true) => world.freeze(now),
        Some(false) => world.thaw(now),
        None => {}
    }
    if let Some(millis) = body["advance"].as_u64() {
        world.skip(millis, now);
    }
}
