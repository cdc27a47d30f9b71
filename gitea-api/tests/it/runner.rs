//! A runner's whole conversation, with a server that loses answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gitea_api::runner::{Credentials, Profile, ServerView, TaskResult};
use gitea_api::{Client, ErrorKind, RetryPolicy, Secret};
use jiff::Timestamp;
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// A small Gitea, as far as a runner sees it.
#[derive(Default)]
struct Forge {
    calls: Vec<(String, Value)>,
    waiting: u32,
    rows: Vec<String>,
    sealed: bool,
    outputs: serde_json::Map<String, Value>,
    ended: Vec<Value>,
    /// How many of the next answers are lost after the work was done.
    lose: u32,
    /// How many of the next outputs are left out of what is stored.
    forget: u32,
}

impl Forge {
    fn answer(&mut self, request: &Request) -> ResponseTemplate {
        let name = request.url.path().rsplit('/').next().unwrap().to_owned();
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let known = request
            .headers
            .get("x-runner-token")
            .is_some_and(|token| token == "key");
        self.calls.push((name.clone(), body.clone()));
        if name != "Register" && !known {
            let text = "rpc error: code = Unauthenticated desc = unregistered runner";
            return ResponseTemplate::new(500)
                .set_body_json(json!({"code": "unknown", "message": text}));
        }
        let answer = match name.as_str() {
            "Register" | "Declare" => {
                json!({"runner": {"id": "3", "uuid": "u", "token": "key", "labels": body["labels"]}})
            }
            "FetchTask" => self.fetch(&body),
            "UpdateLog" => self.log(&body),
            _ => self.task(&body),
        };
        if self.lose > 0 {
            self.lose -= 1;
            return ResponseTemplate::new(502);
        }
        ResponseTemplate::new(200).set_body_json(answer)
    }

    fn fetch(&mut self, body: &Value) -> Value {
        if self.waiting == 0 || body["tasksVersion"] == "5" {
            return json!({"tasksVersion": "5"});
        }
        self.waiting -= 1;
        let context = json!({"token": "job-token", "gitea_runtime_token": "runtime", "repository": "o/r", "job": "a"});
        json!({"tasksVersion": "5", "task": {"id": "9", "workflowPayload": "am9iczoge30=", "context": context,
            "secrets": {"S": "hidden"}, "vars": {"V": "1"}, "needs": {"b": {"result": "RESULT_SUCCESS", "outputs": {"x": "y"}}}}})
    }

    fn log(&mut self, body: &Value) -> Value {
        let index: usize = body["index"].as_str().unwrap_or("0").parse().unwrap();
        assert!(index <= self.rows.len(), "a gap at {index}");
        let rows = body["rows"].as_array().cloned().unwrap_or_default();
        let new: Vec<_> = rows.into_iter().skip(self.rows.len() - index).collect();
        assert!(!self.sealed || new.is_empty());
        self.rows.extend(
            new.iter()
                .map(|row| row["content"].as_str().unwrap_or_default().to_owned()),
        );
        self.sealed |= body["noMore"] == true;
        json!({"ackIndex": self.rows.len().to_string()})
    }

    fn task(&mut self, body: &Value) -> Value {
        for (name, value) in body["outputs"].as_object().into_iter().flatten() {
            if self.forget > 0 {
                self.forget -= 1;
            } else {
                self.outputs.entry(name.clone()).or_insert(value.clone());
            }
        }
        let result = &body["state"]["result"];
        if !result.is_null() {
            assert!(self.sealed, "the end came before the seal");
            self.ended.push(body["state"].clone());
        }
        let stored: Vec<_> = self.outputs.keys().collect();
        json!({"state": {"id": "9", "result": result}, "sentOutputs": stored})
    }
}

