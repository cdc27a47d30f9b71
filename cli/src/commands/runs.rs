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
        output.data(&table(&found, output.width()));
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

/// One line for each run; every column but the last is as wide as what stands in it.
fn table(runs: &[Run], width: Option<usize>) -> String {
    let head = ["RUN", "STATE", "WORKFLOW", "EVENT", "BRANCH", "COMMIT"].map(str::to_owned);
    let rows = runs.iter().map(|run| {
        let commit = run.head_sha.get(..8).unwrap_or(&run.head_sha);
        let branch = run.head_branch.as_deref().unwrap_or("-");
        let cells = [word(run), run.workflow(), &run.event, branch, commit];
        let [state, workflow, event, branch, commit] = cells.map(str::to_owned);
        [run.id.to_string(), state, workflow, event, branch, commit]
    });
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
    let wide = |at: usize| rows.iter().map(|row| row[at].chars().count()).max();
    let wide: Vec<usize> = (0..6).filter_map(wide).collect();
    let title = |run: &Run| {
        run.display_title
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let titles = std::iter::once("TITLE".to_owned()).chain(runs.iter().map(title));
    let room = width.map(|width| width.saturating_sub(wide.iter().map(|it| it + 2).sum()));
    let lines = rows.iter().zip(titles).map(|(row, title)| {
        let cells = row.iter().zip(&wide);
        let cells: String = cells
            .map(|(cell, wide)| format!("{cell:wide$}  "))
            .collect();
        format!("{cells}{}", cut(title, room))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// As much of a title as there is room for, but some of it always.
fn cut(title: String, room: Option<usize>) -> String {
    const SOME: usize = 12;
    match room.map(|room| room.max(SOME)) {
        Some(room) if title.chars().count() > room => {
            let kept: String = title.chars().take(room - 1).collect();
            format!("{}…", kept.trim_end())
        }
        _ => title,
    }
}
