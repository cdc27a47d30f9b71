//! Forge and runner as processes, killed without a warning in the middle of a job.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use gitea_api::{
    Auth, Client,
    request::{Request, Verb},
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::support::proxmox_ci;

/// How long anything may take here, on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(120);

/// A process that is killed with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Stand {
    folder: tempfile::TempDir,
    address: SocketAddr,
    client: Client,
    forge: Option<Killed>,
    runner: Option<Killed>,
}

impl Stand {
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Not 127.0.0.1, whose ports are given to everybody: a forge that comes back needs its own.
        let any = SocketAddr::from(([127, 83, 0, 1], 0));
        let (forge, ready) = forge(folder.path(), any).await;
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        let token = Auth::token(text("root_token"));
        let client = Client::builder(text("url")).auth(token).build().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, text("runner_token")).unwrap();
        let (file, runner) = (file.display().to_string(), folder.path().join("runner"));
        let runner = runner.display().to_string();
        let url = text("url");
        let mut register = proxmox_ci(&["--quiet", "runner", "register", "--labels", "x"]);
        register.args(["--url", &url, "--token-file", &file, "--dir", &runner]);
        assert!(register.status().unwrap().success());
        let mut stand = Self {
            folder,
            address: url.trim_start_matches("http://").parse().unwrap(),
            client,
            forge: Some(forge),
            runner: None,
        };
        stand.start_runner();
        let body = json!({"name": "r", "auto_init": true});
        stand.ask(Verb::Post, "/user/repos", Some(body)).await;
        stand
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start_runner(&mut self) {
        let folder = self.path("runner").display().to_string();
        let mut run = proxmox_ci(&["--quiet", "runner", "run", "--dir", &folder]);
        self.runner = Some(Killed(run.stderr(Stdio::null()).spawn().unwrap()));
    }

    async fn restart_forge(&mut self) {
        self.forge = None;
        self.forge = Some(forge(self.folder.path(), self.address).await.0);
    }

    async fn ask(&self, verb: Verb, path: &str, body: Option<Value>) -> Value {
        let mut request = Request::new(verb, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.client.send(request).await.unwrap()
    }

    async fn push(&self, jobs: &str) {
        let body = json!({
            "message": "ci",
            "files": [{
                "operation": "create",
                "path": ".gitea/workflows/ci.yml",
                "content": base64(&format!("on: push\njobs:\n{jobs}")),
            }],
        });
        self.ask(Verb::Post, "/repos/root1/r/contents", Some(body))
            .await;
    }

    async fn run(&self) -> Value {
        let runs = self
            .ask(Verb::Get, "/repos/root1/r/actions/runs", None)
            .await;
        runs["workflow_runs"][0].clone()
    }

    /// Conclusions of the jobs of the run, once it has ended.
    async fn ended(&self) -> Vec<(i64, String)> {
        let run = within(|| async {
            let run = self.run().await;
            (run["status"] == "completed").then(|| run["id"].as_i64().unwrap())
        })
        .await;
        self.jobs(run).await
    }

    async fn jobs(&self, run: i64) -> Vec<(i64, String)> {
        let path = format!("/repos/root1/r/actions/runs/{run}/jobs");
        let jobs = self.ask(Verb::Get, &path, None).await;
        let jobs = jobs["jobs"].as_array().unwrap().iter();
        jobs.map(|job| {
            let conclusion = job["conclusion"].as_str().unwrap_or_default();
            (job["id"].as_i64().unwrap(), conclusion.to_owned())
        })
        .collect()
    }

    /// What the steps of a job printed, and its errors.
    async fn log(&self, job: i64) -> Vec<String> {
        let path = format!("/repos/root1/r/actions/jobs/{job}/logs");
        let bytes = self.client.send_bytes(Request::new(Verb::Get, path)).await;
        let text = String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(_, text)| text.to_owned())
            .filter(|text| text.starts_with("line ") || text.starts_with("##[error]"))
            .collect()
    }

    async fn printed(&self, lines: usize) {
        within(|| async {
            let run = self.run().await["id"].as_i64()?;
            let job = self.jobs(run).await.first()?.0;
            (self.log(job).await.len() >= lines).then_some(())
        })
        .await;
    }

    /// A job that notes each beginning outside of its folders; only the first one takes long.
    fn slow(&self, lines: usize) -> String {
        let note = self.path("begun").display().to_string();
        format!(
            "  a:\n    runs-on: x\n    steps:\n      - run: |\n          echo begun >>{note}\n          \
             [ $(wc -l <{note}) = 1 ] || exit 0\n          setsid sleep 300 >/dev/null 2>&1 </dev/null &\n          \
             for i in $(seq {lines}); do echo \"line $i\"; sleep 0.05; done\n  b:\n    needs: a\n    \
             runs-on: x\n    steps: [{{run: 'echo after >>{note}'}}]\n"
        )
    }

    fn notes(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("begun")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How many processes of jobs are alive.
    fn processes(&self) -> usize {
        let work = self.path("runner/work");
        let mark = format!("RUNNER_TRACKING_ID={}/", work.display()).into_bytes();
        let marked = |path: &Path| {
            let environment = std::fs::read(path.join("environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|one| one.starts_with(&mark))
        };
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries.filter(|entry| marked(&entry.path())).count()
    }
}

async fn forge(folder: &Path, listen: SocketAddr) -> (Killed, Value) {
    let (data, ready) = (folder.join("forge"), folder.join("ready"));
    let (data, file) = (data.display().to_string(), ready.display().to_string());
    drop(std::fs::remove_file(&ready));
    let listen = listen.to_string();
    let mut command = proxmox_ci(&["--quiet", "forge", "--listen", &listen, "--data", &data]);
    command.args(["--root-user", "root1", "--ready-file", &file]);
    let forge = Killed(command.stderr(Stdio::null()).spawn().unwrap());
    let known = within(|| async {
        let text = std::fs::read_to_string(&ready).ok()?;
        serde_json::from_str(&text).ok()
    })
    .await;
    (forge, known)
}

/// Looks until there is something to see.
async fn within<T, F: Future<Output = Option<T>>>(look: impl Fn() -> F) -> T {
    let until = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "out of time");
        let _ = timeout(Duration::from_millis(30), std::future::pending::<()>()).await;
    }
}

