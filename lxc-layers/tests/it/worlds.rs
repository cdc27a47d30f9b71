//! A simulated node for conversations, and everything that an apply needs beside it.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use lxc_layers::{
    event::{Event, Events},
    execute::{self, Inside, Layers, Limits, Report, Seams, Settings},
    guest::{Error, Guest, HostKey, Invocation, OperatorKey, Parcel},
    host::{Host, ProxmoxHost},
    ledger::Provenance,
    observe::observe,
    plan::{Identity, Plan, plan},
    process::{Finished, OnLine},
    provision::{self, Job, Mode, Outcome, Provisioner},
    redact::Redactor,
    resolve::Desired,
};
use proxmox_api::{Client, Method, RetryPolicy, Tls};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{
    node::{Node, NodeOptions},
    pve::{Fault, FaultKind, Moment, Phase, Setup, Timing},
};

/// The host key that every guest of these worlds shows.
const HOST_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

/// What runs inside the guests: each step by container and id, in the order in which it ran.
#[derive(Debug, Default)]
pub(crate) struct Insides {
    pub(crate) ran: Mutex<Vec<String>>,
    /// Containers whose provisioners fail.
    pub(crate) broken: Mutex<Vec<String>>,
    working: AtomicUsize,
    pub(crate) most_at_once: AtomicUsize,
}

/// A simulated node with an operator in front of it.
pub(crate) struct World {
    pub(crate) node: Node,
    setup: Setup,
    client: OnceLock<Client>,
    /// Where the node is asked, when not at its own address.
    through: Option<String>,
    pub(crate) inside: Arc<Insides>,
    pub(crate) state: TempDir,
    pub(crate) told: Arc<Mutex<Vec<Event>>>,
    pub(crate) parallel: usize,
    pub(crate) limits: Limits,
}

