//! Bad luck: what a person reads when the world does not play along.

use std::time::Duration;

use lxc_layers::{
    execute::{Layers, Limits, Outcome, Report},
    guest::{Guest as _, Ssh, SshTarget},
    redact::Redactor,
    resolve::Desired,
};
use testkit::pve::{Fault, FaultKind, Timing};

use crate::{
    fleets::{desired, tree},
    worlds::{World, fault},
};

fn one() -> Desired {
    desired(&tree(&[("containers/web/config.env", "ID=113\n")]))
}

/// The failure of the one container, as the program prints it; of the causes only the nearest, since
/// below it the words of libraries and systems begin.
fn told(report: &Report) -> String {
    let Some((_, failure)) = report.failures().next() else {
        return format!("{report:#?}");
    };
    let mut lines = vec![format!("error: {}", failure.error)];
    lines.extend(
        failure
            .because
            .iter()
            .take(1)
            .map(|cause| format!("  because {cause}")),
    );
    lines.extend(failure.hint.iter().map(|hint| format!("hint: {hint}")));
    let text = lines.join("\n");
    let words = text.split(' ').map(|word| {
        if word.contains("UPID:") || word.contains("https://127.0.0.1:") {
            "…"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Applies while this goes wrong, then without it: the second run must reach the goal.
async fn unlucky(fault: Fault) -> String {
    let world = World::new().await;
    world.fault(fault);
    let first = world.apply(&one()).await.unwrap();
    world.forgive();
    let second = world.apply(&one()).await.unwrap();
    assert!(second.is_success(), "{second:#?}");
    assert!(world.plan(&one()).await.is_empty());
    told(&first)
}

fn refused(status: u16, message: &str) -> FaultKind {
    FaultKind::Status {
        status,
        message: message.to_owned(),
    }
}

#[tokio::test]
async fn a_full_storage() {
    let full = refused(
        500,
        "storage 'local' : not enough free space (2147483648 < 8589934592)\n",
    );
    let told = unlucky(fault(Some("POST"), Some(".*/lxc"), full)).await;
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_lock_that_stays() {
    let locked = refused(500, "CT is locked (backup)\n");
    let told = unlucky(fault(Some("POST"), Some(".*/status/start"), locked)).await;
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_missing_privilege() {
    let denied = refused(403, "Permission check failed (/vms/113, VM.PowerMgmt)\n");
    let told = unlucky(fault(Some("POST"), Some(".*/status/start"), denied)).await;
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_node_that_goes_in_the_middle() {
    let gone = fault(None, Some(".*/lxc/113/.*"), FaultKind::Reset);
    let told = unlucky(gone).await;
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_task_that_never_ends() {
    let mut world = World::new().await;
    world.limits = Limits {
        task: Duration::from_millis(300),
        ..world.limits
    };
    world
        .node
        .desk()
        .world()
        .set_timing(Timing::Millis(3_600_000));
    let report = world.apply(&one()).await.unwrap();
    insta::assert_snapshot!(told(&report));
    assert!(matches!(report.containers[0].outcome, Outcome::Failed(_)));
}

#[tokio::test]
async fn a_guest_that_another_hand_took_away_between_the_layers() {
    let world = World::new().await;
    world
        .apply_layers(&one(), Layers::Only(lxc_layers::event::Layer::Default))
        .await
        .unwrap();
    let plan = world.plan(&one()).await;
    let place = lxc_layers::host::Place::new("pve", 113.try_into().unwrap());
    let limit = Duration::from_secs(1);
    for act in [
        lxc_layers::host::Act::Shutdown { limit },
        lxc_layers::host::Act::Destroy,
    ] {
        let task = world.host().act(&place, &act).await.unwrap().unwrap();
        world
            .host()
            .finish(&task, Duration::from_secs(60))
            .await
            .unwrap();
    }
    let layers = Layers::Only(lxc_layers::event::Layer::Configuration);
    let report = world
        .execute(world.host(), &one(), &plan, layers)
        .await
        .unwrap();
    insta::assert_snapshot!(told(&report));
}

#[tokio::test]
async fn a_guest_that_does_not_answer() {
    let scratch = tempfile::tempdir().unwrap();
    let target = SshTarget {
        name: "web".to_owned(),
        // Everybody, which is nobody that a connection could be made to.
        address: [255; 4].into(),
        user: "root".to_owned(),
        key: scratch.path().join("key"),
        scratch: scratch.path().to_owned(),
    };
    let ssh = Ssh::new(target, None, Redactor::default());
    let error = ssh
        .wait_reachable(Duration::from_secs(1))
        .await
        .unwrap_err();
    insta::assert_snapshot!(error, @"`web (255.255.255.255)` does not answer ssh after 1 s");
    assert!(error.hint().unwrap().contains("reachable"));
}
