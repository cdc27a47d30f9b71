//! How fast forge and runner are together, beside what the same machine does without them and what
//! the real pair was seen to do.
//!
//! ```text
//! cargo build --release -p cli
//! cargo bench --profile dev -p selfhost --bench runner -- target/release/proxmox-ci
//! ```
//! (Only what is measured must be optimised, not what measures.)
//!
//! It starts the program given as forge and as runner in a folder of its own, and measures through
//! the API, as a user would. Figures of the real pair are those of Gitea 1.26.3 with its runner
//! 1.0.8 on two shared cores; they stand beside for orientation, the ratios are to things measured
//! in the same run.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program to be run by hand: it starts processes and prints what it measured"
)]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use gitea_api::{
    Auth, Client, Secret,
    request::{Request, Verb},
    runner::Profile,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::timeout;

/// How often what is fast is done.
const ROUNDS: usize = 15;

/// How long the idle runner is watched.
const IDLE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() {
    let program = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let program = program.unwrap_or_else(|| "target/release/proxmox-ci".to_owned());
    let Ok(program) = fs::canonicalize(&program) else {
        println!("there is no `{program}`; `cargo build --release -p cli` makes it");
        return;
    };
    let stand = Stand::set(&program).await;
    println!("load at the start: {}", load());
    println!(
        "{:<34} {:>10}   {:>34}   real pair",
        "what", "ours", "beside, in the same run"
    );
    let spawn = spawning();
    let asking = stand.asking().await;
    stand.starts(asking).await;
    stand.steps(spawn).await;
    stand.visible(asking).await;
    stand.idle().await;
    println!("load at the end: {}", load());
}

/// A process that is ended with the benchmark.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let id = self.0.id().to_string();
        let _ = Command::new("kill").arg(&id).status();
        let _ = self.0.wait();
    }
}

struct Stand {
    client: Client,
    url: String,
    token: String,
    // The runner first: it tells the forge that it goes.
    runner: Ended,
    _forge: Ended,
    _folder: tempfile::TempDir,
}

impl Stand {
    async fn set(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let start = |arguments: &[&str]| {
            let mut command = Command::new(program);
            command.arg("--quiet").args(arguments).env_clear();
            command.env("PATH", "/usr/bin:/bin").stderr(Stdio::null());
            command
        };
        let (data, ready) = (path("forge"), path("ready"));
        let listen = ["forge", "--listen", "127.0.0.1:0", "--ready-file", &ready];
        let forge = start(&[&listen[..], &["--data", &data]].concat())
            .spawn()
            .unwrap();
        let forge = Ended(forge);
        let known = loop {
            let known = fs::read(&ready).ok();
            if let Some(known) =
                known.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
            {
                break known;
            }
            rest(Duration::from_millis(5)).await;
        };
        let text = |name: &str| known[name].as_str().unwrap().to_owned();
        let (url, token, dir) = (text("url"), path("token"), path("runner"));
        fs::write(&token, text("runner_token")).unwrap();
        let register = ["runner", "register", "--url", &url, "--token-file", &token];
        let labels = ["--labels", "bench", "--dir", &dir];
        let registered = start(&[&register[..], &labels].concat()).status().unwrap();
        assert!(registered.success());
        let runner = Ended(start(&["runner", "run", "--dir", &dir]).spawn().unwrap());
        let auth = Auth::token(text("root_token"));
        let stand = Self {
            client: Client::builder(&url).auth(auth).build().unwrap(),
            url,
            token: text("runner_token"),
            runner,
            _forge: forge,
            _folder: folder,
        };
        let body = json!({"name": "r", "auto_init": true});
        stand.ask(Verb::Post, "/user/repos", Some(body)).await;
        // The first run warms both up.
        stand.carried_out("- run: echo warm").await;
        stand
    }

    async fn ask(&self, verb: Verb, path: &str, body: Option<Value>) -> Value {
        let mut request = Request::new(verb, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.client.send(request).await.unwrap()
    }

    /// Commits a workflow of these steps; gives when that was answered.
    async fn push(&self, steps: &str) -> Timestamp {
        let path = "/repos/root1/r/contents/.gitea/workflows/bench.yml";
        let text = format!(
            "# {}\non: push\njobs:\n  a:\n    runs-on: bench\n    steps:\n      {steps}\n",
            Timestamp::now()
        );
        let known = self
            .client
            .send::<Value>(Request::new(Verb::Get, path))
            .await;
        let mut body = json!({"content": STANDARD.encode(text), "message": "bench"});
        let verb = match known {
            Ok(file) => {
                body["sha"] = file["sha"].clone();
                Verb::Put
            }
            Err(_) => Verb::Post,
        };
        let pushed = Timestamp::now();
        self.ask(verb, path, Some(body)).await;
        pushed
    }

    async fn newest_job(&self) -> Option<Value> {
        let runs = self
            .ask(Verb::Get, "/repos/root1/r/actions/runs", None)
            .await;
        let run = runs["workflow_runs"][0]["id"].as_i64()?;
        let path = format!("/repos/root1/r/actions/runs/{run}/jobs");
        Some(self.ask(Verb::Get, &path, None).await["jobs"][0].clone())
    }

    async fn log(&self, job: &Value) -> Vec<(Timestamp, String)> {
        let path = format!("/repos/root1/r/actions/jobs/{}/logs", job["id"]);
        let bytes = self.client.send_bytes(Request::new(Verb::Get, path)).await;
        let text = String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(time, text)| (time.parse().unwrap(), text.to_owned()))
            .collect()
    }

