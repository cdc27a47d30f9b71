//! A Proxmox VE node as a pure function: a request and a moment in, a reply out.
//!
//! [`World`] does no IO and never looks at the machine's clock: whoever holds it says what time it
//! is. A clone is a snapshot. The same [`Setup`] and the same requests at the same moments give the
//! same replies, identifiers and MAC addresses included.
//!
//! ```
//! use testkit::pve::{Moment, Request, Setup, World};
//!
//! let mut world = World::new(&Setup::default(), Moment::from_millis(1_700_000_000_000));
//! let mut request = Request::new("GET", "/api2/json/version");
//! assert_eq!(world.handle(&request, Moment::from_millis(1_700_000_000_001)).reason, "No ticket");
//!
//! let token = format!("PVEAPIToken={}", Setup::default().root_token());
//! request.headers.push(("Authorization".to_owned(), token));
//! assert_eq!(world.handle(&request, Moment::from_millis(1_700_000_000_002)).status, 200);
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::clock::Moment;
pub use self::faults::{Fault, Kind as FaultKind, Phase};
pub use self::live::{Live, LiveInterface};
pub use self::reply::{Damage, Effect, JSON, Reply};
pub use self::request::{Request, Upload};
pub use self::tasks::Timing;
pub use self::work::{Action, Job, Password};

mod access;
mod access_api;
mod acl_api;
mod auth;
mod backup;
mod clock;
mod cluster;
mod faults;
mod formats;
mod guest;
mod live;
mod lxc;
mod nodes;
mod overview;
mod password;
mod permission;
mod pools;
mod property;
mod qemu;
mod reply;
mod request;
mod roles;
mod route;
mod schema;
mod storage;
mod tasks;
mod tfa;
mod verify;
mod work;

/// The name of root's API token.
pub const ROOT_TOKEN_NAME: &str = "ci";

/// The version that a world behaves like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Version {
    /// Proxmox VE 8.4.
    #[default]
    #[serde(rename = "8.4")]
    V8_4,
    /// Proxmox VE 9.2.
    #[serde(rename = "9.2")]
    V9_2,
}

impl Version {
    /// `8.4` or `9.2`.
    #[must_use]
    pub const fn release(self) -> &'static str {
        match self {
            Self::V8_4 => "8.4",
            Self::V9_2 => "9.2",
        }
    }
}

impl std::str::FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "8.4" => Ok(Self::V8_4),
            "9.2" => Ok(Self::V9_2),
            _ => Err(format!("`{text}` is not one of `8.4` and `9.2`")),
        }
    }
}

/// How a new world looks.
#[derive(Clone, Serialize, Deserialize)]
pub struct Setup {
    /// Which Proxmox VE it is.
    pub version: Version,
    /// The node's name.
    pub node: String,
    /// Everything random comes from here.
    pub seed: u64,
    /// Password of `root@pam`.
    pub root_password: String,
    /// Secret of the token `root@pam!ci`.
    pub root_secret: String,
    /// When tasks end.
    pub timing: Timing,
    /// Whether work on guests is done outside, by whoever carries out [`Effect::Guest`].
    pub real_guests: bool,
    /// Whether a 401 takes three seconds, as on a real server.
    pub slow_refusals: bool,
    /// Container templates on the storage `local`: file names and bytes.
    pub templates: Vec<(String, u64)>,
    /// SHA-256 fingerprint of the certificate, as `GET /nodes` shows it.
    pub fingerprint: String,
    /// The host's numbers.
    pub host: Host,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("version", &self.version)
            .field("node", &self.node)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// What the node says of its hardware.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Host {
    /// Processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of the root file system, which holds the storage `local`.
    pub disk: u64,
    /// Version of the control group file system, 1 or 2.
    pub cgroup: u8,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            cpus: 8,
            memory: 32 << 30,
            disk: 500 << 30,
            cgroup: 1,
        }
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            version: Version::V8_4,
            node: "pve1".to_owned(),
            seed: 1,
            root_password: "proxmox-ci".to_owned(),
            root_secret: "5a1ad0c1-0000-4000-8000-00000000c1c1".to_owned(),
            timing: Timing::Natural,
            real_guests: false,
            slow_refusals: false,
            templates: vec![(
                "debian-12-standard_12.7-1_amd64.tar.zst".to_owned(),
                126_515_062,
            )],
            fingerprint: vec!["00"; 32].join(":"),
            host: Host::default(),
        }
    }
}

impl Setup {
    /// A setup whose seed, password and token nobody else knows.
    #[must_use]
    pub fn with_fresh_secrets() -> Self {
        let seed: u64 = rand::random();
        let mut chance = clock::Chance::new(rand::random());
        Self {
            seed,
            root_password: hex::encode(chance.bytes(16)),
            root_secret: chance.uuid(),
            ..Self::default()
        }
    }

    /// Root's API token as it is sent: `root@pam!ci=…`.
    #[must_use]
    pub fn root_token(&self) -> String {
        format!("root@pam!{ROOT_TOKEN_NAME}={}", self.root_secret)
    }
}

