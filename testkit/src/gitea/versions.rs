//! What releases before 1.26 do otherwise: what they lack, what they take, what they leave out.
//!
//! Everything here was seen on real servers of 1.25.4 and 1.24.7. The world behaves as in 1.26; a call
//! to an older release is turned into one of today, and the answer back. What 1.27 does otherwise was
//! never seen: it is played as 1.26 with another number.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::reply::{Body, Reply};
use super::router::Route;
use super::world::World;

/// The first releases of a kind, by the second number of their version.
const V25: u32 = 25;
const V26: u32 = 26;

/// Routes that came with a release: method, pattern, release, and what stands there before.
const CAME: &[(&str, &str, u32, Before)] = &[
    (
        "GET",
        "/repos/{owner}/{repo}/actions/runs",
        V25,
        Before::Nothing,
    ),
    (
        "GET",
        "/repos/{owner}/{repo}/actions/jobs",
        V25,
        Before::Nothing,
    ),
    (
        "GET",
        "/repos/{owner}/{repo}/actions/runs/{run}",
        V25,
        Before::Nothing,
    ),
    (
        "GET",
        "/repos/{owner}/{repo}/actions/runs/{run}/jobs",
        V25,
        Before::Nothing,
    ),
    (
        "GET",
        "/repos/{owner}/{repo}/actions/jobs/{job}",
        V25,
        Before::Nothing,
    ),
    (
        "DELETE",
        "/repos/{owner}/{repo}/actions/runs/{run}",
        V25,
        Before::Nothing,
    ),
    ("GET", "/user/actions/runs", V25, Before::Nothing),
    ("GET", "/user/actions/jobs", V25, Before::Nothing),
    ("GET", "/orgs/{org}/actions/runs", V25, Before::Nothing),
    ("GET", "/orgs/{org}/actions/jobs", V25, Before::Nothing),
    ("GET", "/admin/actions/runs", V25, Before::Nothing),
    ("GET", "/admin/actions/jobs", V25, Before::Nothing),
    (
        "GET",
        "/repos/{owner}/{repo}/contents-ext/*",
        V25,
        Before::Nothing,
    ),
    (
        "POST",
        "/repos/{owner}/{repo}/actions/runs/{run}/rerun",
        V26,
        Before::Nothing,
    ),
    (
        "POST",
        "/repos/{owner}/{repo}/actions/runs/{run}/rerun-failed-jobs",
        V26,
        Before::Nothing,
    ),
    (
        "POST",
        "/repos/{owner}/{repo}/actions/runs/{run}/jobs/{job}/rerun",
        V26,
        Before::Nothing,
    ),
    (
        "PUT",
        "/repos/{owner}/{repo}/branches/*",
        V26,
        Before::Others(&["DELETE", "GET", "PATCH"]),
    ),
    (
        "PATCH",
        "/repos/{owner}/{repo}/actions/runners/{id}",
        V26,
        Before::Others(&["DELETE", "GET"]),
    ),
    (
        "PATCH",
        "/orgs/{org}/actions/runners/{id}",
        V26,
        Before::Others(&["DELETE", "GET"]),
    ),
    (
        "PATCH",
        "/user/actions/runners/{id}",
        V26,
        Before::Others(&["DELETE", "GET"]),
    ),
    (
        "PATCH",
        "/admin/actions/runners/{id}",
        V26,
        Before::Others(&["DELETE", "GET"]),
    ),
];

/// What a path is before its route came.
#[derive(Clone, Copy)]
enum Before {
    /// Not known.
    Nothing,
    /// Known with these methods.
    Others(&'static [&'static str]),
}

/// Whether two patterns are the same but for the names of their parts.
fn is_same(one: &str, two: &str) -> bool {
    let (mut ours, mut theirs) = (one.split('/'), two.split('/'));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == b || (a.starts_with('{') && b.starts_with('{')) => {}
            _ => return false,
        }
    }
}

/// The refusal of a route that a release does not have yet.
pub(crate) fn lacks(minor: u32, route: &Route) -> Option<Reply> {
    let (.., before) = CAME.iter().find(|(method, path, since, _)| {
        minor < *since && *method == route.method && is_same(path, route.path)
    })?;
    Some(match before {
        Before::Nothing => Reply::text(404, "404 page not found\n"),
        Before::Others(methods) => methods.iter().fold(Reply::empty(405), |reply, method| {
            reply.with_header("allow", *method)
        }),
    })
}

/// Turns a call to an older release into one of today, before its route is looked for.
pub(crate) fn addressed(minor: u32, call: &mut Call, path: &str) -> Option<String> {
    let wants_token = call.method == "GET" && path.ends_with("/runners/registration-token");
    if minor >= V26 || !wants_token {
        return None;
    }
    // Asked for with GET, and for the whole server at another place.
    call.method = "POST".into();
    Some(if path == "/admin/runners/registration-token" {
        "/admin/actions/runners/registration-token".into()
    } else {
        path.to_owned()
    })
}

