//! The workflow that a runner gets: one job, its matrix reduced to one combination, keys in the
//! order of the real server, numbers as texts where it has texts, comments gone.

use super::document::{Defaults, Invalid, Job, Workflow, defaults, present, text_map, text_of};
use super::expression::Contexts;
use super::matrix::{Combination, node_of, value_of};
use super::yaml::{Content, Layout, Node, Resolved, write};

/// What is known of a job besides the file.
pub(super) struct Given<'a> {
    /// The name with the matrix in it.
    pub(super) name: &'a str,
    /// The labels, evaluated.
    pub(super) labels: &'a [String],
    /// The combination of the matrix.
    pub(super) combination: Option<&'a Combination>,
    /// The run's name, evaluated.
    pub(super) run_name: &'a str,
}

/// The text that a runner gets.
///
/// # Errors
/// [`Invalid`] where the file has something of the wrong type.
pub(super) fn payload(
    workflow: &Workflow,
    job: &Job,
    given: &Given<'_>,
) -> Result<String, Invalid> {
    let mut root = Pairs::default();
    root.text("name", &workflow.name);
    root.push("on", Some(workflow.on.clone()));
    root.texts("env", &workflow.env);
    root.push(
        "jobs",
        Some(Node::mapping(vec![(&job.id, job_node(job, given)?)])),
    );
    root.defaults(&workflow.defaults);
    root.push("permissions", workflow.permissions_node.clone());
    root.text("run-name", given.run_name);
    Ok(write(&root.done()))
}

fn job_node(job: &Job, given: &Given<'_>) -> Result<Node, Invalid> {
    let of = &job.node;
    let mut pairs = Pairs::default();
    pairs.text("name", given.name);
    pairs.push("runs-on", Some(labels(given.labels)));
    pairs.copy(of, "env");
    pairs.copy(of, "if");
    pairs.push("steps", steps(of)?);
    pairs.text("timeout-minutes", &text_of(of, "timeout-minutes")?);
    pairs.push("services", present(of, "services").cloned());
    pairs.push("strategy", strategy(job, given.combination));
    pairs.copy(of, "container");
    pairs.defaults(&defaults(of)?);
    pairs.texts("outputs", &text_map(of, "outputs")?);
    pairs.text("uses", &job.uses);
    pairs.push("with", with(of));
    pairs.copy(of, "secrets");
    pairs.copy(of, "permissions");
    Ok(pairs.done())
}

fn labels(labels: &[String]) -> Node {
    match labels {
        [single] => Node::text(single),
        [] => Node::new(Content::Sequence(Vec::new(), Layout::Flow)),
        several => {
            let items = several.iter().map(Node::text).collect();
            Node::new(Content::Sequence(items, Layout::Block))
        }
    }
}

fn strategy(job: &Job, combination: Option<&Combination>) -> Option<Node> {
    let mut pairs = Pairs::default();
    pairs.text("fail-fast", &job.fail_fast);
    pairs.text("max-parallel", &job.max_parallel);
    match combination {
        Some(combination) => {
            let lists = combination
                .iter()
                .map(|(key, value)| (key.clone(), serde_json::Value::Array(vec![value.clone()])))
                .collect();
            pairs.push("matrix", Some(node_of(&serde_json::Value::Object(lists))));
        }
        None => pairs.push("matrix", job.matrix.clone()),
    }
    (!pairs.0.is_empty()).then(|| pairs.done())
}

/// The inputs of a called workflow keep their types.
fn with(job: &Node) -> Option<Node> {
    let with = present(job, "with")?;
    Some(node_of(&plain_value(with)))
}

/// The value with its expressions left as they are.
fn plain_value(node: &Node) -> serde_json::Value {
    match &node.content {
        Content::Scalar(text, _) if text.contains("${{") => text.as_str().into(),
        Content::Mapping(pairs, _) => pairs
            .iter()
            .map(|(key, value)| {
                (
                    key.as_text().unwrap_or_default().to_owned(),
                    plain_value(value),
                )
            })
            .collect(),
        Content::Sequence(items, _) => items.iter().map(plain_value).collect(),
        Content::Scalar(..) => value_of(node, &Contexts::default()),
    }
}

fn steps(job: &Node) -> Result<Option<Node>, Invalid> {
    let Some(items) = present(job, "steps").and_then(Node::as_items) else {
        return Ok(None);
    };
    let steps: Vec<Node> = items.iter().map(step).collect::<Result<_, _>>()?;
    Ok((!steps.is_empty()).then(|| Node::new(Content::Sequence(steps, Layout::Block))))
}

fn step(of: &Node) -> Result<Node, Invalid> {
    let mut pairs = Pairs::default();
    pairs.text("id", &text_of(of, "id")?);
    pairs.copy(of, "if");
    for key in ["name", "uses", "run", "working-directory", "shell"] {
        pairs.text(key, &text_of(of, key)?);
    }
    pairs.copy(of, "env");
    pairs.texts("with", &text_map(of, "with")?);
    let goes_on = of.get("continue-on-error").is_some_and(|value| {
        value.resolved() == Some(Resolved::Bool(true))
            || value.as_text().is_some_and(|text| {
                ["y", "yes", "on"].contains(&text.to_ascii_lowercase().as_str())
            })
    });
    if goes_on {
        pairs.push("continue-on-error", Some(Node::plain("true")));
    }
    pairs.text("timeout-minutes", &text_of(of, "timeout-minutes")?);
    if pairs.0.is_empty() {
        return Ok(Node::new(Content::Mapping(Vec::new(), Layout::Flow)));
    }
    Ok(pairs.done())
}

/// The pairs of a mapping in the making; what is empty is left out.
#[derive(Default)]
struct Pairs(Vec<(Node, Node)>);

impl Pairs {
    fn push(&mut self, key: &str, value: Option<Node>) {
        self.0.extend(value.map(|value| (Node::text(key), value)));
    }

    fn copy(&mut self, from: &Node, key: &str) {
        self.push(key, from.get(key).cloned());
    }

    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.push(key, Some(Node::text(text)));
        }
    }

    fn texts(&mut self, key: &str, texts: &[(String, String)]) {
        if texts.is_empty() {
            return;
        }
        let pairs = texts
            .iter()
            .map(|(name, text)| (name.as_str(), Node::text(text)))
            .collect();
        self.push(key, Some(Node::mapping(pairs)));
    }

    fn defaults(&mut self, defaults: &Defaults) {
        let mut run = Self::default();
        run.text("shell", &defaults.shell);
        run.text("working-directory", &defaults.working_directory);
        if !run.0.is_empty() {
            self.push("defaults", Some(Node::mapping(vec![("run", run.done())])));
        }
    }

    fn done(self) -> Node {
        Node::new(Content::Mapping(self.0, Layout::Block))
    }
}
