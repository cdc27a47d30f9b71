//! A workflow file as the server reads it: what it must be, and where it is not.
//!
//! A file is taken or not taken as a whole. Unknown keys are passed over; a key of the wrong type
//! makes the file invalid, and an invalid file never starts a run.

use super::triggers::Triggers;
use super::yaml::{self, Content, Node, Place, Resolved};

/// Why a file is no workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Invalid {
    place: Place,
    problem: String,
}

impl Invalid {
    pub(super) fn new(place: Place, problem: impl Into<String>) -> Self {
        Self {
            place,
            problem: problem.into(),
        }
    }

    /// Where in the file.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }
}

impl From<yaml::Broken> for Invalid {
    fn from(broken: yaml::Broken) -> Self {
        Self {
            place: broken.place,
            problem: broken.problem,
        }
    }
}

/// A workflow file.
#[derive(Debug, Clone, PartialEq)]
pub struct Workflow {
    /// Its `name:`, empty when it has none.
    pub name: String,
    /// Its `run-name:`, not evaluated.
    pub run_name: String,
    /// What starts it.
    pub triggers: Triggers,
    /// Its `concurrency:`.
    pub concurrency: Option<Concurrency>,
    /// Its `permissions:`.
    pub permissions: Option<Permissions>,
    /// Its jobs, in the order of the file.
    pub jobs: Vec<Job>,
    pub(super) on: Node,
    pub(super) env: Vec<(String, String)>,
    pub(super) defaults: Defaults,
    pub(super) permissions_node: Option<Node>,
}

/// A job of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its key in the file.
    pub id: String,
    /// Its `name:`, empty when it has none.
    pub name: String,
    /// The ids of the jobs that must have ended before it.
    pub needs: Vec<String>,
    /// Whether it has an `if:`; then a runner decides, even after a failure.
    pub has_condition: bool,
    /// The workflow that it calls instead of having steps.
    pub uses: String,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Its `concurrency:`.
    pub concurrency: Option<Concurrency>,
    /// Its `permissions:`.
    pub permissions: Option<Permissions>,
    pub(super) runs_on: Option<Node>,
    pub(super) fail_fast: String,
    pub(super) max_parallel: String,
    pub(super) matrix: Option<Node>,
    pub(super) node: Node,
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How it is called in the API: its name, or what it does.
    pub title: String,
}

/// What must not run at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concurrency {
    /// The name of the group, not evaluated.
    pub group: String,
    /// Whether what runs is stopped: a boolean or an expression, not evaluated.
    pub cancel_in_progress: String,
}

/// What the token of a job may do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Permissions {
    /// `read-all`
    ReadAll,
    /// `write-all`
    WriteAll,
    /// A level (`read`, `write`, `none`) for each of these; `none` for all others.
    Each(Vec<(String, String)>),
}

/// `defaults.run`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Defaults {
    pub(super) shell: String,
    pub(super) working_directory: String,
}

impl Workflow {
    /// Reads a workflow file.
    ///
    /// # Errors
    /// [`Invalid`] when it is no YAML, or something in it is of the wrong type.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let start = Place { line: 1, column: 1 };
        let root = yaml::parse(text)?.ok_or_else(|| Invalid::new(start, "the file is empty"))?;
        if root.as_pairs().is_none() {
            return Err(Invalid::new(root.place, "a workflow is a mapping"));
        }
        let on = root
            .get("on")
            .ok_or_else(|| Invalid::new(root.place, "`on` is missing"))?;
        Ok(Self {
            name: text_of(&root, "name")?,
            run_name: text_of(&root, "run-name")?,
            triggers: Triggers::read(on)?,
            concurrency: concurrency(&root)?,
            permissions: permissions(&root)?,
            jobs: jobs(&root)?,
            on: on.clone(),
            env: text_map(&root, "env")?,
            defaults: defaults(&root)?,
            permissions_node: root.get("permissions").cloned(),
        })
    }
}

