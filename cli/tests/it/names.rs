//! Commands that are about some containers of a fleet, and what they ask of the others.

use insta::assert_snapshot;
use serde_json::Value;

use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_is_not_built_on_one_that_is_left_out_and_not_there() {
    let scene = Scene::new().await;
    let plan = scene.run(&["plan", "app"]).await;
    assert_snapshot!("plan_without_dependency", scene.told(&plan));
    let refused = scene.run(&["apply", "app", "--yes", "--quiet"]).await;
    assert_eq!(refused.status.code(), Some(4), "{}", scene.told(&refused));
    assert!(scene.journal().is_empty(), "nothing was begun");
    let unknown = scene.run(&["apply", "ap", "--yes"]).await;
    assert_eq!(unknown.status.code(), Some(64), "{}", scene.told(&unknown));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_named_is_done_and_nothing_else() {
    let scene = Scene::new().await;
    let first = scene.run(&["apply", "db", "--yes", "--quiet"]).await;
    assert_eq!(first.status.code(), Some(0), "{}", scene.told(&first));
    assert_eq!(scene.ran("10.77.0.112"), [""; 0]);
    let status = scene.run(&["status", "db", "--json"]).await;
    let lines: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(lines.as_array().map(Vec::len), Some(1));
    assert_eq!(lines[0]["changes"], 0);
    // Now the one that it comes after is whole, and need not be named.
    let second = scene.run(&["apply", "app", "--yes", "--quiet"]).await;
    assert_eq!(second.status.code(), Some(0), "{}", scene.told(&second));
    let left = scene.run(&["plan", "--detailed-exitcode"]).await;
    assert_eq!(left.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dependencies_can_be_taken_along_and_the_hash_holds_for_the_same_names() {
    let scene = Scene::new().await;
    let names = ["app", "--with-dependencies"];
    let plan = scene.run(&[&["plan", "--json"], &names[..]].concat()).await;
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(plan["containers"].as_array().map(Vec::len), Some(2));
    for layer in ["container-default", "container-configuration"] {
        let hash = plan["hashes"][layer].as_str().unwrap();
        let apply = [
            "apply", "--yes", "--quiet", "--layer", layer, "--expect", hash,
        ];
        let done = scene.run(&[&apply, &names[..]].concat()).await;
        assert_eq!(done.status.code(), Some(0), "{}", scene.told(&done));
    }
    assert_eq!(scene.ran("10.77.0.112"), ["base", "script"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dependants_go_before_what_they_need_and_those_that_stay_are_named() {
    let scene = Scene::new().await;
    scene.run(&["apply", "--yes", "--quiet"]).await;
    let both = scene
        .run(&["destroy", "db", "app", "--yes", "--json"])
        .await;
    assert_snapshot!("destroyed_both", scene.told(&both));
    scene.run(&["apply", "--yes", "--quiet"]).await;
    let one = scene.run(&["destroy", "db", "--yes"]).await;
    let told = scene.told(&one);
    assert!(
        told.contains("note: `app` comes after `db` and stays without it"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_no_file_describes_any_more_is_told_and_can_be_destroyed() {
    let scene = Scene::new().await;
    scene.run(&["apply", "--yes", "--quiet"]).await;
    std::fs::remove_dir_all(scene.fleet().join("containers/app")).unwrap();
    let plan = scene.run(&["plan"]).await;
    assert_snapshot!("left_over", scene.told(&plan));
    let gone = scene.run(&["destroy", "app", "--yes", "--quiet"]).await;
    assert_eq!(
        scene.told(&gone),
        "exit: 0\n--- stdout\n`app` destroyed\n--- stderr\n"
    );
    let plan = scene.run(&["plan"]).await;
    assert!(!scene.told(&plan).contains("app"), "{}", scene.told(&plan));
}
