//! Apply against a simulated node: order, resuming, refusals, faults, and how little is asked.

use std::sync::atomic::Ordering;

use futures_util::{StreamExt as _, stream};
use lxc_layers::{
    diagnostic::Style,
    event::{Event, Layer},
    execute::{Class, Layers, Outcome},
    ledger::{Entry, Journal},
    plan::Marker,
    resolve::Desired,
};
use testkit::pve::{Fault, FaultKind, Phase, Timing};

use crate::{
    fleets::{desired, tree},
    worlds::{World, fault},
};

/// Three containers, one of which waits for another.
fn three() -> Desired {
    let tree = tree(&[
        ("containers/db/config.env", "ID=111\n"),
        (
            "containers/app/config.env",
            "ID=112\nAFTER=db\nHEALTH=http:80/\n",
        ),
        ("containers/web/config.env", "ID=113\nMEMORY=256\n"),
    ]);
    let tree = tree.with_input("containers/app/apply.sh", "echo app\n", true);
    desired(&tree.with_input("containers/web/apply.sh", "echo web\n", true))
}

fn outcomes(report: &lxc_layers::execute::Report) -> Vec<(String, &'static str)> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Unchanged => "unchanged",
        Outcome::Done => "done",
        Outcome::Failed(_) => "failed",
        Outcome::Skipped { .. } => "skipped",
        _ => "?",
    };
    report
        .containers
        .iter()
        .map(|it| (it.container.clone(), word(&it.outcome)))
        .collect()
}

#[tokio::test]
async fn applied_once_everything_stands_and_nothing_is_left_to_do() {
    let world = World::new().await;
    let desired = three();
    let report = world.apply(&desired).await.unwrap();
    assert!(report.is_success(), "{report:#?}");
    assert_eq!(world.count("POST", "/lxc"), 3);
    let plan = world.plan(&desired).await;
    assert!(plan.is_empty(), "{}", plan.to_text(Style::Plain));
    let again = world.apply(&desired).await.unwrap();
    assert!(
        again
            .containers
            .iter()
            .all(|it| it.outcome == Outcome::Unchanged)
    );
    assert_eq!(world.count("POST", "/lxc"), 3);
}

