//! What a job finds around it: the contexts of expressions and the variables of processes.
//!
//! # Quirks
//! The names are those that Gitea's runner 1.0.8 sets. Left out on purpose: everything of the
//! daemon's own environment but `PATH` and the language; there it all leaks into the job.

use std::time::Duration;

use indexmap::IndexMap;

use super::{
    assignment::Assignment,
    expression::Value,
    folders::Folders,
    workflow::{Job, Workflow},
};

/// What does not change from job to job.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// The runner's name.
    pub(crate) name: String,
    /// The runner's version.
    pub(crate) version: String,
    /// Address of the server, as the runner reaches it, without a slash at the end.
    pub(crate) server: String,
    /// `PATH` and the language of the daemon, which jobs get too.
    pub(crate) inherited: IndexMap<String, String>,
    /// What `timeout-minutes` counts.
    pub(crate) minute: Duration,
}

/// Members of the `github` context that the server decides.
const FROM_SERVER: &[&str] = &[
    "event",
    "run_id",
    "run_number",
    "run_attempt",
    "actor",
    "repository",
    "repository_owner",
    "event_name",
    "sha",
    "ref",
    "ref_name",
    "ref_type",
    "head_ref",
    "base_ref",
    "token",
    "job",
];

/// Members of the `github` context that become variables `GITHUB_…`.
const VARIABLES: &[&str] = &[
    "workflow",
    "job",
    "event_name",
    "ref",
    "ref_name",
    "ref_type",
    "head_ref",
    "base_ref",
    "sha",
    "repository",
    "repository_owner",
    "actor",
    "run_id",
    "run_number",
    "run_attempt",
    "server_url",
    "api_url",
    "graphql_url",
    "retention_days",
    "workspace",
    "event_path",
    "action_ref",
    "action_repository",
];

/// The variable by which processes of a job are known, also those that left their group.
pub(crate) const TRACKING: &str = "RUNNER_TRACKING_ID";

/// The contexts that stay as they are for the whole job.
pub(crate) fn contexts(
    assignment: &Assignment,
    workflow: &Workflow,
    job: &Job,
    host: &Host,
    folders: &Folders,
) -> IndexMap<String, Value> {
    let github = github(assignment, workflow, host, folders);
    let runner = Value::texts([
        ("name", host.name.clone()),
        ("os", "Linux".to_owned()),
        ("arch", architecture().to_owned()),
        ("environment", "self-hosted".to_owned()),
        ("temp", folders.temp().display().to_string()),
        ("tool_cache", folders.tools().display().to_string()),
    ]);
    IndexMap::from([
        ("github".to_owned(), github.clone()),
        ("gitea".to_owned(), github),
        ("vars".to_owned(), Value::texts(assignment.vars.clone())),
        (
            "secrets".to_owned(),
            Value::texts(assignment.secrets.clone()),
        ),
        ("needs".to_owned(), assignment.needs()),
        ("matrix".to_owned(), Value::Object(job.matrix.clone())),
        ("strategy".to_owned(), strategy(job)),
        ("runner".to_owned(), runner),
        ("inputs".to_owned(), dispatch_inputs(assignment, workflow)),
        ("job".to_owned(), Value::Object(IndexMap::new())),
        ("steps".to_owned(), Value::Object(IndexMap::new())),
        ("env".to_owned(), Value::Object(IndexMap::new())),
    ])
}

fn github(assignment: &Assignment, workflow: &Workflow, host: &Host, folders: &Folders) -> Value {
    let known = FROM_SERVER
        .iter()
        .map(|name| ((*name).to_owned(), assignment.context.member(name)));
    let mut github: IndexMap<String, Value> = known.collect();
    let name = match workflow.name.as_str() {
        "" => assignment.said("workflow"),
        name => name.to_owned(),
    };
    for (name, text) in [
        ("workflow", name),
        ("server_url", host.server.clone()),
        ("api_url", format!("{}/api/v1", host.server)),
        ("graphql_url", String::new()),
        ("retention_days", String::new()),
        ("workspace", folders.workspace().display().to_string()),
        ("event_path", folders.event().display().to_string()),
        ("action_ref", String::new()),
        ("action_repository", String::new()),
    ] {
        github.insert(name.to_owned(), Value::String(text));
    }
    Value::Object(github)
}

fn strategy(job: &Job) -> Value {
    let flag = |name: &str, otherwise: Value| {
        let value = job.strategy.get(name).cloned().unwrap_or(otherwise);
        (name.to_owned(), value)
    };
    Value::Object(IndexMap::from([
        flag("fail-fast", Value::Bool(true)),
        flag("max-parallel", Value::Number(4.0)),
    ]))
}

/// The inputs of a dispatch; booleans as booleans, everything else as the text that it is.
fn dispatch_inputs(assignment: &Assignment, workflow: &Workflow) -> Value {
    let Value::Object(given) = assignment.context.member("event").member("inputs") else {
        return Value::Object(IndexMap::new());
    };
    let typed = |name: &String, value: Value| {
        let boolean = workflow
            .input_types
            .get(name)
            .is_some_and(|kind| kind == "boolean");
        if boolean {
            Value::Bool(value.to_text() == "true")
        } else {
            value
        }
    };
    Value::Object(
        given
            .into_iter()
            .map(|(name, value)| (name.clone(), typed(&name, value)))
            .collect(),
    )
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "X64",
        "aarch64" => "ARM64",
        other => other,
    }
}

/// The lowest layer of a job's variables: what is inherited, and a home of its own.
pub(crate) fn base(host: &Host, folders: &Folders) -> IndexMap<String, String> {
    let mut variables = host.inherited.clone();
    variables.insert("HOME".to_owned(), folders.home().display().to_string());
    variables.insert("TERM".to_owned(), "dumb".to_owned());
    variables
}

/// The highest layer: what the runner says, whatever the job would like it to be.
pub(crate) fn own(
    contexts: &IndexMap<String, Value>,
    assignment: &Assignment,
    host: &Host,
    folders: &Folders,
    tracking: &str,
) -> IndexMap<String, String> {
    let github = contexts.get("github").cloned().unwrap_or(Value::Null);
    let named = VARIABLES.iter().map(|name| {
        (
            format!("GITHUB_{}", name.to_uppercase()),
            github.member(name).to_text(),
        )
    });
    let mut variables: IndexMap<String, String> = named.collect();
    for (name, value) in [
        ("CI", "true"),
        ("GITHUB_ACTIONS", "true"),
        ("GITEA_ACTIONS", "true"),
        ("GITEA_ACTIONS_RUNNER_VERSION", &host.version),
        ("RUNNER_NAME", &host.name),
        ("RUNNER_OS", "Linux"),
        ("RUNNER_ARCH", architecture()),
        ("RUNNER_TEMP", &folders.temp().display().to_string()),
        ("RUNNER_TOOL_CACHE", &folders.tools().display().to_string()),
        (
            "ACTIONS_RUNTIME_URL",
            &format!("{}/api/actions_pipeline/", host.server),
        ),
        ("ACTIONS_RESULTS_URL", &host.server),
        (
            "ACTIONS_RUNTIME_TOKEN",
            &assignment.said("gitea_runtime_token"),
        ),
        (TRACKING, tracking),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    variables
}
