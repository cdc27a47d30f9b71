//! Pure: a call becomes method, address, headers and body.

mod body;
mod operation;
mod path;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use url::Url;

use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::ids::Scope;
use crate::server::Capability;

use body::Body;
use path::fill;

pub(crate) use body::multipart;
pub(crate) use operation::{Operation, operations};
pub use operation::{Safety, Verb};

/// A call before it is sent. Made by this crate's methods, or by hand for an endpoint that has none.
///
/// ```
/// use gitea_api::request::{Request, Verb};
///
/// let request = Request::new(Verb::Get, "/repos/{owner}/{repo}/pulls")
///     .with("owner", "infra")
///     .with("repo", "deploy")
///     .query("state", "open");
/// assert_eq!(request.to_string(), "GET /repos/infra/deploy/pulls");
/// ```
#[derive(Clone)]
#[must_use]
pub struct Request {
    verb: Verb,
    template: Cow<'static, str>,
    title: Cow<'static, str>,
    safety: Safety,
    needs: Option<Capability>,
    arguments: Vec<(Cow<'static, str>, String)>,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    credentials: Option<Vec<(&'static str, String)>>,
    body: Body,
    timeout: Option<Duration>,
    root: &'static str,
    broken: Option<String>,
}

impl Request {
    /// A call of any endpoint below `/api/v1`. `{name}` in the template is a path segment given by
    /// [`with`](Self::with), `{+name}` one that may hold slashes.
    pub fn new(verb: Verb, template: impl Into<String>) -> Self {
        let template = template.into();
        let safety = match verb {
            Verb::Get => Safety::Read,
            _ => Safety::Once,
        };
        Self {
            verb,
            title: Cow::Owned(format!("{verb} {template}")),
            template: Cow::Owned(template),
            safety,
            needs: None,
            arguments: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            credentials: None,
            body: Body::None,
            timeout: None,
            root: "/api/v1",
            broken: None,
        }
    }

    pub(crate) fn to(operation: &Operation) -> Self {
        Self {
            title: Cow::Borrowed(operation.title),
            safety: operation.safety,
            needs: operation.needs,
            ..Self::new(operation.verb, operation.template)
        }
    }

    /// An operation whose template begins where a scope ends.
    pub(crate) fn scoped(operation: &Operation, scope: &Scope) -> Self {
        let mut request = Self::to(operation);
        request.template = Cow::Owned(format!("{}{}", scope.template(), operation.template));
        for (name, value) in scope.arguments() {
            request = request.with(name, value);
        }
        request
    }

