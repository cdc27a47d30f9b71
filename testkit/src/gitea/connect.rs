//! The runner protocol on the wire: Connect, unary, in its JSON and its protobuf codec.
//!
//! ```text
//! POST /api/actions/runner.v1.RunnerService/FetchTask
//!        │  envelope   method, protocol version, content type, gzip
//!        ▼
//!   bytes ──codec──► messages ──► the world ──► messages ──codec──► bytes
//!                                     │
//!                                     └─ ConnectError, JSON in both codecs
//! ```
//!
//! Nothing here knows the world: the messages are values, and the functions are pure.

mod codec;
mod envelope;
mod error;
mod json;
mod messages;
mod well_known;

#[cfg(test)]
mod tests;

pub use codec::{Codec, Malformed, decode, encode};
pub use envelope::{ACCEPT_POST, Body, Envelope, Method, Refusal, open, seal};
pub use error::ConnectError;
pub use json::{FromProtoJson, ToProtoJson};
pub use messages::{
    DeclareRequest, DeclareResponse, FetchTaskRequest, FetchTaskResponse, LogRow, Outcome,
    PingRequest, PingResponse, RegisterRequest, RegisterResponse, Runner, StepState, Task,
    TaskNeed, TaskState, UpdateLogRequest, UpdateLogResponse, UpdateTaskRequest,
    UpdateTaskResponse,
};
pub use well_known::{Struct, Timestamp};
