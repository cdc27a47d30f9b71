//! Local: one container of a fleet in Docker, tried and tried again without a node.
//!
//! The same base role and the same service layer run through the same provisioners, and the same
//! health is asked for; a container of Docker stands where a node's stands. What is there already and
//! what has not changed since is left alone. What Docker cannot give is told, not imitated.
//!
//! Everything that is made bears labels, and by these it is found again and removed.

mod definition;
mod error;
mod image;
mod layers;
mod remove;
mod report;
mod stand;

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tempfile::TempDir;

pub use definition::left_out;
pub use error::{Class, Error};
pub use remove::{Removed, remove};
pub use report::{Outcome, Port, Report, StepReport};

use crate::{
    event::{Ended, Event, Events, Kind, Layer, Seconds, Step},
    execute::{Layers, scratch},
    guest::docker::{Engine, Labels, Publish},
    ledger::Lock,
    redact::Redactor,
    resolve::Container,
    spec::FleetId,
};

/// The Dockerfile of a fleet that has none of its own, which is also the one that a new fleet gets.
pub const DOCKERFILE: &str = include_str!("local/Dockerfile");

/// The script of a fleet that stands for `proxmox-ci local`.
pub const SCRIPT: &str = include_str!("local/run.sh");

/// How long another run on the same container is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Label: the fleet's id.
const FLEET: &str = "proxmox-ci.fleet";
/// Label: the container's name.
const CONTAINER: &str = "proxmox-ci.container";
/// Label: what the container is made of.
const MADE_OF: &str = "proxmox-ci.made-of";
/// Label: whether systemd runs first.
const SYSTEMD: &str = "proxmox-ci.systemd";
/// Label of an image: the image below it that was not there before.
const BASE: &str = "proxmox-ci.base";
/// Label of an image, from the first step of its build on: the fleet's id.
const STEP: &str = "proxmox-ci.step-of";
/// Label of an image: the template it was imported from, by digest.
const TEMPLATE: &str = "proxmox-ci.template";

/// What is tried, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The fleet repository.
    pub root: PathBuf,
    /// The folder of the fleet for state of this machine.
    pub state: PathBuf,
    /// The fleet.
    pub fleet: FleetId,
    /// The container.
    pub container: Container,
    /// Which layers run in it.
    pub layers: Layers,
    /// A container template that stands for the Dockerfile's base.
    pub base_template: Option<PathBuf>,
    /// Ports of this machine that were asked for.
    pub ports: Vec<Publish>,
    /// What must not be seen.
    pub redactor: Redactor,
}

/// One run of one container.
struct Trial<'a> {
    engine: &'a Engine,
    settings: &'a Settings,
    events: Events,
    scratch: TempDir,
    steps: Mutex<Vec<StepReport>>,
}

/// Tries a container: makes what is missing, runs what changed, follows its health.
///
/// It stays as it is at the end, also when something fails; [`remove()`] takes it away.
///
/// # Errors
///
/// When the daemon does not do what it is asked, a provisioner fails, or health is not reached.
pub async fn run(engine: &Engine, settings: &Settings, events: Events) -> Result<Report, Error> {
    let began = Instant::now();
    let _lock = lock(settings, &events).await?;
    let trial = Trial {
        engine,
        settings,
        events,
        scratch: scratch().map_err(Error::file("a private folder"))?,
        steps: Mutex::default(),
    };
    trial.ports_are_free().await?;
    // Each waits for a great deal, and is that large.
    let image = Box::pin(trial.image()).await?;
    let stood = Box::pin(trial.stand(&image)).await?;
    Box::pin(trial.layers(&stood)).await?;
    let ports = &stood.standing.ports;
    Ok(Report {
        version: 1,
        container: settings.container.name.to_string(),
        name: name(settings),
        systemd: stood.systemd,
        urls: definition::urls(&settings.container, ports),
        ports: ports
            .iter()
            .copied()
            .filter(|port| port.guest != definition::SSH)
            .map(Port::from)
            .collect(),
        image: image.name,
        steps: trial
            .steps
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
        left_out: left_out(&settings.container),
        seconds: Seconds(began.elapsed()),
    })
}

async fn lock(settings: &Settings, events: &Events) -> Result<Lock, Error> {
    let waiting = |holder: &str| {
        events.tell(Event::Waiting {
            holder: holder.to_owned(),
        });
    };
    Ok(Lock::take(&folder(settings), "local", PATIENCE, &waiting).await?)
}

/// The folder of what this machine keeps of a tried container: its key, its lock.
fn folder(settings: &Settings) -> PathBuf {
    let name = settings.container.name.as_str();
    settings.state.join("local").join(name)
}

/// What Docker calls the container.
fn name(settings: &Settings) -> String {
    let fleet = definition::word(settings.fleet.as_str());
    format!("proxmox-ci-{fleet}-{}", settings.container.name)
}

/// The labels by which everything of this container is found.
fn labels(settings: &Settings) -> Labels {
    Labels::from([
        (FLEET.to_owned(), settings.fleet.to_string()),
        (CONTAINER.to_owned(), settings.container.name.to_string()),
    ])
}

impl Trial<'_> {
    /// Does `work` as a step.
    async fn step<T>(
        &self,
        (layer, name, kind): (Layer, &str, Kind),
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let running = self.events.begin(self.named(layer, name, kind));
        let began = Instant::now();
        let outcome = work.await;
        running.end(match &outcome {
            Ok(_) => Ended::Done,
            Err(error) => Ended::Failed {
                error: error.to_string(),
            },
        });
        self.keep(layer, name, Outcome::Done, began.elapsed());
        outcome
    }

    /// Tells that a step is not needed.
    fn unchanged(&self, layer: Layer, name: &str, kind: Kind) {
        let running = self.events.begin(self.named(layer, name, kind));
        running.end(Ended::Skipped {
            reason: "unchanged".to_owned(),
        });
        self.keep(layer, name, Outcome::Unchanged, Duration::ZERO);
    }

    fn keep(&self, layer: Layer, name: &str, outcome: Outcome, took: Duration) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.push(StepReport {
            layer,
            name: name.to_owned(),
            outcome,
            seconds: Seconds(took),
        });
    }

    fn named(&self, layer: Layer, name: &str, kind: Kind) -> Step {
        Step {
            container: self.settings.container.name.to_string(),
            layer,
            name: name.to_owned(),
            kind,
        }
    }

    fn warn(&self, text: impl Into<String>) {
        self.events.tell(Event::Warning {
            container: self.settings.container.name.to_string(),
            text: text.into(),
        });
    }
}

/// Whom to tell the lines of a program that works for a container.
fn listener(
    events: &Events,
    container: &str,
) -> impl Fn(crate::process::Stream, &str) + Send + Sync {
    let (events, container) = (events.clone(), container.to_owned());
    move |stream, text: &str| {
        events.tell(Event::Line {
            container: container.clone(),
            stream,
            text: text.to_owned(),
        });
    }
}
