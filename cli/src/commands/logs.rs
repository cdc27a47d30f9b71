//! `logs`: what the jobs of a run printed, and what they print.

use std::time::Duration;

use anyhow::anyhow;
use gitea_api::{
    Patience,
    api::actions::{
        Actions,
        jobs::{Job, ListJobs, LogLine},
        runs::ListRuns,
    },
    ids::RunId,
};
use serde_json::json;
use tokio_stream::StreamExt as _;

use super::{Outcome, runs};
use crate::{
    args::control::LogsArgs,
    connect::{forge::failed, service},
    exit::{Code, Failure},
    output::Output,
    settings::Environment,
};

/// How often a log is looked at while it grows.
const LOOKS: Duration = Duration::from_millis(300);

/// How many jobs a run may have.
const JOBS_MAX: usize = 1_000;

/// Shows logs, job by job, in the order of the run.
pub(crate) async fn logs(args: &LogsArgs, environment: &Environment, output: &Output) -> Outcome {
    let fleet = environment.fleet_dir(&args.fleet);
    let service = service::service(&args.service, environment, &fleet)?;
    let actions = service.client.repo_at(service.repository).actions();
    let run = match args.run {
        Some(run) => RunId::from(run),
        None => newest(&actions).await?,
    };
    let jobs = wanted(args, &actions, run).await?;
    let alone = jobs.len() == 1;
    for job in &jobs {
        let prefix = if alone {
            String::new()
        } else {
            format!("{} | ", job.name)
        };
        let show = |line: &LogLine| show(output, job, &prefix, line);
        if args.follow {
            follow(args, &actions, job, &show).await?;
        } else {
            for line in actions.log(job.id).await.or_else(not_begun)? {
                show(&line)?;
            }
        }
    }
    if args.follow {
        ended(args, &actions, run, output).await
    } else {
        Ok(Code::Ok)
    }
}

async fn newest(actions: &Actions) -> Result<RunId, Failure> {
    let mut all = actions.runs(&ListRuns::new()).stream();
    match all.next().await {
        Some(run) => Ok(run.map_err(failed)?.id),
        None => Err(Failure::new(Code::Usage, anyhow!("there is no run yet"))),
    }
}

async fn wanted(args: &LogsArgs, actions: &Actions, run: RunId) -> Result<Vec<Job>, Failure> {
    let jobs = actions.jobs_of(run, &ListJobs::new()).collect(JOBS_MAX);
    let jobs = jobs.await.map_err(failed)?;
    let names: Vec<String> = jobs.iter().map(|job| format!("`{}`", job.name)).collect();
    let named = |job: &Job| args.job.as_ref().is_none_or(|name| *name == job.name);
    let found: Vec<Job> = jobs.into_iter().filter(named).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    if names.is_empty() {
        let error = anyhow!("there is no run {run}");
        return Err(Failure::new(Code::Usage, error).hint("`proxmox-ci runs` lists them"));
    }
    let name = args.job.as_deref().unwrap_or_default();
    let error = anyhow!("the run {run} has no job `{name}`");
    Err(Failure::new(Code::Usage, error).hint(format!("there are: {}", names.join(", "))))
}

async fn follow(
    args: &LogsArgs,
    actions: &Actions,
    job: &Job,
    show: &(impl Fn(&LogLine) -> Result<(), anyhow::Error> + Sync),
) -> Result<(), Failure> {
    let patience = Patience::for_at_most(Duration::from_secs(args.within)).every(LOOKS);
    let mut lines = actions.follow_log(job.id, patience);
    while let Some(line) = lines.next().await {
        show(&line.map_err(failed)?)?;
    }
    Ok(())
}

/// A job that has not begun has no log; that is no failure.
fn not_begun(error: gitea_api::Error) -> Result<Vec<LogLine>, Failure> {
    if error.is_not_found() {
        Ok(Vec::new())
    } else {
        Err(failed(error))
    }
}

fn show(output: &Output, job: &Job, prefix: &str, line: &LogLine) -> Result<(), anyhow::Error> {
    if output.is_json() {
        return output.json_line(&json!({
            "job": job.name,
            "at": line.time,
            "text": line.text,
        }));
    }
    output.data(&format!("{prefix}{}", line.text));
    Ok(())
}

/// Says how the run ended; that it did not go well is the exit code's to say.
async fn ended(args: &LogsArgs, actions: &Actions, run: RunId, output: &Output) -> Outcome {
    let patience = Patience::for_at_most(Duration::from_secs(args.within)).every(LOOKS);
    let run = match &args.job {
        // The others are not waited for.
        Some(_) => actions.run(run).await.map_err(failed)?,
        None => {
            let waited = actions.wait_for_run_with(run, patience, |_| {}).await;
            waited.map_err(failed)?.run
        }
    };
    output.say(&format!("run {}: {}", run.id, runs::word(&run)));
    let failed = run.is_completed() && !run.is_success();
    Ok(if failed { Code::Failed } else { Code::Ok })
}
