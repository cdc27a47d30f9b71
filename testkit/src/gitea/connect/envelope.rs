//! What stands around a message: the path, the protocol's version, content types, compression.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::StatusCode;

use super::codec::Codec;
use super::error::ConnectError;

/// The calls that the two services have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `ping.v1.PingService/Ping`
    Ping,
    /// `runner.v1.RunnerService/Register`
    Register,
    /// `runner.v1.RunnerService/Declare`
    Declare,
    /// `runner.v1.RunnerService/FetchTask`
    FetchTask,
    /// `runner.v1.RunnerService/UpdateTask`
    UpdateTask,
    /// `runner.v1.RunnerService/UpdateLog`
    UpdateLog,
}

impl Method {
    /// The call behind the path below `/api/actions/`, or `None` where there is no such call.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        Some(match path {
            "ping.v1.PingService/Ping" => Self::Ping,
            "runner.v1.RunnerService/Register" => Self::Register,
            "runner.v1.RunnerService/Declare" => Self::Declare,
            "runner.v1.RunnerService/FetchTask" => Self::FetchTask,
            "runner.v1.RunnerService/UpdateTask" => Self::UpdateTask,
            "runner.v1.RunnerService/UpdateLog" => Self::UpdateLog,
            _ => return None,
        })
    }

    /// The Go type of its request, which stands in error texts.
    #[must_use]
    pub fn request_type(self) -> &'static str {
        match self {
            Self::Ping => "*pingv1.PingRequest",
            Self::Register => "*runnerv1.RegisterRequest",
            Self::Declare => "*runnerv1.DeclareRequest",
            Self::FetchTask => "*runnerv1.FetchTaskRequest",
            Self::UpdateTask => "*runnerv1.UpdateTaskRequest",
            Self::UpdateLog => "*runnerv1.UpdateLogRequest",
        }
    }
}

/// A call whose surroundings are in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// How the message is written.
    pub codec: Codec,
    /// The content type that the answer bears: that of the request.
    pub content_type: String,
    /// Whether the caller understands a compressed answer.
    pub accepts_gzip: bool,
    /// The message, inflated.
    pub message: Vec<u8>,
}

/// Why a call is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// 415, without a body, with the header [`ACCEPT_POST`].
    UnsupportedMediaType,
    /// An error of the protocol.
    Connect(ConnectError),
}

/// What `Accept-Post` says: the content types of the real server.
pub const ACCEPT_POST: &str = "application/grpc, application/grpc+json, \
    application/grpc+json; charset=utf-8, application/grpc+proto, application/grpc-web, \
    application/grpc-web+json, application/grpc-web+json; charset=utf-8, \
    application/grpc-web+proto, application/json, application/json; charset=utf-8, \
    application/proto";

/// The largest message that is read: a log row of 64 KiB a hundred times, and some.
const MESSAGE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Looks at what stands around the message and takes it out.
///
/// # Errors
/// [`Refusal`] for a content type, version, timeout or compression that the protocol does not know.
pub fn open<'h>(
    header: impl Fn(&str) -> Option<&'h str>,
    body: &[u8],
) -> Result<Envelope, Refusal> {
    let text = |name: &str| header(name).filter(|value| !value.is_empty());
    let content_type = text("content-type").unwrap_or_default();
    let codec = codec_of(content_type).ok_or(Refusal::UnsupportedMediaType)?;
    let invalid = |text: String| Refusal::Connect(ConnectError::invalid_argument(text));
    match text("connect-protocol-version") {
        None | Some("1") => {}
        Some(other) => {
            let told = format!("Connect-Protocol-Version must be \"1\": got \"{other}\"");
            return Err(invalid(told));
        }
    }
    if let Some(timeout) = text("connect-timeout-ms")
        && timeout.parse::<u64>().is_err()
    {
        return Err(invalid(format!("parse timeout: invalid syntax: {timeout}")));
    }
    let message = match text("content-encoding") {
        None | Some("identity") => body.to_vec(),
        Some("gzip") => inflate(body).map_err(invalid)?,
        Some(other) => return Err(invalid(format!("unknown compression \"{other}\""))),
    };
    let accepts_gzip = text("accept-encoding")
        .is_some_and(|kinds| kinds.split(',').any(|kind| kind.trim() == "gzip"));
    Ok(Envelope {
        codec,
        content_type: content_type.to_owned(),
        accepts_gzip,
        message,
    })
}

/// The body of an answer, and whether it was compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// What goes out.
    pub bytes: Vec<u8>,
    /// Whether it needs `Content-Encoding: gzip`.
    pub gzip: bool,
}

/// Compresses what is long enough to be worth it, for callers that understand it.
#[must_use]
pub fn seal(envelope: &Envelope, message: Vec<u8>) -> Body {
    const WORTH_IT: usize = 1024;
    if !envelope.accepts_gzip || message.len() <= WORTH_IT {
        return Body {
            bytes: message,
            gzip: false,
        };
    }
    match deflate(&message) {
        Ok(bytes) => Body { bytes, gzip: true },
        Err(_) => Body {
            bytes: message,
            gzip: false,
        },
    }
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Connect(error) => error.status(),
        }
    }
}

fn codec_of(content_type: &str) -> Option<Codec> {
    match content_type.to_ascii_lowercase().replace(' ', "").as_str() {
        "application/json" | "application/json;charset=utf-8" => Some(Codec::Json),
        "application/proto" => Some(Codec::Proto),
        _ => None,
    }
}

fn inflate(body: &[u8]) -> Result<Vec<u8>, String> {
    let mut message = Vec::new();
    let read = GzDecoder::new(body)
        .take(MESSAGE_BYTES_MAX + 1)
        .read_to_end(&mut message);
    match read {
        Ok(_) if message.len() as u64 > MESSAGE_BYTES_MAX => Err("message too large".to_owned()),
        Ok(_) => Ok(message),
        Err(error) => Err(format!("get decompressor: {error}")),
    }
}

fn deflate(message: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(message)?;
    encoder.finish()
}
