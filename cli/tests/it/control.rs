//! `runs`, `logs`, `doctor` and `upkeep` in front of a Git service whose runs are carried out.

mod told;

use std::{fs, os::unix::fs::PermissionsExt as _};

use gitea_api::{
    Auth, Client, Secret,
    api::{
        orgs::CreateOrg,
        repos::{CreateRepo, contents::CommitOptions},
    },
    runner::Profile,
};
use insta::assert_snapshot;
use selfhost::runner::{self, Events, Order, Settings};
use serde_json::Value;
use testkit::forge::Forge;
use tokio::task::JoinHandle;

use crate::scene::Scene;

const WORKFLOW: &str = "\
name: pipeline
on: push
jobs:
  container-init:
    runs-on: proxmox-ci
    steps:
      - run: echo the plan is empty
  container-default:
    needs: container-init
    runs-on: proxmox-ci
    steps:
      - run: echo nothing is to be done; exit $(git -C . rev-parse HEAD >/dev/null 2>&1 && echo 0 || echo 3)
";

/// A fleet whose Git service has seen one push; nobody has carried out its run yet.
struct Control {
    scene: Scene,
    forge: Forge,
    client: Client,
}

impl Control {
    async fn new() -> Self {
        let (scene, forge) = (Scene::new().await, Forge::start().await.unwrap());
        let token = forge.ready().root_token.clone();
        let builder = Client::builder(forge.url()).auth(Auth::token(&*token));
        let client = builder.build().unwrap();
        client
            .ensure_org(&CreateOrg::new("proxmox-ci"))
            .await
            .unwrap();
        let org = client.org("proxmox-ci");
        org.ensure_repo(&CreateRepo::new("fleet")).await.unwrap();
        let options = CommitOptions::new().message("a fleet");
        let commit = client.repo("proxmox-ci", "fleet").commit(&options);
        let path = ".gitea/workflows/pipeline.yml";
        commit.put(path, WORKFLOW.as_bytes()).send().await.unwrap();
        scene.write(path, WORKFLOW, 0o644);
        scene.write("forge.local.txt", &token, 0o600);
        let local = format!(
            "url = \"{}\"\ntoken_file = \"forge.local.txt\"\n",
            forge.url()
        );
        scene.write("forge.local.toml", &local, 0o600);
        Self {
            scene,
            forge,
            client,
        }
    }

    /// A runner for one job after the other.
    async fn runner(&self) -> JoinHandle<()> {
        let profile = Profile::new("r1", ["proxmox-ci".to_owned()]);
        let token = Secret::new(&*self.forge.ready().runner_token);
        let registered = self.client.register_runner(&profile, &token).await.unwrap();
        let settings = Settings {
            runner: self.client.runner(registered.credentials),
            profile,
            name: "r1".to_owned(),
            version: "test".to_owned(),
            server: self.forge.url().to_owned(),
            work: self.scene.folder.path().join("work"),
            capacity: 1,
            inherited: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
            minute: runner::MINUTE,
        };
        tokio::spawn(async move {
            let (_keep, orders) = tokio::sync::watch::channel(Order::Work);
            let ended = runner::run(settings, orders, Events::to(|_| {}));
            ended.await.unwrap();
        })
    }

    async fn told(&self, args: &[&str]) -> String {
        let output = self.scene.run(args).await;
        let text = self.scene.told(&output).replace(self.forge.url(), "FORGE");
        text.lines().map(|line| hidden(line) + "\n").collect()
    }
}

