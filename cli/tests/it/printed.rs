//! What each command prints, as a person reads it: in words, in colour, within eighty columns.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use insta::assert_snapshot;

use crate::{
    scene::Scene,
    support::{fits, plain, proxmox_ci, told, visible},
};

/// Text without hashes, which differ from one build of the stand-ins to the next.
fn without_hashes(text: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for letter in text.chars().chain(['\n']) {
        if letter.is_ascii_digit() || ('a'..='f').contains(&letter) {
            run.push(letter);
            continue;
        }
        out.push_str(if run.len() == 64 { "HASH" } else { &run });
        run.clear();
        out.push(letter);
    }
    out.pop();
    out
}

/// Prints in words and in colour, which must be the same words.
async fn check(scene: &Scene, name: &str, args: &[&str]) {
    let words = scene.run(args).await;
    // What another program reads is not folded.
    if !["--json", "--markdown"]
        .iter()
        .any(|form| args.contains(form))
    {
        fits(&told(&words), 80);
    }
    let text = scene.told(&words);
    assert_snapshot!(name, text);
    let coloured = scene.run(&[args, &["--color=always"]].concat()).await;
    let coloured = without_hashes(&scene.told(&coloured));
    assert_eq!(plain(&coloured), text, "{name}");
    if coloured.contains('\u{1b}') {
        assert_snapshot!(format!("{name}-coloured"), visible(&coloured));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_from_nothing_to_nothing_is_told() {
    let scene = Scene::new().await;
    check(&scene, "told-check", &["check"]).await;
    check(&scene, "told-plan", &["plan"]).await;
    check(&scene, "told-plan-markdown", &["plan", "--markdown"]).await;
    check(&scene, "told-status-before", &["status"]).await;
    let applied = scene.run(&["apply", "--yes"]).await;
    fits(&told(&applied), 80);
    let applied = events(&scene.told(&applied));
    assert_snapshot!("told-apply", applied);
    check(&scene, "told-plan-empty", &["plan"]).await;
    check(&scene, "told-apply-empty", &["apply", "--yes"]).await;
    check(&scene, "told-status", &["status"]).await;
    check(&scene, "told-config", &["config", "--explain", "app"]).await;
    scene.write(
        "containers/db/config.env",
        "ID=111\nMEMORY=1G\nCORES=2\nROOTFS=4\n",
        0o644,
    );
    scene.write("containers/app/apply.sh", "#!/bin/sh\necho other\n", 0o755);
    check(&scene, "told-plan-edits", &["plan"]).await;
    check(&scene, "told-plan-edits-markdown", &["plan", "--markdown"]).await;
    check(&scene, "told-apply-refused", &["apply", "--yes", "--quiet"]).await;
    let gone = scene
        .run(&["destroy", "app", "db", "--yes", "--quiet"])
        .await;
    assert_snapshot!("told-destroy", scene.told(&gone));
    in_colour(&scene, &applied).await;
}

/// The same once more in colour: the words are the same, and what is coloured is as it was read.
async fn in_colour(scene: &Scene, applied: &str) {
    let colour = "--color=always";
    scene.write("containers/db/config.env", "ID=111\n", 0o644);
    scene.write("containers/app/apply.sh", "#!/bin/sh\necho app\n", 0o755);
    let coloured = scene.run(&["apply", "--yes", colour]).await;
    let coloured = events(&scene.told(&coloured));
    assert_eq!(plain(&without_hashes(&coloured)), applied);
    assert_snapshot!("told-apply-coloured", visible(&without_hashes(&coloured)));
    let gone = ["destroy", "db", "--yes", colour];
    let gone = events(&scene.told(&scene.run(&gone).await));
    assert_snapshot!("told-destroy-coloured", visible(&gone));
    let twice = scene.run(&["destroy", "nothing", "--yes", colour]).await;
    assert_snapshot!(
        "told-destroy-unknown-coloured",
        visible(&scene.told(&twice))
    );
}

/// The lines of an apply without the times that they begin with.
fn events(text: &str) -> String {
    let line = |line: &str| match line.trim_start().strip_prefix("TIME  ") {
        Some(rest) => format!("TIME  {rest}\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_fleet_is_shown_with_its_lines() {
    let scene = Scene::new().await;
    let text = "ID=111\nMEMROY=512\nCORES=many\nMOUNT=local:8G:/data, /srv\nTEMPLATE=https://x.example/t.tar.zst\n";
    scene.write("containers/db/config.env", text, 0o644);
    check(&scene, "told-check-errors", &["check"]).await;
    check(&scene, "told-check-errors-json", &["check", "--json"]).await;
    scene.write(
        "fleet.toml",
        "id = \"fleet-0123456789\"\n[network]\nsubnet = \"10.77.0.0\"\n[polices]\n",
        0o644,
    );
    check(&scene, "told-fleet-errors", &["check"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_for_a_program_holds_to_its_schema() {
    let scene = Scene::new().await;
    let plan = scene.run(&["plan", "--json"]).await;
    assert_snapshot!("told-plan-json", scene.told(&plan));
    let schema = scene.run(&["schema", "plan"]).await;
    let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(schema["properties"]["version"]["const"], plan["version"]);
    for name in plan.as_object().unwrap().keys() {
        assert!(
            schema["properties"][name]["description"].is_string(),
            "{name}"
        );
    }
}

#[test]
fn keys_are_explained() {
    for key in ["MEMORY", "mount", "network.subnet", "id"] {
        let output = proxmox_ci(&["explain", key]).output().unwrap();
        fits(&told(&output), 80);
        assert_snapshot!(format!("explain-{key}"), told(&output));
    }
    let all = proxmox_ci(&["explain"]).output().unwrap();
    fits(&told(&all), 80);
    assert_snapshot!("explain", told(&all));
    let slip = proxmox_ci(&["explain", "MEMROY"]).output().unwrap();
    assert_snapshot!("explain-slip", told(&slip));
    let json = proxmox_ci(&["explain", "vlan", "--json"]).output().unwrap();
    assert_snapshot!("explain-json", told(&json));
}

#[test]
fn schemas_are_written_where_editors_find_them() {
    let fleet = tempfile::tempdir().unwrap();
    let output = proxmox_ci(&["schema", "--write"])
        .env("PROXMOX_CI_FLEET", fleet.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    for file in ["container.toml", "fleet.toml", "fleet.local.toml"] {
        let path = fleet.path().join(format!(".proxmox-ci/{file}.schema.json"));
        let schema: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(schema["title"], file);
        let printed = proxmox_ci(&["schema", file]).output().unwrap();
        let printed: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
        assert_eq!(printed, schema);
    }
}

#[test]
fn a_wrong_line_is_told_in_words_and_in_colour() {
    for (name, args) in [
        ("usage-command", vec!["paln"]),
        ("usage-flag", vec!["plan", "--markdwon"]),
        ("usage-missing", vec!["exec"]),
        ("usage-both", vec!["plan", "--markdown", "--json"]),
    ] {
        let words = told(&proxmox_ci(&args).output().unwrap());
        fits(&words, 80);
        assert_snapshot!(name, words);
        let coloured: Vec<&str> = [&["--color=always"], args.as_slice()].concat();
        assert_eq!(
            plain(&told(&proxmox_ci(&coloured).output().unwrap())),
            words
        );
    }
}

/// The first lines that a server says, until one that holds these words; then it is ended.
fn first_words(args: &[&str], last: &str) -> String {
    let mut child = proxmox_ci(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        said.push_str(&masked(&line));
        said.push('\n');
        if line.contains(last) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    said
}

/// A line without ports, fingerprints and tokens.
fn masked(line: &str) -> String {
    let mut out = Vec::new();
    for word in line.split(' ') {
        let word = match word.split_once("127.0.0.1:") {
            Some((before, after)) => {
                let rest = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
                format!("{before}127.0.0.1:PORT{rest}")
            }
            None => word.to_owned(),
        };
        let word = match word.split_once("token=") {
            Some((before, _)) => format!("{before}token=TOKEN"),
            None => word,
        };
        let is_print = word.len() == 95 && word.split(':').count() == 32;
        out.push(if is_print {
            "FINGERPRINT".to_owned()
        } else {
            word
        });
    }
    out.join(" ")
}

#[test]
fn servers_say_where_they_are() {
    let node = ["node", "--listen", "127.0.0.1:0", "--sim", "127.0.0.1:0"];
    assert_snapshot!("started-node", first_words(&node, "look at it"));
    let quiet = ["node", "--listen", "127.0.0.1:0"];
    assert_snapshot!("started-node-alone", first_words(&quiet, "ready-file"));
    let forge = ["forge", "--listen", "127.0.0.1:0"];
    assert_snapshot!("started-forge", first_words(&forge, "serving"));
}

#[test]
fn a_new_fleet_is_told_with_what_to_type_next() {
    let folder = tempfile::tempdir().unwrap();
    let init = || {
        proxmox_ci(&["init", "lab"])
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    // Which files there are is told by another test: each explains itself.
    let is_file = |line: &&str| line.starts_with("  ") && !line.starts_with("  proxmox-ci");
    let first = told(&init());
    let words: Vec<&str> = first.lines().filter(|line| !is_file(line)).collect();
    assert_snapshot!("init", words.join("\n"));
    assert_snapshot!("init-again", told(&init()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_fleet_is_checked_and_planned_at_once_by_the_commands_that_init_names() {
    let node = testkit::node::Node::start_memory().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, node.root_token()).unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let typed = |words: &str| {
        let args: Vec<&str> = words
            .split_whitespace()
            .skip(1)
            .take_while(|word| *word != "#")
            .collect();
        let mut command = proxmox_ci(&args);
        command
            .current_dir(folder.path())
            .env("PROXMOX_CI_URL", node.url())
            .env("PROXMOX_CI_FINGERPRINT", node.fingerprint())
            .env("PROXMOX_CI_TOKEN_FILE", &token)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        crate::scene::end_of(command.spawn().unwrap())
    };
    let init = told(&typed("proxmox-ci init lab").await);
    let next: Vec<&str> = init
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("proxmox-ci "))
        .collect();
    let [check, plan, apply] = next[..] else {
        panic!("not three commands: {next:?}");
    };
    assert!(apply.starts_with("proxmox-ci apply"), "{apply}");
    explained(&folder.path().join("lab"));
    let output = typed(check).await;
    assert_eq!(
        told(&output),
        "exit: 0\n--- stdout\nok: 1 container\n--- stderr\n"
    );
    let output = typed(plan).await;
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert!(
        told(&output).contains("Plan: 1 create"),
        "{}",
        told(&output)
    );
    assert!(output.stderr.is_empty(), "{}", told(&output));
}

/// Every file of a new fleet explains itself in a comment.
fn explained(folder: &std::path::Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != ".proxmox-ci") {
                explained(&path);
            }
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let begins = |line: &str| ["# ", "<!-- "].iter().any(|sign| line.starts_with(sign));
        let comments = text.lines().take(5).filter(|line| begins(line)).count();
        assert!(comments > 0, "{} does not explain itself", path.display());
    }
}