/// Turns what a call brings into what is taken today; `Err` is what the older release says to it.
pub(crate) fn asked(minor: u32, route: &Route, call: &mut Call) -> Result<(), Reply> {
    if minor >= V26 {
        return Ok(());
    }
    let at = |method: &str, path: &str| route.method == method && is_same(route.path, path);
    let lists = [
        "/repos/{owner}/{repo}/actions/runs",
        "/repos/{owner}/{repo}/labels",
        "/users/{username}/tokens",
        "/repos/{owner}/{repo}/statuses/*",
    ];
    let has_page = call.query("page").is_some();
    call.unpaged = !has_page && lists.iter().any(|path| at("GET", path));
    if at(
        "POST",
        "/repos/{owner}/{repo}/actions/workflows/{id}/dispatches",
    ) {
        call.query.retain(|(name, _)| name != "return_run_details");
    }
    lenient(call);
    let is_file = at("PUT", "/repos/{owner}/{repo}/contents/*");
    let mut refusal = None;
    rewrite(call, |body| {
        let sha = body.get("sha").and_then(Value::as_str).unwrap_or_default();
        if is_file && sha.is_empty() {
            refusal = Some(Reply::error(422, "[SHA]: Required"));
        }
        if route.path.contains("/contents") {
            body.remove("force_push");
        }
        if at("PATCH", "/orgs/{org}") {
            for name in ["description", "website", "location"] {
                body.entry(name).or_insert_with(|| json!(""));
            }
        }
        if minor == V25
            && at("PATCH", "/repos/{owner}/{repo}")
            && !body.contains_key("has_pull_requests")
        {
            body.retain(|name, _| !is_merge_setting(name));
        }
    });
    refusal.map_or(Ok(()), Err)
}

/// Settings of merging, which 1.25 takes only together with `has_pull_requests`.
fn is_merge_setting(name: &str) -> bool {
    name.starts_with("allow_")
        || name == "autodetect_manual_merge"
        || name.starts_with("default_merge")
        || name == "default_delete_branch_after_merge"
        || name == "default_allow_maintainer_edit"
}

/// The older decoder: no body is an empty object, what follows the value is not looked at, the last of
/// several members of a name counts, and capitals do not.
fn lenient(call: &mut Call) {
    let is_json = call
        .header("content-type")
        .is_some_and(|kind| kind.contains("json"));
    if !is_json {
        return;
    }
    if call.body.is_empty() {
        call.body = Bytes::from_static(b"{}");
        return;
    }
    let mut values = serde_json::Deserializer::from_slice(&call.body).into_iter::<Value>();
    if let Some(Ok(Value::Object(members))) = values.next() {
        // `Do` and its like are names of their own.
        let keeps = |name: &str| name == "Do" || name.starts_with("Merge");
        let lower = |(name, value): (String, Value)| {
            (
                if keeps(&name) {
                    name
                } else {
                    name.to_lowercase()
                },
                value,
            )
        };
        let members: Map<String, Value> = members.into_iter().map(lower).collect();
        call.body = Bytes::from(Value::Object(members).to_string());
    }
}

/// Changes the members of a body that is an object.
fn rewrite(call: &mut Call, change: impl FnOnce(&mut Map<String, Value>)) {
    let is_json = call
        .header("content-type")
        .is_some_and(|kind| kind.contains("json"));
    if let Some(Value::Object(mut members)) =
        serde_json::from_slice(&call.body).ok().filter(|_| is_json)
    {
        change(&mut members);
        call.body = Bytes::from(Value::Object(members).to_string());
    }
}

/// Turns an answer of today into that of an older release.
pub(crate) fn answered(world: &World, minor: u32, route: &Route, mut reply: Reply) -> Reply {
    if minor >= V26 {
        return reply;
    }
    let at = |method: &str, path: &str| route.method == method && is_same(route.path, path);
    if let Body::Json(value) = &mut reply.body {
        aged(world, minor, value);
        if at("GET", "/repos/{owner}/{repo}/commits/{ref}/status") && value["total_count"] == 0 {
            value["state"] = json!("");
        }
        if at("GET", "/settings/attachment") {
            value["max_size"] = json!(2048);
        }
    }
    let ends = |word: &str| route.method == "GET" && route.path.ends_with(word);
    if ends("/actions/runs")
        || ends("/actions/jobs")
        || ends("/actions/tasks")
        || route.path.contains("/actions/runs/{")
        || ends("/admin/hooks")
    {
        reply.headers.retain(|(name, _)| *name != "x-total-count");
    }
    if ends("/actions/runs")
        || ends("/actions/secrets")
        || ends("/actions/variables")
        || ends("/teams")
        || ends("/status")
    {
        reply.headers.retain(|(name, _)| *name != "link");
    }
    for (name, value) in &mut reply.headers {
        if *name == "content-disposition" {
            *value = quoted(value);
        }
    }
    if at("DELETE", "/repos/{owner}/{repo}/branches/*") && reply.status == 404 {
        reply = if minor < V25 {
            Reply::internal("", false)
        } else {
            Reply::no_content()
        };
    }
    if minor < V25
        && route.method == "POST"
        && route.path.contains("/actions/variables/{")
        && reply.status == 201
    {
        reply = Reply::no_content();
    }
    if minor < V25
        && let Body::Problem(problem) = &mut reply.body
        && problem.message == "not found"
    {
        problem.message = "The target couldn't be found.".into();
    }
    reply
}

