//! What a forge does not do, whatever it is asked.

use std::net::SocketAddr;

use serde_json::json;
use testkit::forge::{Error, Forge, ForgeOptions};
use testkit::gitea::Call;

use super::stage::{Stage, http, said};

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_flag_there_is_no_inspection() {
    let stage = Stage::set().await;
    for path in [
        "/_sim/faults",
        "/_sim/clock",
        "/_sim/journal",
        "/_sim/tables",
        "/_sim/",
    ] {
        let reply = stage.forge.gitea().handle(Call::new("GET", path)).reply;
        assert_eq!(reply.status, 404, "{path}");
    }
    assert!(stage.forge.ready().sim_url.is_none());
}

#[cfg(feature = "sim")]
#[tokio::test(flavor = "multi_thread")]
async fn inspection_asks_for_its_token_and_orders_faults() {
    let stage = Stage::with(ForgeOptions {
        sim: Some(loopback()),
        ..ForgeOptions::default()
    })
    .await;
    let ready = stage.forge.ready().clone();
    let (url, token) = (ready.sim_url.unwrap(), ready.sim_token.unwrap());
    let caller = http();
    let faults = format!("{url}/_sim/faults");
    assert_eq!(caller.get(&faults).send().await.unwrap().status(), 401);
    let order = json!([{ "path": "/version", "status": 503, "times": 1 }]).to_string();
    let ordered = caller
        .put(&faults)
        .bearer_auth(&token)
        .body(order)
        .send()
        .await
        .unwrap();
    assert_eq!(ordered.status(), 204);
    let version = format!("{}/api/v1/version", stage.forge.url());
    assert_eq!(caller.get(&version).send().await.unwrap().status(), 503);
    assert_eq!(caller.get(&version).send().await.unwrap().status(), 200);
    let clock = caller
        .post(format!("{url}/_sim/clock"))
        .bearer_auth(&token)
        .body("{\"advance_seconds\": 86400}");
    assert!(clock.send().await.unwrap().status().is_success());
    assert_eq!(
        caller
            .get(format!("{}/_sim/faults", stage.forge.url()))
            .bearer_auth(&token)
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_cannot_leave_their_place_or_become_options() {
    let stage = Stage::set().await;
    stage.repository("r");
    for path in [
        "../../etc/passwd",
        "%2e%2e/%2e%2e/key",
        "a/../../x",
        ".git/config",
        ".GIT/hooks/x",
    ] {
        let body = json!({ "content": "eAo=" });
        let (status, answer) = stage.ask(
            "POST",
            &format!("/repos/root1/r/contents/{path}"),
            Some(&body),
        );
        assert!(status == 422 || status == 404, "{path}: {status} {answer}");
    }
    for name in [
        "--output=/tmp/x",
        "--upload-pack=id",
        "-",
        "..",
        "a..b",
        "x^{/y}",
        "@{-1}",
        "main --all",
    ] {
        let escaped = name
            .replace(' ', "%20")
            .replace('^', "%5E")
            .replace('{', "%7B")
            .replace('}', "%7D");
        for target in [
            "git/commits",
            "git/trees",
            "compare",
            "archive",
            "statuses",
            "raw",
        ] {
            let (status, answer) =
                stage.ask("GET", &format!("/repos/root1/r/{target}/{escaped}"), None);
            assert!(status < 500, "{target}/{name}: {status} {answer}");
        }
        let body = json!({ "new_branch_name": name });
        let (status, _) = stage.ask("POST", "/repos/root1/r/branches", Some(&body));
        assert!((400..500).contains(&status), "{name}: {status}");
    }
    assert!(!std::path::Path::new("/tmp/x").exists());
    let (status, _) = stage.ask(
        "POST",
        "/repos/migrate",
        Some(&json!({ "clone_addr": "ext::sh -c id", "repo_name": "m" })),
    );
    assert_eq!(status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_with_a_funny_name_does_not_move() {
    let stage = Stage::set().await;
    stage.repository("r");
    let own = stage.own("r");
    stage.git("", &["clone", "-q", &own, "work"]).await;
    let refused = stage
        .git("work", &["push", &own, "main:refs/pull/7/head"])
        .await;
    assert!(
        said(&refused).contains("hook declined"),
        "{}",
        said(&refused)
    );
    let (_, references) = stage.ask("GET", "/repos/root1/r/git/refs", None);
    assert_eq!(references.as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_table_and_no_journal() {
    let stage = Stage::set().await;
    let user = json!({ "username": "u", "email": "u@forge.internal", "password": "correct horse", "must_change_password": false });
    assert_eq!(stage.ask("POST", "/admin/users", Some(&user)).0, 201);
    let token = stage.forge.ready().root_token.clone();
    let gitea = stage.forge.gitea();
    let (rows, _) = gitea.write(|world, _, _| world.dump());
    let stored: String = rows
        .into_iter()
        .filter_map(|row| row.value)
        .map(|value| String::from_utf8_lossy(&value).into_owned())
        .collect();
    assert!(!stored.contains(&token) && !stored.contains("correct horse"));
    assert!(stored.contains("argon2id$"));
    let seen = format!("{:?}", gitea.journal().map(|journal| journal.exchanges()));
    assert!(!seen.contains("correct horse"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_forge_and_one_format() {
    let folder = tempfile::tempdir().unwrap();
    let options = ForgeOptions {
        data: Some(folder.path().to_owned()),
        ..ForgeOptions::default()
    };
    let first = Forge::start_with(options.clone()).await.unwrap();
    let token = first.ready().root_token.clone();
    assert!(matches!(
        Forge::start_with(options.clone()).await,
        Err(Error::InUse(_))
    ));
    first.stop().await;
    let again = Forge::start_with(options).await.unwrap();
    assert_eq!(again.ready().root_token, token);
    let call =
        Call::new("GET", "/api/v1/user").with_header("authorization", &format!("token {token}"));
    assert_eq!(again.gitea().handle(call).reply.status, 200);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_version_is_refused() {
    let options = ForgeOptions {
        version: "0.9".into(),
        ..ForgeOptions::default()
    };
    assert!(matches!(
        Forge::start_with(options).await,
        Err(Error::Version(_))
    ));
}