fn jobs(root: &Node) -> Result<Vec<Job>, Invalid> {
    let Some(jobs) = present(root, "jobs") else {
        return Ok(Vec::new());
    };
    let pairs = jobs
        .as_pairs()
        .ok_or_else(|| Invalid::new(jobs.place, "`jobs` is not a mapping"))?;
    pairs.iter().map(|(id, node)| job(id, node)).collect()
}

fn job(id: &Node, node: &Node) -> Result<Job, Invalid> {
    let id = id
        .as_text()
        .ok_or_else(|| Invalid::new(id.place, "the id of a job is a text"))?;
    if node.as_pairs().is_none() {
        return Err(Invalid::new(
            node.place,
            format!("job `{id}` is not a mapping"),
        ));
    }
    let strategy = present(node, "strategy");
    let of_strategy = |key| strategy.map_or(Ok(String::new()), |strategy| text_of(strategy, key));
    for (key, check) in CHECKED {
        check(node, key)?;
    }
    Ok(Job {
        id: id.to_owned(),
        name: text_of(node, "name")?,
        needs: texts(node, "needs")?,
        has_condition: node.get("if").is_some(),
        uses: text_of(node, "uses")?,
        steps: steps(node)?,
        concurrency: concurrency(node)?,
        permissions: permissions(node)?,
        runs_on: present(node, "runs-on").cloned(),
        fail_fast: of_strategy("fail-fast")?,
        max_parallel: of_strategy("max-parallel")?,
        matrix: strategy
            .and_then(|strategy| present(strategy, "matrix"))
            .cloned(),
        node: node.clone(),
    })
}

type Check = fn(&Node, &str) -> Result<(), Invalid>;

/// Keys of a job that are handed on, and must be of the right type nevertheless.
const CHECKED: [(&str, Check); 4] = [
    ("timeout-minutes", |node, key| text_of(node, key).map(drop)),
    ("outputs", |node, key| text_map(node, key).map(drop)),
    ("services", |node, key| mapping(node, key).map(drop)),
    ("with", |node, key| mapping(node, key).map(drop)),
];

fn steps(job: &Node) -> Result<Vec<Step>, Invalid> {
    let Some(steps) = present(job, "steps") else {
        return Ok(Vec::new());
    };
    let items = steps
        .as_items()
        .ok_or_else(|| Invalid::new(steps.place, "`steps` is not a list"))?;
    items.iter().map(step).collect()
}

fn step(node: &Node) -> Result<Step, Invalid> {
    if node.as_pairs().is_none() {
        return Err(Invalid::new(node.place, "a step is a mapping"));
    }
    for key in ["id", "working-directory", "shell", "timeout-minutes"] {
        text_of(node, key)?;
    }
    text_map(node, "with")?;
    if let Some(value) = present(node, "continue-on-error")
        && !matches!(value.resolved(), Some(Resolved::Bool(_)))
        && !is_old_bool(value)
    {
        return Err(Invalid::new(
            value.place,
            "`continue-on-error` is not a boolean",
        ));
    }
    let (name, uses, run) = (
        text_of(node, "name")?,
        text_of(node, "uses")?,
        text_of(node, "run")?,
    );
    Ok(Step {
        title: title(name, &uses, &run),
    })
}

/// `yes` and its kin count as booleans where a boolean is wanted.
fn is_old_bool(node: &Node) -> bool {
    const WORDS: [&str; 8] = ["y", "yes", "on", "n", "no", "off", "true", "false"];
    let lower = match &node.content {
        Content::Scalar(text, yaml::Style::Plain) => text.to_ascii_lowercase(),
        _ => return false,
    };
    WORDS.contains(&lower.as_str())
}

