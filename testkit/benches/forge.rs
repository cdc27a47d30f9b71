//! How fast a forge is, each figure beside that of something plain on the same machine at the same time.
//!
//! ```text
//! nice cargo bench -p testkit --features server --bench forge
//! ```
//! takes two minutes on an idle machine of two cores, and ends with a table. Every server is a process
//! of its own: this program, started again with the name of what it shall be.
//!
//! Writes have a goal in fsyncs. Where one takes 0.1 ms, five times as many writes are more than a bare
//! server can answer reads, so the same is measured once more with every fsync 5 ms longer, which is
//! what strace can do: there, what counts is how many writes share one.
#![expect(clippy::print_stdout, reason = "a bench is read on the terminal")]
#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot go on should say where"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::forge::{Forge, ForgeOptions, Ready};

#[path = "forge/load.rs"]
mod load;
#[path = "forge/plain.rs"]
mod plain;
#[path = "forge/play.rs"]
mod play;

use load::{Ask, rate};
use play::{Child, git, ready_of};

/// How much longer an fsync takes on the disk that is made slow.
const SLOW: Duration = Duration::from_millis(5);
/// How long each rate is measured.
const SPAN: Duration = Duration::from_secs(3);
/// Files of the large push.
const FILES: usize = 10_000;

/// One line of the table.
struct Line {
    what: String,
    ours: f64,
    plain: f64,
    unit: &'static str,
    /// The ratio that is wanted, and whether it is the least or the most.
    goal: (f64, &'static str),
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["serve-forge", folder] => serve_forge(Path::new(folder)),
        ["serve-bare", folder] => plain::serve_bare(Path::new(folder)),
        ["serve-backend", folder] => plain::serve_backend(Path::new(folder)),
        ["time-fsyncs", folder] => time_fsyncs(Path::new(folder)),
        // Tests of all targets start it without `--bench`, and want nothing measured.
        given if given.contains(&"--bench") => measure(),
        _ => {}
    }
}

/// A forge in a folder, until somebody kills it.
fn serve_forge(folder: &Path) {
    let options = ForgeOptions {
        data: Some(folder.join("data")),
        ready_file: Some(folder.join("ready")),
        ..ForgeOptions::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let forge = Forge::start_with(options).await.unwrap();
        // Whoever started it holds the other end, and closes it to end us.
        let waiting = tokio::task::spawn_blocking(|| {
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink())
        });
        waiting.await.unwrap().unwrap();
        forge.stop().await;
    });
}

fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (forge, ready) = play::forge(folder);
    prepare(&ready);
    let idle = forge.memory_mib();
    let mut lines = Vec::new();
    reads(folder, &ready, &mut lines);
    git_reads(folder, &ready, &mut lines);
    writes(folder, &ready, &mut lines);
    let group = slow_writes(folder, &mut lines);
    pushes(folder, &ready, &mut lines);
    let killed = play::seconds_to_ready(folder, forge, play::End::Killed);
    let (again, after_kill) = killed;
    let (again, after_end) = play::seconds_to_ready(folder, again, play::End::Ended);
    println!(
        "\n{:44} {:>10} {:>10} {:>7}  goal",
        "", "forge", "plain", "ratio"
    );
    for line in lines {
        let ratio = line.ours / line.plain;
        let (goal, side) = line.goal;
        let reached = if side == "least" {
            ratio >= goal
        } else {
            ratio <= goal
        };
        println!(
            "{:44} {:>10.1} {:>10.1} {ratio:>7.2}  at {side} {goal}{} ({})",
            line.what,
            line.ours,
            line.plain,
            if reached { "" } else { "  MISSED" },
            line.unit
        );
    }
    println!("{group}");
    println!("idle, after a start in an empty folder: {idle:.1} MiB (goal: at most 30)");
    println!(
        "idle, after a start in a used folder: {:.1} MiB",
        again.memory_mib()
    );
    println!(
        "start of the process to ready, in a used folder: {:.0} ms, after a kill {:.0} ms (goal: at most 50)",
        after_end * 1e3,
        after_kill * 1e3
    );
}

fn token(ready: &Ready) -> String {
    format!("authorization: token {}\r\n", ready.root_token)
}

