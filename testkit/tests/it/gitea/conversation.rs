//! The real git, in all its moods, against a forge.

use serde_json::json;

use super::stage::{Stage, said};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_is_what_is_cloned() {
    let stage = Stage::set().await;
    stage.repository("r");
    let own = stage.own("r");
    assert!(
        stage
            .git("", &["clone", "-q", &own, "one"])
            .await
            .status
            .success()
    );
    std::fs::write(stage.path("one/a.txt"), "a\n").unwrap();
    stage.git("one", &["add", "-A"]).await;
    stage.git("one", &["commit", "-q", "-m", "a"]).await;
    let pushed = stage
        .git("one", &["push", &own, "main:main", "main:side"])
        .await;
    assert!(pushed.status.success(), "{}", said(&pushed));
    assert!(
        said(&pushed).contains("Create a new pull request for 'side'"),
        "{}",
        said(&pushed)
    );
    assert!(
        stage
            .git("", &["clone", "-q", &own, "two"])
            .await
            .status
            .success()
    );
    assert_eq!(
        std::fs::read_to_string(stage.path("two/a.txt")).unwrap(),
        "a\n"
    );
    let (status, file) = stage.ask("GET", "/repos/root1/r/contents/a.txt?ref=side", None);
    assert_eq!((status, &file["content"]), (200, &json!("YQo=")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shallow_clone_can_be_pushed_from() {
    let stage = Stage::set().await;
    stage.repository("r");
    let target = "/repos/root1/r/contents/a.txt";
    let content = json!({ "content": "eAo=" });
    assert_eq!(stage.ask("POST", target, Some(&content)).0, 201);
    let own = stage.own("r");
    stage
        .git("", &["clone", "-q", "--depth=1", &own, "shallow"])
        .await;
    // A shallow clone says where its history ends before it says what it pushes.
    let pushed = [
        "push",
        "-q",
        "origin",
        "HEAD:refs/heads/one",
        "HEAD:refs/heads/two",
    ];
    stage
        .git(
            "shallow",
            &[
                "commit",
                "-q",
                "--allow-empty",
                "-m",
                "from a shallow clone",
            ],
        )
        .await;
    assert!(stage.git("shallow", &pushed).await.status.success());
    let (status, branch) = stage.ask("GET", "/repos/root1/r/branches/two", None);
    assert_eq!(
        (status, &branch["commit"]["message"]),
        (200, &json!("from a shallow clone\n"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shallow_and_partial_clones_have_only_what_they_asked_for() {
    let stage = Stage::set().await;
    stage.repository("r");
    for name in ["a", "b", "c"] {
        let target = format!("/repos/root1/r/contents/{name}.txt");
        assert_eq!(
            stage
                .ask("POST", &target, Some(&json!({ "content": "eAo=" })))
                .0,
            201
        );
    }
    let own = stage.own("r");
    stage
        .git("", &["clone", "-q", "--depth=1", &own, "shallow"])
        .await;
    let count = stage.git("shallow", &["rev-list", "--count", "HEAD"]).await;
    assert_eq!(String::from_utf8_lossy(&count.stdout).trim(), "1");
    stage
        .git(
            "",
            &[
                "clone",
                "-q",
                "--filter=blob:none",
                "--no-checkout",
                &own,
                "partial",
            ],
        )
        .await;
    let missing = stage
        .git(
            "partial",
            &["rev-list", "--objects", "--missing=print", "main", "--"],
        )
        .await;
    assert!(
        String::from_utf8_lossy(&missing.stdout)
            .lines()
            .any(|line| line.starts_with('?'))
    );
    assert!(
        stage
            .git("partial", &["checkout", "-q", "main"])
            .await
            .status
            .success()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_of_the_protocol_sees_the_same() {
    let stage = Stage::set().await;
    stage.repository("r");
    let own = stage.own("r");
    let mut seen = Vec::new();
    for version in ["0", "1", "2"] {
        let setting = format!("protocol.version={version}");
        let listed = stage
            .git("", &["-c", &setting, "ls-remote", "--symref", &own])
            .await;
        seen.push(String::from_utf8_lossy(&listed.stdout).into_owned());
    }
    assert!(seen[0].contains("ref: refs/heads/main\tHEAD"));
    assert!(seen[0] == seen[1] && seen[1] == seen[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_without_the_right_is_refused_in_words() {
    let stage = Stage::set().await;
    stage.repository("r");
    let user = json!({ "username": "reader", "email": "reader@forge.internal", "password": "12345678", "must_change_password": false });
    assert_eq!(stage.ask("POST", "/admin/users", Some(&user)).0, 201);
    let own = stage.own("r");
    stage.git("", &["clone", "-q", &own, "work"]).await;
    stage
        .git("work", &["commit", "-q", "--allow-empty", "-m", "x"])
        .await;
    let theirs = stage.address("reader", "12345678", "root1/r");
    let refused = stage.git("work", &["push", &theirs, "main"]).await;
    assert!(
        said(&refused).contains("User permission denied for writing."),
        "{}",
        said(&refused)
    );
    assert!(
        said(&refused).contains("pre-receive hook declined"),
        "{}",
        said(&refused)
    );
    let wrong = stage.address("reader", "wrong", "root1/r");
    let denied = stage.git("work", &["push", &wrong, "main:x"]).await;
    assert!(
        said(&denied).contains("Failed to authenticate user"),
        "{}",
        said(&denied)
    );
    let deleted = stage.git("work", &["push", &own, ":main"]).await;
    assert!(
        said(&deleted).contains("is the default branch and cannot be deleted"),
        "{}",
        said(&deleted)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn push_options_reach_the_repository() {
    let stage = Stage::set().await;
    stage.repository("r");
    let own = stage.own("r");
    stage.git("", &["clone", "-q", &own, "work"]).await;
    stage
        .git("work", &["commit", "-q", "--allow-empty", "-m", "x"])
        .await;
    let pushed = stage
        .git(
            "work",
            &["push", "-o", "repo.private=true", &own, "main:side"],
        )
        .await;
    assert!(pushed.status.success(), "{}", said(&pushed));
    assert_eq!(stage.ask("GET", "/repos/root1/r", None).1["private"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_push_arrives_whole() {
    let stage = Stage::set().await;
    stage.repository("r");
    let own = stage.own("r");
    stage.git("", &["clone", "-q", &own, "work"]).await;
    for number in 0..400 {
        std::fs::write(
            stage.path(&format!("work/{number}.txt")),
            format!("{number}\n").repeat(900),
        )
        .unwrap();
    }
    let noise: Vec<u8> = (0..3_000_000_u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    std::fs::write(stage.path("work/noise.bin"), noise).unwrap();
    stage.git("work", &["add", "-A"]).await;
    stage.git("work", &["commit", "-q", "-m", "many"]).await;
    let pushed = stage.git("work", &["push", "-q", &own, "main"]).await;
    assert!(pushed.status.success(), "{}", said(&pushed));
    stage.git("", &["clone", "-q", &own, "again"]).await;
    let same = stage
        .git(
            "again",
            &[
                "diff",
                "--no-index",
                "--quiet",
                "noise.bin",
                "../work/noise.bin",
            ],
        )
        .await;
    assert!(same.status.success());
}

#[cfg(feature = "wiremock")]
#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_gitea_is_cloned_from_like_a_served_one() {
    use testkit::gitea::clock::Clock;
    use testkit::gitea::random::Random;
    use testkit::gitea::{Call, Git, Gitea, Settings, World};

    let folder = tempfile::tempdir().unwrap();
    let world = World::new(Settings::default(), Clock::default(), Random::seeded(1));
    let gitea = Gitea::new(world, Git::new(folder.path().join("repositories")), None);
    let (_, token) = gitea.install("root1", "root1@forge.internal");
    let server = wiremock::MockServer::start().await;
    gitea.mount(&server).await;
    let call = Call::new("POST", "/api/v1/user/repos")
        .with_header("authorization", &format!("token {token}"));
    let made = gitea.handle(call.with_json(&json!({ "name": "r", "auto_init": true })));
    assert_eq!(made.reply.status, 201);
    let address = format!("{}/root1/r.git", server.uri());
    let stage = Stage::set().await;
    let cloned = stage.git("", &["clone", "-q", &address, "mounted"]).await;
    assert!(cloned.status.success(), "{}", said(&cloned));
    assert!(stage.path("mounted/README.md").exists());
}
