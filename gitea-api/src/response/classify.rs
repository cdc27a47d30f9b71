//! Pure: the one place that knows what a refusal means.
//!
//! # Quirks
//! Statuses overlap: "exists" is 409, 422, 400 or 403; an empty repository is 404 or 409; a request
//! that makes no sense can be 500. Texts decide where the status does not. The texts below were
//! recorded from Gitea 1.26.3, and differ in 1.24 and 1.25 only where a second one stands.

use std::time::Duration;

use super::{Answer, ErrorBody};
use crate::error::ErrorKind;
use crate::request::Verb;

/// What a refusal says, whatever its shape.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    message: String,
    reason: Option<String>,
    code: Option<String>,
    json: bool,
    location: Option<String>,
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn read(answer: &Answer) -> Self {
        let location = answer.header("location").map(str::to_owned);
        let retry_after = answer
            .header("retry-after")
            .and_then(|text| text.parse().ok())
            .map(Duration::from_secs);
        // Some answers hold two documents in one body; the first is the one that counts.
        let mut documents =
            serde_json::Deserializer::from_slice(&answer.body).into_iter::<Option<ErrorBody>>();
        let Some(Ok(body)) = documents.next() else {
            let text = String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)]);
            let message = if text.trim_start().starts_with('<') {
                ""
            } else {
                text.trim()
            };
            return Self {
                message: message.to_owned(),
                location,
                retry_after,
                ..Self::default()
            };
        };
        let body = body.unwrap_or_default();
        Self {
            message: body.message.or(body.error).unwrap_or_default(),
            reason: body.errors.unwrap_or_default().into_iter().next(),
            code: body.code,
            json: true,
            location,
            retry_after,
        }
    }

    /// The text that tells most.
    pub(crate) fn text(&self) -> &str {
        self.reason.as_deref().unwrap_or(&self.message)
    }

    fn has(&self, part: &str) -> bool {
        self.text().contains(part)
    }

    fn has_any(&self, parts: &[&str]) -> bool {
        parts.iter().any(|part| self.has(part))
    }
}

/// Sorts a refusal into its kind.
pub(crate) fn classify(verb: Verb, status: u16, refusal: &Refusal) -> ErrorKind {
    if refusal.code.is_some() {
        return runner_refusal(refusal);
    }
    match status {
        300..=399 => moved(refusal),
        401 => ErrorKind::Unauthorized,
        403 => forbidden(refusal),
        404 => missing(refusal),
        405 => not_now(refusal),
        413 => ErrorKind::TooLarge,
        423 => ErrorKind::Locked,
        400 | 409 | 412 | 422 => conflict_or_validation(status, refusal),
        408 => ErrorKind::Timeout,
        429 | 502 | 503 | 504 => ErrorKind::Unavailable {
            retry_after: refusal.retry_after,
        },
        500..=599 => server(verb, refusal),
        _ => ErrorKind::Refused,
    }
}

fn moved(refusal: &Refusal) -> ErrorKind {
    match &refusal.location {
        Some(location) => {
            let location = location.split('?').next().unwrap_or_default().to_owned();
            ErrorKind::Moved { location }
        }
        None => ErrorKind::Refused,
    }
}

/// The runner protocol: Gitea wraps gRPC's errors into a 500, Forgejo answers proper codes.
fn runner_refusal(refusal: &Refusal) -> ErrorKind {
    let code = refusal.code.as_deref().unwrap_or_default();
    let wrapped = |name: &str| refusal.has(&format!("code = {name}"));
    if refusal.has_any(&["unregistered runner", "runner has been removed"]) {
        return ErrorKind::UnknownRunner;
    }
    if refusal.has("log file has been archived") {
        return ErrorKind::LogSealed;
    }
    if refusal.has_any(&["registration token not found", "token has been invalidated"])
        || code == "unauthenticated"
        || wrapped("Unauthenticated")
    {
        return ErrorKind::Unauthorized;
    }
    match code {
        "invalid_argument" => validation(refusal),
        "unimplemented" => ErrorKind::NoSuchEndpoint,
        "unavailable" | "resource_exhausted" => ErrorKind::Unavailable { retry_after: None },
        "permission_denied" => ErrorKind::Forbidden,
        "already_exists" => ErrorKind::AlreadyExists,
        "not_found" => ErrorKind::NotFound,
        _ if refusal.has("missing runner token, name") => validation(refusal),
        _ if refusal.has("resource does not exist") => ErrorKind::NotFound,
        _ if refusal.has("invalid runner for task") => ErrorKind::Forbidden,
        _ => ErrorKind::Server,
    }
}

