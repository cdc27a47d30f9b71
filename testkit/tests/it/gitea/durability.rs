//! Kills a forge at random moments and looks whether it kept its word.
//!
//! The forge is this very test program, started again in a folder that tells it to serve: a process
//! of its own can be killed hard.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::forge::{Forge, ForgeOptions, Ready};
use testkit::gitea::Call;
use testkit::gitea::api::json_of;
use testkit::gitea::random::Random;

use super::stage::{git, http};

/// How often the forge is killed.
const ROUNDS: u64 = 100;
/// The file in the working folder that turns the test below into a server.
const ORDER: &str = "serve-until-killed";

/// What the forge has acknowledged.
#[derive(Default)]
struct Promised {
    /// Paths whose commits were answered.
    files: Vec<String>,
    /// Branches whose pushes git called done, with their commits.
    branches: Vec<(String, String)>,
    /// Names of variables.
    variables: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forge_starts_in_an_empty_folder_and_serves_while_it_may() {
    let order = Path::new(ORDER);
    let ordered = order.exists();
    let folder = tempfile::tempdir().unwrap();
    let data = if ordered {
        std::env::current_dir().unwrap().join("data")
    } else {
        folder.path().to_owned()
    };
    let ready_file = if ordered {
        "ready".into()
    } else {
        folder.path().join("ready")
    };
    let options = ForgeOptions {
        data: Some(data),
        ready_file: Some(ready_file.clone()),
        ..ForgeOptions::default()
    };
    let forge = Forge::start_with(options).await.unwrap();
    assert!(ready_file.exists());
    if ordered {
        std::future::pending::<()>().await;
    }
    forge.stop().await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "only another process can be killed hard"
)]
fn serve(folder: &Path) -> (Child, Ready) {
    let ready = folder.join("ready");
    // It is not there in the first round.
    let _ = std::fs::remove_file(&ready);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "gitea::durability::a_forge_starts_in_an_empty_folder_and_serves_while_it_may",
        ])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    let read = || serde_json::from_slice(&std::fs::read(&ready).ok()?).ok();
    let mut found: Option<Ready> = read();
    while found.is_none() && Instant::now() < end {
        std::thread::park_timeout(Duration::from_millis(2));
        found = read();
    }
    match found {
        Some(found) => (child, found),
        None => {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the forge was not ready in time");
        }
    }
}

async fn api_load(ready: &Ready, round: u64, promised: &Mutex<Promised>) {
    let caller = http();
    let token = format!("token {}", ready.root_token);
    for number in 0..1_000 {
        let path = format!("r{round}/{number}.txt");
        let target = format!("{}/api/v1/repos/root1/r/contents/{path}", ready.url);
        let sent = caller
            .post(target)
            .header("authorization", &token)
            .json(&json!({ "content": "eAo=", "message": path }))
            .send()
            .await;
        match sent {
            Ok(answer) if answer.status() == 201 => promised.lock().unwrap().files.push(path),
            Ok(answer) => assert!(answer.status() == 409, "{}", answer.status()),
            Err(_) => return,
        }
        let name = format!("V_{round}_{number}");
        let target = format!(
            "{}/api/v1/repos/root1/r/actions/variables/{name}",
            ready.url
        );
        match caller
            .post(target)
            .header("authorization", &token)
            .json(&json!({ "value": "x" }))
            .send()
            .await
        {
            Ok(answer) if answer.status() == 201 => promised.lock().unwrap().variables.push(name),
            Ok(answer) => assert_eq!(answer.status(), 201),
            Err(_) => return,
        }
    }
}

fn push_load(folder: &Path, ready: &Ready, round: u64, promised: &Mutex<Promised>) {
    let host = ready.url.trim_start_matches("http://");
    let address = format!("http://root1:{}@{host}/root1/r.git", ready.root_token);
    let run = |arguments: &[&str]| {
        git(
            &folder.join("work"),
            &arguments
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>(),
        )
    };
    for number in 0..100 {
        let branch = format!("b{round}-{number}");
        run(&["commit", "-q", "--allow-empty", "-m", &branch]);
        let commit = String::from_utf8_lossy(&run(&["rev-parse", "HEAD"]).stdout)
            .trim()
            .to_owned();
        if !run(&["push", "-q", &address, &format!("HEAD:refs/heads/{branch}")])
            .status
            .success()
        {
            return;
        }
        promised.lock().unwrap().branches.push((branch, commit));
    }
}

