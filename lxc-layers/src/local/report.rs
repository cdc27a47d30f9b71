//! What came of trying a container.

use serde::Serialize;

use crate::{
    event::{Layer, Seconds},
    guest::docker::Publish,
};

/// What came of trying a container.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Which form this is.
    pub version: u32,
    /// The container.
    pub container: String,
    /// What Docker calls it.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Whether systemd runs in it.
    pub systemd: bool,
    /// Where the service is reached on this machine.
    pub urls: Vec<String>,
    /// Its ports.
    pub ports: Vec<Port>,
    /// What was done, in order.
    pub steps: Vec<StepReport>,
    /// What the definition says and Docker does not give.
    pub left_out: Vec<String>,
    /// How long it took.
    pub seconds: Seconds,
}

/// A port of the container, and the one of this machine that leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Port {
    /// Inside.
    pub guest: u16,
    /// On loopback of this machine.
    pub host: u16,
}

impl From<Publish> for Port {
    fn from(publish: Publish) -> Self {
        Self {
            guest: publish.guest,
            host: publish.host,
        }
    }
}

/// One thing that was done, or did not need to be.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    /// The layer.
    pub layer: Layer,
    /// What it is.
    pub name: String,
    /// Whether it was done.
    pub outcome: Outcome,
    /// How long it took.
    pub seconds: Seconds,
}

/// Whether a thing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Outcome {
    /// It was.
    Done,
    /// What it is made of is what it was; it stands as it was done before.
    Unchanged,
}