fn title(name: String, uses: &str, run: &str) -> String {
    const BYTES_MAX: usize = 255;
    let mut title = if !name.is_empty() {
        name
    } else if !uses.is_empty() {
        format!("Run {uses}")
    } else {
        format!("Run {}", run.lines().next().unwrap_or_default())
    };
    while title.len() > BYTES_MAX {
        title.pop();
    }
    title
}

fn concurrency(node: &Node) -> Result<Option<Concurrency>, Invalid> {
    let Some(value) = present(node, "concurrency") else {
        return Ok(None);
    };
    if let Some(group) = value.as_text() {
        let group = group.to_owned();
        return Ok(Some(Concurrency {
            group,
            cancel_in_progress: String::new(),
        }));
    }
    Ok(Some(Concurrency {
        group: text_of(value, "group")?,
        cancel_in_progress: text_of(value, "cancel-in-progress")?,
    }))
}

fn permissions(node: &Node) -> Result<Option<Permissions>, Invalid> {
    let Some(value) = node.get("permissions") else {
        return Ok(None);
    };
    Ok(match value.as_text() {
        Some("read-all") => Some(Permissions::ReadAll),
        Some("write-all") => Some(Permissions::WriteAll),
        Some(_) if value.is_null() => None,
        Some(_) => return Err(Invalid::new(value.place, "`permissions` is not known")),
        None => Some(Permissions::Each(text_map(node, "permissions")?)),
    })
}

pub(super) fn defaults(node: &Node) -> Result<Defaults, Invalid> {
    let Some(run) = present(node, "defaults").and_then(|defaults| present(defaults, "run")) else {
        return Ok(Defaults::default());
    };
    Ok(Defaults {
        shell: text_of(run, "shell")?,
        working_directory: text_of(run, "working-directory")?,
    })
}

/// The value of a key, unless it is null.
pub(super) fn present<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    node.get(key).filter(|value| !value.is_null())
}

/// Any scalar as a text; nothing and null are the empty text.
pub(super) fn text_of(node: &Node, key: &str) -> Result<String, Invalid> {
    match present(node, key) {
        None => Ok(String::new()),
        Some(value) => value
            .as_text()
            .map(str::to_owned)
            .ok_or_else(|| Invalid::new(value.place, format!("`{key}` is not a text"))),
    }
}

/// A text, or a list of texts.
fn texts(node: &Node, key: &str) -> Result<Vec<String>, Invalid> {
    let Some(value) = present(node, key) else {
        return Ok(Vec::new());
    };
    let wrong = |place| Invalid::new(place, format!("`{key}` is neither a text nor a list"));
    if let Some(text) = value.as_text() {
        return Ok(vec![text.to_owned()]);
    }
    let items = value.as_items().ok_or_else(|| wrong(value.place))?;
    let text = |item: &Node| {
        item.as_text()
            .map(str::to_owned)
            .ok_or_else(|| wrong(item.place))
    };
    items.iter().map(text).collect()
}

/// The pairs of a mapping.
fn mapping<'a>(node: &'a Node, key: &str) -> Result<&'a [(Node, Node)], Invalid> {
    match present(node, key) {
        None => Ok(&[]),
        Some(value) => value
            .as_pairs()
            .ok_or_else(|| Invalid::new(value.place, format!("`{key}` is not a mapping"))),
    }
}

/// Texts by name, in the order in which the real server writes them again.
pub(super) fn text_map(node: &Node, key: &str) -> Result<Vec<(String, String)>, Invalid> {
    let mut pairs = Vec::new();
    for (name, value) in mapping(node, key)? {
        let text = |node: &Node| {
            let wrong = || Invalid::new(node.place, format!("`{key}` holds more than texts"));
            let text = if node.is_null() {
                Some("")
            } else {
                node.as_text()
            };
            text.map(str::to_owned).ok_or_else(wrong)
        };
        pairs.push((text(name)?, text(value)?));
    }
    pairs.sort_by(|(left, _), (right, _)| yaml::natural_order(left, right));
    Ok(pairs)
}
