//! Events: everything that a bootstrap can tell while it happens.

use std::{fmt, sync::Arc};

use lxc_layers::event as engine;
use serde::Serialize;

use super::{
    report::Ended,
    step::{Call, Stage},
};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// A stage begins.
    Stage {
        /// Which.
        stage: Stage,
    },
    /// Something is missing, and a step begins to see to it.
    Began {
        /// The stage.
        stage: Stage,
        /// The step.
        step: String,
        /// What is missing.
        why: String,
    },
    /// A step ended.
    Finished {
        /// The stage.
        stage: Stage,
        /// The step.
        step: String,
        /// How.
        #[serde(flatten)]
        ended: Ended,
        /// How long it took, seconds.
        seconds: f64,
    },
    /// Dry run: what a step would call.
    Would {
        /// The stage.
        stage: Stage,
        /// The step.
        step: String,
        /// What it would call, in order.
        calls: Vec<Call>,
    },
    /// A program wrote a line; secrets are masked.
    Line {
        /// The line.
        text: String,
    },
    /// Something to know that stops nothing.
    Warning {
        /// What.
        text: String,
    },
    /// The engine that makes the container says something.
    Engine(engine::Event),
}

/// Where events go. Cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<dyn Fn(Event) + Send + Sync>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Events that are told to `listener`.
    pub fn to(listener: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Events that nobody hears.
    #[must_use]
    pub fn unheard() -> Self {
        Self::to(drop)
    }

    /// Tells one.
    pub fn tell(&self, event: Event) {
        (self.0)(event);
    }

    /// The same listener, for what the engine tells.
    pub(super) fn of_engine(&self) -> engine::Events {
        let listener = self.clone();
        engine::Events::to(move |event| listener.tell(Event::Engine(event)))
    }
}
