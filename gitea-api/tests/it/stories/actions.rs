//! Actions at all scopes, as typed calls.

use gitea_api::api::actions::Actions;
use gitea_api::api::actions::jobs::ListJobs;
use gitea_api::api::actions::runs::ListRuns;
use gitea_api::ids::{JobId, RunId, RunnerId};
use gitea_api::{Client, Secret};
use serde_json::json;

use super::call::{NONSENSE, Places, Step, Typed, called, done, page};
use super::owners::unmatched;

pub(super) async fn call(client: &Client, step: &Step, name: &str, at: &Places) -> Typed {
    let (scope, rest) = name.split_once("/actions").unwrap();
    let actions = if scope.contains("/repos/") {
        client.repo(at.get("owner"), at.get("repo")).actions()
    } else if scope.contains("/orgs/") {
        client.org(at.get("org")).actions()
    } else if scope.ends_with("/user") {
        client.me().actions()
    } else {
        client.admin().actions()
    };
    let short = format!("{} {rest}", step.method);
    match rest.split('/').nth(1).unwrap_or_default() {
        "secrets" | "variables" => values(&actions, step, &short, at).await,
        "runners" => runners(&actions, step, &short, at).await,
        "workflows" => workflows(&actions, step, &short, at).await,
        _ => runs(&actions, step, &short, at).await,
    }
}

async fn values(actions: &Actions, step: &Step, short: &str, at: &Places) -> Typed {
    let description = step.member("description").unwrap_or_default();
    match short {
        "GET /secrets" => page(actions.secrets(), step).await,
        "PUT /secrets/{secretname}" => match step.member("data") {
            Some(data) => {
                let name = at.get("secretname");
                let set = actions
                    .set_described_secret(name, &Secret::new(data), description)
                    .await;
                done(set.map(|ensured| {
                    assert_eq!(
                        matches!(ensured, gitea_api::Ensured::Created(())),
                        step.status == 201
                    )
                }))
            }
            None => NONSENSE,
        },
        "DELETE /secrets/{secretname}" => done(actions.delete_secret(at.get("secretname")).await),
        "GET /variables" => page(actions.variables(), step).await,
        "GET /variables/{variablename}" => {
            called(actions.find_variable(at.get("variablename")).await)
        }
        "POST /variables/{variablename}" => match step.member("value") {
            Some(value) => done(
                actions
                    .create_variable(at.get("variablename"), value, description)
                    .await,
            ),
            None => NONSENSE,
        },
        "PUT /variables/{variablename}" => match step.body() {
            Some(update) => done(
                actions
                    .update_variable(at.get("variablename"), &update)
                    .await,
            ),
            None => NONSENSE,
        },
        _ => unmatched(step),
    }
}

async fn runners(actions: &Actions, step: &Step, short: &str, at: &Places) -> Typed {
    if short.contains("{runner_id}") {
        let Some(id) = at.id::<RunnerId>("runner_id") else {
            return NONSENSE;
        };
        return match (step.method.as_str(), step.json["disabled"].as_bool()) {
            ("GET", _) => called(actions.runner(id).await),
            ("DELETE", _) => done(actions.delete_runner(id).await),
            (_, Some(true)) => called(actions.disable_runner(id).await),
            (_, Some(false)) => called(actions.enable_runner(id).await),
            _ => NONSENSE,
        };
    }
    match short {
        "GET /runners" => page(actions.runners(), step).await,
        "POST /runners/registration-token" => called(
            actions
                .registration_token()
                .await
                .map(|token| json!({ "token": token })),
        ),
        _ => unmatched(step),
    }
}

async fn workflows(actions: &Actions, step: &Step, short: &str, at: &Places) -> Typed {
    match short {
        "GET /workflows" => page(actions.workflows(), step).await,
        "GET /workflows/{workflow_id}" => called(actions.workflow(at.get("workflow_id")).await),
        "PUT /workflows/{workflow_id}/enable" => {
            done(actions.enable_workflow(at.get("workflow_id")).await)
        }
        "PUT /workflows/{workflow_id}/disable" => {
            done(actions.disable_workflow(at.get("workflow_id")).await)
        }
        "POST /workflows/{workflow_id}/dispatches" => dispatch(actions, step, at).await,
        _ => unmatched(step),
    }
}

/// On 1.26 our dispatch always asks for its run; a step that does not is said all the same where
/// it is refused, since the refusal is the same.
async fn dispatch(actions: &Actions, step: &Step, at: &Places) -> Typed {
    let asks = step
        .query
        .get("return_run_details")
        .is_some_and(|value| value == "true");
    if !asks {
        return Typed::Raw("a dispatch that does not ask for its run");
    }
    match step.body() {
        Some(dispatch) => {
            let run = actions.dispatch(at.get("workflow_id"), &dispatch).await;
            called(run.map(|run| json!({ "workflow_run_id": run })))
        }
        None => NONSENSE,
    }
}

async fn runs(actions: &Actions, step: &Step, short: &str, at: &Places) -> Typed {
    let run = || at.id::<RunId>("run");
    let job = || at.id::<JobId>("job_id");
    match short {
        "GET /runs" => match serde_json::from_value::<ListRuns>(json!(step.query)) {
            Ok(which) => page(actions.runs(&which), step).await,
            Err(_) => NONSENSE,
        },
        "GET /jobs" => match serde_json::from_value::<ListJobs>(json!(step.query)) {
            Ok(which) => page(actions.jobs(&which), step).await,
            Err(_) => NONSENSE,
        },
        "GET /tasks" => page(actions.tasks(), step).await,
        "GET /runs/{run}/jobs" => match run() {
            Some(run) => page(actions.jobs_of(run, &ListJobs::new()), step).await,
            None => NONSENSE,
        },
        "GET /jobs/{job_id}/logs" => log(actions, step, job()).await,
        _ => one(actions, step, short, run(), job()).await,
    }
}

async fn log(actions: &Actions, step: &Step, job: Option<JobId>) -> Typed {
    let Some(job) = job else {
        return NONSENSE;
    };
    Typed::Called(actions.log(job).await.map(|lines| {
        let told = step.text.as_deref().unwrap_or_default();
        assert_eq!(lines.len(), told.lines().count());
        for (line, told) in lines.iter().zip(told.lines()) {
            assert!(told.ends_with(&line.text), "{line:?} of `{told}`");
        }
        serde_json::Value::Null
    }))
}

async fn one(
    actions: &Actions,
    step: &Step,
    short: &str,
    run: Option<RunId>,
    job: Option<JobId>,
) -> Typed {
    match (short, run, job) {
        ("GET /runs/{run}", Some(run), _) => called(actions.run(run).await),
        ("DELETE /runs/{run}", Some(run), _) => done(actions.delete_run(run).await),
        ("POST /runs/{run}/rerun", Some(run), _) => called(actions.rerun(run).await),
        ("POST /runs/{run}/rerun-failed-jobs", Some(run), _) => {
            done(actions.rerun_failed(run).await)
        }
        ("POST /runs/{run}/jobs/{job_id}/rerun", Some(run), Some(job)) => {
            called(actions.rerun_job(run, job).await)
        }
        ("GET /jobs/{job_id}", _, Some(job)) => called(actions.job(job).await),
        _ if short.contains('{') => NONSENSE,
        _ => unmatched(step),
    }
}
