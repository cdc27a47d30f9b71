//! Execute: a plan done through the seams, journalled before each effect, an event for each step.

mod check;
mod destroy;
mod enter;
mod error;
pub(crate) mod gate;
mod notes;
mod open;
mod report;
#[cfg(test)]
mod scene;
mod schedule;
mod settle;
mod template;
mod worker;

use std::{
    collections::BTreeSet, net::Ipv4Addr, num::NonZeroUsize, path::PathBuf, sync::Arc,
    time::Duration, time::Instant,
};

use tempfile::TempDir;
use tokio::sync::OnceCell;

pub use check::{Checked, Verdict, check};
pub use destroy::{Destroyed, Doomed, destroy, left_over};
pub use error::{Class, Error};
pub use open::open;
pub use report::{ContainerReport, Failure, Outcome, Report, StepReport};

use crate::{
    event::{Events, Layer},
    guest::{Guest, HostKey, OperatorKey, Ssh, SshTarget},
    host::Host,
    ledger::{Entry, Holder, Journal, Provenance},
    plan::{Action, Plan},
    provision::{self, Provisioner},
    redact::Redactor,
    resolve::{Desired, Provisioner as Tool},
};

/// Which layers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layers {
    /// All, one after the other, each behind the gate of the one before.
    All,
    /// One; the gate of the one before is verified on the guest itself.
    Only(Layer),
}

impl Layers {
    /// Whether `layer` runs.
    #[must_use]
    pub fn include(self, layer: Layer) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => only == layer,
        }
    }

    /// The layers that run, in their order.
    #[must_use]
    pub fn list(self) -> Vec<Layer> {
        let all = Layer::ALL.into_iter();
        all.filter(|layer| self.include(*layer)).collect()
    }
}

/// Whether guests are entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    /// They are: provisioners run, gates are verified.
    Enter,
    /// They are not: what would be done inside is skipped by name, and its fingerprint is not
    /// written.
    Skip,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A task of the hypervisor.
    pub task: Duration,
    /// A guest, until it answers ssh after its start.
    pub reach: Duration,
    /// A guest's systemd, until it has come up.
    pub boot: Duration,
    /// A lock that something else holds on a guest.
    pub busy: Duration,
    /// A machine at the address of a new container, until it greets; after that nobody is there.
    pub greeting: Duration,
}

impl Default for Limits {
    /// Ten minutes for a task, three for ssh, two for systemd, one for a lock, a quarter of a second
    /// for a greeting.
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        Self {
            task: minutes(10),
            reach: minutes(3),
            boot: minutes(2),
            busy: minutes(1),
            greeting: Duration::from_millis(250),
        }
    }
}

/// How a run is done.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The fleet repository.
    pub root: PathBuf,
    /// The folder of journal and lock.
    pub state: PathBuf,
    /// The key by which guests are entered; its public part is given to new ones. `None` when guests
    /// are not entered.
    pub key: Option<OperatorKey>,
    /// Which layers run.
    pub layers: Layers,
    /// How many containers of one node are worked on at the same time.
    pub parallel: NonZeroUsize,
    /// Whether guests are entered.
    pub inside: Inside,
    /// How long things may take.
    pub limits: Limits,
    /// Where the fleet comes from.
    pub provenance: Provenance,
    /// What must not be seen.
    pub redactor: Redactor,
}

/// Makes a guest of an address and a pinned key.
pub type Door = Arc<dyn Fn(SshTarget, Option<HostKey>, Redactor) -> Arc<dyn Guest> + Send + Sync>;

/// The door that everybody uses: ssh.
#[must_use]
pub fn ssh_door() -> Door {
    Arc::new(|target, pinned, redactor| Arc::new(Ssh::new(target, pinned, redactor)))
}

/// The provisioner of a tool.
pub type Tools = Arc<dyn Fn(&Tool) -> Box<dyn Provisioner> + Send + Sync>;

/// What stands behind the seams of a run.
#[derive(Clone)]
pub struct Seams {
    /// The hypervisor.
    pub host: Arc<dyn Host>,
    /// The way into guests.
    pub door: Door,
    /// The provisioners.
    pub tools: Tools,
}

impl Seams {
    /// The real ones, in front of `host`: ssh, and the tools themselves.
    #[must_use]
    pub fn real(host: Arc<dyn Host>) -> Self {
        Self {
            host,
            door: ssh_door(),
            tools: Arc::new(provision::provisioner),
        }
    }
}