    /// When it was pushed, and the whole log once the job has ended.
    async fn carried_out(&self, steps: &str) -> (Timestamp, Vec<(Timestamp, String)>) {
        let pushed = self.push(steps).await;
        loop {
            match self.newest_job().await {
                Some(job) if job["status"] == "completed" => return (pushed, self.log(&job).await),
                _ => rest(Duration::from_millis(10)).await,
            }
        }
    }

    /// One question of a runner to which there is no job: what any exchange costs here.
    async fn asking(&self) -> Duration {
        let client = Client::builder(&self.url).build().unwrap();
        let profile = Profile::new("asks", ["nothing"]);
        let token = Secret::new(self.token.clone());
        let registered = client.register_runner(&profile, &token).await.unwrap();
        let mut fetcher = client.runner(registered.credentials).fetcher();
        let mut times = Vec::new();
        for _ in 0..200 {
            let begun = Instant::now();
            assert!(fetcher.next().await.unwrap().is_none());
            times.push(begun.elapsed());
        }
        median(times)
    }

    async fn starts(&self, asking: Duration) {
        let (mut first, mut step) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (pushed, log) = self.carried_out("- run: echo here").await;
            let header = log.iter().find(|(_, text)| text.starts_with("::group::"));
            first.push(between(pushed, log[0].0));
            step.push(between(log[0].0, header.unwrap().0));
        }
        row(
            "push to first log line",
            median(first),
            ("one FetchTask", asking),
            "900 ms, 2 to 5 s by default",
        );
        row(
            "task received to first step",
            median(step),
            ("one FetchTask", asking),
            "2 to 11 ms",
        );
    }

    async fn steps(&self, spawn: Duration) {
        let steps = vec!["- run: 'true'"; 100].join("\n      ");
        let (_, log) = self.carried_out(&steps).await;
        let headers: Vec<Timestamp> = log
            .iter()
            .filter(|(_, text)| text.starts_with("::group::"))
            .map(|(time, _)| *time)
            .collect();
        let gaps = headers.windows(2).map(|two| between(two[0], two[1]));
        row(
            "from step to step",
            median(gaps.collect()),
            ("one bare bash", spawn),
            "5 ms",
        );
    }

    /// How long after it was printed a line can be read through the API.
    async fn visible(&self, asking: Duration) {
        let steps = "- run: for i in $(seq 20); do echo line $i; sleep 0.1; done";
        self.push(steps).await;
        let (mut seen, mut delays) = (0, Vec::new());
        loop {
            let Some(job) = self.newest_job().await else {
                continue;
            };
            let log = self.log(&job).await;
            let now = Timestamp::now();
            let lines = log.iter().filter(|(_, text)| text.starts_with("line "));
            delays.extend(
                lines
                    .clone()
                    .skip(seen)
                    .map(|(time, _)| between(*time, now)),
            );
            seen = lines.count();
            if seen == 20 {
                break;
            }
            rest(Duration::from_millis(2)).await;
        }
        row(
            "a line is visible after",
            median(delays),
            ("one FetchTask", asking),
            "50 ms to 3 s",
        );
    }

    async fn idle(&self) {
        rest(Duration::from_secs(2)).await;
        let id = self.runner.0.id();
        let before = ticks(id);
        rest(IDLE).await;
        let used = ticks(id) - before;
        println!(
            "{:<34} {:>7} ms   {:>34}   0 ms in 10 s",
            format!("idle runner, CPU in {} s", IDLE.as_secs()),
            used * 10,
            ""
        );
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        for (name, shown) in [
            ("VmRSS:", "idle runner, memory"),
            ("RssAnon:", "of it its own"),
        ] {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib: f64 = line
                .unwrap()
                .trim()
                .trim_end_matches(" kB")
                .parse()
                .unwrap();
            println!(
                "{shown:<34} {:>7.1} MB   {:>34}   20 MB, 3 of its own",
                kib / 1024.0,
                ""
            );
        }
    }
}

fn row(what: &str, ours: Duration, (beside, measure): (&str, Duration), real: &str) {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let ratio = ours.as_secs_f64() / measure.as_secs_f64();
    let beside = format!("{ratio:.1} × {beside} ({:.2} ms)", ms(measure));
    println!("{what:<34} {:>7.1} ms   {beside:>34}   {real}", ms(ours));
}

/// What a step is at least: bash, started and waited for.
fn spawning() -> Duration {
    let times = (0..100).map(|_| {
        let begun = Instant::now();
        let arguments = [
            "--noprofile",
            "--norc",
            "-e",
            "-o",
            "pipefail",
            "-c",
            "true",
        ];
        assert!(
            Command::new("bash")
                .args(arguments)
                .status()
                .unwrap()
                .success()
        );
        begun.elapsed()
    });
    median(times.collect())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to - from).unwrap_or_default()
}

/// Ticks of 10 ms that a process has used.
fn ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after = stat.rsplit(") ").next().unwrap();
    let number = |at: usize| -> u64 { after.split(' ').nth(at).unwrap().parse().unwrap() };
    number(11) + number(12)
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

async fn rest(time: Duration) {
    let _ = timeout(time, std::future::pending::<()>()).await;
}
