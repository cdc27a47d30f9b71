//! Kills a forge at random moments and looks whether it kept its word.
//!
//! The forge is this very test program, started again in a folder that tells it to serve: a process
//! of its own can be killed hard.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::forge::{Forge, ForgeOptions, Ready};
use testkit::gitea::api::json_of;
use testkit::gitea::random::Random;
use testkit::gitea::{Call, Git, World};

use super::stage::{git, http};

/// How often the forge is killed.
const ROUNDS: u64 = 100;
/// The file in the working folder that turns the test below into a server.
const ORDER: &str = "serve-until-killed";

/// Every branch that is pushed starts a run; commits by the API do not.
const WORKFLOW: &str =
    "on: {push: {branches: ['b*']}}\njobs: {a: {runs-on: load, steps: [{run: 'true'}]}}\n";

/// What the forge has acknowledged.
#[derive(Default)]
struct Promised {
    /// Paths whose commits were answered.
    files: Vec<String>,
    /// Branches whose pushes git called done, with their commits.
    branches: Vec<(String, String)>,
    /// Names of variables.
    variables: Vec<String>,
    /// How many lines of the log of each task were acknowledged.
    logs: BTreeMap<i64, i64>,
}

/// A runner, and the task that it works at over all rounds.
#[derive(Clone)]
struct Worker {
    uuid: String,
    token: String,
    /// The task, and how many lines of its log it knows to be stored.
    task: Option<(i64, i64)>,
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
        // When it is killed, its port may be given to another test; whoever still asks here must
        // not be answered there.
        listen: ([127, 83, 0, 1], 0).into(),
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

fn serve(folder: &Path) -> (Child, Ready) {
    serve_with(folder, &[])
}

/// A forge in a process of its own, with these variables in its environment.
#[expect(
    clippy::disallowed_methods,
    reason = "only another process can be killed hard"
)]
pub(crate) fn serve_with(folder: &Path, environment: &[(&str, &Path)]) -> (Child, Ready) {
    std::fs::write(folder.join(ORDER), "").unwrap();
    let ready = folder.join("ready");
    // It is not there in the first round.
    let _ = std::fs::remove_file(&ready);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "gitea::durability::a_forge_starts_in_an_empty_folder_and_serves_while_it_may",
        ])
        .current_dir(folder)
        .envs(environment.iter().copied())
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

/// Calls the runner protocol in JSON; `None` when the forge is gone.
async fn rpc(ready: &Ready, worker: Option<&Worker>, name: &str, body: &Value) -> Option<Value> {
    let target = format!("{}/api/actions/runner.v1.RunnerService/{name}", ready.url);
    let mut call = http().post(target).json(body);
    if let Some(worker) = worker {
        call = call
            .header("x-runner-uuid", &worker.uuid)
            .header("x-runner-token", &worker.token);
    }
    let answer = call.send().await.ok()?;
    assert_eq!(answer.status(), 200, "{name}");
    answer.json().await.ok()
}

/// Protobuf's JSON writes 64-bit numbers as texts, and leaves zeros out.
fn number(value: &Value) -> i64 {
    let text = value.as_str().map(str::to_owned);
    text.unwrap_or_else(|| value.to_string())
        .parse()
        .unwrap_or_default()
}

async fn registered(ready: &Ready) -> Worker {
    let body =
        json!({ "name": "w", "token": ready.runner_token, "labels": ["load"], "version": "1" });
    let answer = rpc(ready, None, "Register", &body).await.unwrap();
    let text = |name: &str| answer["runner"][name].as_str().unwrap().to_owned();
    Worker {
        uuid: text("uuid"),
        token: text("token"),
        task: None,
    }
}

/// Takes a task when there is one, and writes its log line by line.
async fn log_load(ready: &Ready, mut worker: Worker, promised: &Mutex<Promised>) -> Worker {
    // Until the forge is gone.
    loop {
        let Some((task, known)) = worker.task else {
            let body = json!({ "tasksVersion": "0" });
            let Some(answer) = rpc(ready, Some(&worker), "FetchTask", &body).await else {
                break;
            };
            // Without a task there is nothing to write; the next push brings one.
            let id = number(&answer["task"]["id"]);
            worker.task = (id != 0).then_some((id, 0));
            continue;
        };
        let row = json!({ "time": "2026-01-01T00:00:00Z", "content": format!("line {known}") });
        let body = json!({ "taskId": task.to_string(), "index": known.to_string(), "rows": [row] });
        let Some(answer) = rpc(ready, Some(&worker), "UpdateLog", &body).await else {
            break;
        };
        let stored = number(&answer["ackIndex"]);
        assert!(stored > known, "a line that was sent is stored");
        worker.task = Some((task, stored));
        promised.lock().unwrap().logs.insert(task, stored);
    }
    worker
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
    forge.gitea().read(|world, git| agree(world, git, promised));
    forge.stop().await;
}

