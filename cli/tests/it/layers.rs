//! Fleets through the program: what is done, what is said, and with which code it ends.

use std::fs;

use insta::assert_snapshot;

use crate::scene::{CANARY, Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_is_applied_once_and_the_second_plan_is_empty() {
    let scene = Scene::new().await;
    let before = scene.run(&["plan", "--detailed-exitcode"]).await;
    assert_eq!(before.status.code(), Some(2));
    let applied = scene.run(&["apply", "--yes", "--quiet"]).await;
    assert_snapshot!("applied", scene.told(&applied));
    let after = scene.run(&["plan", "--detailed-exitcode"]).await;
    assert_snapshot!("nothing_left", scene.told(&after));
    assert_eq!(scene.ran("10.77.0.111"), ["base"]);
    assert_eq!(scene.ran("10.77.0.112"), ["base", "script"]);
    let status = scene.run(&["status"]).await;
    assert_snapshot!("status", scene.told(&status));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_with_the_hash_of_the_plan_is_applied_and_with_another_refused() {
    let scene = Scene::new().await;
    let first = scene
        .run(&["apply", "--layer", "container-init", "--json"])
        .await;
    assert_eq!(first.status.code(), Some(0));
    let plan: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    let hash = plan["hashes"]["container-default"].as_str().unwrap();
    let wrong = "0".repeat(64);
    let layer = [
        "apply",
        "--yes",
        "--quiet",
        "--layer",
        "container-default",
        "--expect",
    ];
    let refused = scene.run(&[&layer[..], &[&wrong]].concat()).await;
    assert_eq!(refused.status.code(), Some(4));
    assert!(scene.journal().is_empty(), "nothing was begun");
    let applied = scene.run(&[&layer[..], &[hash]].concat()).await;
    assert_eq!(applied.status.code(), Some(0), "{}", scene.told(&applied));
    let hash = plan["hashes"]["container-configuration"].as_str().unwrap();
    let last = [
        "apply",
        "--yes",
        "--quiet",
        "--layer",
        "container-configuration",
        "--expect",
        hash,
    ];
    let applied = scene.run(&last).await;
    assert_eq!(applied.status.code(), Some(0), "{}", scene.told(&applied));
    assert_eq!(scene.ran("10.77.0.112"), ["base", "script"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_role_stops_what_waits_for_it_and_the_next_run_continues() {
    let scene = Scene::new().await;
    let broken = scene.guests().join("10.77.0.111");
    fs::create_dir_all(&broken).unwrap();
    fs::write(broken.join("broken"), "").unwrap();
    let failed = scene.run(&["apply", "--yes", "--quiet"]).await;
    assert_snapshot!("failing_role", scene.told(&failed));
    fs::remove_file(broken.join("broken")).unwrap();
    let applied = scene.run(&["apply", "--yes", "--quiet"]).await;
    assert_eq!(applied.status.code(), Some(0), "{}", scene.told(&applied));
    assert_eq!(scene.ran("10.77.0.112"), ["base", "script"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn provisioners_say_what_they_would_change_and_change_nothing() {
    let scene = Scene::new().await;
    let early = scene.run(&["plan", "--check", "--json", "--quiet"]).await;
    let early: serde_json::Value = serde_json::from_slice(&early.stdout).unwrap();
    let verdicts = early["checks"].as_array().unwrap().iter();
    assert!(verdicts.clone().all(|it| it["verdict"] == "not-there"));
    assert_eq!(verdicts.count(), 3);
    scene.run(&["apply", "--yes", "--quiet"]).await;
    let journal = scene.journal().len();
    scene.write("default/default.yml", "- hosts: guests\n", 0o644);
    scene.write("containers/app/apply.sh", "#!/bin/sh\necho new\n", 0o755);
    let checked = scene.run(&["plan", "--check", "app"]).await;
    assert_snapshot!("checked", scene.told(&checked));
    assert_eq!(scene.ran("10.77.0.112"), ["base", "script"]);
    assert_eq!(scene.journal().len(), journal, "nothing was intended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_host_key_is_refused_with_both_fingerprints() {
    let scene = Scene::new().await;
    scene.run(&["apply", "--yes", "--quiet"]).await;
    let other = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    fs::write(scene.guests().join("key"), other).unwrap();
    let output = scene.run(&["exec", "db", "--", "true"]).await;
    assert_snapshot!("changed_host_key", scene.told(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_the_connection_is_told() {
    let scene = Scene::new().await;
    let pin = "AB:".repeat(31) + "AB";
    let untrusted = scene.run(&["plan", "--fingerprint", &pin]).await;
    assert_snapshot!("changed_certificate", scene.told(&untrusted));
    let expired = scene.expired_token();
    scene.write("expired.local.txt", &expired, 0o600);
    let expired = scene.fleet().join("expired.local.txt");
    let denied = scene
        .run(&["plan", "--token-file", expired.to_str().unwrap()])
        .await;
    assert_snapshot!("expired_token", scene.told(&denied));
    scene.write(
        "wrong.local.txt",
        "root@pam!ci=00000000-0000-0000-0000-000000000000\n",
        0o600,
    );
    let wrong = scene.fleet().join("wrong.local.txt");
    let denied = scene
        .run(&["plan", "--token-file", wrong.to_str().unwrap()])
        .await;
    assert_snapshot!("wrong_token", scene.told(&denied));
    let away = scene.run(&["plan", "--url", "https://127.0.0.1:1"]).await;
    assert_snapshot!("no_server", scene.told(&away));
    scene.write("open.local.txt", &scene.node.root_token(), 0o644);
    let open = scene.fleet().join("open.local.txt");
    let readable = scene
        .run(&["plan", "--token-file", open.to_str().unwrap()])
        .await;
    assert_snapshot!("readable_token", scene.told(&readable));
    fs::remove_file(scene.fleet().join("fleet.local.toml")).unwrap();
    let unset = scene.run(&["plan"]).await;
    assert_snapshot!("no_url", scene.told(&unset));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_changed_without_consent_nor_without_a_fleet() {
    let scene = Scene::new().await;
    let unasked = scene.run(&["apply", "--quiet"]).await;
    assert_eq!(unasked.status.code(), Some(4));
    assert!(scene.journal().is_empty());
    let absent = scene.run(&["check", "--fleet", "/nonexistent"]).await;
    assert_snapshot!("no_fleet", scene.told(&absent));
    let stranger = scene.run(&["destroy", "nobody", "--yes"]).await;
    assert_snapshot!("no_such_container", scene.told(&stranger));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn destroy_takes_one_container_of_ours_and_says_when_there_is_none() {
    let scene = Scene::new().await;
    scene.run(&["apply", "--yes", "--quiet"]).await;
    let gone = scene.run(&["destroy", "app", "--yes", "--quiet"]).await;
    assert_eq!(
        scene.told(&gone),
        "exit: 0\n--- stdout\n`app` destroyed\n--- stderr\n"
    );
    let again = scene.run(&["destroy", "app", "--yes", "--quiet"]).await;
    assert_eq!(
        scene.told(&again),
        "exit: 0\n--- stdout\n`app` was not there\n--- stderr\n"
    );
    let plan = scene.run(&["plan", "--json"]).await;
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let text = plan.to_string();
    assert!(
        text.contains("\"app\"") && text.contains("create"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_seen() {
    let scene = Scene::new().await;
    let token = scene.node.root_token();
    let secret = token.split('=').nth(1).unwrap();
    for args in [
        &["apply", "--yes"][..],
        &["plan", "--json"],
        &["status", "--json"],
        &["config", "--explain", "app"],
    ] {
        let output = scene.run(args).await;
        let told = scene.told(&output);
        assert!(!told.contains(CANARY) && !told.contains(secret), "{told}");
    }
    let journal = fs::read_to_string(scene.fleet().join(".proxmox-ci/journal.jsonl")).unwrap();
    assert!(!journal.contains(CANARY) && !journal.contains(secret));
}
