//! The recorded deliveries of webhooks, verified and read.

use gitea_api::Secret;
use gitea_api::webhook::{Delivery, Event, Refused, sign};
use serde::Serialize;
use serde_json::Value;

use super::sample::Samples;
use super::{VERSION, compare, stories};

#[test]
fn the_recorded_deliveries_are_verified_and_read() {
    let key = Secret::new("key");
    let mut counts = std::collections::BTreeMap::new();
    for story in stories() {
        let samples = Samples::of(&story, "http://forge.internal");
        for step in story["steps"].as_array().unwrap() {
            let expected = &step["expect"][VERSION];
            let name = expected["headers"]["x-gitea-event"].as_str();
            let (Some(name), true) = (name, expected["body"].is_object()) else {
                continue;
            };
            let payload = samples.answer(&expected["body"]);
            let kind = expected["headers"]["x-gitea-event-type"].as_str().unwrap();
            let event = deliver(name, kind, &payload, &key);
            assert_eq!(
                understood(&event, &payload),
                Ok(()),
                "{} {name}",
                story["name"]
            );
            *counts.entry(shape(&event)).or_insert(0) += 1;
        }
    }
    let lines: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{count:>4}  {name}"))
        .collect();
    insta::assert_snapshot!("deliveries", lines.join("\n"));
}

/// Delivered and signed, an event is believed; unsigned or changed it is not.
fn deliver(name: &str, kind: &str, payload: &Value, key: &Secret) -> Event {
    let body = payload.to_string();
    let signature = sign(key, body.as_bytes());
    let headers = [
        ("X-Gitea-Event", name),
        ("X-Gitea-Event-Type", kind),
        ("X-Gitea-Signature", &*signature),
    ];
    let changed = format!("{body} ");
    let refused = Delivery::verify(headers, changed.as_bytes(), key).unwrap_err();
    assert_eq!(refused, Refused::Signature);
    let refused = Delivery::verify([headers[0]], body.as_bytes(), key).unwrap_err();
    assert_eq!(refused, Refused::Unsigned);
    let delivery = Delivery::verify(headers, body.as_bytes(), key).unwrap();
    assert_eq!(delivery.kind, kind);
    delivery.event().unwrap()
}

fn understood(event: &Event, payload: &Value) -> Result<(), String> {
    fn says(ours: &impl Serialize, theirs: &Value) -> Result<(), String> {
        compare::value(&serde_json::to_value(ours).unwrap(), theirs, "")
    }
    match event {
        Event::Push(event) => says(event, payload),
        Event::Created(event) | Event::Deleted(event) => says(event, payload),
        Event::WorkflowRun(event) => says(event, payload),
        Event::WorkflowJob(event) => says(event, payload),
        Event::Release(event) => says(event, payload),
        Event::Other { payload: kept, .. } => says(kept, payload),
        other => Err(format!("{other:?} is not judged")),
    }
}

fn shape(event: &Event) -> String {
    match event {
        Event::Other { name, .. } => format!("{name}, as it came"),
        event => {
            let text = format!("{event:?}");
            text.split('(').next().unwrap_or_default().to_owned()
        }
    }
}
