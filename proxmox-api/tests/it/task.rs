//! Waiting for tasks and following their logs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use proxmox_api::{ErrorKind, Poll, Task, TaskOutcome, Wait};
use serde_json::json;

use crate::script::{Reply, Seen, Server};

const UPID: &str = "UPID:pve1:000063DD:0002E881:6B034DF4:vzcreate:100:root@pam!ci:";
const RUNNING: &str = r#"{"status":"running"}"#;

fn wait() -> Wait {
    Wait::up_to(Duration::from_secs(10)).polling(Poll::Every(Duration::ZERO))
}

fn task(server: &Server) -> Task {
    server.client().task(UPID.parse().unwrap())
}

fn is_status(seen: &Seen) -> bool {
    seen.call.ends_with("/status")
}

fn stopped(exit_status: &str) -> Reply {
    Reply::data(&json!({"status": "stopped", "exitstatus": exit_status}).to_string())
}

fn log(numbers: std::ops::Range<usize>) -> Reply {
    let lines: Vec<_> = numbers
        .map(|n| json!({"n": n + 1, "t": format!("line {}", n + 1)}))
        .collect();
    Reply::data(&json!(lines).to_string())
}

#[tokio::test]
async fn a_task_is_waited_for_until_it_ends() {
    let server = Server::plain(|_, before| match before {
        0..3 => Reply::data(RUNNING),
        _ => stopped("OK"),
    })
    .await;
    assert_eq!(task(&server).wait(wait()).await.unwrap(), TaskOutcome::Ok);
    let path = "/api2/json/nodes/pve1/tasks/\
                UPID%3Apve1%3A000063DD%3A0002E881%3A6B034DF4%3Avzcreate%3A100%3Aroot%40pam%21ci%3A";
    assert_eq!(server.calls(), vec![format!("GET {path}/status"); 4]);
}

#[tokio::test]
async fn warnings_are_a_success_and_come_with_the_log() {
    let server = Server::plain(|seen, _| {
        if is_status(seen) {
            stopped("WARNINGS: 2")
        } else {
            log(0..2)
        }
    })
    .await;
    let outcome = task(&server).wait(wait()).await.unwrap();
    assert_eq!(
        outcome,
        TaskOutcome::Warnings(2, vec!["line 1".to_owned(), "line 2".to_owned()])
    );
}

#[tokio::test]
async fn a_failure_holds_the_exit_status_and_the_end_of_the_log() {
    let missing = "unable to create CT 100 - volume 'local:vztmpl/nope' does not exist";
    let server = Server::plain(move |seen, _| {
        if is_status(seen) {
            stopped(missing)
        } else {
            log(0..25)
        }
    })
    .await;
    let error = task(&server).wait(wait()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.server_message()),
        (ErrorKind::TaskFailed, Some(missing))
    );
    let failure = error.task_failure().unwrap();
    assert_eq!(failure.reason(), ErrorKind::NotFound);
    assert_eq!(
        (failure.log_tail().len(), failure.log_tail()[9].as_str()),
        (10, "line 25")
    );
    assert!(
        error
            .to_string()
            .starts_with("task `vzcreate` of `100` on node `pve1`: "),
        "{error}"
    );
}

#[tokio::test]
async fn a_wait_ends_at_its_bound_and_leaves_the_task_alone() {
    let server = Server::always(|| Reply::data(RUNNING)).await;
    let bound =
        Wait::up_to(Duration::from_millis(30)).polling(Poll::Every(Duration::from_millis(5)));
    let error = task(&server).wait(bound).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("still runs"), "{error}");
    assert!(server.calls().iter().all(|call| call.starts_with("GET ")));
}

#[tokio::test]
async fn a_task_without_a_status_is_found_in_the_list() {
    let entry = |upid: &str, status: &str| {
        json!({"upid": upid, "node": "pve1", "type": "vzcreate", "id": "100", "user": "root@pam",
               "starttime": 1, "status": status})
    };
    let other = UPID.replace("000063DD", "000063DE");
    let list = json!([entry(&other, "job errors"), entry(UPID, "OK")]).to_string();
    let server = Server::plain(move |seen, _| {
        if is_status(seen) {
            Reply::refused("upid", "no such task")
        } else {
            Reply::data(&list)
        }
    })
    .await;
    assert_eq!(task(&server).wait(wait()).await.unwrap(), TaskOutcome::Ok);
    let asked = &server.calls()[1];
    assert!(
        asked.starts_with("GET /api2/json/nodes/pve1/tasks?source=all&since=1795378676"),
        "{asked}"
    );
}

