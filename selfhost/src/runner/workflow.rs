//! The workflow of one job, as the server hands it out.

mod read;

use indexmap::IndexMap;

use super::expression::Value;

/// What a task's payload says: a workflow that holds a single job.
#[derive(Clone, Debug)]
pub(crate) struct Workflow {
    /// `name:` of the file; the server fills in the file's name where there is none.
    pub(crate) name: String,
    /// `env:` of the workflow, not evaluated.
    pub(crate) env: IndexMap<String, String>,
    /// `defaults.run` of the workflow.
    pub(crate) defaults: RunDefaults,
    /// Types of the inputs of `workflow_dispatch`, by name.
    pub(crate) input_types: IndexMap<String, String>,
    /// The jobs; one in a payload, several in a file that is called.
    pub(crate) jobs: IndexMap<String, Job>,
    /// What a file that can be called takes and gives.
    pub(crate) call: Call,
}

/// `on.workflow_call` of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    /// Name → default value and type of each input.
    pub(crate) inputs: IndexMap<String, Input>,
    /// Name → expression of each output.
    pub(crate) outputs: IndexMap<String, String>,
}

/// An input of a called workflow or of an action.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Input {
    /// What it is when nobody gives it; may hold expressions.
    pub(crate) default: Option<Value>,
    /// Whether it must be given.
    pub(crate) required: bool,
    /// `string`, `boolean`, `number`, `choice`; empty where the file does not say.
    pub(crate) kind: String,
}

/// `defaults.run`.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunDefaults {
    /// The shell of steps that name none.
    pub(crate) shell: Option<String>,
    /// The folder of steps that name none.
    pub(crate) working_directory: Option<String>,
}

/// A job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Job {
    /// `if:`, empty where there is none.
    pub(crate) condition: String,
    /// `needs:` of a job in a file that is called; the server takes it away from payloads.
    pub(crate) needs: Vec<String>,
    /// `env:`, not evaluated.
    pub(crate) env: IndexMap<String, String>,
    /// `defaults.run` of the job.
    pub(crate) defaults: RunDefaults,
    /// `outputs:`, not evaluated.
    pub(crate) outputs: IndexMap<String, String>,
    /// The row of the matrix: one value a key.
    pub(crate) matrix: IndexMap<String, Value>,
    /// `strategy.matrix` as it stands in the file: what is called brings its own.
    pub(crate) matrix_plan: Value,
    /// `strategy:` without the matrix.
    pub(crate) strategy: IndexMap<String, Value>,
    /// `timeout-minutes:`, not evaluated.
    pub(crate) timeout_minutes: Option<String>,
    /// What it does.
    pub(crate) work: Work,
    /// Keys that ask for something that this runner does not have, each with the reason.
    pub(crate) unsupported: Vec<&'static str>,
}

impl Job {
    /// Whether the first failure in its matrix ends the rest.
    pub(crate) fn fails_fast(&self) -> bool {
        let flag = self.strategy.get("fail-fast").map(Value::to_text);
        flag.is_none_or(|flag| flag != "false")
    }
}

/// What a job does.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Its own steps.
    Steps(Vec<Step>),
    /// Another workflow of the same repository.
    Call {
        /// The file, such as `./.gitea/workflows/called.yml`.
        uses: String,
        /// What is handed in.
        with: IndexMap<String, Value>,
        /// Which secrets are handed in.
        secrets: CallSecrets,
    },
}

impl Default for Work {
    fn default() -> Self {
        Self::Steps(Vec::new())
    }
}

/// `secrets:` of a call.
#[derive(Clone, Debug)]
pub(crate) enum CallSecrets {
    /// All that the caller has.
    Inherit,
    /// These, by name; values may hold expressions.
    Named(IndexMap<String, String>),
}

/// A step.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// `id:`, where there is one.
    pub(crate) id: Option<String>,
    /// `if:`, empty where there is none.
    pub(crate) condition: String,
    /// `env:`, not evaluated.
    pub(crate) env: IndexMap<String, String>,
    /// `continue-on-error:`, not evaluated; empty where there is none.
    pub(crate) continue_on_error: String,
    /// `timeout-minutes:`, not evaluated.
    pub(crate) timeout_minutes: Option<String>,
    /// What it does.
    pub(crate) action: StepAction,
}

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum StepAction {
    /// A script.
    Run {
        /// The script, not evaluated.
        script: String,
        /// `shell:`, not evaluated.
        shell: Option<String>,
        /// `working-directory:`, not evaluated.
        working_directory: Option<String>,
    },
    /// An action.
    Uses {
        /// Which one.
        uses: String,
        /// What is handed in, not evaluated.
        with: IndexMap<String, Value>,
    },
}

/// An action of the repository: `action.yml` with `using: composite`.
#[derive(Clone, Debug)]
pub(crate) struct Composite {
    /// Name → default value of each input.
    pub(crate) inputs: IndexMap<String, Input>,
    /// Name → expression of each output.
    pub(crate) outputs: IndexMap<String, String>,
    /// Its steps.
    pub(crate) steps: Vec<Step>,
}

/// Why a file is no workflow or no action that this runner can carry out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// It is no YAML.
    #[error("the file is no YAML")]
    Yaml(#[source] serde_yaml_ng::Error),
    /// A key is missing or of another type.
    #[error("`{place}` {problem}")]
    Shape {
        /// Where in the file.
        place: String,
        /// What is wrong there.
        problem: String,
    },
}

impl Workflow {
    /// Reads a payload or a workflow file.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        read::workflow(text)
    }
}

impl Composite {
    /// Reads an `action.yml`.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        read::composite(text)
    }
}
