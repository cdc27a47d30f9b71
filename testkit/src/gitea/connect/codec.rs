//! From bytes to a message and back, in either codec.

use serde_json::Value;

use super::json::{FromProtoJson, ToProtoJson};

/// How the bytes of a call are to be read, and its answer written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// `application/json`.
    Json,
    /// `application/proto`.
    Proto,
}

/// The bytes are no such message.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

/// Reads a message; what it does not know is passed over in both codecs.
///
/// # Errors
/// [`Malformed`] when the bytes are no JSON object or no protobuf, or a member has another type.
pub fn decode<M>(codec: Codec, bytes: &[u8]) -> Result<M, Malformed>
where
    M: prost::Message + FromProtoJson,
{
    match codec {
        Codec::Proto => M::decode(bytes).map_err(|error| Malformed(error.to_string())),
        Codec::Json => {
            let value: Value =
                serde_json::from_slice(bytes).map_err(|error| Malformed(error.to_string()))?;
            M::from_json(&value).map_err(|error| Malformed(error.to_string()))
        }
    }
}

/// Writes a message.
#[must_use]
pub fn encode<M>(codec: Codec, message: &M) -> Vec<u8>
where
    M: prost::Message + ToProtoJson,
{
    match codec {
        Codec::Proto => message.encode_to_vec(),
        Codec::Json => message.to_json().to_string().into_bytes(),
    }
}
