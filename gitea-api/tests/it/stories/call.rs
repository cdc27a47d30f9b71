//! A recorded step as a typed call of the client.

use std::collections::BTreeMap;

use gitea_api::{Client, Error, List, api};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::sample::Samples;
use super::{actions, owners, repos, runner};

/// A step that was recorded.
pub(super) struct Step {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) json: Value,
    pub(super) has_json: bool,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) answer: Value,
    pub(super) text: Option<String>,
    /// The recording says nothing of the answer's body.
    pub(super) anything: bool,
    pub(super) rpc: bool,
    strange: bool,
}

/// What became of a step.
pub(super) enum Typed {
    /// The client said it.
    Called(Result<Value, Error>),
    /// It has no type, and why.
    Raw(&'static str),
}

impl Step {
    /// A scored request of this version, REST or runner protocol.
    pub(super) fn read(step: &Value, version: &str, samples: &Samples) -> Option<Self> {
        let expected = step["expect"].get(version)?;
        let rpc = step["rpc"].as_str();
        let method = if rpc.is_some() {
            "POST"
        } else {
            step["method"].as_str()?
        };
        let text = |name: &str| samples.text(step[name].as_str().unwrap_or_default());
        let path = rpc.map_or_else(|| text("path"), |name| format!("/{name}"));
        let (path, own_query) = path
            .split_once('?')
            .map_or((&*path, ""), |(path, query)| (path, query));
        let mut query: BTreeMap<String, String> = url::form_urlencoded::parse(own_query.as_bytes())
            .into_owned()
            .collect();
        for (name, value) in step["query"].as_object().into_iter().flatten() {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            query.insert(name.clone(), samples.text(&value));
        }
        let odd = [
            "body",
            "form",
            "multipart",
            "headers",
            "raw",
            "verbatim",
            "content_type",
        ];
        let header = |(name, value): (&String, &Value)| {
            let value = samples.answer(value);
            Some((name.clone(), value.as_str()?.to_owned())).filter(|_| name != "content-type")
        };
        Some(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            json: samples.request(&step["json"]),
            has_json: !step["json"].is_null(),
            status: u16::try_from(expected["status"].as_u64()?).ok()?,
            headers: expected["headers"]
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(header)
                .collect(),
            answer: samples.answer(&expected["body"]),
            text: expected["text"].as_str().map(|text| samples.text(text)),
            anything: expected["body"] == "<any>"
                || (expected["body"].is_null() && expected["text"].is_null()),
            rpc: rpc.is_some(),
            strange: odd.iter().any(|name| !step[*name].is_null()) || step["query"].is_array(),
        })
    }

    /// The path as it is asked for.
    pub(super) fn whole_path(&self) -> String {
        if !self.rpc {
            return format!("/api/v1{}", self.path);
        }
        let service = if self.path == "/Ping" {
            "ping.v1.PingService"
        } else {
            "runner.v1.RunnerService"
        };
        format!("/api/actions/{service}{}", self.path)
    }

    /// A member of the body, as a parameter's type.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.json.clone()).ok()
    }

    /// A text of the body.
    pub(super) fn member(&self, name: &str) -> Option<&str> {
        self.json[name].as_str()
    }
}

/// The values in a path.
pub(super) struct Places(BTreeMap<String, String>);

impl Places {
    /// A value, decoded.
    #[track_caller]
    pub(super) fn get(&self, name: &str) -> &str {
        &self.0[name]
    }

    /// A number.
    pub(super) fn id<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.0.get(name)?.parse().ok()
    }
}

/// The endpoint of a step among those that have a method, and the values in its path.
fn endpoint(step: &Step) -> Option<(String, Places)> {
    let candidates = api::coverage()
        .into_iter()
        .filter(|endpoint| endpoint.verb.as_str() == step.method);
    let mut matches: Vec<_> = candidates
        .filter_map(|endpoint| Some((places(&endpoint.path, &step.path)?, endpoint.path)))
        .collect();
    // The most literal one counts, as in the server's router.
    matches.sort_by_key(|(places, path)| {
        (
            !path.ends_with("{diffType}"),
            places.0.len(),
            std::cmp::Reverse(path.len()),
        )
    });
    let (places, path) = matches.into_iter().next()?;
    Some((format!("{} {path}", step.method), places))
}