fn forbidden(refusal: &Refusal) -> ErrorKind {
    if let Some(scopes) = missing_scope(refusal.text()) {
        return scopes;
    }
    // A server that shows nothing to strangers says so with this status instead of 401.
    if refusal.has("Only signed in user is allowed") {
        return ErrorKind::Unauthorized;
    }
    if refusal.has("You must change your password") {
        return ErrorKind::MustChangePassword;
    }
    if refusal.has("prohibited from signing in") {
        return ErrorKind::AccountProhibited;
    }
    if refusal.has_any(&["already exist", "already been"]) {
        return ErrorKind::AlreadyExists;
    }
    if refusal.has("maximum limit of repositories") {
        return ErrorKind::Quota;
    }
    if refusal.has("repo is archived") {
        return ErrorKind::Locked;
    }
    let rules = [
        "protected branch",
        "branch protected",
        "is protected",
        "protected from",
        "rename default or protected branches",
        "can not delete default",
        "user cannot commit to repo",
        "locked issue",
    ];
    if refusal.has_any(&rules) {
        ErrorKind::Protected
    } else {
        ErrorKind::Forbidden
    }
}

/// `token does not have at least one of required scope(s), required=[a b], token scope=c,d`.
/// All of the required ones are needed, whatever the sentence says.
fn missing_scope(text: &str) -> Option<ErrorKind> {
    let rest = text.strip_prefix("token does not have at least one of required scope(s)")?;
    let (_, rest) = rest.split_once("required=[")?;
    let (required, rest) = rest.split_once(']')?;
    let have = rest.split_once("token scope=").map_or("", |(_, have)| have);
    let words = |text: &str| -> Vec<String> {
        let parts = text.split([' ', ',']).filter(|word| !word.is_empty());
        parts.map(str::to_owned).collect()
    };
    Some(ErrorKind::MissingScope {
        required: words(required),
        have: words(have),
    })
}

fn missing(refusal: &Refusal) -> ErrorKind {
    let route = refusal.message.trim();
    if !refusal.json && (route == "404 page not found" || route == "Not found.") {
        return ErrorKind::NoSuchEndpoint;
    }
    if !refusal.json && route.is_empty() {
        return ErrorKind::NotGitea;
    }
    if refusal.has_any(&["Git Repository is empty", "repository is empty"]) {
        return ErrorKind::EmptyRepository;
    }
    ErrorKind::NotFound
}

fn not_now(refusal: &Refusal) -> ErrorKind {
    if refusal.message.is_empty() && !refusal.json {
        return ErrorKind::NoSuchEndpoint;
    }
    let later = [
        "Please try again later",
        "Not all required status checks successful",
        "Does not have enough approvals",
    ];
    if refusal.has_any(&later) {
        ErrorKind::NotMergeableYet
    } else {
        ErrorKind::Refused
    }
}

fn conflict_or_validation(status: u16, refusal: &Refusal) -> ErrorKind {
    if refusal.has_any(&["Git Repository is empty", "repo is empty"]) {
        return ErrorKind::EmptyRepository;
    }
    if refusal.has("sha does not match") || refusal.has("commit id mismatch") {
        return ErrorKind::ShaMismatch;
    }
    let head = [
        "branch commit does not match",
        "need a confirm force parameter",
        "head out of date",
    ];
    if refusal.has_any(&head) {
        return ErrorKind::HeadMoved;
    }
    if refusal.has("because of conflict") {
        return ErrorKind::MergeConflict;
    }
    if exists(status, refusal) {
        return ErrorKind::AlreadyExists;
    }
    if refusal.has_any(&["protected tag", "name is protected"]) {
        return ErrorKind::Protected;
    }
    // Git objects by a name or id that is not there are 400, everywhere else they are 404.
    let objects = [
        "sha not found [",
        "object does not exist [id:",
        "has no matched object format",
    ];
    if status == 400 && refusal.has_any(&objects) {
        return ErrorKind::NotFound;
    }
    if refusal.has_any(&[
        "this workflow run is not done",
        "still has ownership",
        "still has membership",
    ]) {
        return ErrorKind::Conflict;
    }
    if status == 409 {
        ErrorKind::Conflict
    } else {
        validation(refusal)
    }
}

fn exists(status: u16, refusal: &Refusal) -> bool {
    let texts = [
        "already exists",
        "already exist",
        "already in use",
        "already been",
        "already forked",
        "already added",
        "already used",
        "already scheduled",
        "has been used",
        "Release is has no Tag",
    ];
    status != 412
        && (refusal.has_any(&texts) || refusal.has("the same name or rename to a branch that"))
}

/// `[Name]: Required`, or a text without a field.
fn validation(refusal: &Refusal) -> ErrorKind {
    let text = refusal.text();
    let parts = text
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "));
    match parts {
        Some((field, rule)) if !field.is_empty() => ErrorKind::Validation {
            field: field.to_owned(),
            rule: rule.to_owned(),
        },
        _ => ErrorKind::Validation {
            field: String::new(),
            rule: text.to_owned(),
        },
    }
}

