//! What starts a workflow: its `on:`, and the events that it is held against.

use super::cron::Cron;
use super::dispatch::{self, Input};
use super::document::{Invalid, present};
use super::glob::Pattern;
use super::yaml::Node;

/// The `on:` of a workflow.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Triggers {
    named: Vec<Trigger>,
    /// The times of its `schedule:`; those that cannot be read are left out.
    pub schedules: Vec<Cron>,
    inputs: Vec<Input>,
}

#[derive(Debug, Clone, PartialEq)]
struct Trigger {
    event: String,
    filters: Vec<(String, Vec<String>)>,
}

/// Something that happened and may start workflows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A branch or tag was pushed.
    Push(PushedRef<'a>),
    /// A pull request was opened, changed or closed.
    PullRequest(PullRequestEvent<'a>),
    /// Anything else, with its activity type where it has one: `create`, `release` (`published`).
    Other {
        /// The name of the event.
        name: &'a str,
        /// What happened, for example `opened`.
        action: Option<&'a str>,
    },
}

/// What a push moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedRef<'a> {
    /// The full name, `refs/heads/main`.
    pub name: &'a str,
    /// The files that differ.
    pub changed: ChangedFiles<'a>,
}

/// A pull request that something happened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestEvent<'a> {
    /// Whether `pull_request_target` is meant.
    pub target: bool,
    /// `opened`, `synchronize`, `closed`, …
    pub action: &'a str,
    /// The branch it is to be merged into, without `refs/heads/`.
    pub base: &'a str,
    /// The files that differ.
    pub changed: ChangedFiles<'a>,
}

/// Paths that differ between two commits.
pub type ChangedFiles<'a> = &'a [String];

impl Triggers {
    pub(super) fn read(on: &Node) -> Result<Self, Invalid> {
        let mut triggers = Self::default();
        if let Some(event) = on.as_text() {
            triggers.add(event);
        } else if let Some(events) = on.as_items() {
            for event in events {
                let wrong = || Invalid::new(event.place, "an event is a text");
                triggers.add(event.as_text().ok_or_else(wrong)?);
            }
        } else {
            for (event, value) in on.as_pairs().unwrap_or_default() {
                let wrong = || Invalid::new(event.place, "an event is a text");
                triggers.event(event.as_text().ok_or_else(wrong)?, value)?;
            }
        }
        Ok(triggers)
    }

    fn add(&mut self, event: &str) {
        self.named.push(Trigger {
            event: event.to_owned(),
            filters: Vec::new(),
        });
    }

    fn event(&mut self, event: &str, value: &Node) -> Result<(), Invalid> {
        if event == "schedule" {
            self.schedules = schedules(value)?;
        }
        if event == "workflow_dispatch" {
            self.inputs = dispatch::declared(value)?;
        }
        let free = matches!(event, "schedule" | "workflow_dispatch" | "workflow_call");
        let filters = if free { Vec::new() } else { filters(value)? };
        self.named.push(Trigger {
            event: event.to_owned(),
            filters,
        });
        Ok(())
    }

    /// Whether the workflow has this event at all.
    #[must_use]
    pub fn has(&self, event: &str) -> bool {
        self.named.iter().any(|trigger| trigger.event == event)
    }

    /// The inputs of its `workflow_dispatch`.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Whether the event starts the workflow.
    #[must_use]
    pub fn start_on(&self, event: &Event<'_>) -> bool {
        self.named.iter().any(|trigger| trigger.starts_on(event))
    }
}

impl Trigger {
    fn starts_on(&self, event: &Event<'_>) -> bool {
        match event {
            Event::Push(pushed) => self.event == "push" && self.fits_push(pushed),
            Event::PullRequest(pull) => {
                let name = if pull.target {
                    "pull_request_target"
                } else {
                    "pull_request"
                };
                self.event == name && self.fits_pull_request(pull)
            }
            Event::Other { name, action } => self.event == *name && self.fits_action(*action),
        }
    }