/// File names as older releases send them: in quotes, and once more encoded.
fn quoted(value: &str) -> String {
    let Some((kind, name)) = value
        .split_once("; filename=")
        .filter(|(_, name)| !name.starts_with('"'))
    else {
        return value.to_owned();
    };
    let encoded = percent_encoding::utf8_percent_encode(name, &NAME);
    format!("{kind}; filename=\"{name}\"; filename*=UTF-8''{encoded}")
}

const NAME: percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Takes out of an answer what older releases do not send.
fn aged(world: &World, minor: u32, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| aged(world, minor, item)),
        Value::Object(members) => {
            members
                .values_mut()
                .for_each(|member| aged(world, minor, member));
            aged_object(minor, members);
        }
        Value::String(text) if text.contains("/actions/runs/") && !text.contains("/api/v1/") => {
            if let Some(older) = by_number(world, text) {
                *text = older;
            }
        }
        _ => {}
    }
}

fn aged_object(minor: u32, members: &mut Map<String, Value>) {
    let has = |name: &str| members.contains_key(name);
    let (run, job) = (
        has("run_number") && has("event"),
        has("run_id") && has("steps"),
    );
    let (issue, runner) = (has("content_version"), has("busy") && has("disabled"));
    if issue {
        members.remove("content_version");
        if members.get("review_comments") == Some(&json!(0)) {
            members.remove("review_comments");
        }
        if minor < V25 && members.get("time_estimate") == Some(&json!(0)) {
            members.remove("time_estimate");
        }
    }
    if runner {
        members.remove("disabled");
    }
    if run {
        members.remove("repository_id");
        if members.get("status") == Some(&json!("waiting")) {
            members.insert("status".into(), json!("queued"));
        }
        if members.get("event") == Some(&json!("pull_request_target")) {
            members.insert("event".into(), json!("pull_request"));
        }
    }
    if job {
        members.insert("steps".into(), Value::Null);
        if members.get("runner_id") == Some(&json!(0)) {
            members.remove("runner_id");
        }
    }
    if minor < V25 && members.contains_key("clone_url") {
        for name in ["has_code", "allow_manual_merge", "autodetect_manual_merge"] {
            members.remove(name);
        }
    }
    let is_job_user = members.get("id") == Some(&json!(crate::gitea::access::ACTIONS_USER));
    if is_job_user
        && members
            .get("login_name")
            .and_then(Value::as_str)
            .is_some_and(|name| name.starts_with('@'))
    {
        members.insert("login_name".into(), json!("gitea-actions"));
        members.insert("source_id".into(), json!(0));
    }
}

/// The address of a run or job on the website, by its number and place instead of by ids.
fn by_number(world: &World, address: &str) -> Option<String> {
    let (front, rest) = address.split_once("/actions/runs/")?;
    let mut parts = rest.split('/');
    let run = parts.next()?.parse().ok()?;
    let number = world.actions.runs.get(run)?.number;
    match (parts.next(), parts.next()) {
        (None, _) => Some(format!("{front}/actions/runs/{number}")),
        (Some("jobs"), Some(job)) => {
            let job: i64 = job.parse().ok()?;
            let place = world.actions.jobs.of(run).position(|(id, _)| id == job)?;
            Some(format!("{front}/actions/runs/{number}/jobs/{place}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_quoted_and_encoded_by_older_releases() {
        let want = "inline; filename=\"a b.sh\"; filename*=UTF-8''a%20b.sh";
        assert_eq!(quoted("inline; filename=a b.sh"), want);
    }

    #[test]
    fn the_older_decoder_takes_more() {
        let mut call = Call::new("POST", "/x").with_header("content-type", "application/json");
        call.body = Bytes::from_static(b"{\"NAME\":\"a\",\"name\":\"b\"} and more");
        lenient(&mut call);
        assert_eq!(&call.body[..], b"{\"name\":\"b\"}");
        call.body = Bytes::new();
        lenient(&mut call);
        assert_eq!(&call.body[..], b"{}");
    }

    #[test]
    fn patterns_are_compared_without_the_names_of_their_parts() {
        assert!(is_same("/a/{x}/b", "/a/{y}/b") && !is_same("/a/{x}", "/a/{x}/b"));
    }
}
