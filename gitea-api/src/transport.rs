//! The only file that names the HTTP library: one exchange, bounded in time and size.

pub(crate) mod retry;
pub mod tls;

use std::error::Error as StdError;
use std::time::Duration;

use bytes::BytesMut;
use http::header::{HeaderName, HeaderValue};

use crate::error::{Delivery, ErrorKind};
use crate::request::{Prepared, Verb};
use crate::response::Answer;

/// The largest answer that is read, in bytes; a log or an archive may be long, but not endless.
const ANSWER_MAX: usize = 512 * 1024 * 1024;

/// An exchange that brought no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) delivery: Delivery,
    pub(crate) cause: Box<dyn StdError + Send + Sync>,
}

/// Bounds of every exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) connect: Duration,
    pub(crate) whole: Duration,
}

/// The connection pool.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    client: reqwest::Client,
    whole: Duration,
}

impl Transport {
    /// A pool with this trust. It never follows redirects and asks no proxy: both would decide for
    /// the caller where credentials go.
    pub(crate) fn new(
        tls: rustls::ClientConfig,
        bounds: Bounds,
        agent: &str,
    ) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(bounds.connect)
            .user_agent(agent)
            .build()?;
        Ok(Self {
            client,
            whole: bounds.whole,
        })
    }

    /// Sends a request once and reads its whole answer.
    pub(crate) async fn execute(
        &self,
        prepared: &Prepared,
        credentials: &[(&'static str, String)],
    ) -> Result<Answer, Failure> {
        let request = self.build(prepared, credentials)?;
        let response = self.client.execute(request).await.map_err(failure)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = read(response).await?;
        Ok(Answer {
            status,
            headers,
            body: body.freeze(),
        })
    }

    fn build(
        &self,
        prepared: &Prepared,
        credentials: &[(&'static str, String)],
    ) -> Result<reqwest::Request, Failure> {
        let mut request = reqwest::Request::new(method(prepared.verb), prepared.url.clone());
        *request.timeout_mut() = Some(prepared.timeout.unwrap_or(self.whole));
        let headers = request.headers_mut();
        headers.insert(
            http::header::ACCEPT,
            HeaderValue::from_static("application/json"),
        );
        for (name, value) in &prepared.headers {
            headers.insert(HeaderName::from_static(name), header_value(value)?);
        }
        for (name, value) in credentials {
            let mut value = header_value(value)?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        if !prepared.body.is_empty() {
            *request.body_mut() = Some(prepared.body.clone().into());
        }
        Ok(request)
    }
}

fn header_value(text: &str) -> Result<HeaderValue, Failure> {
    // The cause is dropped: it would hold the value.
    HeaderValue::from_str(text).map_err(|_| Failure {
        kind: ErrorKind::InvalidRequest,
        delivery: Delivery::NotSent,
        cause: "a header value has characters that no header may have".into(),
    })
}

fn method(verb: Verb) -> reqwest::Method {
    match verb {
        Verb::Get => reqwest::Method::GET,
        Verb::Post => reqwest::Method::POST,
        Verb::Put => reqwest::Method::PUT,
        Verb::Patch => reqwest::Method::PATCH,
        Verb::Delete => reqwest::Method::DELETE,
    }
}

async fn read(mut response: reqwest::Response) -> Result<BytesMut, Failure> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(Failure {
                kind: ErrorKind::TooLarge,
                delivery: Delivery::Answered,
                cause: "the answer is longer than this client reads".into(),
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Sorts a failure. Whatever is not certain counts as possibly delivered.
fn failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let (kind, delivery) = if error.is_builder() {
        (ErrorKind::InvalidRequest, Delivery::NotSent)
    } else if error.is_connect() {
        (connecting(&error), Delivery::NotSent)
    } else if error.is_timeout() {
        (ErrorKind::Timeout, Delivery::Unknown)
    } else {
        (ErrorKind::Interrupted, Delivery::Unknown)
    };
    Failure {
        kind,
        delivery,
        cause: Box::new(error),
    }
}

fn connecting(error: &reqwest::Error) -> ErrorKind {
    if refuses_certificate(error) {
        return ErrorKind::CertificateRefused;
    }
    if error.is_timeout() {
        ErrorKind::Timeout
    } else {
        ErrorKind::Connect
    }
}

/// Whether TLS refused a certificate somewhere below. An `io::Error` is looked into: its
/// `source()` passes over what it holds.
fn refuses_certificate(error: &(dyn StdError + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return matches!(error, rustls::Error::InvalidCertificate(_));
    }
    let held = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    match held {
        Some(held) => refuses_certificate(held),
        None => error.source().is_some_and(refuses_certificate),
    }
}