    /// Another root than `/api/v1`.
    pub(crate) fn at_root(mut self, root: &'static str) -> Self {
        self.root = root;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends these headers in place of the client's credentials.
    pub(crate) fn credentials(mut self, headers: Vec<(&'static str, String)>) -> Self {
        self.credentials = Some(headers);
        self
    }

    /// Fills a place of the template; the value is percent-encoded.
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        self.arguments.push((name.into(), value.to_string()));
        self
    }

    /// Adds a query parameter.
    pub fn query(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    pub(crate) fn query_all(mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        self.query.extend(pairs);
        self
    }

    /// Sends a JSON body. A value that cannot be written makes the call fail before it is sent.
    pub fn json(mut self, value: &impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => self.body = Body::Json(value),
            Err(error) => self.broken = Some(format!("the body cannot be written: {error}")),
        }
        self
    }

    pub(crate) fn bytes(mut self, content_type: impl Into<String>, bytes: Bytes) -> Self {
        self.body = Body::Bytes {
            content_type: content_type.into(),
            bytes,
        };
        self
    }

    /// Another bound for this call than the client's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What sending it twice does; a call made by hand that is no GET counts as [`Safety::Once`].
    pub fn safety(mut self, safety: Safety) -> Self {
        self.safety = safety;
        self
    }

    /// What the server must be able to do.
    pub fn needs(mut self, capability: Capability) -> Self {
        self.needs = Some(capability);
        self
    }

    /// The call cannot be made; sending it says why.
    pub(crate) fn lacking(mut self, reason: String) -> Self {
        self.broken = Some(reason);
        self
    }

    pub(crate) fn needed(&self) -> Option<Capability> {
        self.needs
    }

    pub(crate) fn twice(&self) -> Safety {
        self.safety
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Address, headers and body, complete but for the credentials.
    pub(crate) fn prepare(&self, base: &Url) -> Result<Prepared> {
        if let Some(reason) = &self.broken {
            return Err(self.refuse(reason.clone()));
        }
        let path = self.path().map_err(|reason| self.refuse(reason))?;
        let whole = format!("{}{}{path}", base.path().trim_end_matches('/'), self.root);
        let mut url = base.clone();
        url.set_path(&whole);
        if url.path() != whole {
            return Err(self.refuse(format!("the path `{path}` would be read differently")));
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        let mut headers = self.headers.clone();
        let body = match &self.body {
            Body::None => Bytes::new(),
            Body::Json(value) => {
                headers.push(("content-type", "application/json".to_owned()));
                Bytes::from(value.to_string())
            }
            Body::Bytes {
                content_type,
                bytes,
            } => {
                headers.push(("content-type", content_type.clone()));
                bytes.clone()
            }
        };
        let (verb, timeout, credentials) = (self.verb, self.timeout, self.credentials.clone());
        Ok(Prepared {
            verb,
            url,
            headers,
            credentials,
            body,
            timeout,
        })
    }

    fn refuse(&self, reason: String) -> Error {
        Error::new(ErrorKind::InvalidRequest, self.title(), Delivery::NotSent).saying(reason)
    }

    /// The template with its places filled.
    fn path(&self) -> Result<String, String> {
        fill(&self.template, &self.arguments)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path().unwrap_or_else(|_| self.template.to_string());
        write!(f, "{} {path}", self.verb)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({self})")
    }
}

/// A request that is ready to leave.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) verb: Verb,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) credentials: Option<Vec<(&'static str, String)>>,
    pub(crate) body: Bytes,
    pub(crate) timeout: Option<Duration>,
}

impl Prepared {
    /// The address without query and user, for errors.
    pub(crate) fn address(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        // Both fail only for addresses that cannot have a user, which then have none.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::{Request, Verb};
    use crate::error::ErrorKind;

    fn base() -> Url {
        Url::parse("https://user:pw@forge.internal/git/").unwrap()
    }

    #[test]
    fn the_sub_path_of_the_base_is_kept_and_segments_are_encoded() {
        let request = Request::new(Verb::Put, "/repos/{owner}/{repo}/contents/{+filepath}")
            .with("owner", "a b")
            .with("repo", "r/x?#")
            .with("filepath", "dir/ü.txt")
            .query("ref", "a&b");
        let prepared = request.prepare(&base()).unwrap();
        assert_eq!(
            prepared.url.as_str(),
            "https://user:pw@forge.internal/git/api/v1/repos/a%20b/r%2Fx%3F%23/contents/dir/%C3%BC.txt?ref=a%26b"
        );
        assert!(!prepared.address().contains("pw"), "{}", prepared.address());
        assert!(!prepared.address().contains('?'));
    }

    #[test]
    fn segments_that_climb_are_refused() {
        for path in ["..", "a/../b", ".", "a//b", ""] {
            let request = Request::new(Verb::Get, "/x/{+path}").with("path", path);
            let error = request.prepare(&base()).err().unwrap();
            assert_eq!(error.kind(), &ErrorKind::InvalidRequest, "{path}");
        }
        let missing = Request::new(Verb::Get, "/x/{name}")
            .prepare(&base())
            .err()
            .unwrap();
        assert_eq!(missing.message(), Some("`name` is not given"));
    }

    proptest! {
        #[test]
        fn any_segment_arrives_as_it_was(value in "\\PC{1,30}") {
            prop_assume!(value != "." && value != "..");
            let request = Request::new(Verb::Get, "/x/{v}/y").with("v", &value);
            let prepared = request.prepare(&base()).unwrap();
            let segments: Vec<_> = prepared.url.path_segments().unwrap().collect();
            prop_assert_eq!(segments.len(), 6);
            let decoded = percent_encoding::percent_decode_str(segments[4]).decode_utf8().unwrap();
            prop_assert_eq!(decoded, value);
        }
    }
}
