//! The recorded stories, told again by our client where a call has a type: the request must mean
//! the same, and the recorded answer must become the right value or kind of error.

mod actions;
mod call;
mod compare;
mod deliveries;
mod owners;
mod repos;
mod runner;
mod sample;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use gitea_api::server::Server;
use gitea_api::{Auth, Client, Error, RetryPolicy};
use serde_json::Value;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use call::{Step, Typed};
use sample::Samples;

use crate::process::assert_conforms;

/// The version whose answers are told.
const VERSION: &str = "1.26";

/// What became of the steps of a theme.
#[derive(Default)]
struct Count {
    steps: usize,
    values: usize,
    requests: usize,
    refusals: usize,
    raw: usize,
}

/// Everything that was seen.
#[derive(Default)]
struct Findings {
    themes: BTreeMap<String, Count>,
    raw: BTreeMap<&'static str, usize>,
    kinds: BTreeMap<String, usize>,
    failures: Vec<String>,
    /// What we sent and what came back, as the checker of the schema reads it.
    journal: Vec<Value>,
}

fn stories() -> Vec<Value> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/fixtures/golden/gitea/stories");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |file| serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    files.into_iter().map(read).collect()
}

#[tokio::test]
async fn the_stories_are_told_by_our_client() {
    let server = MockServer::start().await;
    let client = Client::builder(server.uri())
        .auth(Auth::token("story"))
        .retry(RetryPolicy::never())
        .assume(Server::parse("1.26.3").unwrap())
        .build()
        .unwrap();
    let stories = stories();
    assert_eq!(stories.len(), 76);
    let mut findings = Findings::default();
    for story in &stories {
        let samples = Samples::of(story, &server.uri());
        let theme = story["theme"].as_str().unwrap();
        for (number, step) in story["steps"].as_array().unwrap().iter().enumerate() {
            let Some(step) = Step::read(step, VERSION, &samples) else {
                continue;
            };
            let place = format!("{} step {number}", story["name"].as_str().unwrap());
            tell(&server, &client, &step, theme, &place, &mut findings).await;
        }
    }
    assert!(
        findings.failures.is_empty(),
        "{}",
        findings.failures.join(
            "
"
        )
    );
    let journal = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gitea-api-stories.jsonl");
    let lines: Vec<_> = findings.journal.iter().map(Value::to_string).collect();
    std::fs::write(&journal, lines.join("\n")).unwrap();
    // Two words of the stories are wrong on purpose, and were taken by the real server.
    assert_conforms(
        &journal,
        "gitea-api-1.26.json",
        r#""(gold|bogus)" is none of"#,
    );
    insta::assert_snapshot!("told", findings.table());
    insta::assert_snapshot!("refusals", findings.kinds());
}

async fn tell(
    server: &MockServer,
    client: &Client,
    step: &Step,
    theme: &str,
    place: &str,
    findings: &mut Findings,
) {
    server.reset().await;
    Mock::given(any())
        .respond_with(answer(step))
        .mount(server)
        .await;
    let typed = Box::pin(call::call(client, step)).await;
    let count = findings.themes.entry(theme.to_owned()).or_default();
    count.steps += 1;
    let result = match typed {
        Typed::Raw(reason) => {
            count.raw += 1;
            *findings.raw.entry(reason).or_default() += 1;
            return;
        }
        Typed::Called(result) => result,
    };
    let requests = server.received_requests().await.unwrap();
    let told = requests
        .last()
        .ok_or_else(|| "nothing was sent".to_owned())
        .and_then(|request| compare::request(step, request));
    match told {
        Ok(()) => {}
        // The step says what no type here can: a member that the crate leaves out, or nonsense.
        Err(reason) if reason.starts_with("without ") => {
            count.raw += 1;
            *findings
                .raw
                .entry("members that have no type here")
                .or_default() += 1;
            return;
        }
        Err(reason) => findings
            .failures
            .push(format!("{place}: {} {}: {reason}", step.method, step.path)),
    }
    if let Some(line) = requests.last().and_then(|request| exchange(step, request)) {
        findings.journal.push(line);
    }
    if step.anything && step.status < 300 {
        count.requests += 1;
        return;
    }
    match judge(step, &result, &mut findings.kinds) {
        Ok(true) => count.values += 1,
        Ok(false) => count.refusals += 1,
        Err(reason) => findings
            .failures
            .push(format!("{place}: {} {}: {reason}", step.method, step.path)),
    }
}