/// A 500 is a mistake of the caller where its text says so. Only administrators are shown it.
fn server(verb: Verb, refusal: &Refusal) -> ErrorKind {
    if refusal.has("database is locked") {
        return ErrorKind::Unavailable { retry_after: None };
    }
    if refusal.has("still has ownership of repositories")
        || refusal.has("last member of owner team")
    {
        return ErrorKind::Conflict;
    }
    if refusal.has("UNIQUE constraint failed") || refusal.has("team already exists") {
        return ErrorKind::AlreadyExists;
    }
    let mistakes = [
        "name is invalid",
        "name is reserved",
        "invalid file operation",
        "tag name is not valid",
        "units permission should not be empty",
    ];
    if refusal.has_any(&mistakes) {
        return validation(refusal);
    }
    if refusal.json && verb != Verb::Get && refusal.has("does not exist [") {
        return ErrorKind::NotFound;
    }
    if refusal.json && verb == Verb::Get && refusal.has("user does not exist [") {
        return ErrorKind::NotFound;
    }
    ErrorKind::Server
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use http::HeaderMap;
    use serde_json::Value;

    use super::{Answer, ErrorKind, Refusal, classify};
    use crate::request::Verb;

    fn kind(verb: Verb, status: u16, body: &str) -> ErrorKind {
        let answer = Answer {
            status,
            headers: HeaderMap::new(),
            body: body.to_owned().into(),
        };
        classify(verb, status, &Refusal::read(&answer))
    }

    /// Every refusal that was recorded from a real 1.26 and a real 1.25, and the kind it is.
    #[test]
    fn the_recorded_refusals() {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/fixtures/golden/gitea/stories");
        let mut kinds = BTreeMap::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let story = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let story: Value = serde_json::from_str(&story).unwrap();
            for step in story["steps"].as_array().unwrap() {
                for version in ["1.26", "1.25"] {
                    read(step, version, &mut kinds);
                }
            }
        }
        let lines: Vec<_> = kinds.into_keys().collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    fn read(step: &Value, version: &str, kinds: &mut BTreeMap<String, ()>) {
        let expected = &step["expect"][version];
        let status = expected["status"]
            .as_u64()
            .and_then(|status| u16::try_from(status).ok());
        let Some(status) = status.filter(|status| *status >= 400) else {
            return;
        };
        let verb = match step["method"].as_str() {
            Some("GET") => Verb::Get,
            Some("PUT") => Verb::Put,
            Some("PATCH") => Verb::Patch,
            Some("DELETE") => Verb::Delete,
            _ => Verb::Post,
        };
        let body = match expected["text"].as_str() {
            Some(text) => text.to_owned(),
            None => expected["body"].to_string(),
        };
        let kind = format!("{:?}", kind(verb, status, &body));
        let kind = kind.split([' ', '(']).next().unwrap_or_default();
        let mut told = expected["body"].clone();
        if let Some(members) = told.as_object_mut() {
            members.remove("url");
        }
        let told = expected["text"]
            .as_str()
            .map_or_else(|| told.to_string(), str::to_owned);
        let told: String = told.trim().chars().take(140).collect();
        kinds.insert(
            format!("{status} {kind:<19}{}", told.replace('\n', " ")),
            (),
        );
    }

    #[test]
    fn a_missing_scope_names_what_is_needed_and_what_is_there() {
        let body = r#"{"message":"token does not have at least one of required scope(s), required=[read:user read:organization], token scope=read:user,write:misc"}"#;
        let ErrorKind::MissingScope { required, have } = kind(Verb::Get, 403, body) else {
            panic!("not a missing scope");
        };
        assert_eq!(required, ["read:user", "read:organization"]);
        assert_eq!(have, ["read:user", "write:misc"]);
    }

    #[test]
    fn a_server_that_answers_nobody_unknown_wants_credentials() {
        let body = r#"{"message":"Only signed in user is allowed to call APIs.","url":"…"}"#;
        assert_eq!(kind(Verb::Get, 403, body), ErrorKind::Unauthorized);
    }

    #[test]
    fn a_missing_route_is_told_from_a_missing_thing() {
        assert_eq!(
            kind(Verb::Get, 404, "404 page not found\n"),
            ErrorKind::NoSuchEndpoint
        );
        assert_eq!(
            kind(Verb::Get, 404, "Not found.\n"),
            ErrorKind::NoSuchEndpoint
        );
        assert_eq!(kind(Verb::Get, 404, "null"), ErrorKind::NotFound);
        assert_eq!(
            kind(Verb::Get, 404, r#"{"message":"x"}null"#),
            ErrorKind::NotFound
        );
        assert_eq!(
            kind(Verb::Get, 404, "<html>proxy</html>"),
            ErrorKind::NotGitea
        );
        assert_eq!(kind(Verb::Post, 405, ""), ErrorKind::NoSuchEndpoint);
    }

    #[test]
    fn a_validation_names_field_and_rule() {
        let kind = kind(Verb::Post, 422, r#"{"message":"[UserName]: Required"}"#);
        let (field, rule) = ("UserName".to_owned(), "Required".to_owned());
        assert_eq!(kind, ErrorKind::Validation { field, rule });
    }
}
