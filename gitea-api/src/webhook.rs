//! Webhooks, the receiver's side: is a delivery genuine, and what does it say. No web framework:
//! headers and bytes go in, an event comes out.
//!
//! # Quirks
//! - Without a secret the server still sends the signature headers, with nothing in them: an empty
//!   signature is refused, always, and so is an empty key.
//! - In form encoding the signature is over the JSON text in `payload`, not over the body.
//!
//! ```
//! use gitea_api::Secret;
//! use gitea_api::webhook::{Delivery, Event, Refused};
//!
//! let key = Secret::new("shared");
//! let body = br#"{"ref":"refs/heads/main","after":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"}"#;
//! let headers = [
//!     ("X-Gitea-Event", "push"),
//!     ("X-Gitea-Signature", "0e58c4e1f6b9e1d1ca0ff8b5b55a93a43c2cdd0f05f1d1a24d9b2c6ea93c9c86"),
//! ];
//! // A wrong signature is refused, whatever the body says.
//! assert!(matches!(Delivery::verify(headers, body, &key), Err(Refused::Signature)));
//!
//! let signature = gitea_api::webhook::sign(&key, body);
//! let headers = [("X-Gitea-Event", "push"), ("X-Gitea-Signature", &*signature)];
//! let delivery = Delivery::verify(headers, body, &key)?;
//! match delivery.event()? {
//!     Event::Push(push) => assert_eq!(push.branch(), Some("main")),
//!     other => unreachable!("{other:?}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod event;

use std::borrow::Cow;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::auth::Secret;

pub use event::{
    Event, Push, ReferenceChange, ReferenceKind, ReleaseEvent, Unreadable, WorkflowJobEvent,
    WorkflowRunEvent,
};

/// Why a delivery is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It has no signature, or an empty one.
    #[error("the delivery is not signed")]
    Unsigned,
    /// The signature is not that of this body and key.
    #[error("the signature does not match")]
    Signature,
    /// The key to check with is empty: anybody could sign.
    #[error("the key is empty")]
    EmptyKey,
    /// It says not which event it is.
    #[error("the delivery names no event")]
    NoEvent,
    /// The body is a form without a `payload`.
    #[error("the form has no payload")]
    NoPayload,
}

/// A delivery whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The number of the delivery, for telling repeated ones.
    pub id: Option<String>,
    /// The event, for instance `push`.
    pub name: String,
    /// The event in finer words, for instance `pull_request_sync`; the same as `name` otherwise.
    pub kind: String,
    /// The JSON text.
    pub payload: Vec<u8>,
}

impl Delivery {
    /// Checks the signature in constant time.
    ///
    /// # Errors
    /// When it is not signed with this key, or names no event.
    pub fn verify<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: &[u8],
        key: &Secret,
    ) -> Result<Self, Refused> {
        if key.is_empty() {
            return Err(Refused::EmptyKey);
        }
        let headers = Headers::read(headers);
        let signature = headers
            .signature
            .filter(|text| !text.is_empty())
            .ok_or(Refused::Unsigned)?;
        let payload = if headers.form {
            payload(body)?
        } else {
            Cow::Borrowed(body)
        };
        let expected = sign(key, &payload);
        if !bool::from(
            expected
                .as_bytes()
                .ct_eq(signature.to_ascii_lowercase().as_bytes()),
        ) {
            return Err(Refused::Signature);
        }
        let name = headers
            .event
            .filter(|text| !text.is_empty())
            .ok_or(Refused::NoEvent)?;
        Ok(Self {
            id: headers.id.map(str::to_owned),
            kind: headers.kind.unwrap_or(name).to_owned(),
            name: name.to_owned(),
            payload: payload.into_owned(),
        })
    }

    /// What it says.
    ///
    /// # Errors
    /// When the payload is not as documented for the event.
    pub fn event(&self) -> Result<Event, Unreadable> {
        Event::read(&self.name, &self.payload)
    }
}

/// The headers that matter, Gitea's before its twins.
#[derive(Default)]
struct Headers<'a> {
    signature: Option<&'a str>,
    event: Option<&'a str>,
    kind: Option<&'a str>,
    id: Option<&'a str>,
    form: bool,
}

