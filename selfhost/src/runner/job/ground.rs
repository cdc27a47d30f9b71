//! What the steps of a job stand on: folders, contexts, and what earlier steps left for later ones.

use std::{fs, io};

use indexmap::IndexMap;

use super::expression::Value;
use crate::{
    process,
    runner::{
        assignment::Assignment,
        folders::Folders,
        surroundings::{self, Host},
        workflow::{Job, Workflow},
    },
};

/// The ground of one job.
#[derive(Debug)]
pub(super) struct Ground {
    /// Its folders.
    pub(super) folders: Folders,
    /// Contexts; `env`, `steps`, `job` and `inputs` are filled in whenever something is asked.
    pub(super) contexts: IndexMap<String, Value>,
    /// The highest layer of variables.
    pub(super) own: IndexMap<String, String>,
    /// What steps wrote to `GITHUB_ENV`.
    pub(super) written: IndexMap<String, String>,
    /// What steps wrote to `GITHUB_PATH`, the last one first.
    pub(super) path: Vec<String>,
    /// By which its processes are known.
    tracking: String,
}

impl Ground {
    /// Fresh ground.
    pub(super) fn new(
        assignment: &Assignment,
        workflow: &Workflow,
        job: &Job,
        host: &Host,
        folders: Folders,
    ) -> Self {
        let tracking = folders.workspace().display().to_string();
        let contexts = surroundings::contexts(assignment, workflow, job, host, &folders);
        let own = surroundings::own(&contexts, assignment, host, &folders, &tracking);
        Self {
            folders,
            contexts,
            own,
            written: IndexMap::new(),
            path: Vec::new(),
            tracking,
        }
    }

    /// Writes the file of `GITHUB_EVENT_PATH`.
    pub(super) fn write_event(&self, assignment: &Assignment) -> io::Result<()> {
        let event = assignment.context.member("event").to_json();
        fs::write(self.folders.event(), serde_json::to_string_pretty(&event)?)
    }

    /// Ends everything that still runs here, and takes the folders away.
    pub(super) async fn leave(self) {
        process::kill_marked(surroundings::TRACKING, &self.tracking).await;
        // What a job made unreadable for us stays, and is swept at the next start.
        drop(self.folders.remove());
    }
}