/// Base64, as the API takes the content of files.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut digits = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| {
            bits << 8 | u32::from(three.get(at).copied().unwrap_or(0))
        });
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            digits.push(if place > three.len() {
                '='
            } else {
                digit.into()
            });
        }
    }
    digits
}

fn is_numbered(lines: &[String]) -> bool {
    let expected = |at: usize| format!("line {}", at + 1);
    lines
        .iter()
        .enumerate()
        .all(|(at, line)| *line == expected(at))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_was_killed_reports_its_job_and_runs_nothing_twice() {
    let mut stand = Stand::set().await;
    stand.push(&stand.slow(2000)).await;
    stand.printed(10).await;
    stand.runner = None;
    stand.start_runner();
    let jobs = stand.ended().await;
    let ends: Vec<&str> = jobs.iter().map(|(_, end)| end.as_str()).collect();
    assert_eq!(ends, ["failure", "skipped"]);
    let mut lines = stand.log(jobs[0].0).await;
    let reason = lines.pop().unwrap();
    assert!(
        reason.contains("the runner was ended in the middle of this job"),
        "{reason}"
    );
    assert!(lines.len() >= 10 && is_numbered(&lines), "{lines:?}");
    assert_eq!(stand.notes(), ["begun"]);
    assert_eq!(stand.processes(), 0);
    let run = stand.run().await["id"].as_i64().unwrap();
    let path = format!("/repos/root1/r/actions/runs/{run}/rerun");
    stand.ask(Verb::Post, &path, None).await;
    within(|| async { (stand.run().await["conclusion"] == "success").then_some(()) }).await;
    assert_eq!(stand.notes(), ["begun", "begun", "after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forge_that_was_killed_in_the_middle_of_a_job_has_its_whole_log() {
    let mut stand = Stand::set().await;
    stand.push(&stand.slow(60)).await;
    stand.printed(10).await;
    stand.restart_forge().await;
    let jobs = stand.ended().await;
    let ends: Vec<&str> = jobs.iter().map(|(_, end)| end.as_str()).collect();
    assert_eq!(ends, ["success", "success"]);
    let lines = stand.log(jobs[0].0).await;
    assert!(lines.len() == 60 && is_numbered(&lines), "{lines:?}");
    assert_eq!(stand.notes(), ["begun", "after"]);
    assert_eq!(stand.processes(), 0);
}
