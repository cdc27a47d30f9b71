//! `runs`: the runs of the fleet's workflows, the newest first.

use gitea_api::api::actions::runs::{ListRuns, Run};
use serde_json::{Value, json};
use tokio_stream::StreamExt as _;

use super::Outcome;
use crate::{
    args::control::RunsArgs,
    connect::{forge::failed, service},
    exit::Code,
    output::Output,
    settings::Environment,
};

/// How many runs are looked at where only some are wanted.
const LOOKED_AT: usize = 1_000;

/// Lists runs.
pub(crate) async fn runs(args: &RunsArgs, environment: &Environment, output: &Output) -> Outcome {
    let fleet = environment.fleet_dir(&args.fleet);
    let service = service::service(&args.service, environment, &fleet)?;
    let mut which = ListRuns::new();
    if let Some(branch) = &args.branch {
        which = which.branch(branch.clone());
    }
    let actions = service.client.repo_at(service.repository).actions();
    let mut all = actions.runs(&which).stream().take(LOOKED_AT);
    let mut found = Vec::new();
    while let Some(run) = all.next().await {
        let run = run.map_err(failed)?;
        if args
            .workflow
            .as_deref()
            .is_none_or(|file| run.workflow() == file)
        {
            found.push(run);
        }
        if found.len() >= args.limit {
            break;
        }
    }
    if output.is_json() {
        output.json(&found.iter().map(as_json).collect::<Vec<_>>())?;
    } else {
        output.data(&table(&found));
    }
    Ok(Code::Ok)
}

/// How far a run is, or how it ended, in one word.
pub(crate) fn word(run: &Run) -> &str {
    match &run.conclusion {
        Some(conclusion) if run.is_completed() => conclusion.as_str(),
        _ => run.status.as_str(),
    }
}

fn as_json(run: &Run) -> Value {
    json!({
        "run": run.id.get(),
        "state": word(run),
        "workflow": run.workflow(),
        "event": run.event,
        "branch": run.head_branch,
        "commit": run.head_sha,
        "title": run.display_title,
        "started": run.started_at,
        "completed": run.completed_at,
        "url": run.html_url,
    })
}

fn table(runs: &[Run]) -> String {
    let head = format!(
        "{:>6}  {:11}  {:18}  {:9}  {:16}  {:8}  {}",
        "RUN", "STATE", "WORKFLOW", "EVENT", "BRANCH", "COMMIT", "TITLE"
    );
    let rows = runs.iter().map(|run| {
        let commit = run.head_sha.get(..8).unwrap_or(&run.head_sha);
        let title = run.display_title.lines().next().unwrap_or_default();
        format!(
            "{:>6}  {:11}  {:18}  {:9}  {:16}  {commit:8}  {title}",
            run.id.get(),
            word(run),
            run.workflow(),
            run.event,
            run.head_branch.as_deref().unwrap_or("-"),
        )
    });
    std::iter::once(head)
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}
