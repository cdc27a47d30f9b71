//! Effects against a host that loses answers, holds locks and ends tasks badly.

use std::collections::BTreeMap;

use mockall::predicate::always;

use super::*;
use crate::{
    execute::scene::scene,
    host::{MockHost, TaskId},
    plan::{GuestConfig, Marker},
};

fn error(kind: Kind) -> host::Error {
    host::Error::new(kind, "the wire broke")
}

fn config(fleet: &str, digest: &str) -> GuestConfig {
    let marker = Marker::new(fleet.parse().unwrap(), "web".parse().unwrap());
    GuestConfig {
        values: BTreeMap::from([("description".to_owned(), marker.write_into(""))]),
        digest: Some(digest.to_owned()),
        ..GuestConfig::default()
    }
}

fn create() -> Act {
    Act::Create(BTreeMap::from([("vmid".to_owned(), "101".to_owned())]))
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_found_and_not_repeated() {
    let mut host = MockHost::new();
    host.expect_act()
        .times(1)
        .returning(|_, _| Err(error(Kind::Lost)));
    host.expect_running_tasks()
        .times(1)
        .returning(|_| Ok(vec![TaskId("UPID:create".to_owned())]));
    host.expect_finish()
        .times(1)
        .returning(|_, _| Ok(TaskEnd::Ok));
    host.expect_config()
        .returning(|_| Ok(Some(config("fleet-0001", "a"))));
    let scene = scene(host);
    scene.cause(&create()).await.unwrap();
    assert_eq!(scene.unfinished(), 0);
}

#[tokio::test]
async fn a_create_that_never_arrived_is_sent_again() {
    let mut host = MockHost::new();
    let mut answers = vec![Ok(None), Err(error(Kind::Lost))];
    host.expect_act()
        .times(2)
        .returning(move |_, _| answers.pop().unwrap());
    host.expect_running_tasks().returning(|_| Ok(Vec::new()));
    host.expect_config().returning(|_| Ok(None));
    scene(host).cause(&create()).await.unwrap();
}

#[tokio::test]
async fn a_guest_of_another_fleet_is_never_taken_for_ours() {
    let mut host = MockHost::new();
    host.expect_act()
        .times(1)
        .returning(|_, _| Err(error(Kind::AlreadyExists)));
    host.expect_running_tasks().returning(|_| Ok(Vec::new()));
    host.expect_config()
        .returning(|_| Ok(Some(config("fleet-0002", "a"))));
    let scene = scene(host);
    let error = scene.cause(&create()).await.unwrap_err();
    assert!(
        matches!(error, Error::NotOurs { vmid: 101, .. }),
        "{error:?}"
    );
    assert_eq!(scene.unfinished(), 1);
}

#[tokio::test]
async fn a_lock_is_waited_for_and_told() {
    let mut host = MockHost::new();
    let mut answers = vec![Ok(None), Err(error(Kind::Busy)), Err(error(Kind::Busy))];
    host.expect_act()
        .times(3)
        .returning(move |_, _| answers.pop().unwrap());
    let scene = scene(host);
    scene.cause(&Act::Start).await.unwrap();
    let retries = scene
        .told
        .lock()
        .unwrap()
        .iter()
        .filter(|it| matches!(it, Event::Retry { .. }))
        .count();
    assert_eq!(retries, 2);
}

#[tokio::test]
async fn a_lock_that_stays_is_an_error_within_its_bound() {
    let mut host = MockHost::new();
    host.expect_act().returning(|_, _| Err(error(Kind::Busy)));
    let error = scene(host).cause(&Act::Start).await.unwrap_err();
    assert_eq!(error.to_string(), "starting `web` (101 on node `pve1`)");
    assert!(
        error
            .hint()
            .unwrap()
            .contains("something else works on the guest")
    );
}

#[tokio::test]
async fn a_lost_write_is_proven_by_the_digest() {
    let write = Act::Configure {
        set: BTreeMap::from([("memory".to_owned(), "512".to_owned())]),
        delete: Vec::new(),
        digest: Some("before".to_owned()),
    };
    for (digest, sent) in [("after", 1), ("before", 2)] {
        let mut host = MockHost::new();
        let mut answers = vec![Ok(None), Err(error(Kind::Lost))];
        host.expect_act()
            .with(always(), always())
            .times(sent)
            .returning(move |_, _| answers.pop().unwrap());
        host.expect_running_tasks().returning(|_| Ok(Vec::new()));
        host.expect_config()
            .returning(move |_| Ok(Some(config("fleet-0001", digest))));
        scene(host).cause(&write).await.unwrap();
    }
}

#[tokio::test]
async fn a_guest_that_runs_already_was_started() {
    let mut host = MockHost::new();
    host.expect_act()
        .times(1)
        .returning(|_, _| Err(error(Kind::AlreadySo)));
    scene(host).cause(&Act::Start).await.unwrap();
}

#[tokio::test]
async fn a_task_that_fails_is_an_error_and_not_repeated() {
    let mut host = MockHost::new();
    host.expect_act()
        .times(1)
        .returning(|_, _| Ok(Some(TaskId("UPID:start".to_owned()))));
    host.expect_finish()
        .times(1)
        .returning(|_, _| Err(error(Kind::TaskFailed)));
    let failed = scene(host).cause(&Act::Start).await.unwrap_err();
    let Error::Host { source, .. } = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(source.kind(), Kind::TaskFailed);
}

#[tokio::test]
async fn a_change_by_another_hand_is_refused() {
    let mut host = MockHost::new();
    host.expect_act()
        .times(1)
        .returning(|_, _| Err(error(Kind::Changed)));
    let write = Act::Configure {
        set: BTreeMap::new(),
        delete: vec!["cores".to_owned()],
        digest: Some("a".to_owned()),
    };
    let error = scene(host).cause(&write).await.unwrap_err();
    assert_eq!(error.class(), crate::execute::Class::Refused);
    assert!(error.hint().unwrap().contains("plan again"));
}
