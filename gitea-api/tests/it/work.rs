//! A workflow from its dispatch to its log, with a runner of our own at the other end.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use gitea_api::api::actions::Actions;
use gitea_api::api::actions::dispatch::Dispatch;
use gitea_api::api::actions::jobs::ListJobs;
use gitea_api::api::actions::runs::{Conclusion, ListRuns};
use gitea_api::api::repos::contents::CommitOptions;
use gitea_api::runner::{Profile, Runner, ServerView, Task, TaskResult};
use gitea_api::{Client, ErrorKind, Patience};
use jiff::Timestamp;

use crate::conversation::Conversation;

const WORKFLOW: &str = "
on:
  workflow_dispatch:
    inputs:
      level: {default: some}
jobs:
  build:
    runs-on: debian
    outputs: {made: '${{ steps.a.outputs.made }}'}
    steps:
      - id: a
        run: make
  test:
    needs: build
    runs-on: debian
    steps:
      - run: check
";

fn patience() -> Patience {
    Patience::for_at_most(Duration::from_secs(60)).every(Duration::from_millis(30))
}

async fn runner(client: &Client, actions: &Actions) -> Runner {
    let profile = Profile::new("r1", ["debian"]);
    let credentials = actions
        .ensure_runner(&profile, None)
        .await
        .unwrap()
        .into_inner();
    let runner = client.runner(credentials);
    runner.declare(&profile).await.unwrap();
    runner
}

/// Asks until there is a task.
async fn task(runner: &Runner) -> Task {
    let mut fetcher = runner.fetcher();
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while std::time::Instant::now() < end {
        if let Some(task) = fetcher.next().await.unwrap() {
            return task;
        }
        tokio::task::yield_now().await;
    }
    panic!("no task came");
}

/// Carries a task out in two rows and an end.
async fn carry_out(runner: &Runner, result: TaskResult) -> Task {
    let task = task(runner).await;
    let (mut log, mut report) = (runner.log(&task), runner.report(&task));
    let now = Timestamp::now();
    report.begin(now);
    report.begin_step(0, now, 0);
    log.push(now, &format!("job {}\nsecond", task.context_text("job")));
    log.flush().await.unwrap();
    assert_eq!(report.heartbeat().await.unwrap(), ServerView::Running);
    report.set_output("made", "it").unwrap();
    report.end_step(0, now, result.clone(), 0..log.written());
    let sealed = log.seal(now, "the end").await.unwrap();
    let view = report.finish(sealed, result.clone(), now).await.unwrap();
    assert_eq!(view, ServerView::Over(result));
    task
}

async fn a_dispatched_workflow(version: &str) -> Conversation {
    let talk = Conversation::begin_with(version).await;
    let repo = talk.repo().await;
    let options = CommitOptions::new().message("a workflow");
    let commit = repo
        .commit(&options)
        .put(".gitea/workflows/ci.yml", WORKFLOW.as_bytes());
    commit.send().await.unwrap();
    let actions = repo.actions();
    let runner = runner(&talk.client, &actions).await;
    let dispatch = Dispatch::new("main").input("level", "full");
    let id = actions.dispatch("ci.yml", &dispatch).await.unwrap();
    let working = tokio::spawn(async move {
        let first = carry_out(&runner, TaskResult::Success).await;
        let second = carry_out(&runner, TaskResult::Failure).await;
        (first, second)
    });
    let outcome = actions
        .wait_for_run_with(id, patience(), |_| {})
        .await
        .unwrap();
    let (first, second) = working.await.unwrap();
    assert_eq!(first.context["event"]["inputs"]["level"], "full");
    assert_eq!(second.needs["build"].outputs["made"], "it");
    assert_eq!(outcome.run.workflow(), "ci.yml");
    assert_eq!(outcome.run.conclusion, Some(Conclusion::Failure));
    let failed: Vec<_> = outcome.failed_jobs().map(|job| job.name.clone()).collect();
    assert_eq!(failed, ["test"]);
    assert_eq!(outcome.success().unwrap_err().kind(), &ErrorKind::RunFailed);
    let jobs = actions
        .jobs_of(id, &ListJobs::new())
        .collect(10)
        .await
        .unwrap();
    let build = jobs.iter().find(|job| job.name == "build").unwrap();
    let lines = actions
        .follow_log(build.id, patience())
        .map_ok(|line| line.text);
    let lines: Vec<_> = lines.try_collect().await.unwrap();
    assert_eq!(lines, ["job build", "second", "the end"]);
    talk
}

#[tokio::test]
async fn a_workflow_is_dispatched_run_and_judged_on_1_26() {
    let talk = a_dispatched_workflow("1.26").await;
    let actions = talk.client.repo("infra", "deploy").actions();
    let runs = actions.runs(&ListRuns::new().event("workflow_dispatch"));
    assert_eq!(runs.collect(10).await.unwrap().len(), 1);
    let states: Vec<_> = actions.workflows().collect(10).await.unwrap();
    assert_eq!(states.len(), 1);
    actions.disable_workflow("ci.yml").await.unwrap();
    let error = actions
        .dispatch("ci.yml", &Dispatch::new("main"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Forbidden);
    talk.end().await;
}

#[tokio::test]
async fn a_workflow_is_dispatched_run_and_judged_on_1_25() {
    let talk = a_dispatched_workflow("1.25").await;
    let actions = talk.client.repo("infra", "deploy").actions();
    let runs = actions.runs(&ListRuns::new()).collect(10).await.unwrap();
    let error = actions.rerun(runs[0].id).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unsupported { .. }),
        "{error:?}"
    );
    talk.end().await;
}
