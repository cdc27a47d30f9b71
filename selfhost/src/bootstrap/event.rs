//! Events: everything that a bootstrap can tell while it happens.

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

/// Where events go.
pub type Events = engine::Events<Event>;

/// The same listener, for what the engine tells.
pub(super) fn of_engine(events: &Events) -> engine::Events {
    let listener = events.clone();
    engine::Events::to(move |event| listener.tell(Event::Engine(event)))
}
