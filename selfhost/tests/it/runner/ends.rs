//! Jobs that are ended before they would end by themselves, and runners that go.

use std::time::Duration;

use selfhost::runner::{Event, Order, Settings};

use super::{
    proxy::Proxy,
    stage::{Hand, Stage, processes, within},
};

/// A job whose processes try to stay: one in its group, one that left it.
const STAYS: &str = "  a:\n    runs-on: x\n    steps:\n      - run: |\n          setsid sleep 300 \
    >/dev/null 2>&1 </dev/null &\n          sleep 300 &\n          echo begun\n          wait\n      \
    - run: echo never\n  b:\n    needs: a\n    runs-on: x\n    steps: [{run: echo never}]\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_ends_with_all_its_processes() {
    let stage = Stage::set().await;
    let hand = stage.runner("r1").await;
    let group = "on: push\nconcurrency: {group: g, cancel-in-progress: true}\njobs:\n";
    stage.push_file("ci.yml", &format!("{group}{STAYS}")).await;
    stage.printed("begun").await;
    assert!(processes(&stage.path("r1")) >= 2);
    let quick = "  a:\n    runs-on: x\n    steps: [{run: echo next}]\n";
    stage.push_file("ci.yml", &format!("{group}{quick}")).await;
    let next = stage.ended_runs(2).await;
    assert_eq!(next[0].conclusion, "success");
    let first = stage.runs().await.pop().unwrap();
    assert_eq!(first["conclusion"], "cancelled");
    for job in stage.jobs(first["id"].as_i64().unwrap()).await {
        assert_eq!(job.conclusion, "cancelled", "{job:?}");
    }
    within(|| async { (processes(&stage.path("r1")) == 0).then_some(()) }).await;
    hand.end(Order::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_stopped_never_reports_a_success() {
    let stage = Stage::set().await;
    let hand = stage.runner("r1").await;
    stage.push(STAYS).await;
    stage.printed("begun").await;
    let told = hand.end(Order::Stop).await;
    assert!(
        matches!(told.last(), Some(Event::Ended { result, .. }) if result == "cancelled"),
        "{told:?}"
    );
    assert_eq!(processes(&stage.path("r1")), 0);
    let jobs = stage.ended().await;
    let ends: Vec<(&str, &str)> = jobs
        .iter()
        .map(|job| (job.name.as_str(), job.conclusion.as_str()))
        .collect();
    // Nobody is left who could carry the second one out; it must not have been given out.
    assert_eq!(ends, [("a", "cancelled"), ("b", "skipped")]);
    let lines = stage.log(jobs[0].id).await;
    assert_eq!(lines[0], "begun");
    assert!(!lines.contains(&"never".to_owned()), "{lines:?}");
}

/// A step that takes longer than it may, in minutes of this length; nothing, where the machine was
/// so slow that it had not even begun.
async fn out_of_time(minute: Duration) -> Option<()> {
    let stage = Stage::set().await;
    let url = stage.url();
    let runner = stage.register("r1", &url).await;
    let hand = Hand::start(Settings {
        minute,
        ..stage.settings("r1", runner, &url)
    });
    let first = STAYS.replacen("- run: |", "- timeout-minutes: 1\n        run: |", 1);
    let jobs = first.replacen(
        "      - run: echo never",
        "      - run: echo never\n      - if: always()\n        run: echo after",
        1,
    );
    stage.push(&jobs).await;
    let jobs = stage.ended().await;
    let ends: Vec<&str> = jobs.iter().map(|job| job.conclusion.as_str()).collect();
    assert_eq!(ends, ["failure", "skipped"]);
    let lines = stage.log(jobs[0].id).await;
    within(|| async { (processes(&stage.path("r1")) == 0).then_some(()) }).await;
    hand.end(Order::Stop).await;
    assert!(!lines.iter().any(|line| line == "never"), "{lines:?}");
    assert!(lines.iter().any(|line| line == "after"), "{lines:?}");
    lines.iter().any(|line| line == "begun").then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_runs_out_of_time_fails_and_leaves_no_process() {
    for seconds in [4, 20, 60] {
        if out_of_time(Duration::from_secs(seconds)).await.is_some() {
            return;
        }
    }
    panic!("a step did not print its first line within a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_drains_ends_after_its_jobs_and_takes_no_more() {
    let stage = Stage::set().await;
    let forge = stage.url().trim_start_matches("http://").parse().unwrap();
    let proxy = Proxy::to(forge, &[]).await;
    let runner = stage.register("r1", &proxy.url()).await;
    let hand = Hand::start(stage.settings("r1", runner, &proxy.url()));
    let gate = stage.path("gate");
    stage
        .push(&format!(
            "  a:\n    runs-on: x\n    steps: [{{run: 'echo begun; until [ -e {} ]; do sleep 0.05; \
             done'}}]\n  b:\n    needs: a\n    runs-on: x\n    steps: [{{run: echo never}}]\n",
            gate.display()
        ))
        .await;
    stage.printed("begun").await;
    within(|| async { (proxy.waiting() == 1).then_some(()) }).await;
    hand.order(Order::Drain);
    // An answer that may be on its way is waited for, and then it hangs up.
    within(|| async { (proxy.waiting() == 0).then_some(()) }).await;
    std::fs::write(gate, "").unwrap();
    let told = hand.end(Order::Drain).await;
    assert!(
        matches!(told.last(), Some(Event::Ended { result, .. }) if result == "success"),
        "{told:?}"
    );
    let run = stage.runs().await[0]["id"].as_i64().unwrap();
    let jobs = stage.jobs(run).await;
    let ends: Vec<&str> = jobs.iter().map(|job| job.conclusion.as_str()).collect();
    assert_eq!(
        ends,
        ["success", ""],
        "the second one waits for another runner"
    );
}