/// A folder in memory where there is such a place: what is synced to disk before each effect takes
/// most of the time of a simulated one.
pub(crate) fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// A fault that strikes requests which match, without end.
pub(crate) fn fault(method: Option<&str>, path: Option<&str>, kind: FaultKind) -> Fault {
    Fault {
        method: method.map(str::to_owned),
        path: path.map(str::to_owned),
        nth: None,
        probability: 1.0,
        phase: Phase::Before,
        kind,
        times: None,
        seen: 0,
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(vec![("debian-12.tar.zst".to_owned(), 1 << 20)]).await
    }

    /// A world without a template: there is the catalogue.
    pub(crate) async fn without_template() -> Self {
        Self::with(Vec::new()).await
    }

    /// Everything on the node is forgotten; the storages and pools of generated fleets are there.
    pub(crate) async fn start_over(&self) {
        *self.node.desk().world() = testkit::pve::World::new(&self.setup, Moment::now());
        let storages = ["fast", "local-lvm"].map(|name| {
            let path = format!("/srv/{name}");
            let storage =
                json!({"storage": name, "type": "dir", "path": path, "content": "rootdir,images"});
            ("/storage", storage)
        });
        let pools = ["lab", "staging", "edited"].map(|name| ("/pools", json!({"poolid": name})));
        for (path, parameters) in storages.into_iter().chain(pools) {
            let made = self
                .client()
                .call::<Value>(Method::Post, path, &parameters)
                .await;
            made.unwrap();
        }
    }

    async fn with(templates: Vec<(String, u64)>) -> Self {
        let setup = Setup {
            node: "pve".to_owned(),
            timing: Timing::Instant,
            slow_refusals: false,
            templates,
            ..Setup::with_fresh_secrets()
        };
        let options = NodeOptions {
            setup: setup.clone(),
            ..NodeOptions::default()
        };
        Self {
            node: Node::start(options).await.unwrap(),
            setup,
            client: OnceLock::new(),
            through: None,
            inside: Arc::default(),
            state: in_memory(),
            told: Arc::default(),
            parallel: 4,
            limits: Limits {
                busy: Duration::from_secs(3),
                greeting: Duration::from_millis(2),
                ..Limits::default()
            },
        }
    }

    /// The same world, asked through another address.
    pub(crate) fn through(mut self, url: &str) -> Self {
        self.through = Some(url.to_owned());
        self
    }

    /// What the node itself says, asked past every network.
    pub(crate) fn ask(&self, method: &str, path: &str, form: &str) -> Value {
        let reply = self.node.ask(method, path, form);
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.reason);
        let answer: Value = serde_json::from_slice(&reply.body).unwrap();
        answer["data"].clone()
    }

    /// The volumes of all guests, by name.
    pub(crate) fn volumes(&self) -> Vec<String> {
        let rows = self.ask(
            "GET",
            "/nodes/pve/storage/local/content?content=rootdir",
            "",
        );
        let name = |row: &Value| row["volid"].as_str().unwrap().to_owned();
        let mut names: Vec<String> = rows.as_array().unwrap().iter().map(name).collect();
        names.sort();
        names
    }

    /// The node as root with a password sees it, who may do everything.
    pub(crate) fn host(&self) -> Arc<dyn Host> {
        Arc::new(ProxmoxHost::new(self.client(), Identity::Root))
    }

    /// One client for all conversations: a login and a handshake each would be most of their time.
    fn client(&self) -> Client {
        self.client.get_or_init(|| self.new_client()).clone()
    }

    fn new_client(&self) -> Client {
        let url = self.through.as_deref().unwrap_or(self.node.url());
        let client = Client::builder(url)
            .password("root@pam".parse().unwrap(), self.node.root_password())
            .tls(Tls::Pinned(self.node.fingerprint().parse().unwrap()))
            .retry(RetryPolicy {
                pause: Duration::from_millis(5),
                ..RetryPolicy::default()
            });
        client.build().unwrap()
    }

    /// How many guests the node was made to make, by its own list of tasks.
    pub(crate) async fn creates(&self) -> usize {
        let query = json!({"source": "all", "typefilter": "vzcreate", "limit": 1000});
        let tasks: Vec<Value> = self
            .client()
            .call(Method::Get, "/nodes/pve/tasks", &query)
            .await
            .unwrap();
        tasks.len()
    }

    pub(crate) async fn plan(&self, desired: &Desired) -> Plan {
        let observed = observe(&*self.host(), desired, Duration::from_secs(60)).await;
        plan(desired, &observed.unwrap())
    }

    /// Plans and applies, all layers.
    pub(crate) async fn apply(&self, desired: &Desired) -> Result<Report, execute::Error> {
        self.apply_layers(desired, Layers::All).await
    }

    pub(crate) async fn apply_layers(
        &self,
        desired: &Desired,
        layers: Layers,
    ) -> Result<Report, execute::Error> {
        let host = self.host();
        let observed = observe(&*host, desired, Duration::from_secs(60))
            .await
            .map_err(|source| execute::Error::Host {
                doing: "observing".to_owned(),
                source,
            })?;
        let plan = plan(desired, &observed);
        self.execute(host, desired, &plan, layers).await
    }

    pub(crate) async fn execute(
        &self,
        host: Arc<dyn Host>,
        desired: &Desired,
        plan: &Plan,
        layers: Layers,
    ) -> Result<Report, execute::Error> {
        let seams = seams(host, &self.inside);
        let told = Arc::clone(&self.told);
        let events = Events::to(move |event| told.lock().unwrap().push(event));
        execute::execute(seams, desired, plan, self.settings(layers), events).await
    }

    pub(crate) fn settings(&self, layers: Layers) -> Settings {
        Settings {
            parallel: NonZeroUsize::new(self.parallel).unwrap(),
            limits: self.limits,
            ..settings(self.state.path(), layers)
        }
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.node.desk().world().add_fault(fault);
    }

    pub(crate) fn forgive(&self) {
        self.node.desk().world().clear_faults();
    }

    /// `METHOD path` of everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        let exchanges = self.node.journal().exchanges();
        let word = |exchange: &Value| {
            let request = exchange.get("request").unwrap_or(exchange);
            let text = |key: &str| request[key].as_str().unwrap_or_default().to_owned();
            format!("{} {}", text("method"), text("path"))
        };
        exchanges.iter().map(word).collect()
    }

    /// How many requests so far were made with this method on a path that ends so.
    pub(crate) fn count(&self, method: &str, ending: &str) -> usize {
        let asked = self.asked();
        let fits = |line: &&String| line.starts_with(method) && line.ends_with(ending);
        asked.iter().filter(fits).count()
    }

    pub(crate) fn ran(&self) -> Vec<String> {
        self.inside.ran.lock().unwrap().clone()
    }

    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }
}