/// One node and everything on it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct World {
    setup: Setup,
    clock: clock::Clock,
    chance: clock::Chance,
    now: Moment,
    booted: Moment,
    access: access::Access,
    pools: pools::Pools,
    tasks: tasks::Tasks,
    guests: BTreeMap<u32, guest::Guest>,
    storages: BTreeMap<String, storage::Storage>,
    volumes: BTreeMap<String, storage::Volume>,
    options: BTreeMap<String, String>,
    jobs: BTreeMap<String, BTreeMap<String, String>>,
    events: VecDeque<cluster::Event>,
    faults: faults::Faults,
    #[serde(skip)]
    effects: Vec<Effect>,
}

impl World {
    /// A newly installed node.
    #[must_use]
    pub fn new(setup: &Setup, now: Moment) -> Self {
        let mut chance = clock::Chance::new(setup.seed);
        let access = access::Access::new(&setup.root_password, &setup.root_secret, &mut chance);
        let mut world = Self {
            setup: Setup {
                root_password: String::new(),
                root_secret: String::new(),
                ..setup.clone()
            },
            clock: clock::Clock::default(),
            chance,
            now,
            booted: now,
            access,
            pools: BTreeMap::new(),
            tasks: tasks::Tasks::default(),
            guests: BTreeMap::new(),
            storages: storage::initial(),
            volumes: BTreeMap::new(),
            options: BTreeMap::new(),
            jobs: BTreeMap::new(),
            events: VecDeque::new(),
            faults: faults::Faults::default(),
            effects: Vec::new(),
        };
        for (file, size) in &setup.templates {
            world.add_template(file, *size);
        }
        world
    }

    /// Answers a request at a moment of the machine's time.
    pub fn handle(&mut self, request: &Request, now: Moment) -> Reply {
        self.advance(now);
        let hit = self.strike(request);
        let mut reply = match hit
            .as_ref()
            .filter(|hit| hit.phase == Phase::Before)
            .and_then(Fault::reply)
        {
            Some(reply) => reply,
            None => self.route(request),
        };
        if let Some(hit) = hit {
            hit.damage(&mut reply);
        }
        reply.effects.append(&mut self.effects);
        reply
    }

    /// Lets time pass: what is due is done.
    pub fn advance(&mut self, now: Moment) {
        self.now = self.clock.read(now).max(self.now);
        self.run_due();
    }

    /// Effects of work that ended outside of a request.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Who is asking, before a body is read: the reply that refuses, or nothing.
    ///
    /// # Errors
    /// The 401 for whoever may not ask at all.
    pub fn admit(&mut self, request: &Request, now: Moment) -> Result<(), Box<Reply>> {
        self.advance(now);
        let path = request
            .raw_path()
            .splitn(4, '/')
            .nth(3)
            .map(|rest| format!("/{rest}"))
            .unwrap_or_default();
        let request = Request {
            upload: Some(Upload::default()),
            ..request.clone()
        };
        match self.authenticate(&request, &path) {
            Ok(_) => Ok(()),
            Err(fail) => Err(Box::new(fail.reply(reply::Format::Json))),
        }
    }

    /// The version this world behaves like.
    #[must_use]
    pub fn version(&self) -> Version {
        self.setup.version
    }

    /// The node's name.
    #[must_use]
    pub fn node_name(&self) -> &str {
        &self.setup.node
    }

    /// When tasks end from now on.
    pub fn set_timing(&mut self, timing: Timing) {
        self.setup.timing = timing;
    }

    /// Whether a 401 takes three seconds from now on.
    pub fn set_slow_refusals(&mut self, slow: bool) {
        self.setup.slow_refusals = slow;
    }

    /// Stops the world's clock at this moment.
    pub fn freeze(&mut self, now: Moment) {
        self.advance(now);
        self.clock.freeze(now);
    }

    /// Lets a stopped clock run on.
    pub fn thaw(&mut self, now: Moment) {
        self.clock.thaw(now);
    }

    /// Moves the world's clock forward.
    pub fn skip(&mut self, millis: u64, now: Moment) {
        self.clock.advance(millis);
        self.advance(now);
    }

    /// The world's time, and whether its clock stands still.
    #[must_use]
    pub fn time(&self) -> (Moment, bool) {
        (self.now, self.clock.is_frozen())
    }

    /// Makes a template known whose file is already there.
    pub fn add_template(&mut self, file: &str, size: u64) {
        let volume = storage::Volume::file("vztmpl", file, size, self.now.secs());
        self.volumes.insert(format!("local:vztmpl/{file}"), volume);
    }

    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// Seconds since the node booted.
    pub(crate) fn uptime(&self) -> u64 {
        3600 + (self.now.millis().saturating_sub(self.booted.millis())) / 1000
    }
}

/// The fields of a form or query, as the server reads them.
pub(crate) fn decode_form(text: &str) -> request::Params {
    request::form(text)
}

/// Where a volume's file lies on a host, below the folder that stands for `/var/lib/vz`.
#[must_use]
pub fn volume_path(volume: &str) -> Option<PathBuf> {
    let (_, name) = volume.split_once(':')?;
    storage::relative(name)
}
