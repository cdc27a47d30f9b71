//! A durable forge, runners, and what came of their jobs.

use std::{
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use gitea_api::{
    Auth, Client, Secret,
    request::{Request, Verb},
    runner::{Profile, Runner},
};
use indexmap::IndexMap;
use selfhost::runner::{self, Event, Events, Order, Settings};
use serde_json::{Value, json};
use testkit::forge::{Forge, ForgeOptions};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};

/// How long anything may take here, on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(120);

/// A forge with a folder, which can be stopped and started, and a repository `root1/r`.
pub(super) struct Stage {
    forge: Option<Forge>,
    address: SocketAddr,
    folder: tempfile::TempDir,
    client: Client,
}

/// A job of a run, as the API shows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) conclusion: String,
}

impl Stage {
    pub(super) async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Not 127.0.0.1, whose ports are given to everybody: a forge that comes back needs its own.
        let any = SocketAddr::from(([127, 83, 0, 1], 0));
        let forge = start(any, folder.path()).await;
        let address = forge.url().trim_start_matches("http://").parse().unwrap();
        let token = forge.ready().root_token.clone();
        let client = Client::builder(forge.url()).auth(Auth::token(token));
        let stage = Self {
            client: client.build().unwrap(),
            forge: Some(forge),
            address,
            folder,
        };
        let body = json!({"name": "r", "auto_init": true});
        stage.ask(Verb::Post, "/user/repos", Some(body)).await;
        stage
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Stops the forge; whoever asks it is refused.
    pub(super) async fn stop_forge(&mut self) {
        self.forge.take().unwrap().stop().await;
    }

    /// Starts it again at the same address.
    pub(super) async fn start_forge(&mut self) {
        self.forge = Some(start(self.address, self.folder.path()).await);
    }

    /// A runner that reaches the forge at this address.
    pub(super) async fn register(&self, name: &str, url: &str) -> Runner {
        let ready = self.forge.as_ref().unwrap().ready();
        let token = Secret::new(ready.runner_token.clone());
        let client = Client::builder(url).build().unwrap();
        let profile = Profile::new(name, ["x"]);
        let registered = client.register_runner(&profile, &token).await.unwrap();
        client.runner(registered.credentials)
    }

    /// A runner with a folder of this name begins to work.
    pub(super) async fn runner(&self, name: &str) -> Hand {
        let url = self.url();
        let runner = self.register(name, &url).await;
        Hand::start(self.settings(name, runner, &url))
    }

    pub(super) fn settings(&self, name: &str, runner: Runner, url: &str) -> Settings {
        Settings {
            runner,
            profile: Profile::new(name, ["x"]),
            name: name.to_owned(),
            version: "0".to_owned(),
            server: url.to_owned(),
            work: self.path(name),
            capacity: 2,
            inherited: IndexMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            minute: runner::MINUTE,
        }
    }

    /// Commits a workflow with these jobs; its run begins with that.
    pub(super) async fn push(&self, jobs: &str) {
        self.push_file("ci.yml", &format!("on: push\njobs:\n{jobs}"))
            .await;
    }

    pub(super) async fn push_file(&self, name: &str, text: &str) {
        let path = format!("/repos/root1/r/contents/.gitea/workflows/{name}");
        let request = Request::new(Verb::Get, &*path);
        let known = self.client.send::<Value>(request).await.ok();
        let mut body = json!({"content": STANDARD.encode(text), "message": "change it"});
        let verb = match known {
            Some(file) => {
                body["sha"] = file["sha"].clone();
                Verb::Put
            }
            None => Verb::Post,
        };
        self.ask(verb, &path, Some(body)).await;
    }

