//! The in-process door: a world mounted on a `wiremock` server.
//!
//! It is one catch-all of the lowest priority, so that mocks of one's own override single calls:
//! that is how a test makes one endpoint fail. `wiremock` speaks plain HTTP and sends no reason
//! phrase of one's own; where these matter, start a node ([`crate::node`]).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use testkit::{doors, pve::{Setup, Timing}};
//!
//! let server = wiremock::MockServer::start().await;
//! let desk = doors::wiremock::mount(&server, &Setup { timing: Timing::Instant, ..Setup::default() }).await;
//! // … a client talks to `server.uri()` …
//! assert!(desk.journal.lines().is_empty());
//! # }
//! ```

use std::sync::Arc;

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

use super::Desk;
use super::multipart::Multipart;
use crate::journal::Journal;
use crate::pve::{Damage, Moment, Reply, Request, Setup, World};

/// `wiremock`'s lowest priority.
const LAST: u8 = 255;

/// Mounts a new world; what comes back shows its journal and lets a test look inside.
pub async fn mount(server: &MockServer, setup: &Setup) -> Arc<Desk> {
    let desk = Arc::new(Desk::new(
        World::new(setup, Moment::now()),
        Journal::default(),
    ));
    Mock::given(any())
        .respond_with(Door(Arc::clone(&desk)))
        .with_priority(LAST)
        .mount(server)
        .await;
    desk
}

struct Door(Arc<Desk>);

impl Respond for Door {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        let query = request
            .url
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        let headers = request.headers.iter();
        let mut asked = Request {
            method: request.method.to_string(),
            target: format!("{}{query}", request.url.path()),
            headers: headers
                .map(|(name, value)| {
                    (
                        name.to_string(),
                        String::from_utf8_lossy(value.as_bytes()).into_owned(),
                    )
                })
                .collect(),
            body: request.body.clone(),
            upload: None,
        };
        let reply = match take_apart(&mut asked) {
            Ok(()) => self.0.ask(&asked),
            Err(refused) => *refused,
        };
        let mut template = ResponseTemplate::new(reply.status).set_delay(reply.delay);
        let body = match reply.fault {
            Some(Damage::Truncate(bytes)) => reply.body[..bytes.min(reply.body.len())].to_vec(),
            _ => reply.body,
        };
        let kind = reply
            .headers
            .iter()
            .find(|(name, _)| name == "Content-Type")
            .map(|(_, value)| value.clone());
        for (name, value) in &reply.headers {
            template = template.insert_header(name.as_str(), value.as_str());
        }
        template.set_body_raw(body, kind.as_deref().unwrap_or_default())
    }
}

/// An upload, whose file nobody keeps.
fn take_apart(request: &mut Request) -> Result<(), Box<Reply>> {
    let kind = request
        .header("content-type")
        .unwrap_or_default()
        .to_owned();
    if request.method == "POST"
        && request.raw_path().ends_with("/upload")
        && kind.starts_with("multipart/form-data")
    {
        let mut parts = Multipart::new(&kind)?;
        parts.push(&std::mem::take(&mut request.body), &mut |_| Ok(()))?;
        request.upload = Some(parts.finish()?);
    }
    Ok(())
}
