//! The only file that names the HTTP library; timeouts, body caps, and what a failure means.
//!
//! # Quirks
//! The server speaks HTTP/1.1 only, closes idle connections after 5.0 s and every one after an
//! error, takes no chunked bodies, and answers plain HTTP with a redirect. So: HTTP/1.1, 4 s of
//! idling, no redirects, bodies of known length. Proxies of the environment are not used.

mod server;
mod tls;
mod upload;

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue};
use reqwest::{multipart, redirect};

use crate::auth::Proof;
use crate::error::{Breakage, Cause, Delivery, Error, ErrorKind};
use crate::request::{Method, Request};
use crate::response::Answer;

pub use server::ServerUrl;
use tls::Rejected;
pub use tls::{Fingerprint, Tls};
pub(crate) use upload::{ByteStream, Content, OnProgress};

const IDLE: Duration = Duration::from_secs(4);
const USER_AGENT: &str = concat!("proxmox-api/", env!("CARGO_PKG_VERSION"));

/// How long to wait, and how much to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Until a connection with TLS stands.
    pub(crate) connect: Duration,
    /// Until the whole answer is there; for an upload, as long as nothing moves.
    pub(crate) answer: Duration,
    /// Bytes of an answer's body.
    pub(crate) body: usize,
}

/// One or more addresses of a cluster, and which of them is in use.
#[derive(Debug)]
pub(crate) struct Transport {
    servers: Vec<Server>,
    current: AtomicUsize,
    limits: Limits,
}

#[derive(Debug)]
struct Server {
    url: ServerUrl,
    http: reqwest::Client,
}

impl Transport {
    /// For these addresses, each with its own trust.
    pub(crate) fn new(servers: Vec<(ServerUrl, Tls)>, limits: Limits) -> Result<Self, Error> {
        let servers: Result<Vec<Server>, Error> = servers
            .into_iter()
            .map(|(url, tls)| {
                Ok(Server {
                    http: http_client(&url, &tls, limits)?,
                    url,
                })
            })
            .collect();
        Ok(Self {
            servers: servers?,
            current: AtomicUsize::new(0),
            limits,
        })
    }

    /// Sends the request once to the present address; an answer of any status is an answer.
    pub(crate) async fn send(&self, request: &Request, proof: &Proof) -> Result<Answer, Error> {
        let mut builder = self.builder(request, proof)?;
        if let Some(form) = request.form() {
            builder = builder
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form);
        }
        let builder = builder.timeout(self.limits.answer);
        let response = builder
            .send()
            .await
            .map_err(|error| broken(request, error))?;
        self.read(request, response).await
    }

    /// Sends a file with the request's parameters before it.
    pub(crate) async fn upload(
        &self,
        request: &Request,
        proof: &Proof,
        content: Content,
    ) -> Result<Answer, Error> {
        let sent = Arc::new(AtomicU64::new(0));
        let form = form(request, content, &sent)?;
        let builder = self.builder(request, proof)?.multipart(form);
        let answer = async {
            let response = builder
                .send()
                .await
                .map_err(|error| broken(request, error))?;
            self.read(request, response).await
        };
        tokio::select! {
            answer = answer => answer,
            () = stalled(&sent, self.limits.answer) => Err(request.error(Cause::Broken(Breakage {
                kind: ErrorKind::TimedOut,
                delivery: Delivery::Unknown,
                what: format!("nothing moved for {:?}", self.limits.answer),
                shown: None,
                source: None,
            }))),
        }
    }

    /// Moves on to the next address after a failure that the present one is to blame for.
    pub(crate) fn move_on(&self) {
        self.current.fetch_add(1, Ordering::Relaxed);
    }

    fn builder(&self, request: &Request, proof: &Proof) -> Result<reqwest::RequestBuilder, Error> {
        let server = &self.servers[self.current.load(Ordering::Relaxed) % self.servers.len()];
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let headers = headers(request.method, proof).ok_or_else(|| {
            request.error(Cause::Unsendable(
                "the credentials hold characters that no header may".to_owned(),
            ))
        })?;
        Ok(server
            .http
            .request(method, server.url.join(&request.target()))
            .headers(headers))
    }

    async fn read(
        &self,
        request: &Request,
        mut response: reqwest::Response,
    ) -> Result<Answer, Error> {
        let status = response.status().as_u16();
        let reason = response
            .extensions()
            .get::<hyper::ext::ReasonPhrase>()
            .map(|reason| String::from_utf8_lossy(reason.as_bytes()).into_owned())
            .or_else(|| response.status().canonical_reason().map(str::to_owned))
            .unwrap_or_default();
        let mut body = BytesMut::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| broken(request, error))?
        {
            if body.len() + chunk.len() > self.limits.body {
                return Err(too_large(request, self.limits.body));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            reason,
            body: body.freeze(),
        })
    }
}

