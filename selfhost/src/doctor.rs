//! Doctor: is a control plane well, and what is to be done where it is not.
//!
//! Two sources: the control plane itself, asked once for everything that can be seen from inside
//! ([`Inside`]), and its Git service. Judging is a function of values; each [`Finding`] that is not
//! well names a remedy.

mod certificate;
mod forge;
mod inside;

use serde::Serialize;

pub use forge::{ForgeExpected, examine_forge};
pub use inside::{Inside, InsideExpected, judge_inside, look_inside};

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Check {
    /// Whether the containers are what the fleet says, and may be changed by who asks.
    Rights,
    /// Whether the control plane is where the fleet says, and is the one that was pinned.
    Addresses,
    /// Whether the Git service answers.
    Forge,
    /// Whether its certificate is the pinned one and will be valid for a while.
    Certificate,
    /// Whether a runner takes the jobs of the fleet's workflows.
    Labels,
    /// Whether the units run.
    Units,
    /// Whether the clocks agree.
    Clock,
    /// Whether there is room.
    Disk,
    /// Whether the secrets that jobs need are there.
    Secrets,
    /// Whether the variables that jobs need are there and right.
    Variables,
    /// Whether the program is the build that the fleet pins.
    Pins,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Well.
    Ok,
    /// It works, and somebody should look.
    Warning,
    /// It does not work, or will not.
    Failed,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub check: Check,
    /// How it is.
    pub state: State,
    /// What was seen.
    pub found: String,
    /// What to do; nothing where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(check: Check, found: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Ok,
            found: found.into(),
            remedy: None,
        }
    }

    /// It works, and somebody should look.
    pub fn warning(check: Check, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            state: State::Warning,
            remedy: Some(remedy.into()),
            ..Self::ok(check, found)
        }
    }

    /// It does not work.
    pub fn failed(check: Check, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            state: State::Failed,
            ..Self::warning(check, found, remedy)
        }
    }
}

/// A list of names for a sentence.
fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