impl std::fmt::Debug for Seams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seams")
    }
}

/// One run: what all its containers share.
struct Run {
    host: Arc<dyn Host>,
    door: Door,
    tools: Tools,
    settings: Settings,
    fleet: crate::spec::FleetId,
    /// Who we are, for others who wait for us.
    holder: String,
    events: Events,
    journal: Journal,
    templates: template::Templates,
    /// The addresses that containers of this run are to have and nobody had before.
    addresses: Vec<Ipv4Addr>,
    /// The port at which they would be greeted: that of ssh.
    greeter: u16,
    /// Those of them at which somebody answers, once it was looked.
    taken: OnceCell<BTreeSet<Ipv4Addr>>,
    scratch: TempDir,
    began: Instant,
}

/// Does a plan. The caller holds the fleet's lock, and has made the plan under it.
///
/// Containers are worked on in parallel along their dependencies; a failure stops those that come
/// after it and nobody else. What happened to each is in the report.
///
/// # Errors
///
/// When the run cannot begin: a container of the plan is refused, or the journal or the run's
/// private folder cannot be made. Nothing was changed then.
pub async fn execute(
    seams: Seams,
    desired: &Desired,
    plan: &Plan,
    settings: Settings,
    events: Events,
) -> Result<Report, Error> {
    if let Some(refused) = plan.containers.iter().find(|it| !it.refusals.is_empty()) {
        return Err(Error::Refused {
            container: refused.name.to_string(),
            refusals: refused
                .refusals
                .iter()
                .map(|it| it.message.clone())
                .collect(),
        });
    }
    let mut run = Run::begin(seams, desired, "apply", settings, events)?;
    run.addresses = new_addresses(desired, plan);
    let containers = schedule::work(&run, desired, plan).await;
    let report = Report::new(
        run.journal.run(),
        run.settings.layers,
        containers,
        run.began,
    );
    let ended = run.journal.write(Entry::End {
        outcome: report.word().to_owned(),
    });
    if report.is_success() {
        ended?;
    }
    // What failed before says more than that its end could not be written down either.
    Ok(report)
}

/// The addresses of the containers that a plan creates.
fn new_addresses(desired: &Desired, plan: &Plan) -> Vec<Ipv4Addr> {
    let created = plan.containers.iter().filter(|it| {
        let mut actions = it.default.iter();
        actions.any(|action| matches!(action, Action::Create { .. }))
    });
    created
        .filter_map(|it| desired.container(it.name.as_str())?.address())
        .collect()
}

impl Run {
    fn begin(
        seams: Seams,
        desired: &Desired,
        command: &str,
        settings: Settings,
        events: Events,
    ) -> Result<Self, Error> {
        let scratch = scratch().map_err(|source| Error::Scratch { source })?;
        let layers = settings.layers.list();
        let begin = Entry::Begin {
            pid: std::process::id(),
            command: command.to_owned(),
            fleet: desired.fleet.to_string(),
            layers: layers.iter().map(ToString::to_string).collect(),
            provenance: settings.provenance.clone(),
        };
        let journal = Journal::begin(&settings.state, &new_run_id(), begin)?;
        Ok(Self {
            host: seams.host,
            door: seams.door,
            tools: seams.tools,
            settings,
            fleet: desired.fleet.clone(),
            holder: Holder::now(command).to_string(),
            events,
            journal,
            templates: template::Templates::default(),
            addresses: Vec::new(),
            greeter: enter::SSH,
            taken: OnceCell::new(),
            scratch,
            began: Instant::now(),
        })
    }

    /// The guest at `address`.
    fn guest(
        &self,
        name: &str,
        address: Ipv4Addr,
        key: &OperatorKey,
        pinned: Option<HostKey>,
    ) -> Arc<dyn Guest> {
        let target = SshTarget {
            name: name.to_owned(),
            address,
            user: "root".to_owned(),
            key: key.path.clone(),
            scratch: self.scratch.path().to_owned(),
        };
        (self.door)(target, pinned, self.settings.redactor.clone())
    }
}

/// A private folder that goes when it is dropped.
///
/// # Errors
///
/// When it cannot be made.
pub fn scratch() -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("proxmox-ci-").tempdir()
}

/// A name for a run: when it began, and something random, so that two never share one.
fn new_run_id() -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    format!("{now}-{:04x}", rand::random::<u16>())
}