#[tokio::test]
async fn a_task_that_nobody_knows_is_given_a_moment_to_appear() {
    let server = Server::plain(|seen, before| match (is_status(seen), before) {
        (true, 0..4) => Reply::refused("upid", "no such task"),
        (true, _) => stopped("OK"),
        (false, _) => Reply::data("[]"),
    })
    .await;
    assert_eq!(task(&server).wait(wait()).await.unwrap(), TaskOutcome::Ok);
}

#[tokio::test]
async fn a_task_that_stays_unknown_is_not_found() {
    let server = Server::plain(|seen, _| {
        if is_status(seen) {
            Reply::refused("upid", "no such task")
        } else {
            Reply::data("[]")
        }
    })
    .await;
    let error = task(&server).wait(wait()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(server.calls().len(), 12, "six looks, each with the list");
}

#[tokio::test]
async fn an_end_without_an_exit_status_is_waited_for_and_then_a_failure() {
    let mute = || Reply::data(r#"{"status":"stopped"}"#);
    let server =
        Server::plain(move |_, before| if before == 0 { mute() } else { stopped("OK") }).await;
    assert_eq!(task(&server).wait(wait()).await.unwrap(), TaskOutcome::Ok);
    let server = Server::plain(move |seen, _| {
        if is_status(seen) {
            mute()
        } else {
            Reply::data("[]")
        }
    })
    .await;
    assert_eq!(
        task(&server).wait(wait()).await.unwrap_err().kind(),
        ErrorKind::TaskFailed
    );
}

#[tokio::test]
async fn the_log_is_followed_to_its_last_line() {
    // The last line is written after the task was seen to run no more.
    let looks = AtomicUsize::new(0);
    let server = Server::plain(move |seen, _| {
        if is_status(seen) {
            let running = looks.fetch_add(1, Ordering::SeqCst) < 2;
            return if running {
                Reply::data(RUNNING)
            } else {
                stopped("OK")
            };
        }
        let written = [1, 3, 3, 4][looks.load(Ordering::SeqCst).min(3)];
        let start = seen
            .call
            .split("start=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap();
        log(start.parse().unwrap()..written)
    })
    .await;
    let lines: Vec<String> = task(&server)
        .follow(wait())
        .map(|line| line.unwrap().text)
        .collect()
        .await;
    assert_eq!(lines, ["line 1", "line 2", "line 3", "line 4"]);
}

#[tokio::test]
async fn a_followed_log_ends_with_an_error_at_its_bound() {
    let server = Server::plain(|seen, _| {
        if is_status(seen) {
            Reply::data(RUNNING)
        } else {
            log(0..0)
        }
    })
    .await;
    let bound =
        Wait::up_to(Duration::from_millis(20)).polling(Poll::Every(Duration::from_millis(5)));
    let lines: Vec<_> = task(&server).follow(bound).collect().await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].as_ref().unwrap_err().kind(), ErrorKind::TimedOut);
}

#[tokio::test]
async fn an_empty_log_and_a_missing_one_have_no_lines() {
    for data in [
        r#"[{"n":1,"t":"no content"}]"#,
        r#"{"n":1,"t":"unable to open file - No such file or directory"}"#,
        "[]",
    ] {
        let server = Server::always(move || Reply::data(data)).await;
        assert_eq!(task(&server).log(0).await.unwrap(), [], "{data}");
    }
}

#[tokio::test]
async fn a_task_is_stopped_on_its_own_node() {
    let server = Server::always(|| Reply::data("null")).await;
    task(&server).abort().await.unwrap();
    assert!(server.calls()[0].starts_with("DELETE /api2/json/nodes/pve1/tasks/UPID%3A"));
}