/// An exchange of the API as the checker reads it. The answers are the real server's own.
fn exchange(step: &Step, request: &wiremock::Request) -> Option<Value> {
    if step.rpc || step.status >= 300 {
        return None;
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let mut line = serde_json::json!({
        "method": request.method.as_str(),
        "path": request.url.path(),
        "query": request.url.query().unwrap_or_default(),
        "status": step.status,
    });
    if !body.is_null() {
        line["body"] = body;
    }
    Some(line)
}

/// Whether the answer was understood: as a value, or as a refusal.
fn judge(
    step: &Step,
    result: &Result<Value, Error>,
    kinds: &mut BTreeMap<String, usize>,
) -> Result<bool, String> {
    match result {
        Ok(value) if step.status < 300 => {
            compare::value(value, &step.answer, "")?;
            Ok(true)
        }
        // "Not there" is an answer of `find`, and "no" one of a question.
        Ok(Value::Null | Value::Bool(false)) if step.status == 404 => Ok(false),
        Ok(value) => Err(format!("a refusal ({}) became {value}", step.status)),
        Err(error) if step.status < 300 => Err(format!("a success became {error:?}")),
        Err(error) if error.status() != Some(step.status) => {
            Err(format!("another status: {error:?}"))
        }
        Err(error) => {
            let kind = format!("{:?}", error.kind());
            let kind = kind.split([' ', '(']).next().unwrap_or_default();
            let text = error.message().unwrap_or("(nothing)");
            *kinds
                .entry(format!("{} {kind:<18} {}", step.status, shape(text)))
                .or_default() += 1;
            Ok(false)
        }
    }
}

/// A message without what differs from story to story.
fn shape(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let core = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        let hex = core.len() >= 7 && core.bytes().all(|byte| byte.is_ascii_hexdigit());
        let name = word.contains("gold") || word.contains("http");
        if name {
            "…".to_owned()
        } else if hex {
            word.replace(core, "…")
        } else {
            word.to_owned()
        }
    });
    words
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(110)
        .collect()
}

fn answer(step: &Step) -> ResponseTemplate {
    let mut template = ResponseTemplate::new(step.status);
    for (name, value) in &step.headers {
        template = template.insert_header(name.as_str(), value.as_str());
    }
    match (&step.text, &step.answer) {
        (Some(text), _) => template.set_body_raw(text.clone(), "text/plain"),
        (None, body) => template.set_body_raw(body.to_string(), "application/json;charset=utf-8"),
    }
}

impl Findings {
    fn table(&self) -> String {
        let mut table = format!(
            "{:<22}{:>7}{:>8}{:>10}{:>10}{:>5}\n",
            "theme", "steps", "values", "requests", "refusals", "raw"
        );
        let mut sum = Count::default();
        for (theme, count) in &self.themes {
            row(&mut table, theme, count);
            sum.steps += count.steps;
            sum.values += count.values;
            sum.requests += count.requests;
            sum.refusals += count.refusals;
            sum.raw += count.raw;
        }
        row(&mut table, "all", &sum);
        table.push_str("\nwhy a step has no type\n");
        for (reason, count) in &self.raw {
            writeln!(table, "{count:>5}  {reason}").unwrap();
        }
        table
    }

    fn kinds(&self) -> String {
        let lines = self
            .kinds
            .iter()
            .map(|(line, count)| format!("{count:>4} × {line}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn row(table: &mut String, name: &str, count: &Count) {
    let Count {
        steps,
        values,
        requests,
        refusals,
        raw,
    } = count;
    writeln!(
        table,
        "{name:<22}{steps:>7}{values:>8}{requests:>10}{refusals:>10}{raw:>5}"
    )
    .unwrap();
}
