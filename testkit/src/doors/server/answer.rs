//! A reply on the wire: reason phrase, headers to the letter, compression.

use std::convert::Infallible;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Either;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use hyper::ext::ReasonPhrase;

use crate::pve::{Damage, Reply};

/// A whole body, or one that breaks off.
pub(super) type Body = Either<
    http_body_util::combinators::MapErr<http_body_util::Full<Bytes>, fn(Infallible) -> io::Error>,
    Cut,
>;

/// Bodies from this size on are compressed for whoever takes that.
const COMPRESSED_FROM: usize = 1024;

/// A body that ends before its announced length.
pub(super) struct Cut {
    rest: Option<Bytes>,
    announced: u64,
}

impl HttpBody for Cut {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(match self.rest.take() {
            Some(data) => Ok(Frame::data(data)),
            None => Err(io::Error::other("cut off on demand")),
        }))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}

/// Renders a reply.
pub(super) fn render(reply: Reply, gzip: bool) -> Response<Body> {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = Response::builder().status(status);
    if let Some(headers) = builder.headers_mut() {
        let fixed = [
            ("cache-control", "max-age=0"),
            (
                "connection",
                if reply.close { "close" } else { "Keep-Alive" },
            ),
            ("pragma", "no-cache"),
            ("server", "pve-api-daemon/3.0"),
        ];
        for (name, value) in fixed {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let now = jiff::Timestamp::now()
            .strftime("%a, %d %b %Y %H:%M:%S GMT")
            .to_string();
        let own = reply
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain([("expires", now.as_str())]);
        for (name, value) in own {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                headers.insert(name, value);
            }
        }
    }
    let mut response = body(builder, &reply, gzip);
    if let Ok(reason) = ReasonPhrase::try_from(reply.reason.into_bytes()) {
        response.extensions_mut().insert(reason);
    }
    response
}

fn body(mut builder: http::response::Builder, reply: &Reply, gzip: bool) -> Response<Body> {
    let mut data = reply.body.clone();
    if gzip
        && data.len() > COMPRESSED_FROM
        && let Ok(packed) = compress(&data)
    {
        data = packed;
        builder = builder.header(CONTENT_ENCODING, "gzip");
    }
    let cut = match reply.fault {
        Some(Damage::Truncate(bytes)) => Some(bytes.min(data.len())),
        _ => None,
    };
    let body: Body = match cut {
        Some(bytes) => {
            builder = builder.header(CONTENT_LENGTH, data.len());
            let announced = data.len().max(bytes + 1) as u64;
            Either::Right(Cut {
                rest: Some(Bytes::from(data).slice(..bytes)),
                announced,
            })
        }
        None => {
            let never: fn(Infallible) -> io::Error = |never| match never {};
            Either::Left(http_body_util::BodyExt::map_err(
                super::connection::bytes(data),
                never,
            ))
        }
    };
    let mut response = Response::new(body);
    if let Ok(parts) = builder.body(()) {
        *response.status_mut() = parts.status();
        *response.headers_mut() = parts.headers().clone();
    }
    debug_assert!(response.headers().contains_key(CONNECTION));
    response
}

fn compress(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(data.len() / 4), Compression::fast());
    encoder.write_all(data)?;
    encoder.finish()
}
