//! Making a run: from a workflow file and an event.

use serde_json::{Value, json};

use super::context::github;
use super::progress;
use super::row::{Disabled, Job, Run, Status};
use super::settings::variables_of;
use crate::gitea::events::Effects;
use crate::gitea::git::{Commit, Git};
use crate::gitea::workflow::{
    Contexts, FOLDERS, InputsGiven, Workflow, is_workflow_path, plan_run,
};
use crate::gitea::world::World;

/// A workflow file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkflowFile {
    /// The folder of workflows that it lies in.
    pub(crate) folder: &'static str,
    /// Its path below that folder: how the API calls it.
    pub(crate) id: String,
    /// Its text.
    pub(crate) text: String,
}

impl WorkflowFile {
    /// Its path in the repository.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.folder, self.id)
    }

    /// The workflow's own name, or the file's.
    pub(crate) fn shown_name(&self) -> String {
        match Workflow::parse(&self.text) {
            Ok(workflow) if !workflow.name.is_empty() => workflow.name,
            Ok(_) | Err(_) => self.id.clone(),
        }
    }
}

/// The workflow files of a commit, by path: those of the first folder that exists.
pub(crate) fn workflow_files(git: &Git, repo: i64, commit: &str) -> Vec<WorkflowFile> {
    let below = |folder: &&str| git.files_below(repo, commit, folder).unwrap_or_default();
    let Some(folder) = FOLDERS.into_iter().find(|folder| !below(folder).is_empty()) else {
        return Vec::new();
    };
    below(&folder)
        .into_iter()
        .filter(|path| is_workflow_path(path))
        .filter_map(|path| {
            let bytes = git.file(repo, commit, &path).ok().flatten()?;
            let id = path
                .strip_prefix(folder)?
                .trim_start_matches('/')
                .to_owned();
            Some(WorkflowFile {
                folder,
                id,
                text: String::from_utf8_lossy(&bytes).into_owned(),
            })
        })
        .collect()
}

/// What makes a run, apart from its workflow.
#[derive(Debug, Clone)]
pub(crate) struct Beginning {
    /// The repository.
    pub(crate) repo: i64,
    /// The event's name.
    pub(crate) event: String,
    /// The event's payload.
    pub(crate) payload: Value,
    /// The full name of the branch, tag or pull request.
    pub(crate) reference: String,
    /// The commit that jobs work on.
    pub(crate) sha: String,
    /// The commit that the API names, and that gets statuses.
    pub(crate) head_sha: String,
    /// The branch that a pull request is to be merged into.
    pub(crate) base_ref: String,
    /// The branch that a pull request comes from.
    pub(crate) head_ref: String,
    /// The run's title where the workflow has no `run-name`.
    pub(crate) title: String,
    /// Who made it happen.
    pub(crate) actor: i64,
    /// Whether the workflow is a stranger's.
    pub(crate) from_fork: bool,
    /// The inputs of a dispatch.
    pub(crate) inputs: InputsGiven,
}

impl Beginning {
    /// By an event at a commit; without inputs, and of no pull request.
    pub(crate) fn at(
        (repo, event): (i64, &str),
        payload: Value,
        reference: String,
        (actor, commit): (i64, &Commit),
    ) -> Self {
        Self {
            repo,
            event: event.to_owned(),
            payload,
            reference,
            sha: commit.id.clone(),
            head_sha: commit.id.clone(),
            base_ref: String::new(),
            head_ref: String::new(),
            title: commit.title().to_owned(),
            actor,
            from_fork: false,
            inputs: InputsGiven::new(),
        }
    }
}

/// Makes the run; `None` when the workflow is switched off or has no jobs.
pub(crate) fn begin(
    world: &mut World,
    effects: &mut Effects,
    file: &WorkflowFile,
    beginning: &Beginning,
) -> Option<i64> {
    let off = Disabled::key(beginning.repo, &file.id);
    if world.actions.disabled.find(&off).is_some() {
        return None;
    }
    let workflow = Workflow::parse(&file.text).ok()?;
    let plan = plan_run(&workflow, &contexts(world, file, beginning)).ok()?;
    if plan.jobs.is_empty() {
        return None;
    }
    let title = if plan.run_name.is_empty() {
        &beginning.title
    } else {
        &plan.run_name
    };
    let run = insert(world, file, beginning, (&plan.name, title));
    world
        .actions
        .runs
        .update(run, |row| row.concurrency = plan.concurrency);
    let now = world.now();
    for job in plan.jobs {
        world.actions.jobs.insert(|id| Job {
            id,
            run,
            repo: beginning.repo,
            plan: job,
            status: Status::Blocked,
            attempt: 0,
            task: 0,
            runner: 0,
            runner_name: String::new(),
            failed_fast: false,
            created: now,
            started: 0,
            stopped: 0,
        });
    }
    progress::start(world, effects, run);
    Some(run)
}

fn insert(
    world: &mut World,
    file: &WorkflowFile,
    beginning: &Beginning,
    (name, title): (&str, &str),
) -> i64 {
    let now = world.now();
    let numbers = world
        .actions
        .runs
        .of(beginning.repo)
        .map(|(_, run)| run.number);
    let number = numbers.max().unwrap_or_default() + 1;
    world.actions.runs.insert(|id| Run {
        id,
        number,
        workflow: file.id.clone(),
        folder: file.folder.to_owned(),
        name: name.to_owned(),
        title: shortened(title),
        created: now,
        updated: now,
        ..unmade(beginning)
    })
}

fn shortened(title: &str) -> String {
    const LETTERS_MAX: usize = 255;
    if title.chars().count() <= LETTERS_MAX {
        return title.to_owned();
    }
    title.chars().take(LETTERS_MAX - 1).chain(['…']).collect()
}

/// What expressions can name when a run is made.
fn contexts(world: &World, file: &WorkflowFile, beginning: &Beginning) -> Contexts {
    let github = github(
        world,
        &Run {
            workflow: file.id.clone(),
            ..unmade(beginning)
        },
    );
    let inputs = json!(beginning.inputs);
    let mut contexts = Contexts::default()
        .with("github", github.clone())
        .with("gitea", github)
        .with("inputs", inputs);
    let variables = variables_of(world, beginning.repo);
    if !variables.is_empty() {
        contexts = contexts.with("vars", json!(variables));
    }
    contexts
}

/// The run before it has an id.
fn unmade(beginning: &Beginning) -> Run {
    Run {
        id: 0,
        repo: beginning.repo,
        number: 0,
        workflow: String::new(),
        folder: String::new(),
        name: String::new(),
        title: beginning.title.clone(),
        event: beginning.event.clone(),
        payload: beginning.payload.clone(),
        reference: beginning.reference.clone(),
        sha: beginning.sha.clone(),
        head_sha: beginning.head_sha.clone(),
        base_ref: beginning.base_ref.clone(),
        head_ref: beginning.head_ref.clone(),
        actor: beginning.actor,
        status: Status::Blocked,
        concurrency: None,
        held: false,
        from_fork: beginning.from_fork,
        created: 0,
        started: 0,
        stopped: 0,
        updated: 0,
    }
}