/// Opens the folder in this process and looks for everything that was promised.
async fn check(folder: &Path, promised: &Promised) {
    let options = ForgeOptions {
        data: Some(folder.join("data")),
        ..ForgeOptions::default()
    };
    let forge = Forge::start_with(options).await.unwrap();
    let token = format!("token {}", forge.ready().root_token);
    let ask = |target: &str| -> (u16, Value) {
        let call = Call::new("GET", &format!("/api/v1/repos/root1/r{target}"))
            .with_header("authorization", &token);
        let reply = forge.gitea().handle(call).reply;
        let body = json_of(&reply).cloned().unwrap_or_default();
        (reply.status, body)
    };
    for path in &promised.files {
        assert_eq!(
            ask(&format!("/contents/{path}")).0,
            200,
            "{path} was acknowledged"
        );
    }
    for (branch, commit) in &promised.branches {
        let (status, body) = ask(&format!("/branches/{branch}"));
        assert_eq!(
            (status, body["commit"]["id"].as_str()),
            (200, Some(commit.as_str())),
            "{branch} was pushed"
        );
    }
    for name in &promised.variables {
        assert_eq!(
            ask(&format!("/actions/variables/{name}")).0,
            200,
            "{name} was acknowledged"
        );
    }
    forge.gitea().read(|world, git| {
        for (repo, references) in world.references.iter() {
            assert_eq!(
                git.references(repo).unwrap(),
                references.ids,
                "records and files agree"
            );
            for id in references.ids.values() {
                git.object(repo, id).unwrap();
            }
        }
    });
    forge.stop().await;
}

fn fsck(folder: &Path) {
    for entry in std::fs::read_dir(folder.join("data/repositories")).unwrap() {
        let found = git(
            &entry.unwrap().path(),
            &["fsck".into(), "--no-dangling".into(), "--full".into()],
        );
        assert!(
            found.status.success(),
            "{}",
            String::from_utf8_lossy(&found.stderr)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_a_forge_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(ORDER), "").unwrap();
    std::fs::create_dir(folder.path().join("work")).unwrap();
    git(&folder.path().join("work"), &["init".into(), "-q".into()]);
    let (mut promised, mut random) = (Promised::default(), Random::seeded(7));
    for round in 0..ROUNDS {
        let (mut child, ready) = serve(folder.path());
        if round == 0 {
            let caller = http();
            let target = format!("{}/api/v1/user/repos", ready.url);
            let body = json!({ "name": "r", "auto_init": true });
            let made = caller
                .post(target)
                .header("authorization", format!("token {}", ready.root_token))
                .json(&body)
                .send()
                .await;
            assert_eq!(made.unwrap().status(), 201);
        }
        let fresh = std::sync::Arc::new(Mutex::new(Promised::default()));
        let pushing = {
            let (folder, ready, fresh) = (
                folder.path().to_owned(),
                ready.clone(),
                std::sync::Arc::clone(&fresh),
            );
            tokio::task::spawn_blocking(move || push_load(&folder, &ready, round, &fresh))
        };
        let asking = {
            let (ready, fresh) = (ready.clone(), std::sync::Arc::clone(&fresh));
            tokio::spawn(async move { api_load(&ready, round, &fresh).await })
        };
        let moment = Duration::from_millis(20 + u64::from(random.block()[0]));
        // The moment passes; nothing else ends this wait.
        let _ = tokio::time::timeout(moment, std::future::pending::<()>()).await;
        child.kill().unwrap();
        child.wait().unwrap();
        asking.await.unwrap();
        pushing.await.unwrap();
        let fresh = std::mem::take(&mut *fresh.lock().unwrap());
        let last = Promised {
            files: fresh.files.clone(),
            branches: fresh.branches.clone(),
            variables: fresh.variables.clone(),
        };
        check(folder.path(), &last).await;
        promised.files.extend(fresh.files);
        promised.branches.extend(fresh.branches);
        promised.variables.extend(fresh.variables);
    }
    check(folder.path(), &promised).await;
    fsck(folder.path());
    assert!(
        promised.files.len() > 50 && promised.branches.len() > 10,
        "the load was too light to prove anything"
    );
}