    /// Every filter must hold; of branch and tag filters one does, as a push has only one of both.
    fn fits_push(&self, pushed: &PushedRef<'_>) -> bool {
        let branch = pushed.name.strip_prefix("refs/heads/");
        let tag = pushed.name.strip_prefix("refs/tags/");
        let has = |kind: &str| self.filters.iter().any(|(name, _)| name.starts_with(kind));
        let either = has("branches") && has("tags");
        self.filters
            .iter()
            .all(|(name, patterns)| match name.as_str() {
                "branches" | "branches-ignore" => match branch {
                    Some(branch) => fits(name, patterns, &[branch.to_owned()]),
                    None => either,
                },
                "tags" | "tags-ignore" => match tag {
                    Some(tag) => fits(name, patterns, &[tag.to_owned()]),
                    None => either,
                },
                "paths" | "paths-ignore" => tag.is_some() || fits(name, patterns, pushed.changed),
                _ => false,
            })
    }

    fn fits_pull_request(&self, pull: &PullRequestEvent<'_>) -> bool {
        const DEFAULT_TYPES: [&str; 3] = ["opened", "synchronize", "reopened"];
        let typed = self.filters.iter().any(|(name, _)| name == "types");
        if !typed && !DEFAULT_TYPES.contains(&pull.action) {
            return false;
        }
        self.filters
            .iter()
            .all(|(name, patterns)| match name.as_str() {
                "types" => patterns.iter().any(|wanted| wanted == pull.action),
                "branches" | "branches-ignore" => fits(name, patterns, &[pull.base.to_owned()]),
                "paths" | "paths-ignore" => fits(name, patterns, pull.changed),
                _ => false,
            })
    }

    fn fits_action(&self, action: Option<&str>) -> bool {
        self.filters.iter().all(|(name, wanted)| {
            name == "types" && action.is_some_and(|action| wanted.iter().any(|w| w == action))
        })
    }
}

/// A pattern that cannot be read lets nothing through.
fn fits(filter: &str, patterns: &[String], values: &[String]) -> bool {
    let compiled: Result<Vec<_>, _> = patterns.iter().map(|text| Pattern::parse(text)).collect();
    match compiled {
        Err(_) => false,
        Ok(patterns) if filter.ends_with("-ignore") => !Pattern::all_ignored(&patterns, values),
        Ok(patterns) => Pattern::any_passes(&patterns, values),
    }
}

fn filters(value: &Node) -> Result<Vec<(String, Vec<String>)>, Invalid> {
    let Some(pairs) = value.as_pairs() else {
        if value.as_text().is_some() {
            return Ok(Vec::new());
        }
        let all_texts = value
            .as_items()
            .is_some_and(|i| i.iter().all(|i| i.as_text().is_some()));
        let problem = "the filters of an event are a mapping";
        return if all_texts {
            Ok(Vec::new())
        } else {
            Err(Invalid::new(value.place, problem))
        };
    };
    pairs
        .iter()
        .map(|(name, value)| filter(name, value))
        .collect()
}

fn filter(name: &Node, value: &Node) -> Result<(String, Vec<String>), Invalid> {
    let wrong = |node: &Node| Invalid::new(node.place, "a filter is a text or a list of texts");
    let name = name.as_text().ok_or_else(|| wrong(name))?.to_owned();
    let text = |node: &Node| match node.resolved() {
        Some(super::yaml::Resolved::Text(text)) => Ok(text),
        _ => Err(wrong(node)),
    };
    let values = match value.as_items() {
        Some(items) => items.iter().map(text).collect::<Result<_, _>>()?,
        None => vec![text(value)?],
    };
    Ok((name, values))
}

fn schedules(value: &Node) -> Result<Vec<Cron>, Invalid> {
    let wrong = |node: &Node| Invalid::new(node.place, "`schedule` is a list of `cron: …`");
    let items = value.as_items().ok_or_else(|| wrong(value))?;
    let mut schedules = Vec::new();
    for item in items {
        let cron = present(item, "cron")
            .and_then(Node::as_text)
            .ok_or_else(|| wrong(item))?;
        schedules.extend(Cron::parse(cron));
    }
    Ok(schedules)
}
