//! Apply against a simulated node: order, resuming, refusals, faults, and how little is asked.

use lxc_layers::{
    diagnostic::Style,
    event::{Event, Layer},
    execute::{Class, Layers, Outcome},
    ledger::{Entry, Journal},
    plan::Marker,
    resolve::Desired,
};
use testkit::pve::{Fault, FaultKind, Phase};

use crate::{
    fleets::{desired, tree},
    worlds::{World, fault},
};

/// Three containers, one of which waits for another.
pub(crate) fn three() -> Desired {
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