async fn forge() -> (MockServer, Arc<Mutex<Forge>>, Client) {
    let server = MockServer::start().await;
    let forge = Arc::new(Mutex::new(Forge::default()));
    let behind = Arc::clone(&forge);
    let respond = move |request: &Request| behind.lock().unwrap().answer(request);
    Mock::given(any())
        .respond_with(respond)
        .mount(&server)
        .await;
    let retry = RetryPolicy {
        first_wait: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    let client = Client::builder(server.uri()).retry(retry).build().unwrap();
    (server, forge, client)
}

fn credentials(token: &str) -> Credentials {
    Credentials {
        uuid: "u".to_owned(),
        token: Secret::new(token),
    }
}

#[tokio::test]
async fn a_runner_registers_and_declares_without_the_clients_credentials() {
    let (server, forge, client) = forge().await;
    let client = client.with_auth(gitea_api::Auth::token("of-the-client"));
    let profile = Profile::new("r1", ["debian"]).version("v1").ephemeral();
    let registered = client
        .register_runner(&profile, &Secret::new("registration"))
        .await
        .unwrap();
    assert_eq!(registered.credentials, credentials("key"));
    client
        .runner(registered.credentials)
        .declare(&profile)
        .await
        .unwrap();
    let calls = forge.lock().unwrap().calls.clone();
    let register = json!({"name": "r1", "token": "registration", "version": "v1",
        "labels": ["debian"], "ephemeral": true, "capabilities": ["cancelling"]});
    assert_eq!(calls[0].1, register);
    assert_eq!(
        calls[1].1,
        json!({"version": "v1", "labels": ["debian"], "capabilities": ["cancelling"]})
    );
    for request in server.received_requests().await.unwrap() {
        assert!(!request.headers.contains_key("authorization"));
        assert_eq!(request.headers["connect-protocol-version"], "1");
        assert!(
            request
                .url
                .path()
                .starts_with("/api/actions/runner.v1.RunnerService/")
        );
    }
}

#[tokio::test]
async fn a_version_is_kept_after_nothing_and_forgotten_after_a_task() {
    let (_server, forge, client) = forge().await;
    let mut fetcher = client.runner(credentials("key")).fetcher();
    assert!(fetcher.next().await.unwrap().is_none());
    assert!(fetcher.next().await.unwrap().is_none());
    forge.lock().unwrap().calls.clear();
    let mut fetcher = client.runner(credentials("key")).fetcher();
    forge.lock().unwrap().waiting = 2;
    let task = fetcher.next().await.unwrap().unwrap();
    assert!(fetcher.next().await.unwrap().is_some(), "more may wait");
    assert_eq!(task.workflow, "jobs: {}");
    assert_eq!(task.token, Secret::new("job-token"));
    assert_eq!(task.context_text("repository"), "o/r");
    assert!(!task.context.contains_key("token"));
    assert_eq!(task.needs["b"].result, TaskResult::Success);
    let shown = format!("{task:?}");
    assert!(
        !shown.contains("job-token") && !shown.contains("hidden"),
        "{shown}"
    );
    let versions: Vec<_> = forge
        .lock()
        .unwrap()
        .calls
        .iter()
        .map(|(_, body)| body["tasksVersion"].clone())
        .collect();
    assert_eq!(versions, ["0", "0"]);
}

#[tokio::test]
async fn a_task_is_told_to_its_end_although_answers_are_lost() {
    let (_server, forge, client) = forge().await;
    forge.lock().unwrap().waiting = 1;
    let runner = client.runner(credentials("key"));
    let task = runner.fetcher().next().await.unwrap().unwrap();
    let (mut log, mut report) = (runner.log(&task), runner.report(&task));
    let time: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    report.begin(time);
    let first = log.push(time, "one\ntwo");
    report.begin_step(0, time, first);
    forge.lock().unwrap().lose = 2;
    log.flush().await.unwrap();
    assert_eq!(report.heartbeat().await.unwrap(), ServerView::Running);
    report.set_output("o", "1").unwrap();
    report.set_output("o", "2").unwrap();
    report.set_output("p", "3").unwrap();
    log.push(time, "three");
    report.end_step(0, time, TaskResult::Success, first..log.written());
    forge.lock().unwrap().forget = 3;
    let sealed = log.seal(time, "Job succeeded").await.unwrap();
    assert_eq!(sealed.rows(), 4);
    let view = report
        .finish(sealed, TaskResult::Success, time)
        .await
        .unwrap();
    assert_eq!(view, ServerView::Over(TaskResult::Success));
    let forge = forge.lock().unwrap();
    assert_eq!(forge.rows, ["one", "two", "three", "Job succeeded"]);
    assert_eq!(
        Value::Object(forge.outputs.clone()),
        json!({"o": "1", "p": "3"})
    );
    assert_eq!(forge.ended.len(), 1);
    let step = json!({"result": "RESULT_SUCCESS", "startedAt": "2026-01-01T00:00:00Z",
        "stoppedAt": "2026-01-01T00:00:00Z", "logLength": "3"});
    assert_eq!(forge.ended[0]["steps"], json!([step]));
}

#[tokio::test]
async fn a_log_that_cannot_be_sealed_is_given_back_whole() {
    let (_server, forge, client) = forge().await;
    forge.lock().unwrap().waiting = 1;
    let runner = client.runner(credentials("key"));
    let task = runner.fetcher().next().await.unwrap().unwrap();
    let mut log = runner.log(&task);
    log.push(Timestamp::UNIX_EPOCH, "only row");
    forge.lock().unwrap().lose = 4;
    let failed = log.seal(Timestamp::UNIX_EPOCH, "end").await.unwrap_err();
    assert!(matches!(failed.cause.kind(), ErrorKind::Unavailable { .. }));
    assert_eq!(failed.log.waiting(), 2);
    let sealed = failed.log.seal(Timestamp::UNIX_EPOCH, "end").await.unwrap();
    assert_eq!(sealed.rows(), 2, "the last row is not added twice");
    assert_eq!(forge.lock().unwrap().rows, ["only row", "end"]);
}

#[tokio::test]
async fn a_runner_that_is_not_known_any_more_is_told_so() {
    let (_server, _forge, client) = forge().await;
    let runner = client.runner(credentials("old"));
    let error = runner.fetcher().next().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::UnknownRunner);
    let error = runner.declare(&Profile::new("r", ["x"])).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::UnknownRunner);
}

#[tokio::test]
async fn an_output_that_the_server_would_drop_is_refused() {
    let (_server, forge, client) = forge().await;
    forge.lock().unwrap().waiting = 1;
    let runner = client.runner(credentials("key"));
    let task = runner.fetcher().next().await.unwrap().unwrap();
    let mut report = runner.report(&task);
    assert!(report.set_output("k".repeat(256), "v").is_err());
    assert!(report.set_output("", "v").is_err());
    assert!(report.set_output("k", "v".repeat((1 << 20) + 1)).is_err());
    report
        .set_output("k".repeat(255), "v".repeat(1 << 20))
        .unwrap();
    assert_eq!(report.outputs_waiting(), 1);
}
