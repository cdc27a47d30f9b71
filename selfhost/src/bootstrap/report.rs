//! The report: what a bootstrap did, and what holds now.

use serde::Serialize;

use super::{Call, Stage};

/// What a bootstrap did. It holds no secret.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The run's name in the journal; empty for a dry run.
    pub run: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The Git service: `gitea` or `embedded`.
    pub forge: &'static str,
    /// Its address.
    pub url: String,
    /// SHA-256 of its certificate, once it has one.
    pub fingerprint: Option<String>,
    /// How long it took, seconds.
    pub seconds: f64,
    /// The stages, in order.
    pub stages: Vec<StageReport>,
    /// What was seen to hold in the end.
    pub proofs: Vec<Proof>,
}

/// How a bootstrap ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Something was done.
    Changed,
    /// There was nothing to do.
    Unchanged,
    /// Dry run: this would be done.
    Would,
    /// It stopped at a failure.
    Failed,
}

impl Outcome {
    /// Its word in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Would => "would",
            Self::Failed => "failed",
        }
    }
}

/// What happened in a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageReport {
    /// Which.
    pub stage: Stage,
    /// Its steps, in order.
    pub steps: Vec<StepReport>,
}

/// What happened in a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// Its name.
    pub step: String,
    /// How it ended.
    #[serde(flatten)]
    pub ended: Ended,
    /// How long it took, seconds.
    pub seconds: f64,
    /// Dry run: what it would call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Ended {
    /// All was as it should be.
    Unchanged {
        /// What was seen.
        seen: String,
    },
    /// It was brought about.
    Done {
        /// What was missing.
        why: String,
    },
    /// Dry run: it would act.
    Would {
        /// What is missing.
        why: String,
    },
    /// It failed.
    Failed {
        /// Why.
        error: String,
    },
}

impl Ended {
    /// Whether something was changed, or would be.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Would { .. })
    }
}

/// Something that was looked at in the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// What.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// What was seen.
    pub seen: String,
}