    pub(super) async fn ask(&self, verb: Verb, path: &str, body: Option<Value>) -> Value {
        let mut request = Request::new(verb, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.client.send(request).await.unwrap()
    }

    /// A call whose answer has no body.
    pub(super) async fn put(&self, request: Request) {
        self.client.send_empty(request).await.unwrap();
    }

    /// The jobs of the newest run, once the run has ended.
    pub(super) async fn ended(&self) -> Vec<Job> {
        self.ended_runs(1).await
    }

    /// The jobs of the newest run, once so many runs have ended.
    pub(super) async fn ended_runs(&self, count: usize) -> Vec<Job> {
        let run = within(|| async {
            let runs = self.runs().await;
            let over = runs.iter().filter(|run| run["status"] == "completed");
            (over.count() >= count).then(|| runs[0]["id"].as_i64().unwrap())
        })
        .await;
        self.jobs(run).await
    }

    /// All runs, newest first.
    pub(super) async fn runs(&self) -> Vec<Value> {
        let answer = self
            .ask(Verb::Get, "/repos/root1/r/actions/runs", None)
            .await;
        answer["workflow_runs"].as_array().unwrap().clone()
    }

    pub(super) async fn jobs(&self, run: i64) -> Vec<Job> {
        let path = format!("/repos/root1/r/actions/runs/{run}/jobs");
        let answer = self.ask(Verb::Get, &path, None).await;
        let text = |job: &Value, name: &str| job[name].as_str().unwrap_or_default().to_owned();
        let jobs = answer["jobs"].as_array().unwrap().iter();
        jobs.map(|job| Job {
            id: job["id"].as_i64().unwrap(),
            name: text(job, "name"),
            conclusion: text(job, "conclusion"),
        })
        .collect()
    }

    /// What the only job of the newest run came to, and what its steps printed.
    pub(super) async fn outcome(&self) -> (String, Vec<String>) {
        let job = self.ended().await.remove(0);
        let lines = self.log(job.id).await;
        (job.conclusion, lines)
    }

    /// What a job's steps printed, and its errors; without headers and the runner's own words.
    pub(super) async fn log(&self, job: i64) -> Vec<String> {
        let path = format!("/repos/root1/r/actions/jobs/{job}/logs");
        let bytes = self.client.send_bytes(Request::new(Verb::Get, path)).await;
        let text = String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
        let mut lines = Vec::new();
        let mut header = false;
        for line in text.lines().filter_map(|line| line.split_once(' ')) {
            match line.1 {
                line if line.starts_with("::group::Run ") => header = true,
                "::endgroup::" => header = false,
                line if header || line.starts_with("Job ") || line.contains("received task") => {}
                line => lines.push(line.to_owned()),
            }
        }
        lines
    }

    /// Waits until the newest run's only job has printed this.
    pub(super) async fn printed(&self, line: &str) {
        within(|| async {
            let run = self.runs().await.first()?["id"].as_i64()?;
            let job = self.jobs(run).await.first()?.id;
            let log = self.log(job).await;
            log.iter().any(|printed| printed == line).then_some(())
        })
        .await;
    }

    /// How many lines there are in a file that jobs wrote to.
    pub(super) fn count(&self, name: &str) -> usize {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().count()
    }
}

async fn start(listen: SocketAddr, folder: &Path) -> Forge {
    let options = ForgeOptions {
        listen,
        data: Some(folder.join("forge")),
        ..ForgeOptions::default()
    };
    Forge::start_with(options).await.unwrap()
}

/// Looks until there is something to see.
#[track_caller]
pub(super) fn within<T, F: Future<Output = Option<T>>>(
    look: impl Fn() -> F,
) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    async move {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(Instant::now() < until, "out of time at {place}");
            rest(Duration::from_millis(30)).await;
        }
    }
}

/// Lets something go on meanwhile that cannot be seen from here.
pub(super) async fn rest(time: Duration) {
    let _ = timeout(time, std::future::pending::<()>()).await;
}

/// A runner that works.
pub(super) struct Hand {
    orders: watch::Sender<Order>,
    task: JoinHandle<Result<(), runner::Error>>,
    told: Arc<Mutex<Vec<Event>>>,
}

impl Hand {
    pub(super) fn start(settings: Settings) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (orders, ordered) = watch::channel(Order::Work);
        let events = Events::to({
            let told = Arc::clone(&told);
            move |event| told.lock().unwrap().push(event)
        });
        let task = tokio::spawn(runner::run(settings, ordered, events));
        Self { orders, task, told }
    }

    /// Gives an order.
    pub(super) fn order(&self, order: Order) {
        self.orders.send_replace(order);
    }

    /// Gives an order and waits until the runner has ended.
    pub(super) async fn end(self, order: Order) -> Vec<Event> {
        self.order(order);
        let ended = timeout(LIMIT, self.task).await.expect("the runner ends");
        ended.unwrap().unwrap();
        std::mem::take(&mut self.told.lock().unwrap())
    }

    /// Waits until it has told something.
    pub(super) async fn tells(&self, what: impl Fn(&Event) -> bool) {
        within(|| async { self.told.lock().unwrap().iter().any(&what).then_some(()) }).await;
    }
}

/// How many processes were started by jobs of runners in this folder, or by what those started.
pub(super) fn processes(folder: &Path) -> usize {
    let mark = format!("RUNNER_TRACKING_ID={}/", folder.display()).into_bytes();
    let marked = |path: PathBuf| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable.starts_with(&mark))
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter(|entry| marked(entry.path())).count()
}
