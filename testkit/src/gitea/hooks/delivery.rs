//! A delivery as a request: its address, its headers with the signatures, its body.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::Sha256;

use super::{ContentType, Delivery, Hook, HookScope, place};
use crate::gitea::world::World;

/// How a delivery went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The status of the answer; 0 when there was none.
    pub status: u16,
    /// The beginning of the answer, or why there was none.
    pub told: String,
    /// Seconds since 1970.
    pub at: i64,
}

impl Verdict {
    /// Any 2xx is success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A request that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The address.
    pub url: String,
    /// Header names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The deliveries that are to be sent, oldest first.
#[must_use]
pub fn pending(world: &World) -> Vec<i64> {
    let open = world
        .hooks
        .deliveries
        .iter()
        .filter(|(_, row)| row.verdict.is_none());
    open.map(|(id, _)| id).collect()
}

/// The request of a delivery; `None` when it, or its hook, is gone.
#[must_use]
pub fn outgoing(world: &World, delivery: i64) -> Option<Outgoing> {
    let delivery = world.hooks.deliveries.get(delivery)?;
    let hook = world.hooks.hooks.get(delivery.hook)?;
    let open = |part: &str, sealed: &Option<crate::gitea::actions::Sealed>| {
        world
            .actions
            .key
            .open(&place(hook.scope, part), sealed.as_ref()?)
    };
    let secret = open("secret", &hook.secret).unwrap_or_default();
    let mut headers = headers(hook, delivery, &secret);
    if let Some(value) = open("authorization", &hook.authorization) {
        headers.push(("authorization", value));
    }
    Some(Outgoing {
        url: hook.url.clone(),
        headers,
        body: body(hook, delivery),
    })
}

/// Notes how a delivery went; only the newest of a hook are kept.
pub fn delivered(world: &mut World, delivery: i64, verdict: Verdict) {
    const KEPT: usize = 50;
    let hook = world.hooks.deliveries.update(delivery, |row| {
        row.verdict = Some(verdict);
        row.hook
    });
    let Some(hook) = hook else { return };
    let done: Vec<i64> = world
        .hooks
        .deliveries
        .of(hook)
        .filter(|(_, row)| row.verdict.is_some())
        .map(|(id, _)| id)
        .collect();
    for old in done.iter().rev().skip(KEPT) {
        world.hooks.deliveries.remove(*old);
    }
}

fn body(hook: &Hook, delivery: &Delivery) -> Vec<u8> {
    match hook.content_type {
        ContentType::Json => delivery.payload.clone().into_bytes(),
        ContentType::Form => {
            let kept = percent_encoding::NON_ALPHANUMERIC;
            let value = percent_encoding::utf8_percent_encode(&delivery.payload, kept);
            format!("payload={value}").into_bytes()
        }
    }
}

/// All names of the same thing; the signature is over the JSON text, also of a form.
fn headers(hook: &Hook, delivery: &Delivery, secret: &str) -> Vec<(&'static str, String)> {
    let payload = delivery.payload.as_bytes();
    let sha1 = signature::<Hmac<Sha1>>(secret, payload);
    let sha256 = signature::<Hmac<Sha256>>(secret, payload);
    let target = match hook.scope {
        HookScope::Repo(_) => "repository",
        HookScope::Owner(_) => "organization",
        HookScope::System | HookScope::Default => "system",
    };
    let kind = match hook.content_type {
        ContentType::Json => "application/json",
        ContentType::Form => "application/x-www-form-urlencoded",
    };
    let mut headers = vec![
        ("content-type", kind.to_owned()),
        ("x-gitea-hook-installation-target-type", target.to_owned()),
        ("x-github-hook-installation-target-type", target.to_owned()),
        ("x-gitea-signature", sha256.clone()),
        ("x-gogs-signature", sha256.clone()),
        ("x-hub-signature", format!("sha1={sha1}")),
        ("x-hub-signature-256", format!("sha256={sha256}")),
    ];
    for (delivery_name, event_name, type_name) in [
        ("x-gitea-delivery", "x-gitea-event", "x-gitea-event-type"),
        ("x-github-delivery", "x-github-event", "x-github-event-type"),
        ("x-gogs-delivery", "x-gogs-event", "x-gogs-event-type"),
    ] {
        headers.push((delivery_name, delivery.uuid.clone()));
        headers.push((event_name, delivery.event.clone()));
        headers.push((type_name, delivery.event_type.clone()));
    }
    headers
}

/// In hexadecimal digits; empty without a secret.
fn signature<M: Mac + KeyInit>(secret: &str, payload: &[u8]) -> String {
    if secret.is_empty() {
        return String::new();
    }
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(payload);
    hex::encode(mac.finalize().into_bytes())
}