/// A repository with a file, and a runner.
fn prepare(ready: &Ready) {
    let made = Ask::new(
        ready,
        "POST",
        "/api/v1/user/repos",
        &token(ready),
        Some(&json!({ "name": "r", "auto_init": true })),
    );
    assert_eq!(made.once(&ready.url).0, 201);
}

/// Registers a runner and answers its headers.
fn runner(ready: &Ready) -> String {
    let rpc = "/api/actions/runner.v1.RunnerService/Register";
    let body = json!({ "name": "bench", "token": ready.runner_token, "labels": ["bench"], "version": "bench" });
    let (status, answer) = Ask::new(ready, "POST", rpc, "", Some(&body)).once(&ready.url);
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let text = |name: &str| answer["runner"][name].as_str().unwrap().to_owned();
    format!(
        "x-runner-uuid: {}\r\nx-runner-token: {}\r\n",
        text("uuid"),
        text("token")
    )
}

/// Reads from memory, beside a server that does nothing but answer the same bytes.
fn reads(folder: &Path, ready: &Ready, lines: &mut Vec<Line>) {
    let fetch = json!({ "tasksVersion": "0" });
    let runner = runner(ready);
    let asked = [
        (
            "GET /version",
            Ask::new(ready, "GET", "/api/v1/version", &token(ready), None),
        ),
        (
            "GET /user",
            Ask::new(ready, "GET", "/api/v1/user", &token(ready), None),
        ),
        (
            "GET /repos/o/r",
            Ask::new(ready, "GET", "/api/v1/repos/root1/r", &token(ready), None),
        ),
        (
            "GET /repos/o/r/actions/runs",
            Ask::new(
                ready,
                "GET",
                "/api/v1/repos/root1/r/actions/runs",
                &token(ready),
                None,
            ),
        ),
        (
            "FetchTask, nothing to do",
            Ask::new(
                ready,
                "POST",
                "/api/actions/runner.v1.RunnerService/FetchTask",
                &runner,
                Some(&fetch),
            ),
        ),
    ];
    for (what, ask) in asked {
        let (status, body) = ask.once(&ready.url);
        assert_eq!(status, 200, "{what}");
        std::fs::write(folder.join("bare.json"), body).unwrap();
        let bare = Child::start("serve-bare", folder);
        let address = ready_of(folder, "bare.ready");
        // Both in turn, and the best of each: the machine may have other things to do.
        let (mut plain, mut ours) = (0.0_f64, 0.0_f64);
        for _ in 0..4 {
            plain = plain.max(rate(&address, &ask, 16, SPAN / 3));
            ours = ours.max(rate(&ready.url, &ask, 16, SPAN / 3));
        }
        drop(bare);
        lines.push(Line {
            what: what.into(),
            ours,
            plain,
            unit: "requests/s",
            goal: (0.5, "least"),
        });
    }
}

/// Reads for which git is asked, beside a `git cat-file` for each.
fn git_reads(folder: &Path, ready: &Ready, lines: &mut Vec<Line>) {
    let repositories = folder.join("data/repositories");
    let bare = std::fs::read_dir(repositories)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let begin = Instant::now();
    let mut started = 0_u32;
    while begin.elapsed() < SPAN {
        assert!(git(&bare, &["cat-file", "-p", "HEAD:README.md"]));
        started += 1;
    }
    let plain = f64::from(started) / begin.elapsed().as_secs_f64();
    for (what, path) in [
        (
            "GET …/contents/README.md",
            "/api/v1/repos/root1/r/contents/README.md",
        ),
        ("GET …/branches", "/api/v1/repos/root1/r/branches"),
        ("GET …/commits", "/api/v1/repos/root1/r/commits"),
    ] {
        let ask = Ask::new(ready, "GET", path, &token(ready), None);
        assert_eq!(ask.once(&ready.url).0, 200, "{what}");
        let ours = rate(&ready.url, &ask, 16, SPAN);
        lines.push(Line {
            what: what.into(),
            ours,
            plain,
            unit: "requests/s, git cat-file/s",
            goal: (20.0, "least"),
        });
    }
}

/// Acknowledged writes of eight callers, beside as many writes with one fsync each.
fn writes(folder: &Path, ready: &Ready, lines: &mut Vec<Line>) {
    let plain = play::fsyncs(&folder.join("fsync"), SPAN);
    let ours = variables(ready);
    lines.push(Line {
        what: "POST …/actions/variables, 8 connections".into(),
        ours,
        plain,
        unit: "writes/s, fsyncs/s",
        goal: (5.0, "least"),
    });
}