/// Logs are whole, what has moved has its run, and records and files are of one mind.
fn agree(world: &World, git: &Git, promised: &Promised) {
    for (task, stored) in &promised.logs {
        let chunks = world.actions.logs.of(*task);
        let lines: Vec<&str> = chunks
            .flat_map(|(_, chunk)| &chunk.lines)
            .map(|line| line.text.as_str())
            .collect();
        assert!(
            i64::try_from(lines.len()).unwrap() >= *stored,
            "{stored} lines were acknowledged"
        );
        assert!(
            lines
                .iter()
                .enumerate()
                .all(|(at, line)| line.ends_with(&format!("line {at}"))),
            "once and in order"
        );
    }
    // Whether its push was answered or not: what has moved has its run.
    let ran: HashSet<&str> = world
        .actions
        .runs
        .iter()
        .map(|(_, run)| run.head_sha.as_str())
        .collect();
    for (_, references) in world.references.iter() {
        for (branch, commit) in references.below("refs/heads/b") {
            assert!(ran.contains(commit), "b{branch} has moved and has no run");
        }
    }
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
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// The work tree from which everything is pushed, with the workflow in its history.
fn first_clone(folder: &Path, ready: &Ready) {
    let host = ready.url.trim_start_matches("http://");
    let address = format!("http://root1:{}@{host}/root1/r.git", ready.root_token);
    let cloned = git(
        folder,
        &["clone".into(), "-q".into(), address, "work".into()],
    );
    assert!(cloned.status.success());
}

/// A repository with a workflow, a work tree of it, and a runner.
async fn begin(folder: &Path, ready: &Ready) -> Worker {
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
    let file = base64(WORKFLOW);
    let target = format!(
        "{}/api/v1/repos/root1/r/contents/.gitea/workflows/load.yml",
        ready.url
    );
    let made = caller
        .post(target)
        .header("authorization", format!("token {}", ready.root_token))
        .json(&json!({ "content": file }))
        .send()
        .await;
    assert_eq!(made.unwrap().status(), 201);
    first_clone(folder, ready);
    registered(ready).await
}

/// Waits until a commit, a push and a line of a log were acknowledged.
async fn something_promised(fresh: &Mutex<Promised>) {
    let end = Instant::now() + Duration::from_secs(60);
    let have = || {
        let fresh = fresh.lock().unwrap();
        !fresh.files.is_empty() && !fresh.branches.is_empty() && !fresh.logs.is_empty()
    };
    while !have() {
        assert!(Instant::now() < end, "nothing was acknowledged in a minute");
        let moment = Duration::from_millis(5);
        // Nothing else ends this wait.
        let _ = tokio::time::timeout(moment, std::future::pending::<()>()).await;
    }
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
    let mut worker: Option<Worker> = None;
    let (mut promised, mut random) = (Promised::default(), Random::seeded(7));
    for round in 0..ROUNDS {
        let (mut child, ready) = serve(folder.path());
        if round == 0 {
            worker = Some(begin(folder.path(), &ready).await);
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
        let writing = {
            let (ready, fresh, worker) = (
                ready.clone(),
                std::sync::Arc::clone(&fresh),
                worker.clone().unwrap(),
            );
            tokio::spawn(async move { log_load(&ready, worker, &fresh).await })
        };
        let asking = {
            let (ready, fresh) = (ready.clone(), std::sync::Arc::clone(&fresh));
            tokio::spawn(async move { api_load(&ready, round, &fresh).await })
        };
        if round % 4 != 0 {
            // On a busy machine the first answer takes its time; every fourth kill comes before it.
            something_promised(&fresh).await;
        }
        let moment = Duration::from_millis(20 + u64::from(random.block()[0]));
        // The moment passes; nothing else ends this wait.
        let _ = tokio::time::timeout(moment, std::future::pending::<()>()).await;
        child.kill().unwrap();
        child.wait().unwrap();
        asking.await.unwrap();
        worker = Some(writing.await.unwrap());
        pushing.await.unwrap();
        let fresh = std::mem::take(&mut *fresh.lock().unwrap());
        let last = Promised {
            files: fresh.files.clone(),
            branches: fresh.branches.clone(),
            variables: fresh.variables.clone(),
            logs: fresh.logs.clone(),
        };
        check(folder.path(), &last).await;
        promised.files.extend(fresh.files);
        promised.branches.extend(fresh.branches);
        promised.variables.extend(fresh.variables);
        promised.logs.extend(fresh.logs);
    }
    check(folder.path(), &promised).await;
    fsck(folder.path());
    assert!(
        promised.files.len() > 50
            && promised.branches.len() > 10
            && promised.logs.values().sum::<i64>() > 50,
        "the load was too light to prove anything: {} files, {} branches, {:?}",
        promised.files.len(),
        promised.branches.len(),
        promised.logs
    );
}
