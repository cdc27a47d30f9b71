//! A plan for a pull request: a table a container, and the graph of dependencies.

use std::fmt::Write as _;

use super::{place, summary, values};
use crate::event::Layer;
use crate::plan::{Cause, ChangeClass, ContainerPlan, Plan};

impl Plan {
    /// The plan as Markdown, with the graph as a mermaid diagram.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut out = format!("## Plan: {}\n", summary(self));
        for container in self
            .containers
            .iter()
            .filter(|container| !container.is_empty())
        {
            out.push_str(&one(container));
        }
        for notice in &self.notices {
            let _ = write!(out, "\n> {}\n", notice.message);
        }
        if self.containers.len() > 1 {
            out.push_str(&self.graph());
        }
        if !self.is_empty() {
            out.push_str("\n<details><summary>Hashes of the later layers</summary>\n\n");
            for (name, layer) in [
                ("container-default", Layer::Default),
                ("container-configuration", Layer::Configuration),
            ] {
                let _ = writeln!(out, "- `{name}`: `{}`", self.hash(layer));
            }
            out.push_str("\n</details>\n");
        }
        out
    }

    /// An arrow from each container to those that wait for it; what changes is marked.
    fn graph(&self) -> String {
        let mut out = "\n```mermaid\ngraph LR\n".to_owned();
        for (number, container) in self.containers.iter().enumerate() {
            let mark = match (container.refusals.is_empty(), container.is_empty()) {
                (false, _) => ":::refused",
                (true, false) => ":::changed",
                (true, true) => "",
            };
            let _ = writeln!(
                out,
                "  c{number}[\"{} ({})\"]{mark}",
                container.name, container.vmid
            );
        }
        for (number, container) in self.containers.iter().enumerate() {
            for name in &container.after {
                if let Some(from) = self.containers.iter().position(|other| other.name == *name) {
                    let _ = writeln!(out, "  c{from} --> c{number}");
                }
            }
        }
        out.push_str(
            "  classDef changed stroke-width:3px\n  classDef refused stroke-dasharray:4\n```\n",
        );
        out
    }
}

fn one(container: &ContainerPlan) -> String {
    let mut out = format!("\n### `{}` ({})\n", container.name, place(container));
    if !container.changes.is_empty() {
        out.push_str("\n| class | what | value | why |\n| --- | --- | --- | --- |\n");
    }
    for change in &container.changes {
        let what = if change.class == ChangeClass::Layer {
            format!("{}: {}", change.key, change.field)
        } else {
            change.key.clone()
        };
        let drift = if change.cause == Cause::Drift {
            "**drift**: "
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {drift}{} |",
            change.class.words(),
            cell(&what),
            cell(&values(change)),
            cell(&change.reason)
        );
    }
    for refusal in &container.refusals {
        let key = refusal
            .key
            .as_ref()
            .map(|key| format!("`{key}`: "))
            .unwrap_or_default();
        let place = refusal
            .place
            .as_ref()
            .map(|place| format!(" ({place})"))
            .unwrap_or_default();
        let _ = write!(out, "\n**Refused** {key}{}{place}. ", refusal.message);
        let _ = writeln!(out, "Ways out: {}.", refusal.ways_out.join("; "));
    }
    out
}

/// Text that cannot end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