impl<'a> Headers<'a> {
    fn read(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut read = Self::default();
        let mut twin = None;
        for (name, value) in headers {
            match name.to_ascii_lowercase().as_str() {
                "x-gitea-signature" | "x-forgejo-signature" => read.signature = Some(value),
                "x-hub-signature-256" => twin = value.strip_prefix("sha256="),
                "x-gitea-event" | "x-forgejo-event" => read.event = Some(value),
                "x-gitea-event-type" | "x-forgejo-event-type" => read.kind = Some(value),
                "x-gitea-delivery" | "x-forgejo-delivery" => read.id = Some(value),
                "content-type" => {
                    read.form = value.starts_with("application/x-www-form-urlencoded")
                }
                _ => {}
            }
        }
        read.signature = read.signature.or(twin);
        read
    }
}

fn payload(body: &[u8]) -> Result<Cow<'_, [u8]>, Refused> {
    url::form_urlencoded::parse(body)
        .find(|(name, _)| name == "payload")
        .map(|(_, value)| Cow::Owned(value.into_owned().into_bytes()))
        .ok_or(Refused::NoPayload)
}

/// The signature of a payload: HMAC-SHA256 in hex digits.
#[must_use]
pub fn sign(key: &Secret, payload: &[u8]) -> String {
    let mut mac = keyed(key);
    mac.update(payload);
    hex::encode(mac.finalize().into_bytes())
}

fn keyed(key: &Secret) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.reveal().as_bytes()).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::{Delivery, Refused, sign};
    use crate::auth::Secret;

    const BODY: &[u8] = br#"{"ref":"refs/heads/main"}"#;

    #[track_caller]
    fn check(headers: &[(&str, &str)], body: &[u8], key: &str, expected: Result<&str, Refused>) {
        let result = Delivery::verify(headers.iter().copied(), body, &Secret::new(key));
        assert_eq!(
            result.map(|delivery| delivery.kind).as_deref(),
            expected.as_ref().copied()
        );
    }

    #[test]
    fn a_signature_of_nothing_is_refused() {
        let event = ("x-gitea-event", "push");
        check(&[event], BODY, "key", Err(Refused::Unsigned));
        check(
            &[event, ("x-gitea-signature", "")],
            BODY,
            "key",
            Err(Refused::Unsigned),
        );
        check(
            &[event, ("x-hub-signature-256", "sha256=")],
            BODY,
            "key",
            Err(Refused::Unsigned),
        );
        let empty = sign(&Secret::new(""), BODY);
        check(
            &[event, ("x-gitea-signature", &empty)],
            BODY,
            "",
            Err(Refused::EmptyKey),
        );
    }

    #[test]
    fn the_right_key_is_believed_and_another_is_not() {
        let signature = sign(&Secret::new("key"), BODY);
        let headers = [
            ("X-Gitea-Event", "pull_request"),
            ("X-Gitea-Event-Type", "pull_request_sync"),
        ];
        let signed = [headers[0], headers[1], ("X-Gitea-Signature", &*signature)];
        check(&signed, BODY, "key", Ok("pull_request_sync"));
        check(&signed, BODY, "other", Err(Refused::Signature));
        check(&signed, b"{}", "key", Err(Refused::Signature));
        let twin = format!("sha256={signature}");
        check(
            &[headers[0], ("X-Hub-Signature-256", &twin)],
            BODY,
            "key",
            Ok("pull_request"),
        );
        check(
            &[("X-Gitea-Signature", &signature)],
            BODY,
            "key",
            Err(Refused::NoEvent),
        );
    }

    #[test]
    fn a_form_is_signed_over_its_payload() {
        let signature = sign(&Secret::new("key"), BODY);
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-gitea-event", "push"),
            ("x-gitea-signature", &*signature),
        ];
        check(
            &headers,
            b"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D",
            "key",
            Ok("push"),
        );
        check(&headers, b"other=1", "key", Err(Refused::NoPayload));
    }
}
