//! Killed at any moment, then run again: the same end as a run that nobody disturbed.

use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;

use crate::scene::{Scene, end_of};

/// After how many lines of the run journal a run is killed.
const POINTS: [usize; 24] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 24, 26, 28,
];

/// What stands on the node in the end, without what no two runs share.
async fn end_state(scene: &Scene) -> Vec<String> {
    let status = scene.run(&["status", "--json"]).await;
    let lines: Vec<Value> = serde_json::from_slice(&status.stdout).unwrap();
    let mut state: Vec<String> = lines.iter().map(ToString::to_string).collect();
    state.extend(scene.volumes());
    for vmid in [111, 112] {
        let mut config = scene.ask("GET", &format!("/nodes/pve/lxc/{vmid}/config"), "");
        let fields = config.as_object_mut().unwrap();
        // The one is random, the other follows from it.
        fields.retain(|field, _| field != "net0" && field != "digest");
        state.push(config.to_string());
    }
    state
}

/// How often the node made a guest, by the journal of what it was asked.
fn accepted_creates(scene: &Scene) -> usize {
    let exchanges = scene.node.journal().exchanges();
    let create = |it: &&Value| {
        it["method"] == "POST" && it["path"] == "/api2/json/nodes/pve/lxc" && it["status"] == 200
    };
    exchanges.iter().filter(create).count()
}

async fn killed_at(point: usize) -> Scene {
    let scene = Scene::new().await;
    let mut child = scene
        .command(&["apply", "--yes", "--quiet"])
        .spawn()
        .unwrap();
    let mut look = tokio::time::interval(Duration::from_millis(1));
    while scene.journal().len() < point && child.try_wait().unwrap().is_none() {
        look.tick().await;
    }
    child.kill().unwrap();
    end_of(child).await;
    scene
}

async fn continued(point: usize, undisturbed: &[String]) {
    let scene = killed_at(point).await;
    let output = scene.run(&["apply", "--yes", "--quiet"]).await;
    assert_eq!(
        output.status.code(),
        Some(0),
        "point {point}: {}",
        scene.told(&output)
    );
    assert_eq!(end_state(&scene).await, undisturbed, "point {point}");
    assert_eq!(accepted_creates(&scene), 2, "point {point}");
    let plan = scene.run(&["plan", "--detailed-exitcode"]).await;
    assert_eq!(
        plan.status.code(),
        Some(0),
        "point {point}: {}",
        scene.told(&plan)
    );
    for (address, steps) in [
        ("10.77.0.111", &["base"][..]),
        ("10.77.0.112", &["base", "script"]),
    ] {
        let ran = scene.ran(address);
        assert!(
            steps.iter().all(|step| ran.iter().any(|it| it == step)),
            "point {point}: {ran:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_killed_anywhere_is_continued_to_the_same_end() {
    let undisturbed = {
        let scene = Scene::new().await;
        let output = scene.run(&["apply", "--yes", "--quiet"]).await;
        assert_eq!(output.status.code(), Some(0), "{}", scene.told(&output));
        assert!(
            scene.journal().len() > 28,
            "the points are spread over the whole run"
        );
        let state = end_state(&scene).await;
        assert_eq!(scene.volumes().len(), 2, "{state:#?}");
        state
    };
    for points in POINTS.chunks(4) {
        let mut runs = JoinSet::new();
        for point in points {
            let undisturbed = undisturbed.clone();
            runs.spawn(async move { continued(*point, &undisturbed).await });
        }
        runs.join_all().await;
    }
}
