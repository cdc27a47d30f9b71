//! The in-process door: a Gitea on a `wiremock` server, where a test's own mocks come first.

use std::io::Read;
use std::sync::Arc;

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::Gitea;
use super::call::{Call, pairs};
use super::reply::{Body, Reply};

/// The last that a server asks: mocks of one's own, at their default priority, come before.
const LAST: u8 = u8::MAX;

/// A Gitea that answers whatever no other mock of a server answers.
struct Door(Arc<Gitea>);

impl Gitea {
    /// Mounts a Gitea on a server of `wiremock`; faults are ordered by mocks mounted beside it.
    ///
    /// What `wiremock` cannot do is missing: TLS, and answers that come while they are sent.
    pub async fn mount(self: &Arc<Self>, server: &MockServer) {
        // Links and jobs name the address under which the server is reached.
        let _ = self.write(|world, _, _| {
            server
                .uri()
                .trim_end_matches('/')
                .clone_into(&mut world.settings.root_url)
        });
        Mock::given(any())
            .respond_with(Door(Arc::clone(self)))
            .with_priority(LAST)
            .mount(server)
            .await;
    }
}

impl Respond for Door {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let handled = self.0.handle(call_of(request));
        template(handled.reply)
    }
}

fn call_of(request: &Request) -> Call {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect();
    let host = headers
        .iter()
        .find(|(name, _)| name == "host")
        .map(|(_, value)| value.clone());
    Call {
        method: request.method.as_str().to_owned(),
        path: request.url.path().to_owned(),
        query: pairs(request.url.query().unwrap_or_default()),
        base: format!("http://{}", host.unwrap_or_default()),
        headers,
        body: request.body.clone().into(),
        ..Call::default()
    }
}

fn template(reply: Reply) -> ResponseTemplate {
    let kind = reply.content_type().unwrap_or_default().to_owned();
    let mut template = ResponseTemplate::new(reply.status);
    for (name, value) in reply
        .headers
        .iter()
        .filter(|(name, _)| *name != "content-type")
    {
        template = template.append_header(*name, value.as_str());
    }
    let bytes = match reply.body {
        Body::Empty | Body::Problem(_) => return template,
        Body::Json(value) => format!("{value}\n").into_bytes(),
        Body::Written(_, text) => text.to_vec(),
        Body::Bytes(_, bytes) => bytes.to_vec(),
        Body::Stream(_, mut reader) => {
            let mut bytes = Vec::new();
            // A stream that breaks is cut short, as it would be on the wire.
            let _ = reader.read_to_end(&mut bytes);
            bytes
        }
    };
    template.set_body_raw(bytes, &kind)
}
