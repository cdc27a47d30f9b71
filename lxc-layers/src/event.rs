//! Events: everything that can be told while it happens.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::process::Stream;

/// One of the three layers, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Layer {
    /// Parse, resolve, lint, observe, plan.
    #[serde(rename = "container-init")]
    Init,
    /// Create or change the container, start it, reach it, run the base role.
    #[serde(rename = "container-default")]
    Default,
    /// Run the provisioners of the service, then its gate.
    #[serde(rename = "container-configuration")]
    Configuration,
}

/// What a step spends its time with: what is not of these kinds is our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// The node unpacks or fetches a root file system.
    Unpack,
    /// The guest comes up.
    Boot,
    /// A provisioner works.
    Provisioner,
    /// The guest's gate is awaited.
    Gate,
    /// A call to the API.
    Api,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Ended {
    /// It did something.
    Done,
    /// There was nothing to do, and why.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It failed.
    Failed {
        /// The error with its causes.
        error: String,
    },
}

/// A step: one container, one layer, one thing that is done.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Step {
    /// The container.
    pub container: String,
    /// The layer.
    pub layer: Layer,
    /// What is done, in a few words.
    pub name: String,
    /// What it spends its time with.
    pub kind: Kind,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// Another run holds the lock, and this one waits for it.
    Waiting {
        /// Who holds it.
        holder: String,
    },
    /// A step began.
    Began(Step),
    /// A step ended.
    Finished {
        /// Which one.
        #[serde(flatten)]
        step: Step,
        /// How.
        #[serde(flatten)]
        ended: Ended,
        /// How long it took.
        seconds: Seconds,
    },
    /// A program wrote a line; secrets are masked.
    Line {
        /// The container it is about.
        container: String,
        /// Where the line came from.
        stream: Stream,
        /// The line.
        text: String,
    },
    /// Something is tried again.
    Retry {
        /// The container it is about.
        container: String,
        /// Why.
        reason: String,
    },
    /// Something to know that stops nothing.
    Warning {
        /// The container it is about.
        container: String,
        /// What.
        text: String,
    },
}

/// A time span that is written in seconds with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub Duration);

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((self.0.as_secs_f64() * 1000.0).round() / 1000.0)
    }
}

impl Layer {
    /// The three, in their order.
    pub const ALL: [Self; 3] = [Self::Init, Self::Default, Self::Configuration];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "container-init",
            Self::Default => "container-default",
            Self::Configuration => "container-configuration",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where events go, those of the engine or others: to whoever shows progress. Cheap to clone.
#[derive(Clone)]
pub struct Events<E = Event>(Arc<dyn Fn(E) + Send + Sync>);

impl<E> fmt::Debug for Events<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl<E: 'static> Events<E> {
    /// Events that are told to `listener`, one at a time from any thread.
    pub fn to(listener: impl Fn(E) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Events that nobody hears.
    #[must_use]
    pub fn unheard() -> Self {
        Self::to(drop)
    }

    /// Tells one.
    pub fn tell(&self, event: E) {
        (self.0)(event);
    }
}

impl Events {
    /// Tells that a step begins; the answer tells its end.
    #[must_use]
    pub fn begin(&self, step: Step) -> Running {
        self.tell(Event::Began(step.clone()));
        Running {
            events: self.clone(),
            step,
            since: Instant::now(),
        }
    }
}

/// A step that runs.
#[derive(Debug)]
pub struct Running {
    events: Events,
    step: Step,
    since: Instant,
}

impl Running {
    /// Tells that it ended, and how.
    pub fn end(self, ended: Ended) {
        self.events.tell(Event::Finished {
            step: self.step,
            ended,
            seconds: Seconds(self.since.elapsed()),
        });
    }
}