fn places(template: &str, path: &str) -> Option<Places> {
    let wild = [
        "{filepath}",
        "{branch}",
        "{tag}",
        "{ref}",
        "{basehead}",
        "{archive}",
    ];
    let mut found = BTreeMap::new();
    let mut segments = path.strip_prefix('/')?.split('/');
    let mut parts = template.strip_prefix('/')?.split('/').peekable();
    while let Some(part) = parts.next() {
        let segment = segments.next()?;
        let last = parts.peek().is_none();
        if part == "{sha}.{diffType}" {
            let (sha, form) = segment
                .rsplit_once('.')
                .filter(|(_, form)| matches!(*form, "diff" | "patch"))?;
            found.insert("sha".to_owned(), sha.to_owned());
            found.insert("diffType".to_owned(), form.to_owned());
            continue;
        }
        let Some(name) = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
        else {
            if part == segment {
                continue;
            } else {
                return None;
            }
        };
        let mut value = segment.to_owned();
        if last && wild.contains(&part) {
            for more in segments.by_ref() {
                value = format!("{value}/{more}");
            }
        }
        if value.is_empty() {
            return None;
        }
        let value = percent_encoding::percent_decode_str(&value)
            .decode_utf8()
            .ok()?;
        found.insert(name.to_owned(), value.into_owned());
    }
    segments.next().is_none().then_some(Places(found))
}

/// A list as asked for: one page of it.
pub(super) async fn page<T>(list: List<T>, step: &Step) -> Typed
where
    T: DeserializeOwned + Serialize + Send + 'static,
{
    let number = |name: &str| step.query.get(name).map(|text| text.parse::<u32>());
    let (list, number) = match (number("limit"), number("page")) {
        (None, None) => (list, 1),
        (Some(Ok(size)), None) => (list.page_size(size), 1),
        (Some(Ok(size)), Some(Ok(number))) => (list.page_size(size), number),
        _ => return Typed::Raw("a page that no type asks for"),
    };
    let result = list.page(number).await;
    let wrapped = [
        "workflow_runs",
        "jobs",
        "workflows",
        "runners",
        "topics",
        "data",
    ];
    let member = wrapped
        .into_iter()
        .find(|name| step.answer.get(*name).is_some());
    called(result.map(|page| match member {
        // Judged in the form in which it came.
        Some(name) => serde_json::json!({ name: page.items, "total_count": page.total }),
        None => serde_json::json!(page.items),
    }))
    .totalled(step)
}

impl Typed {
    /// The total of a wrapped list may stand in the header alone.
    fn totalled(self, step: &Step) -> Self {
        match self {
            Self::Called(Ok(Value::Object(mut members)))
                if step.answer.get("total_count").is_none() =>
            {
                members.remove("total_count");
                Self::Called(Ok(Value::Object(members)))
            }
            other => other,
        }
    }
}

/// A value or an error, as judged later.
pub(super) fn called<T: Serialize>(result: Result<T, Error>) -> Typed {
    Typed::Called(result.map(|value| serde_json::to_value(value).unwrap()))
}

/// A call without a value.
pub(super) fn done(result: Result<(), Error>) -> Typed {
    Typed::Called(result.map(|()| Value::Null))
}

/// Why a call cannot be typed although its endpoint has a method.
pub(super) const NONSENSE: Typed = Typed::Raw("values that no type can hold, wrong on purpose");

/// Says a step by the client.
pub(super) async fn call(client: &Client, step: &Step) -> Typed {
    if step.rpc {
        return runner::call(client, step).await;
    }
    if step.strange {
        return Typed::Raw("bodies, headers or paths written by hand");
    }
    let Some((name, places)) = endpoint(step) else {
        return Typed::Raw("endpoints without a method");
    };
    if !step.has_json && step.method != "GET" && step.status == 422 {
        return Typed::Raw("a body that is not there, wrong on purpose");
    }
    if (300..400).contains(&step.status) && step.method == "GET" {
        return Typed::Raw("redirects, which a read follows");
    }
    if step.path.contains("//") {
        return Typed::Raw("paths that the client refuses to send");
    }
    let path = name.split_once(' ').unwrap().1;
    if path.contains("/actions/") {
        return actions::call(client, step, &name, &places).await;
    }
    if path.starts_with("/repos/") || path.contains("/hooks") {
        return repos::call(client, step, &name, &places).await;
    }
    owners::call(client, step, &name, &places).await
}