/// The line without the hash of a commit.
fn hidden(line: &str) -> String {
    let is_hash = |word: &str| word.len() == 8 && word.bytes().all(|it| it.is_ascii_hexdigit());
    let words = line
        .split(' ')
        .map(|word| if is_hash(word) { "COMMIT.." } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_run_is_listed_followed_to_its_end_and_its_failure_is_the_exit_code() {
    let control = Control::new().await;
    let queued = control.told(&["runs"]).await;
    assert!(
        queued.contains("queued") || queued.contains("waiting"),
        "{queued}"
    );
    let runner = control.runner().await;
    let followed = control
        .scene
        .run(&["logs", "--follow", "--within", "60"])
        .await;
    runner.abort();
    let text = String::from_utf8_lossy(&followed.stdout).into_owned();
    assert_eq!(followed.status.code(), Some(3), "{text}");
    let order = [
        "container-init | the plan is empty",
        "container-default | nothing is to be done",
    ];
    let places: Vec<_> = order.iter().map(|line| text.find(line)).collect();
    assert!(places[0].is_some() && places[0] < places[1], "{text}");
    assert_snapshot!("runs", control.told(&["runs"]).await);
    let one = control.told(&["logs", "--job", "container-init"]).await;
    assert!(
        one.contains("\nthe plan is empty\n") && one.starts_with("exit: 0\n"),
        "{one}"
    );
    assert_snapshot!(
        "logs_no_such_job",
        control.told(&["logs", "--job", "nope"]).await
    );
    assert_snapshot!("logs_no_such_run", control.told(&["logs", "4711"]).await);
}

#[tokio::test]
async fn runs_and_their_lines_are_json_when_asked() {
    let control = Control::new().await;
    let listed = control
        .scene
        .run(&["runs", "--json", "--branch", "main"])
        .await;
    let runs: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(runs[0]["workflow"], "pipeline.yml");
    let none = control
        .scene
        .run(&["runs", "--json", "--branch", "other"])
        .await;
    assert_eq!(
        serde_json::from_slice::<Value>(&none.stdout).unwrap(),
        serde_json::json!([])
    );
    let runner = control.runner().await;
    let followed = [
        "logs",
        "--json",
        "-f",
        "--job",
        "container-init",
        "--within",
        "60",
    ];
    let followed = control.scene.run(&followed).await;
    runner.abort();
    let text = String::from_utf8(followed.stdout).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert!(
        lines.iter().any(|line| line["text"] == "the plan is empty"),
        "{text}"
    );
}

#[tokio::test]
async fn where_the_git_service_is_must_be_known() {
    let scene = Scene::new().await;
    assert_snapshot!("runs_no_service", scene.told(&scene.run(&["runs"]).await));
    scene.write("forge.local.toml", "url = \"http://127.0.0.1:1\"\n", 0o600);
    let away = scene.run(&["runs"]).await;
    assert_eq!(away.status.code(), Some(69));
    scene.write(
        "forge.local.toml",
        "url = \"http://127.0.0.1:1\"\ntoken_file = \"t\"\n",
        0o600,
    );
    scene.write("t", "secret", 0o644);
    let open = scene.run(&["runs"]).await;
    assert_eq!(open.status.code(), Some(78));
}

#[tokio::test]
async fn the_doctor_names_a_remedy_for_everything_that_is_not_well() {
    let control = Control::new().await;
    let refused = control.scene.run(&["doctor"]).await;
    assert_eq!(
        refused.status.code(),
        Some(65),
        "a fleet without a control plane"
    );
    control
        .scene
        .write("config.env", "ID=110\nHOSTNAME=control\n", 0o644);
    let output = control.scene.run(&["doctor", "--json"]).await;
    assert_eq!(output.status.code(), Some(3));
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let of = |check: &str| {
        let mut found = findings.iter().filter(|it| it["check"] == check);
        found
            .next()
            .unwrap_or_else(|| panic!("{check} is missing"))
            .clone()
    };
    assert_eq!(of("forge")["state"], "ok");
    assert_eq!(of("rights")["state"], "warning");
    for check in ["addresses", "labels", "secrets", "variables"] {
        assert_eq!(of(check)["state"], "failed", "{check}");
        assert!(of(check)["remedy"].is_string(), "{check}");
    }
    let lacking = of("secrets")["found"].as_str().unwrap().to_owned();
    assert_eq!(
        lacking,
        "missing: `FINGERPRINT_KEY`, `FLEET_SSH_KEY`, `PROXMOX_TOKEN`, `TOKEN`"
    );
    let runner = control.runner().await;
    let mut labels = of("labels");
    for _ in 0..50 {
        let output = control.scene.run(&["doctor", "--json"]).await;
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        labels = findings
            .into_iter()
            .find(|it| it["check"] == "labels")
            .unwrap();
        if labels["state"] == "ok" {
            break;
        }
    }
    runner.abort();
    assert_eq!(labels["state"], "ok", "{labels}");
}

#[tokio::test]
async fn a_fleet_that_pins_no_build_keeps_the_one_that_is_there() {
    let control = Control::new().await;
    let output = control.scene.run(&["upkeep", "--json"]).await;
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &told["outcome"]),
        (Some(0), &Value::from("unpinned"))
    );
}

#[tokio::test]
async fn a_plan_leaves_the_hashes_that_the_later_layers_are_held_to() {
    let scene = Scene::new().await;
    let file = scene.folder.path().join("outputs");
    fs::write(&file, "earlier=1\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let planned = scene
        .run(&["plan", "--hashes", file.to_str().unwrap()])
        .await;
    assert_eq!(planned.status.code(), Some(0));
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<(&str, &str)> = text.lines().filter_map(|it| it.split_once('=')).collect();
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        ["earlier", "container-default", "container-configuration"]
    );
    let state = scene.folder.path().join("state");
    let state = state.to_str().unwrap();
    for (layer, hash) in &lines[1..] {
        let args = [
            "apply", "--yes", "--state", state, "--layer", layer, "--expect", hash,
        ];
        let applied = scene.run(&args).await;
        assert_eq!(applied.status.code(), Some(0), "{}", scene.told(&applied));
    }
    assert!(scene.folder.path().join("state/journal.jsonl").exists());
    assert!(
        scene.journal().is_empty(),
        "the fleet's own folder was used"
    );
}
