//! Two who work on one fleet at the same time: from one folder, and from two machines.

use std::{
    fs::{self, File},
    time::{Duration, Instant},
};

use crate::scene::{Scene, end_of};

/// Looks until it is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    let mut look = tokio::time::interval(Duration::from_millis(5));
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        look.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_of_one_folder_do_not_meet() {
    let scene = Scene::new().await;
    let app = scene.guests().join("10.77.0.112");
    fs::create_dir_all(&app).unwrap();
    fs::write(app.join("wait"), "").unwrap();
    let first = scene.command(&["apply", "--yes"]).spawn().unwrap();
    until("the script of the first runs", || app.join("work").exists()).await;
    let said = scene.guests().join("said-by-the-second");
    let second = scene
        .command(&["apply", "--yes"])
        .stderr(File::create(&said).unwrap())
        // Its words are looked for as they are, not as they are folded.
        .env("COLUMNS", "200")
        .spawn()
        .unwrap();
    let told = || fs::read_to_string(&said).unwrap();
    until("the second waits", || told().contains(", since ")).await;
    fs::remove_file(app.join("wait")).unwrap();
    let waits = format!(
        "waiting for another run: `apply`, process {} of ",
        first.id()
    );
    for child in [first, second] {
        let output = end_of(child).await;
        assert_eq!(output.status.code(), Some(0), "{}", scene.told(&output));
    }
    assert!(told().contains(&waits), "{}", told());
    assert_eq!(scene.ran("10.77.0.112"), ["base", "script"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_machines_meet_in_the_guest_and_nothing_is_done_twice() {
    let scene = Scene::new().await;
    // They share the key by which guests are entered, and nothing else.
    scene.run(&["apply", "db", "--yes", "--quiet"]).await;
    let app = scene.guests().join("10.77.0.112");
    fs::create_dir_all(&app).unwrap();
    fs::write(app.join("wait"), "").unwrap();
    let mut first = scene.command(&["apply", "--yes"]).spawn().unwrap();
    until("the script of the first runs", || app.join("work").exists()).await;
    let second = scene.elsewhere(&["apply", "--yes"]);
    let mut second = { second }.spawn().unwrap();
    let pid = first.id();
    let lock = app.join("run/lock");
    assert!(
        fs::read_to_string(&lock)
            .unwrap()
            .contains(&format!("process {pid} ")),
        "the guest knows who works in it"
    );
    assert!(first.try_wait().unwrap().is_none() && second.try_wait().unwrap().is_none());
    fs::remove_file(app.join("wait")).unwrap();
    for child in [first, second] {
        let output = end_of(child).await;
        assert_eq!(output.status.code(), Some(0), "{}", scene.told(&output));
    }
    assert_eq!(scene.ran("10.77.0.112"), ["base", "script"]);
    let plan = scene.run(&["plan", "--detailed-exitcode"]).await;
    assert_eq!(plan.status.code(), Some(0), "{}", scene.told(&plan));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_machines_that_begin_together_make_each_guest_once() {
    let scene = Scene::new().await;
    // The key is made when it is first needed; here it is there before they part.
    scene.run(&["exec", "db", "--", "true"]).await;
    let first = scene.command(&["apply", "--yes"]).spawn().unwrap();
    let second = { scene.elsewhere(&["apply", "--yes"]) }.spawn().unwrap();
    let (first, second) = (end_of(first).await, end_of(second).await);
    // Whoever comes late may be refused, since what it decided on has changed; nobody breaks.
    for output in [&first, &second] {
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 3 | 4)), "{}", scene.told(output));
    }
    let again = scene.run(&["apply", "--yes", "--quiet"]).await;
    assert_eq!(again.status.code(), Some(0), "{}", scene.told(&again));
    let creates = scene
        .node
        .journal()
        .exchanges()
        .iter()
        .filter(|it| {
            it["method"] == "POST"
                && it["path"] == "/api2/json/nodes/pve/lxc"
                && it["status"] == 200
        })
        .count();
    assert_eq!(creates, 2);
    let plan = scene.run(&["plan", "--detailed-exitcode"]).await;
    assert_eq!(plan.status.code(), Some(0), "{}", scene.told(&plan));
}