#[tokio::test]
async fn layers_and_containers_come_in_their_order() {
    let world = World::new().await;
    world.apply(&three()).await.unwrap();
    let ran = world.ran();
    let of = |name: &str| -> Vec<String> {
        let prefix = format!("{name} ");
        ran.iter()
            .filter_map(|line| line.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(of("app"), ["default", "gate", "script", "health"]);
    let place = |line: &str| ran.iter().position(|it| it == line).unwrap();
    assert!(place("db gate") < place("app default"), "{ran:?}");
    let records = Journal::read(&world.state().join(".proxmox-ci")).unwrap();
    let index =
        |wanted: &dyn Fn(&Entry) -> bool| records.iter().position(|it| wanted(&it.entry)).unwrap();
    for name in ["db", "app", "web"] {
        let gate = index(
            &|entry| matches!(entry, Entry::Gate { container, layer } if container == name && layer == "container-default"),
        );
        let later = records.iter().position(|it| matches!(&it.entry, Entry::Intend(effect) if effect.container == name && effect.layer == "container-configuration"));
        assert!(later.is_none_or(|later| gate < later), "{name}");
    }
}

#[tokio::test]
async fn a_layer_alone_verifies_the_gate_before_it() {
    let world = World::new().await;
    let desired = three();
    let early = world
        .apply_layers(&desired, Layers::Only(Layer::Configuration))
        .await
        .unwrap();
    assert!(early.failures().count() > 0, "nothing stands yet");
    assert_eq!(world.ran(), [""; 0]);
    let first = world
        .apply_layers(&desired, Layers::Only(Layer::Default))
        .await
        .unwrap();
    assert!(first.is_success(), "{first:#?}");
    assert!(!world.ran().iter().any(|line| line.ends_with("script")));
    let second = world
        .apply_layers(&desired, Layers::Only(Layer::Configuration))
        .await
        .unwrap();
    assert!(second.is_success(), "{second:#?}");
    assert!(world.plan(&desired).await.is_empty());
}

#[tokio::test]
async fn the_host_key_is_pinned_in_the_notes() {
    let world = World::new().await;
    let desired = three();
    world.apply(&desired).await.unwrap();
    let observed =
        lxc_layers::observe::observe(&*world.host(), &desired, std::time::Duration::ZERO)
            .await
            .unwrap();
    for guest in observed.guests.values() {
        let notes = &guest.config.as_ref().unwrap().values["description"];
        let marker = Marker::find(notes).unwrap().unwrap();
        assert!(marker.host_key.unwrap().starts_with("ssh-ed25519 "));
        assert!(marker.layers.contains_key("default"));
    }
}

#[tokio::test]
async fn a_failure_stops_what_waits_for_it_and_nothing_else() {
    let world = World::new().await;
    world.inside.broken.lock().unwrap().push("db".to_owned());
    let desired = three();
    let report = world.apply(&desired).await.unwrap();
    let expected = [("db", "failed"), ("app", "skipped"), ("web", "done")];
    let mut got = outcomes(&report);
    got.sort();
    let mut expected = expected.map(|(name, word)| (name.to_owned(), word));
    expected.sort();
    assert_eq!(got, expected);
    let (_, failure) = report.failures().next().unwrap();
    assert_eq!(failure.layer, Layer::Default);
    assert_eq!(
        failure.because,
        ["`ansible-playbook` is not installed on this machine"]
    );
    world.inside.broken.lock().unwrap().clear();
    assert!(world.apply(&desired).await.unwrap().is_success());
    assert_eq!(
        world.count("POST", "/lxc"),
        3,
        "the next run continues from there"
    );
}

#[tokio::test]
async fn an_edit_by_another_hand_between_plan_and_apply_is_refused() {
    let world = World::new().await;
    world.apply(&three()).await.unwrap();
    let edited = tree(&[("containers/web/config.env", "ID=113\nMEMORY=512\nCORES=2\n")])
        .with_input("containers/web/apply.sh", "echo web\n", true);
    let edited = desired(&edited);
    let plan = world.plan(&edited).await;
    let place = lxc_layers::host::Place::new("pve", 113.try_into().unwrap());
    let other_hand = lxc_layers::host::Act::Configure {
        set: [("swap".to_owned(), "64".to_owned())].into(),
        delete: Vec::new(),
        digest: None,
    };
    world.host().act(&place, &other_hand).await.unwrap();
    let report = world
        .execute(world.host(), &edited, &plan, Layers::All)
        .await
        .unwrap();
    let (_, failure) = report.failures().next().unwrap();
    assert_eq!(failure.class, Class::Refused);
    assert!(failure.hint.as_ref().unwrap().contains("plan again"));
}

#[tokio::test]
async fn a_foreign_guest_is_refused_without_a_write() {
    let world = World::new().await;
    let foreign = lxc_layers::host::Act::Create(
        [
            ("vmid", "113"),
            ("ostemplate", "local:vztmpl/debian-12.tar.zst"),
            ("rootfs", "local:1"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into(),
    );
    let place = lxc_layers::host::Place::new("pve", 113.try_into().unwrap());
    world.host().act(&place, &foreign).await.unwrap();
    world.node.journal().clear();
    let error = world.apply(&three()).await.unwrap_err();
    assert_eq!(error.class(), Class::Refused);
    let writes = world
        .asked()
        .into_iter()
        .filter(|line| !line.starts_with("GET") && !line.contains("/access/ticket"));
    assert_eq!(writes.collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test]
async fn a_missing_template_lists_what_there_is() {
    let world = World::new().await;
    let fleet = desired(&tree(&[(
        "containers/web/config.env",
        "ID=113\nTEMPLATE=local:vztmpl/nope.tar.zst\n",
    )]));
    let report = world.apply(&fleet).await.unwrap();
    let (_, failure) = report.failures().next().unwrap();
    insta::assert_snapshot!(failure.error, @"there is no template `local:vztmpl/nope.tar.zst` on `local` of node `pve`; there are: local:vztmpl/debian-12.tar.zst");
    assert_eq!(world.count("POST", "/lxc"), 0);
}

#[tokio::test]
async fn a_template_of_the_catalogue_is_fetched_once_for_all() {
    let world = World::without_template().await;
    let fleet = desired(&tree(&[
        (
            "containers/a/config.env",
            "ID=111\nTEMPLATE=debian-12-standard\n",
        ),
        (
            "containers/b/config.env",
            "ID=112\nTEMPLATE=debian-12-standard\n",
        ),
    ]));
    let report = world.apply(&fleet).await.unwrap();
    assert!(report.is_success(), "{report:#?}");
    assert_eq!(world.count("POST", "/aplinfo"), 1);
    assert!(world.plan(&fleet).await.is_empty());
}

#[tokio::test]
async fn a_lock_that_goes_is_waited_for() {
    let world = World::new().await;
    let message = "can't lock file '/run/lock/lxc/pve-config-111.lock' - got timeout\n".to_owned();
    let busy = FaultKind::Status {
        status: 500,
        message,
    };
    world.fault(Fault {
        times: Some(2),
        ..fault(Some("POST"), Some(".*/status/start"), busy)
    });
    let report = world.apply(&three()).await.unwrap();
    assert!(report.is_success(), "{report:#?}");
}

/// How many of these conversations are held at the same time.
const AT_ONCE: usize = 8;

/// Every call of a three-container apply is broken once, before or after it was carried out.
async fn every_call_broken(phase: Phase) {
    let desired = three();
    let clean = World::new().await;
    clean.apply(&desired).await.unwrap();
    let calls = clean.asked().len();
    assert!(calls > 30, "{calls}");
    let broken = (1..=calls as u64).map(|nth| call_broken(&desired, nth, phase));
    stream::iter(broken)
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
}

async fn call_broken(desired: &Desired, nth: u64, phase: Phase) {
    let world = World::new().await;
    world.fault(Fault {
        nth: Some(nth),
        phase,
        ..fault(None, None, FaultKind::Reset)
    });
    // It may fail: what counts is that the next run reaches the goal.
    drop(world.apply(desired).await);
    world.forgive();
    let report = world.apply(desired).await.unwrap();
    assert!(report.is_success(), "call {nth} {phase:?}: {report:#?}");
    let plan = world.plan(desired).await;
    assert!(
        plan.is_empty(),
        "call {nth} {phase:?}: {}",
        plan.to_text(Style::Plain)
    );
    let creates = world.creates().await;
    assert_eq!(creates, 3, "call {nth} {phase:?}: {:?}", world.asked());
}

#[tokio::test]
async fn every_call_may_be_lost_before_it_arrives() {
    every_call_broken(Phase::Before).await;
}

#[tokio::test]
async fn every_answer_may_be_lost_on_its_way_back() {
    every_call_broken(Phase::After).await;
}

#[tokio::test]
async fn a_hundred_containers_are_planned_in_a_hundred_and_ten_requests() {
    let mut world = World::new().await;
    world.parallel = 8;
    let texts: Vec<(String, String)> = (0..100)
        .map(|number| {
            (
                format!("containers/c{number}/config.env"),
                format!("ID={}\n", 100 + number),
            )
        })
        .collect();
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let desired = desired(&tree(&texts));
    let report = world.apply(&desired).await.unwrap();
    assert!(report.is_success());
    let most = world.inside.most_at_once.load(Ordering::SeqCst);
    assert!(most <= 8, "{most} at once");
    world.node.journal().clear();
    assert!(world.plan(&desired).await.is_empty());
    let asked = world.asked().len();
    assert!(asked <= 110, "{asked} requests");
}

#[tokio::test]
async fn a_retry_is_told() {
    let world = World::new().await;
    world.fault(Fault {
        nth: Some(1),
        phase: Phase::After,
        ..fault(Some("POST"), Some(".*/lxc"), FaultKind::Reset)
    });
    let report = world.apply(&three()).await.unwrap();
    assert!(report.is_success(), "{report:#?}");
    assert_eq!(world.creates().await, 3);
    let told = world.told.lock().unwrap();
    assert!(told.iter().any(|event| matches!(event, Event::Began(_))));
}

#[tokio::test]
async fn many_containers_take_little_more_than_their_tasks() {
    let mut world = World::new().await;
    world.parallel = 8;
    let texts: Vec<(String, String)> = (0..24)
        .map(|number| {
            (
                format!("containers/c{number}/config.env"),
                format!("ID={}\n", 100 + number),
            )
        })
        .collect();
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let desired = desired(&tree(&texts));
    world.node.desk().world().set_timing(Timing::Millis(400));
    let report = world.apply(&desired).await.unwrap();
    assert!(report.is_success(), "{report:#?}");
    // A create and a start each, eight at a time; on a machine that does nothing else it is a tenth
    // more, and a test must not fail because the machine does.
    let ideal = 24.0 * 2.0 * 0.4 / 8.0;
    let ratio = report.seconds.0.as_secs_f64() / ideal;
    assert!(ratio < 1.6, "{ratio}");
}
