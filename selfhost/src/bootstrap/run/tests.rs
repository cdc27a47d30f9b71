//! A step is looked at, journalled, done, and looked at again; a dry run only looks.

use std::collections::BTreeMap;

use gitea_api::Secret;
use lxc_layers::{
    execute::Seams, host::ProxmoxHost, ledger::Provenance, plan::Identity, resolve::resolve,
    spec::Tree,
};
use mockall::Sequence;
use tempfile::TempDir;

use super::*;
use crate::{
    bootstrap::{Access, Call, Limits, Names, step::MockStep},
    forge::Embedded,
};

const FLEET: &str = "id = \"fleet-0123456789\"\n[defaults]\nnode = \"pve\"\nstorage = \"local\"\ntemplate = \"local:vztmpl/a.tar.zst\"\n[network]\nsubnet = \"10.0.0.0/24\"\ngateway = \"10.0.0.1\"\n";

/// Nobody is asked: the steps of these tests are told what they find.
fn settings(state: &TempDir) -> Settings {
    let texts = [
        ("fleet.toml", FLEET),
        ("config.env", "ID=100\nHOSTNAME=control\n"),
    ];
    let tree = Tree::of_texts(texts).with_input("default/default.yml", "- hosts: all\n", false);
    let client = proxmox_api::Client::builder("https://127.0.0.1:1")
        .build()
        .unwrap();
    let identity = Identity::Token("root@pam!ci".to_owned());
    Settings {
        root: state.path().to_owned(),
        state: state.path().to_owned(),
        desired: resolve(&tree).desired.unwrap(),
        seams: Seams::real(Arc::new(ProxmoxHost::new(client, identity))),
        key: None,
        provenance: Provenance::default(),
        program: "/nowhere".into(),
        pinned: None,
        names: Names::default(),
        imports: Vec::new(),
        access: Access {
            endpoint: "https://10.0.0.1:8006".to_owned(),
            fingerprint: None,
            authority: None,
            token: Secret::new("root@pam!ci=canary"),
        },
        secrets: BTreeMap::new(),
        limits: Limits::default(),
    }
}

fn step(ground: Ground) -> MockStep {
    let mut step = MockStep::new();
    step.expect_name().returning(|| "thing".to_owned());
    step.expect_ground().return_const(ground);
    step.expect_calls().returning(|_| vec![Call::ssh("true")]);
    step
}

fn needed() -> Result<Found, Error> {
    Ok(Found::Needed("it is not there".to_owned()))
}

fn settled() -> Result<Found, Error> {
    Ok(Found::Settled("there".to_owned()))
}

/// Runs steps of the stage `forge`; what became of the last, and what the journal says.
async fn ran(mode: Mode, steps: Vec<MockStep>) -> (Result<(), Error>, Vec<StepReport>, Vec<Entry>) {
    let state = tempfile::tempdir().unwrap();
    let settings = settings(&state);
    let journal = Journal::begin(&settings.state, begin(&settings)).unwrap();
    let site = Site::new(settings, Arc::new(Embedded), Events::unheard()).unwrap();
    let runner = Runner {
        site: &site,
        journal: (mode == Mode::Do).then_some(&journal),
        mode,
        stages: Mutex::new(vec![StageReport {
            stage: Stage::Container,
            steps: Vec::new(),
        }]),
        missing: Mutex::new(None),
    };
    let mut outcome = Ok(());
    for step in steps {
        outcome = runner.step(Stage::Container, &step).await;
    }
    let reports = runner.stages().remove(0).steps;
    let records = Journal::read(state.path()).unwrap();
    let entries = records.into_iter().skip(1).map(|record| record.entry);
    (outcome, reports, entries.collect())
}

#[tokio::test]
async fn what_is_missing_is_journalled_done_and_seen_to_be_there() {
    let mut step = step(Ground::Outside);
    let mut order = Sequence::new();
    step.expect_check()
        .times(1)
        .in_sequence(&mut order)
        .returning(|_| needed());
    step.expect_apply()
        .times(1)
        .in_sequence(&mut order)
        .returning(|_| Ok(()));
    step.expect_check()
        .times(1)
        .in_sequence(&mut order)
        .returning(|_| settled());
    let (outcome, reports, entries) = ran(Mode::Do, vec![step]).await;
    outcome.unwrap();
    assert!(reports[0].ended.is_change());
    let (stage, step) = (Stage::Container, "thing".to_owned());
    let intend = Entry::Intend {
        stage,
        step: step.clone(),
    };
    assert_eq!(entries, [intend, Entry::Done { stage, step }]);
}

#[tokio::test]
async fn what_is_there_is_left_alone() {
    let mut step = step(Ground::Outside);
    step.expect_check().times(1).returning(|_| settled());
    step.expect_apply().never();
    let (outcome, reports, entries) = ran(Mode::Do, vec![step]).await;
    outcome.unwrap();
    assert!(!reports[0].ended.is_change());
    assert_eq!(entries, []);
}

#[tokio::test]
async fn what_is_still_missing_afterwards_is_a_failure() {
    let mut step = step(Ground::Outside);
    step.expect_check().times(2).returning(|_| needed());
    step.expect_apply().times(1).returning(|_| Ok(()));
    let (outcome, _, entries) = ran(Mode::Do, vec![step]).await;
    let error = outcome.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`thing` was done, and still: it is not there"
    );
    assert!(
        matches!(entries.last(), Some(Entry::Failed { .. })),
        "{entries:?}"
    );
}

#[tokio::test]
async fn a_dry_run_acts_on_nothing_and_looks_only_where_something_stands() {
    let mut first = step(Ground::Outside);
    first.expect_check().times(1).returning(|_| needed());
    first.expect_apply().never();
    let mut second = step(Ground::Guest);
    second.expect_check().never();
    second.expect_apply().never();
    let (outcome, reports, entries) = ran(Mode::Tell, vec![first, second]).await;
    outcome.unwrap();
    assert!(
        reports
            .iter()
            .all(|it| matches!(it.ended, Ended::Would { .. }))
    );
    assert!(reports.iter().all(|it| it.calls.len() == 1));
    assert_eq!(entries, []);
}

#[test]
fn no_cause_is_told_twice() {
    let inner = Error::Local {
        doing: "reading",
        path: "/x".into(),
        source: std::io::Error::other("the disk is round"),
    };
    assert_eq!(in_one_line(&inner), "reading `/x`: the disk is round");
    let silent = Error::Silent {
        url: "https://10.0.0.1:3000".to_owned(),
        seconds: 60,
        last: last_words(&inner),
    };
    let told = in_one_line(&silent);
    assert_eq!(told.matches("the disk is round").count(), 1, "{told}");
}