/// The same writes where an fsync takes long; what a caller shares with others shows there.
///
/// Answers a line about how many fsyncs a write needed.
fn slow_writes(folder: &Path, lines: &mut Vec<Line>) -> String {
    let folder = &folder.join("slow");
    std::fs::create_dir(folder).unwrap();
    let Some((timer, plain)) = play::on_slow_disk("time-fsyncs", folder, SLOW) else {
        return "writes on a slow disk: not measured, since there is no strace".into();
    };
    timer.end();
    let (forge, ready) = play::on_slow_disk("serve-forge", folder, SLOW).unwrap();
    let ready: Ready = serde_json::from_str(&ready).unwrap();
    prepare(&ready);
    let before = play::fsyncs_of(folder);
    let ours = variables(&ready);
    let fsyncs = play::fsyncs_of(folder) - before;
    forge.end();
    lines.push(Line {
        what: "the same, each fsync 5 ms longer".into(),
        ours,
        plain: plain.parse().unwrap(),
        unit: "writes/s, fsyncs/s",
        goal: (5.0, "least"),
    });
    let each = fsyncs as f64 / (ours * SPAN.as_secs_f64());
    format!("fsyncs for each acknowledged write there: {each:.2}, 8 connections")
}

/// Tells how many fsyncs a second there are, one after the other.
fn time_fsyncs(folder: &Path) {
    let rate = play::fsyncs(&folder.join("fsync"), SPAN);
    play::announce(&folder.join("ready"), &rate.to_string());
}

/// Acknowledged writes per second of eight callers.
fn variables(ready: &Ready) -> f64 {
    load::numbered_rate(ready, 8, SPAN, |number| {
        let path = format!("/api/v1/repos/root1/r/actions/variables/V_{number}");
        let body = json!({ "value": "x" });
        Ask::new(ready, "POST", &path, &token(ready), Some(&body))
    })
}

/// One large push and its clone, beside `git http-backend` behind a plain server.
fn pushes(folder: &Path, ready: &Ready, lines: &mut Vec<Line>) {
    let work = folder.join("work");
    play::many_files(&work, FILES);
    let backend = Child::start("serve-backend", folder);
    let address = ready_of(folder, "backend.ready");
    let host = ready.url.trim_start_matches("http://");
    let ours = format!("http://root1:{}@{host}/root1", ready.root_token);
    let (mut pushed, mut cloned) = ([f64::MAX; 2], [f64::MAX; 2]);
    // The best of three: the first of each pays for cold caches.
    for round in 0..3 {
        let made = Ask::new(
            ready,
            "POST",
            "/api/v1/user/repos",
            &token(ready),
            Some(&json!({ "name": format!("p{round}") })),
        );
        assert_eq!(made.once(&ready.url).0, 201);
        let bare = folder.join(format!("backend/p{round}.git"));
        assert!(git(
            folder,
            &["init", "-q", "--bare", bare.to_str().unwrap()]
        ));
        assert!(git(&bare, &["config", "http.receivepack", "true"]));
        for (at, base) in [(0, &ours), (1, &address)] {
            let remote = format!("{base}/p{round}.git");
            let begin = Instant::now();
            assert!(git(&work, &["push", "-q", &remote, "main"]), "push to {at}");
            pushed[at] = pushed[at].min(begin.elapsed().as_secs_f64());
            let copy = folder.join(format!("copy-{at}-{round}"));
            let begin = Instant::now();
            assert!(
                git(
                    folder,
                    &["clone", "-q", "--bare", &remote, copy.to_str().unwrap()]
                ),
                "clone from {at}"
            );
            cloned[at] = cloned[at].min(begin.elapsed().as_secs_f64());
        }
    }
    drop(backend);
    for (what, [ours, plain]) in [
        ("push of 10,000 files", pushed),
        ("clone of them, without a work tree", cloned),
    ] {
        lines.push(Line {
            what: what.into(),
            ours: ours * 1e3,
            plain: plain * 1e3,
            unit: "ms",
            goal: (1.5, "most"),
        });
    }
}
