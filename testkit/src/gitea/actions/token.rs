//! The tokens of a job: one for the API and git, one for what lies beside it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::row::{Status, Task};
use crate::gitea::access::{ACTIONS_USER, Access, Doer, JobGrant, Mode, Unit, Via};
use crate::gitea::password::token_digest;
use crate::gitea::workflow::Permissions;
use crate::gitea::world::World;

/// The form in which a token is kept.
pub(super) fn digest(token: &str) -> String {
    token_digest(token)
}

/// The doer of a running job's token; `None` when it is none, or its task has ended.
pub(crate) fn doer_of_job_token(world: &World, token: &str) -> Option<Doer> {
    let task = world.actions.tasks.find(&digest(token))?;
    if task.status != Status::Running {
        return None;
    }
    let grant = JobGrant {
        task: task.id,
        repo: task.repo,
        access: access(world, task),
    };
    Some(Doer {
        id: ACTIONS_USER,
        admin: false,
        via: Via::Job(grant),
    })
}

/// What a task's token may do in its repository.
fn access(world: &World, task: &Task) -> Access {
    let public = world.repos.get(task.repo).is_some_and(|repo| !repo.private);
    let least = if public { Mode::Read } else { Mode::None };
    let from_fork = world
        .actions
        .runs
        .get(task.run)
        .is_none_or(|run| run.from_fork);
    if from_fork {
        return Access::whole(Mode::Read);
    }
    let permissions = world
        .actions
        .jobs
        .get(task.job)
        .map(|job| &job.plan.permissions);
    match permissions.and_then(Option::as_ref) {
        None | Some(Permissions::WriteAll) => Access::whole(Mode::Write),
        Some(Permissions::ReadAll) => Access::whole(Mode::Read),
        Some(Permissions::Each(each)) => {
            let mut access = Access::whole(least);
            for (name, level) in each {
                for unit in units_of(name) {
                    access.units.insert(*unit, Mode::of(level).min(Mode::Write));
                }
            }
            access
        }
    }
}

/// The units that a permission opens.
fn units_of(permission: &str) -> &'static [Unit] {
    match permission {
        "contents" => &[Unit::Code, Unit::Releases],
        "code" => &[Unit::Code],
        "releases" => &[Unit::Releases],
        "issues" => &[Unit::Issues],
        "pull-requests" => &[Unit::Pulls],
        "packages" => &[Unit::Packages],
        "actions" => &[Unit::Actions],
        "wiki" => &[Unit::Wiki],
        "projects" | "repository-projects" => &[Unit::Projects],
        _ => &[],
    }
}

/// The token for artifacts and the like: a JSON web token that dies with the day.
pub(super) fn runtime_token(world: &World, task: &Task) -> String {
    const LIFE_SECS: i64 = 24 * 3600;
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let now = world.now();
    let claims = json!({
        "exp": now + LIFE_SECS,
        "nbf": now,
        "scp": format!("Actions.Results:{}:{}", task.run, task.job),
        "TaskID": task.id,
        "RunID": task.run,
        "JobID": task.job,
        "ac": "[{\"Scope\":\"\",\"Permission\":2}]",
    });
    let header = encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let body = format!("{header}.{}", encode(claims.to_string().as_bytes()));
    let signature = world.actions.key.sign("runtime token", &body);
    format!("{body}.{}", encode(&signature))
}