fn http_client(url: &ServerUrl, tls: &Tls, limits: Limits) -> Result<reqwest::Client, Error> {
    let refuse = |reason: String| Error::unusable("preparing the connection", reason);
    let config = tls.config(url.is_encrypted()).map_err(refuse)?;
    reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .pool_idle_timeout(IDLE)
        .connect_timeout(limits.connect)
        .user_agent(USER_AGENT)
        .build()
        .map_err(|error| refuse(error.without_url().to_string()))
}

/// Headers of a request; nothing if the credentials cannot be written in one.
fn headers(method: Method, proof: &Proof) -> Option<HeaderMap> {
    let secret = |text: &str| {
        let mut value = HeaderValue::from_str(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    };
    let mut headers = HeaderMap::new();
    match proof {
        Proof::Nothing => {}
        Proof::Token(token) => {
            headers.insert(AUTHORIZATION, secret(&token.header())?);
        }
        Proof::Ticket(ticket) => {
            headers.insert(COOKIE, secret(&ticket.cookie())?);
            if method != Method::Get {
                headers.insert("csrfpreventiontoken", secret(ticket.csrf())?);
            }
        }
    }
    Some(headers)
}

/// The multipart form of an upload: parameters in their order, then the file.
///
/// The server wants `content`, `checksum-algorithm`, `checksum`, and then a part named
/// `filename`; any other order is an error, or loses a parameter.
fn form(
    request: &Request,
    content: Content,
    sent: &Arc<AtomicU64>,
) -> Result<multipart::Form, Error> {
    let mut form = multipart::Form::new();
    for (key, value) in request.params.pairs() {
        form = form.text(key.to_owned(), value.to_owned());
    }
    let (name, length) = (content.name.clone(), content.length);
    let body = reqwest::Body::wrap_stream(content.counted(Arc::clone(sent)));
    let part = multipart::Part::stream_with_length(body, length)
        .file_name(name)
        .mime_str("application/octet-stream")
        .map_err(|error| broken(request, error))?;
    Ok(form.part("filename", part))
}

/// Ends when the counter has not moved for that long.
async fn stalled(sent: &AtomicU64, limit: Duration) {
    let mut before = None;
    loop {
        let now = sent.load(Ordering::Relaxed);
        if before == Some(now) {
            return;
        }
        before = Some(now);
        crate::wait::pause(limit).await;
    }
}

fn too_large(request: &Request, limit: usize) -> Error {
    request.error(Cause::Broken(Breakage {
        kind: ErrorKind::TooLarge,
        delivery: Delivery::Answered,
        what: format!("the answer is larger than {limit} bytes"),
        shown: None,
        source: None,
    }))
}

/// What a failure of the HTTP library means.
fn broken(request: &Request, error: reqwest::Error) -> Error {
    let rejected = rejected(&error);
    let (kind, delivery, what) = if let Some(rejected) = &rejected {
        (
            ErrorKind::Untrusted,
            Delivery::NotSent,
            rejected.to_string(),
        )
    } else if error.is_builder() {
        (
            ErrorKind::Unusable,
            Delivery::NotSent,
            "the request cannot be written".to_owned(),
        )
    } else if error.is_connect() {
        (
            ErrorKind::Unreachable,
            Delivery::NotSent,
            "no connection could be made".to_owned(),
        )
    } else if error.is_timeout() {
        (
            ErrorKind::TimedOut,
            Delivery::Unknown,
            "there was no whole answer in time".to_owned(),
        )
    } else {
        (
            ErrorKind::Interrupted,
            Delivery::Unknown,
            "the connection broke before the end of the answer".to_owned(),
        )
    };
    let shown = rejected.map(|rejected| rejected.shown);
    // The text of a rejection says all that its source could.
    let source = shown
        .is_none()
        .then(|| Box::new(error.without_url()) as crate::error::BoxedError);
    request.error(Cause::Broken(Breakage {
        kind,
        delivery,
        what,
        shown,
        source,
    }))
}

/// The verifier's own error, wherever in the chain it hides.
fn rejected(error: &(dyn StdError + 'static)) -> Option<Rejected> {
    if let Some(found) = error.downcast_ref::<rustls::Error>().and_then(Rejected::of) {
        return Some(found);
    }
    // An `io::Error` does not name what it wraps as its source, and may wrap another one.
    let wrapped = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    if let Some(found) = wrapped.and_then(|wrapped| rejected(wrapped)) {
        return Some(found);
    }
    rejected(error.source()?)
}
