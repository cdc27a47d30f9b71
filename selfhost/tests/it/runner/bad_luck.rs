//! A forge that goes away and comes back, and answers that never arrive.

use std::time::Duration;

use selfhost::runner::{Event, Order};

use super::{
    proxy::{Loss, Proxy},
    stage::{Hand, Stage, rest, within},
};

fn numbered(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("line {number}")).collect()
}

/// A job that notes its beginning outside of its folders, and prints lines for a while.
fn slow(stage: &Stage, lines: usize) -> String {
    let note = stage.path("begun");
    format!(
        "  a:\n    runs-on: x\n    steps:\n      - run: |\n          echo once >>{}\n          \
         for i in $(seq {lines}); do echo \"line $i\"; sleep 0.05; done\n",
        note.display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forge_that_is_restarted_in_the_middle_of_a_job_loses_nothing() {
    let mut stage = Stage::set().await;
    let hand = stage.runner("r1").await;
    stage.push(&slow(&stage, 60)).await;
    stage.printed("line 5").await;
    stage.stop_forge().await;
    rest(Duration::from_millis(700)).await;
    stage.start_forge().await;
    assert_eq!(stage.outcome().await, ("success".to_owned(), numbered(60)));
    assert_eq!(stage.count("begun"), 1);
    hand.end(Order::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost_after_they_were_stored_change_nothing() {
    const LOSSES: &[Loss] = &[
        Loss {
            method: "FetchTask",
            each: 3,
        },
        Loss {
            method: "UpdateTask",
            each: 2,
        },
        Loss {
            method: "UpdateLog",
            each: 2,
        },
    ];
    let stage = Stage::set().await;
    let forge = stage.url().trim_start_matches("http://").parse().unwrap();
    let proxy = Proxy::to(forge, LOSSES).await;
    let runner = stage.register("r1", &proxy.url()).await;
    let hand = Hand::start(stage.settings("r1", runner, &proxy.url()));
    // The first answer that is lost is the one that holds the task.
    stage.push(&slow(&stage, 20)).await;
    assert_eq!(stage.outcome().await, ("success".to_owned(), numbered(20)));
    assert_eq!(stage.count("begun"), 1);
    // The first of each at least; how many more depends on how fast the machine is.
    assert!(proxy.lost() >= 3, "{}", proxy.lost());
    hand.end(Order::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_kept_on_disk_while_the_forge_is_away_and_told_later() {
    let mut stage = Stage::set().await;
    let runner = stage.register("r1", &stage.url()).await;
    let hand = Hand::start(stage_settings(&stage, runner.clone()));
    stage.push(&slow(&stage, 20)).await;
    stage.printed("line 2").await;
    stage.stop_forge().await;
    // The job ends by itself meanwhile; then the runner itself is ended.
    within(|| async { (held(&stage).len() == 1 && held(&stage)[0].contains(ENDED)).then_some(()) })
        .await;
    hand.end(Order::Stop).await;
    assert_eq!(held(&stage).len(), 1, "the result is on disk");
    stage.start_forge().await;
    let hand = Hand::start(stage_settings(&stage, runner));
    assert_eq!(stage.outcome().await, ("success".to_owned(), numbered(20)));
    assert_eq!(stage.count("begun"), 1);
    let told = hand.end(Order::Drain).await;
    let recovered = |event: &&Event| matches!(event, Event::Recovered { ended: true, .. });
    assert_eq!(told.iter().filter(recovered).count(), 1, "{told:?}");
    let left = held(&stage).len();
    assert_eq!(left, 0, "nothing is kept longer than it must be");
}

/// How a runner's own journal says that a job has ended.
const ENDED: &str = "\"ended\":{";

/// What the runner holds on disk, a text for each task.
fn held(stage: &Stage) -> Vec<String> {
    let entries = std::fs::read_dir(stage.path("r1/held")).unwrap();
    entries
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect()
}

fn stage_settings(stage: &Stage, runner: gitea_api::runner::Runner) -> selfhost::runner::Settings {
    stage.settings("r1", runner, &stage.url())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_starts_before_its_forge_waits_for_it() {
    let mut stage = Stage::set().await;
    let runner = stage.register("r1", &stage.url()).await;
    stage.push(&slow(&stage, 1)).await;
    stage.stop_forge().await;
    let hand = Hand::start(stage_settings(&stage, runner));
    hand.tells(|event| matches!(event, Event::ServerAway { .. }))
        .await;
    stage.start_forge().await;
    assert_eq!(stage.outcome().await, ("success".to_owned(), numbered(1)));
    hand.end(Order::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_runner_waits_at_the_forge_and_is_answered_when_there_is_a_job() {
    let stage = Stage::set().await;
    let forge = stage.url().trim_start_matches("http://").parse().unwrap();
    let proxy = Proxy::to(forge, &[]).await;
    let runner = stage.register("r1", &proxy.url()).await;
    let hand = Hand::start(stage.settings("r1", runner, &proxy.url()));
    hand.tells(|event| matches!(event, Event::Ready { .. }))
        .await;
    rest(Duration::from_secs(3)).await;
    assert_eq!(proxy.fetches(), 0, "no answer without a job");
    stage.push(&slow(&stage, 1)).await;
    assert_eq!(stage.outcome().await.0, "success");
    assert!(proxy.fetches() >= 1);
    hand.end(Order::Stop).await;
}
