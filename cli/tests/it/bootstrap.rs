//! Bootstrap: one command from an empty node to a control plane, and what must hold of it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Output, time::Duration};

use base64_of::base64;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::{
    control_plane::{CANARY, World, commit, run},
    scene::end_of,
};

mod base64_of;
mod gitea;
mod told;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn succeeded(output: &Output) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
}

/// What stands in the end, without what no two worlds share.
async fn end_state(world: &World) -> Vec<String> {
    let service = world.service();
    let organisation = service.org("proxmox-ci");
    let mut state = Vec::new();
    for repository in organisation.repos().collect(100).await.unwrap() {
        let handle = service.repo("proxmox-ci", &repository.name);
        let head = handle.branches().get("main").await.unwrap().commit.id;
        let folder = match repository.name.as_str() {
            "fleet" => world.fleet(),
            _ => world.source(),
        };
        let ours = run("git", &["rev-parse".to_owned(), "HEAD".to_owned()], &folder);
        let runs = handle
            .actions()
            .runs(&gitea_api::api::actions::runs::ListRuns::new());
        state.push(format!(
            "repository {}: private {}, actions {}, same head {}, runs {}",
            repository.name,
            repository.private,
            repository.has_actions,
            text(&ours.stdout).trim() == head,
            runs.collect(100).await.unwrap().len(),
        ));
    }
    let releases = service.repo("proxmox-ci", "proxmox-ci").releases();
    for release in releases.list().collect(100).await.unwrap() {
        let program = fs::metadata(world.folder.path().join("program")).unwrap();
        let whole =
            |file: &&gitea_api::api::repos::releases::Attachment| file.size == program.len();
        state.push(format!(
            "release {}: {} files, {} whole",
            release.tag_name,
            release.assets.len(),
            release.assets.iter().filter(whole).count(),
        ));
    }
    let actions = organisation.actions();
    for secret in actions.secrets().collect(100).await.unwrap() {
        state.push(format!("secret {}", secret.name));
    }
    for variable in actions.variables().collect(100).await.unwrap() {
        state.push(format!("variable {}", variable.name));
    }
    for runner in service
        .admin()
        .actions()
        .runners()
        .collect(100)
        .await
        .unwrap()
    {
        let labels: Vec<&str> = runner.labels.iter().map(|it| it.name.as_str()).collect();
        state.push(format!("runner {} {}", runner.name, labels.join(",")));
    }
    for user in service.admin().users().collect(100).await.unwrap() {
        state.push(format!("user {}", user.login));
    }
    state.extend(guests(world).await);
    for file in ["forge.local.toml", "forge.local.token", "forge.local.crt"] {
        let mode = fs::metadata(world.fleet().join(file))
            .unwrap()
            .permissions()
            .mode();
        state.push(format!("{file} {:o}", mode & 0o777));
    }
    state.extend(files(&world.root().join("etc"), "etc"));
    state.extend(files(&world.root().join("usr"), "usr"));
    state.sort();
    state
}

async fn guests(world: &World) -> Vec<String> {
    let mut command = world.command(&[]);
    command = {
        let mut status = crate::support::proxmox_ci(&["status", "--json"]);
        status.env("PROXMOX_CI_FLEET", world.fleet());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                status.env(name, value);
            }
        }
        status
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        status
    };
    let output = end_of(command.spawn().unwrap()).await;
    let lines: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let without = |line: &Value| {
        let mut line = line.clone();
        if let Some(guest) = line.as_object_mut() {
            guest.retain(|key, _| {
                ["name", "container", "vmid", "status", "state", "node"].contains(&key.as_str())
            });
        }
        format!("guest {line}")
    };
    lines.iter().map(without).collect()
}

/// Every file below a folder, with its mode.
fn files(folder: &Path, called: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{called}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path(), &name));
        } else if !name.ends_with(".previous") && !name.ends_with(".new") {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            found.push(format!("{name} {mode:o}"));
        }
    }
    found
}

