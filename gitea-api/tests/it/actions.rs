//! Starting, waiting for and following runs, against a server whose state moves with each look.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use gitea_api::api::actions::dispatch::Dispatch;
use gitea_api::api::actions::runs::RunStatus;
use gitea_api::ids::{JobId, RunId};
use gitea_api::server::Server;
use gitea_api::{Client, ErrorKind, Patience, RetryPolicy};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// A server whose answers are a function of what was asked before.
async fn server<S: Send + 'static>(
    version: &str,
    state: S,
    answer: impl Fn(&mut S, &str, &str) -> ResponseTemplate + Send + Sync + 'static,
) -> (MockServer, Client) {
    let server = MockServer::start().await;
    let state = Mutex::new(state);
    let respond = move |request: &Request| {
        let path = request
            .url
            .path()
            .trim_start_matches("/api/v1/repos/o/r/actions")
            .to_owned();
        answer(&mut state.lock().unwrap(), request.method.as_str(), &path)
    };
    Mock::given(any())
        .respond_with(respond)
        .mount(&server)
        .await;
    let client = Client::builder(server.uri())
        .retry(RetryPolicy::never())
        .assume(Server::parse(version).unwrap())
        .build()
        .unwrap();
    (server, client)
}

fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn quick() -> Patience {
    Patience::for_at_most(Duration::from_secs(10)).every(Duration::ZERO)
}

fn run(id: i64, file: &str, status: &str) -> Value {
    let path = format!("{file}@refs/heads/main");
    let conclusion = if status == "completed" {
        json!("failure")
    } else {
        Value::Null
    };
    json!({"id": id, "path": path, "event": "workflow_dispatch", "status": status,
           "conclusion": conclusion, "started_at": "1970-01-01T00:00:00Z"})
}

#[tokio::test]
async fn on_1_26_a_dispatch_tells_its_run() {
    let (server, client) =
        server("1.26.3", (), |(), _, _| ok(json!({"workflow_run_id": 41}))).await;
    let dispatch = Dispatch::new("main").input("level", "full");
    let id = client
        .repo("o", "r")
        .actions()
        .dispatch("sub/c.yml", &dispatch)
        .await
        .unwrap();
    assert_eq!(id, RunId::from(41));
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    assert!(
        requests[0]
            .url
            .path()
            .ends_with("/workflows/sub%2Fc.yml/dispatches")
    );
    assert_eq!(requests[0].url.query(), Some("return_run_details=true"));
    let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
    assert_eq!(body, json!({"ref": "main", "inputs": {"level": "full"}}));
}

#[tokio::test]
async fn on_1_25_the_new_run_of_that_file_is_found() {
    // Looks since the dispatch; the run appears at the second, behind one of another file.
    let (_server, client) = server("1.25.4", None::<u32>, |looks, method, _| {
        if method == "POST" {
            *looks = Some(0);
            return ResponseTemplate::new(204);
        }
        let mut runs = vec![run(40, "ci.yml", "completed")];
        if let Some(looks) = looks {
            *looks += 1;
            runs.insert(0, run(41, "other.yml", "queued"));
            if *looks > 1 {
                runs.insert(0, run(42, "ci.yml", "queued"));
            }
        }
        ok(json!({"workflow_runs": runs, "total_count": runs.len()}))
    })
    .await;
    let id = client
        .repo("o", "r")
        .actions()
        .dispatch("ci.yml", &Dispatch::new("main"))
        .await;
    assert_eq!(id.unwrap(), RunId::from(42));
}

#[tokio::test]
async fn a_run_is_waited_for_and_its_failed_jobs_are_named() {
    let (_server, client) = server("1.26.3", 0, |looks, _, path| {
        if path.ends_with("/jobs") {
            let job = |id, name, how| json!({"id": id, "name": name, "status": "completed", "conclusion": how});
            let jobs = [job(1, "build", "success"), job(2, "test", "failure"), job(3, "deploy", "skipped")];
            return ok(json!({"jobs": jobs, "total_count": 3}));
        }
        *looks += 1;
        ok(run(7, "ci.yml", ["queued", "queued", "in_progress", "completed"][*looks - 1]))
    })
    .await;
    let mut seen = Vec::new();
    let actions = client.repo("o", "r").actions();
    let outcome = actions
        .wait_for_run_with(RunId::from(7), quick(), |run| seen.push(run.status.clone()))
        .await
        .unwrap();
    assert_eq!(
        seen,
        [
            RunStatus::Queued,
            RunStatus::InProgress,
            RunStatus::Completed
        ]
    );
    let error = outcome.success().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::RunFailed);
    assert_eq!(error.message(), Some("failure, jobs `test`"));
}

#[tokio::test]
async fn waiting_for_a_run_is_bounded() {
    let (_server, client) = server("1.26.3", (), |(), _, _| ok(run(7, "ci.yml", "queued"))).await;
    let short = Patience::for_at_most(Duration::from_millis(30)).every(Duration::from_millis(5));
    let actions = client.repo("o", "r").actions();
    let error = actions
        .wait_for_run_with(RunId::from(7), short, |_| {})
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Timeout);
    assert_eq!(error.message(), Some("it is still `queued`"));
}

#[tokio::test]
async fn a_log_is_followed_from_before_its_first_row_to_its_last() {
    let (_server, client) = server("1.26.3", 0_usize, |looks, _, path| {
        if !path.ends_with("/logs") {
            *looks += 1;
            let status = if *looks < 5 {
                "in_progress"
            } else {
                "completed"
            };
            return ok(json!({"id": 3, "status": status}));
        }
        let rows = [0, 0, 2, 2, 3][*looks - 1];
        if rows == 0 {
            let body = json!({"message": "not found", "errors": ["job not started"]});
            return ResponseTemplate::new(404).set_body_json(body);
        }
        let log: String = (0..rows)
            .map(|row| format!("2026-01-01T00:00:0{row}.0000000Z row {row}\n"))
            .collect();
        ResponseTemplate::new(200).set_body_raw(log, "text/plain")
    })
    .await;
    let actions = client.repo("o", "r").actions();
    let lines = actions
        .follow_log(JobId::from(3), quick())
        .map_ok(|line| line.text);
    let lines: Vec<_> = lines.try_collect().await.unwrap();
    assert_eq!(lines, ["row 0", "row 1", "row 2"]);
}

#[tokio::test]
async fn a_variable_is_written_only_when_it_differs_and_keeps_its_description() {
    let (server, client) = server("1.26.3", (), |(), method, _| match method {
        "GET" => ok(json!({"name": "K", "data": "old", "description": "kept"})),
        _ => ResponseTemplate::new(204),
    })
    .await;
    let actions = client.repo("o", "r").actions();
    assert!(
        !actions
            .ensure_variable("K", "old")
            .await
            .unwrap()
            .is_change()
    );
    assert!(
        actions
            .ensure_variable("K", "new")
            .await
            .unwrap()
            .is_change()
    );
    let requests = server.received_requests().await.unwrap();
    let written: Value = serde_json::from_slice(&requests.last().unwrap().body).unwrap();
    assert_eq!(written, json!({"value": "new", "description": "kept"}));
}
