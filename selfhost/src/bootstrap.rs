//! Bootstrap: from an empty node to a control plane, in stages that look before they act.
//!
//! ```text
//! preflight → container → forge → repository → ci → handover
//! ```
//!
//! A [`Stage`] is a list of [`Step`]s. Each step looks at the world itself, acts only on what is
//! missing, and is journalled before it acts: a bootstrap that was killed is run again, and one that
//! has nothing to do changes nothing. No state but the world's is needed for that.
//!
//! Files that make a service of the control plane are a [`Tree`], which goes into the container the
//! way every service layer does: through the script provisioner, over the pinned way in, with its
//! fingerprint in the guest's notes.

mod certificate;
mod content;
mod error;
mod event;
mod git;
mod inside;
mod journal;
mod report;
mod run;
mod settings;
mod site;
mod step;
mod steps;
mod tree;

pub use certificate::Certificate;
use content::{Content, Reading};
pub use error::Error;
pub use event::{Event, Events};
pub use git::Clone;
pub use inside::{PROGRAM, UNIT_OF_FORGE, UNIT_OF_RUNNER};
pub use journal::{Entry, Journal, Record};
pub use report::{Ended, Outcome, Proof, Report, StageReport, StepReport};
pub use run::{Finished, run, undo};
pub use settings::{Access, Import, LABEL, Limits, Names, Readers, Settings};
pub use site::{Service, Site};
pub use step::{Call, Found, Ground, Stage, Step, Undone};
pub use tree::{File, Tree};