/// How often the node made a guest.
fn creates(world: &World) -> usize {
    let exchanges = world.node.journal().exchanges();
    let create = |it: &&Value| {
        it["method"] == "POST" && it["path"] == "/api2/json/nodes/pve/lxc" && it["status"] == 200
    };
    exchanges.iter().filter(create).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_bootstrap_changes_nothing_and_a_commit_goes_forward() {
    let world = World::new().await;
    let first = world.bootstrap(&[]).await;
    succeeded(&first);
    assert!(
        text(&first.stderr).contains("password  "),
        "{}",
        text(&first.stderr)
    );
    assert!(text(&first.stderr).contains("shown once"));
    let state = end_state(&world).await;
    insta::assert_snapshot!("end_state", state.join("\n"));
    let writes = world.writes().len();

    let second = world.bootstrap(&["--json"]).await;
    succeeded(&second);
    let report: Value = serde_json::from_slice(&second.stdout).unwrap();
    assert_eq!(report["outcome"], "unchanged", "{report}");
    assert!(
        !text(&second.stderr).contains("password"),
        "{}",
        text(&second.stderr)
    );
    assert_eq!(world.writes().len(), writes, "{:?}", world.writes());
    assert_eq!(end_state(&world).await, state);
    let proofs = report["proofs"].as_array().unwrap();
    assert_eq!(proofs.len(), 4);
    assert!(
        proofs.iter().all(|proof| proof["holds"] == true),
        "{proofs:?}"
    );

    // A run that happened keeps its number when the next import goes forward.
    let repo = world.service().repo("proxmox-ci", "fleet");
    world.write("containers/README.md", "More.\n", 0o644);
    commit(&world.fleet());
    let third = world.bootstrap(&["--json"]).await;
    succeeded(&third);
    let report: Value = serde_json::from_slice(&third.stdout).unwrap();
    assert_eq!(report["outcome"], "changed", "{report}");
    let id = repo.get().await.unwrap().id;
    let fourth = world.bootstrap(&["--json"]).await;
    succeeded(&fourth);
    let report: Value = serde_json::from_slice(&fourth.stdout).unwrap();
    assert_eq!(report["outcome"], "unchanged", "{report}");
    assert_eq!(repo.get().await.unwrap().id, id, "it was never made anew");
    assert_eq!(end_state(&world).await, state);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_names_every_call_and_writes_nothing() {
    let world = World::new().await;
    let told = world.bootstrap(&["--dry-run"]).await;
    succeeded(&told);
    let out = text(&told.stdout);
    for stage in [
        "preflight",
        "container",
        "forge",
        "repository",
        "ci",
        "handover",
    ] {
        assert!(out.lines().any(|line| line == stage), "{stage}: {out}");
    }
    for call in [
        "POST /nodes/pve/lxc",
        "mv /usr/local/bin/proxmox-ci.new",
        "POST /api/v1/orgs",
        "git -C",
        "POST /api/v1/repos/proxmox-ci/proxmox-ci/releases/…/assets",
        "actions/secrets/OPERATOR",
        "runner register",
    ] {
        assert!(out.contains(call), "{call}: {out}");
    }
    assert_eq!(world.writes(), Vec::<String>::new());
    let all = out + &text(&told.stderr);
    let token = world.node.root_token();
    let secret = token.split_once('=').unwrap().1;
    for hidden in [CANARY, secret] {
        assert!(
            !all.contains(hidden) && !all.contains(&base64(hidden)),
            "{all}"
        );
    }
    assert!(!world.fleet().join(".proxmox-ci").exists());
    assert!(!world.fleet().join("ssh.local.key").exists());
    assert!(!world.root().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_differs_from_what_is_committed_is_not_imported() {
    let world = World::new().await;
    world.write("config/motd", "not committed\n", 0o644);
    let refused = world.bootstrap(&["--quiet"]).await;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(said.contains("not committed: config/motd"), "{said}");
    assert_eq!(world.writes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_git_tracks_stops_it_before_anything_is_asked() {
    let world = World::new().await;
    let track =
        "git add -f secrets.local.env && git -c user.name=a -c user.email=a@b commit -qm oops";
    run("sh", &["-c".to_owned(), track.to_owned()], &world.fleet());
    let refused = world.bootstrap(&["--quiet"]).await;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(65), "{said}");
    assert!(said.contains("git tracks `secrets.local.env`"), "{said}");
    assert!(!said.contains(CANARY));
    assert_eq!(world.node.journal().exchanges().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_for_a_newer_system_names_both_systems() {
    let world = World::new().await;
    let program = world.folder.path().join("program");
    let words = "#!/bin/sh\necho \"x: /lib/libc.so.6: version 'GLIBC_9.9' not found (required by x)\" >&2\nexit 1\n";
    fs::write(program, words).unwrap();
    let refused = world.bootstrap(&["--quiet"]).await;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("needs glibc 9.9"), "{said}");
    assert_eq!(
        said.matches("glibc 2.").count(),
        2,
        "here and there: {said}"
    );
    let installed = world.root().join("usr/local/bin/proxmox-ci");
    assert!(!installed.exists(), "it is put beside, and stays there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_build_that_the_fleet_pins_stays() {
    let world = World::new().await;
    succeeded(&world.bootstrap(&["--quiet"]).await);
    let installed = world.root().join("usr/local/bin/proxmox-ci");
    let another = fs::read_to_string(&installed).unwrap() + "# another build\n";
    fs::write(installed.with_extension("next"), &another).unwrap();
    fs::set_permissions(
        installed.with_extension("next"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    fs::rename(installed.with_extension("next"), &installed).unwrap();
    let sum = run(
        "sha256sum",
        &[installed.display().to_string()],
        Path::new("/"),
    );
    let sum = text(&sum.stdout)
        .split_whitespace()
        .next()
        .unwrap()
        .to_owned();
    let fleet = fs::read_to_string(world.fleet().join("fleet.toml")).unwrap();
    let pin = format!("{fleet}\n[program]\nversion = \"0.0.0\"\nsha256 = \"{sum}\"\n");
    world.write("fleet.toml", &pin, 0o644);
    commit(&world.fleet());
    succeeded(&world.bootstrap(&["--quiet"]).await);
    assert_eq!(fs::read_to_string(&installed).unwrap(), another);
    let again = world.bootstrap(&["--quiet"]).await;
    assert!(
        text(&again.stdout).contains("nothing to do"),
        "{}",
        text(&again.stdout)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_would_not_go_forward_stops() {
    let world = World::new().await;
    succeeded(&world.bootstrap(&["--quiet"]).await);
    let service = world.service();
    let repo = service.repo("proxmox-ci", "fleet");
    let theirs = repo.branches().get("main").await.unwrap().commit.id;
    // Another history in the same folder.
    fs::remove_dir_all(world.fleet().join(".git")).unwrap();
    world.write("other.txt", "Another beginning.\n", 0o644);
    commit(&world.fleet());
    let refused = world.bootstrap(&["--quiet"]).await;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(said.contains("an import goes only forward"), "{said}");
    assert_eq!(repo.branches().get("main").await.unwrap().commit.id, theirs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_nowhere_but_where_it_belongs() {
    let world = World::new().await;
    let said = world.bootstrap(&["--json"]).await;
    succeeded(&said);
    let password = text(&said.stderr);
    let password = password
        .lines()
        .find_map(|line| line.trim().strip_prefix("password  "))
        .unwrap()
        .to_owned();
    let token = fs::read_to_string(world.fleet().join("forge.local.token")).unwrap();
    let node = world.node.root_token();
    let key = fs::read_to_string(world.fleet().join("ssh.local.key")).unwrap();
    let line = key.lines().nth(1).unwrap().to_owned();
    let tls = fs::read_to_string(world.root().join("etc/proxmox-ci/forge.key")).unwrap();
    let tls = tls.lines().nth(1).unwrap().to_owned();
    let canaries: Vec<Canary> = vec![
        (
            "operator's secret",
            CANARY.to_owned(),
            vec!["secrets.local.env"],
        ),
        (
            "node's token",
            node.split_once('=').unwrap().1.to_owned(),
            vec!["token.local.txt"],
        ),
        ("password", password, vec!["administrator.json"]),
        (
            "administrator's token",
            token.trim().to_owned(),
            vec!["administrator.json", "forge.local.token"],
        ),
        ("ssh key", line, vec!["ssh.local.key"]),
        ("key of the certificate", tls, vec!["forge.key"]),
    ];
    for (what, value, allowed) in &canaries {
        let forms = [value.clone(), base64(value)];
        for form in &forms {
            let found = holding(world.folder.path(), form.as_bytes());
            let stray: Vec<&String> = found
                .iter()
                .filter(|path| !allowed.iter().any(|name| path.ends_with(name)))
                .collect();
            assert!(stray.is_empty(), "{what} is in {stray:?}");
            assert!(
                !text(&said.stdout).contains(form),
                "{what} is in the report"
            );
        }
    }
    not_in_processes(&world, &canaries);
    not_in_git(&world, &canaries);
    not_in_variables(&world, &canaries).await;
}

/// What must not be seen, and the files that may hold it.
type Canary = (&'static str, String, Vec<&'static str>);

fn not_in_processes(world: &World, canaries: &[Canary]) {
    for pid in units(world) {
        for file in ["environ", "cmdline"] {
            let read = fs::read(format!("/proc/{pid}/{file}")).unwrap();
            for (what, value, _) in canaries {
                assert!(!contains(&read, value.as_bytes()), "{what} is in {file}");
            }
        }
    }
}

fn not_in_git(world: &World, canaries: &[Canary]) {
    let script = "git rev-list --objects --all | cut -d' ' -f1 | git cat-file --batch";
    for folder in [world.fleet(), world.source()] {
        let blobs = run("sh", &["-c".to_owned(), script.to_owned()], &folder).stdout;
        for (what, value, _) in canaries {
            assert!(!contains(&blobs, value.as_bytes()), "{what} is in git");
        }
    }
}

async fn not_in_variables(world: &World, canaries: &[Canary]) {
    let variables = world.service().org("proxmox-ci").actions().variables();
    for variable in variables.collect(100).await.unwrap() {
        for (what, value, _) in canaries {
            assert!(
                !variable.data.contains(value),
                "{what} is in {}",
                variable.name
            );
        }
    }
}

fn units(world: &World) -> Vec<String> {
    let listed = fs::read_dir(world.root().join("units")).unwrap().flatten();
    let files = listed.map(|entry| entry.path());
    files
        .filter(|path| path.extension().is_some_and(|it| it == "pid"))
        .map(|path| fs::read_to_string(path).unwrap().trim().to_owned())
        .collect()
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// The files below a folder that hold these bytes.
fn holding(folder: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            found.extend(holding(&path, needle));
        } else if kind.is_file() && fs::read(&path).is_ok_and(|bytes| contains(&bytes, needle)) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// How many points a bootstrap is killed at, spread over everything that it journals.
const POINTS: usize = 18;

/// Kills a bootstrap once its journals hold `point` lines and a moment has passed, with everything
/// that it started but the units of the container.
async fn killed_at(world: &World, point: usize, moment: Duration) -> bool {
    let mut child = world
        .command(&["--forge", "embedded", "--quiet"])
        .spawn()
        .unwrap();
    let mut look = tokio::time::interval(Duration::from_millis(1));
    while world.journal().len() < point && child.try_wait().unwrap().is_none() {
        look.tick().await;
    }
    let mut moment =
        tokio::time::interval_at(tokio::time::Instant::now() + moment, Duration::from_secs(1));
    moment.tick().await;
    let was_running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    kill_the_rest(world);
    end_of(child).await;
    was_running
}

/// Kills what a killed bootstrap started: all that carries this world's name in its environment. Looks
/// until two looks in a row find nothing: what runs a program just then has no environment to read.
fn kill_the_rest(world: &World) {
    let mut quiet = 0;
    while quiet < 2 {
        quiet = if kill_what_there_is(world) {
            0
        } else {
            quiet + 1
        };
    }
}

/// Whether there was something.
fn kill_what_there_is(world: &World) -> bool {
    let mark = format!("BOOTSTRAP_OF={}", world.folder.path().display());
    let marked = |pid: &String| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes())
    };
    let listed = fs::read_dir("/proc").unwrap().flatten();
    let these: Vec<String> = listed
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(marked)
        .collect();
    if !these.is_empty() {
        drop(run(
            "kill",
            &[&["-KILL".to_owned()], &these[..]].concat(),
            Path::new("/"),
        ));
    }
    !these.is_empty()
}

/// Kills a bootstrap and continues it; whether it was still at work when it was killed.
async fn continued(point: usize, number: usize, undisturbed: Vec<String>) -> bool {
    let world = World::new().await;
    let moment = Duration::from_millis((number as u64 * 13) % 40);
    let was_running = killed_at(&world, point, moment).await;
    let output = world.bootstrap(&["--quiet"]).await;
    let told = format!("point {point}: {}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(end_state(&world).await, undisturbed, "{told}");
    assert_eq!(creates(&world), 1, "{told}");
    was_running
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bootstrap_that_was_killed_anywhere_is_continued_to_the_same_end() {
    let (undisturbed, lines) = {
        let world = World::new().await;
        succeeded(&world.bootstrap(&["--quiet"]).await);
        (end_state(&world).await, world.journal().len())
    };
    let mut killed = 0;
    let numbers: Vec<usize> = (0..POINTS).collect();
    for some in numbers.chunks(3) {
        let runs: JoinSet<bool> = some
            .iter()
            .map(|number| {
                let point = 2 + number * (lines - 2) / POINTS;
                continued(point, *number, undisturbed.clone())
            })
            .collect();
        killed += runs.join_all().await.into_iter().filter(|it| *it).count();
    }
    // The last points are near the end, and on a busy machine a kill comes late.
    assert!(
        killed > POINTS / 2,
        "only {killed} were still at work when they were killed"
    );
}