/// A hypervisor, and guests that take everything for done.
pub(crate) fn seams(host: Arc<dyn Host>, inside: &Arc<Insides>) -> Seams {
    let door_inside = Arc::clone(inside);
    let tools_inside = Arc::clone(inside);
    Seams {
        host,
        door: Arc::new(move |target, _pinned, _redactor| {
            Arc::new(Sketch {
                name: target.name,
                inside: Arc::clone(&door_inside),
            })
        }),
        tools: Arc::new(move |_tool| {
            Box::new(Pretender {
                inside: Arc::clone(&tools_inside),
            })
        }),
    }
}

/// Settings of a run whose fleet and state are in `root`.
pub(crate) fn settings(root: &Path, layers: Layers) -> Settings {
    Settings {
        root: root.to_owned(),
        state: root.join(".proxmox-ci"),
        key: Some(OperatorKey {
            path: "/nonexistent/key".into(),
            public: HOST_KEY.to_owned(),
        }),
        layers,
        parallel: NonZeroUsize::MIN,
        inside: Inside::Enter,
        limits: Limits::default(),
        provenance: Provenance::default(),
        redactor: Redactor::default(),
    }
}

/// A guest that takes everything it is asked for done.
struct Sketch {
    name: String,
    inside: Arc<Insides>,
}

#[async_trait]
impl Guest for Sketch {
    fn called(&self) -> String {
        self.name.clone()
    }

    async fn first_contact(&self, _limit: Duration) -> Result<Option<HostKey>, Error> {
        Ok(Some(HOST_KEY.parse().unwrap()))
    }

    async fn wait_reachable(&self, _limit: Duration) -> Result<(), Error> {
        Ok(())
    }

    async fn run<'a>(
        &self,
        invocation: Invocation,
        _on_line: OnLine<'a>,
    ) -> Result<Finished, Error> {
        let script = invocation.argv.join(" ");
        let word = if script.contains("is-system-running") {
            "gate"
        } else {
            "health"
        };
        let mut ran = self.inside.ran.lock().unwrap();
        ran.push(format!("{} {word}", self.name));
        Ok(Finished {
            code: 0,
            stdout: b"running\n".to_vec(),
            tail: Vec::new(),
        })
    }

    async fn send(&self, _files: Vec<Parcel>, _directory: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn fetch(&self, _path: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(None)
    }

    fn inventory(&self) -> Result<BTreeMap<String, String>, Error> {
        Ok(BTreeMap::new())
    }
}

/// A provisioner that only writes down that it ran.
struct Pretender {
    inside: Arc<Insides>,
}

#[async_trait]
impl Provisioner for Pretender {
    async fn run<'a>(&self, job: &Job<'a>, _mode: Mode) -> Result<Outcome, provision::Error> {
        let now = self.inside.working.fetch_add(1, Ordering::SeqCst) + 1;
        self.inside.most_at_once.fetch_max(now, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.inside.working.fetch_sub(1, Ordering::SeqCst);
        let line = format!("{} {}", job.container, job.step.id);
        self.inside.ran.lock().unwrap().push(line);
        let broken = self.inside.broken.lock().unwrap();
        if broken.iter().any(|name| name == job.container) {
            return Err(provision::Error::Missing {
                program: "ansible-playbook",
                place: "on this machine",
            });
        }
        Ok(Outcome::Ran)
    }
}
