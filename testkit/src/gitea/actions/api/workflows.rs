//! Workflows: lists, one, switched on and off, started by hand.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::begin::{Beginning, WorkflowFile, begin, workflow_files};
use super::super::faces;
use super::super::row::Disabled;
use super::super::views::workflow_view;
use super::change_in_repo;
use crate::gitea::access::{Mode, Unit};
use crate::gitea::bind::{Kind, Rule, Schema, bind, of, ruled};
use crate::gitea::git::Commit;
use crate::gitea::permission::full_name;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::workflow::{Workflow, fill_inputs};
use crate::gitea::world::World;

pub(crate) const ROUTES: &[Route] = &[
    read("/repos/{owner}/{repo}/actions/workflows", list),
    read("/repos/{owner}/{repo}/actions/workflows/{workflow_id}", get),
    change_in_repo(
        "PUT",
        "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/disable",
        disable,
    ),
    change_in_repo(
        "PUT",
        "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/enable",
        enable,
    ),
    change_in_repo(
        "POST",
        "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches",
        dispatch,
    ),
];

const fn read(path: &'static str, run: fn(&World, &Scene<'_>) -> Answer) -> Route {
    let needs = &[Need::SignedIn, Need::Reader(&[Unit::Actions])];
    let scopes = super::REPO;
    Route {
        method: "GET",
        path,
        place: Place::Repo,
        scopes,
        needs,
        run: Run::Read(run),
    }
}

/// The workflows of the default branch; the real server falls over an empty repository.
fn files(world: &World, scene: &Scene<'_>) -> Result<Vec<WorkflowFile>, Reply> {
    let repo = scene.repository(world)?;
    let tip = world
        .references
        .get(repo.id)
        .and_then(|refs| refs.branch(&repo.default_branch));
    Ok(tip
        .map(|tip| workflow_files(scene.git, repo.id, tip))
        .unwrap_or_default())
}

fn found(world: &World, scene: &Scene<'_>) -> Result<WorkflowFile, Reply> {
    let id = scene.call.param("workflow_id");
    let file = files(world, scene)?.into_iter().find(|file| file.id == id);
    file.ok_or_else(|| Reply::error(404, format!("workflow {id:?} not found")))
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let view = |file: &WorkflowFile| workflow_view(world, &scene.call.base, scene.repo, file);
    let workflows: Vec<Value> = files(world, scene)?.iter().map(view).collect();
    let total = workflows.len();
    Ok(Reply::ok(
        json!({"workflows": workflows, "total_count": total}),
    ))
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    let file = found(world, scene)?;
    Ok(Reply::ok(workflow_view(
        world,
        &scene.call.base,
        scene.repo,
        &file,
    )))
}

fn disable(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let row = Disabled {
        repo: scene.repo,
        workflow: found(world, scene)?.id,
    };
    let known = world
        .actions
        .disabled
        .find(&Disabled::key(row.repo, &row.workflow))
        .is_some();
    if !known {
        world.actions.disabled.insert(|_| row);
    }
    Ok(Reply::no_content())
}

fn enable(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let key = Disabled::key(scene.repo, &found(world, scene)?.id);
    if let Some(id) = world.actions.disabled.find_id(&key) {
        world.actions.disabled.remove(id);
    }
    Ok(Reply::no_content())
}

static DISPATCH: Schema = Schema {
    name: "CreateActionWorkflowDispatch",
    fields: &[
        ruled("ref", "Ref", &[Rule::Required]),
        of("inputs", "Inputs", Kind::TextMap),
    ],
};

fn dispatch(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &DISPATCH)?;
    let wanted = body.text_or_empty("ref");
    let id = scene.call.param("workflow_id").to_owned();
    if world
        .actions
        .disabled
        .find(&Disabled::key(scene.repo, &id))
        .is_some()
    {
        return Err(Reply::error(403, "workflow is disabled"));
    }
    let (reference, commit) = resolve(world, scene, wanted)?;
    let files = workflow_files(scene.git, scene.repo, &commit.id);
    let file = files.into_iter().find(|file| file.id == id);
    let file = file.ok_or_else(|| Reply::error(404, format!("workflow {id:?} doesn't exist")))?;
    let workflow = Workflow::parse(&file.text).ok();
    let Some(workflow) = workflow.filter(|it| it.triggers.has("workflow_dispatch")) else {
        let told = format!("workflow {id:?} has no workflow_dispatch event trigger");
        return Err(Reply::error(422, told));
    };
    let inputs = fill_inputs(workflow.triggers.inputs(), &given(&body))
        .map_err(|error| Reply::error(422, error.to_string()))?;
    let base = scene.call.base.clone();
    let payload = json!({
        "inputs": inputs,
        "ref": wanted,
        "repository": faces::repository(world, &base, scene.repo, Mode::Owner),
        "sender": faces::user(world, &base, scene.doer_id()),
        "workflow": id,
    });
    let at = (scene.repo, "workflow_dispatch");
    let beginning = Beginning {
        inputs,
        ..Beginning::at(at, payload, reference, (scene.doer_id(), &commit))
    };
    let Some(run) = begin(world, &mut scene.effects, &file, &beginning) else {
        return Err(Reply::error(422, format!("workflow {id:?} has no jobs")));
    };
    details(world, scene, run)
}

/// 204, or what was made for those who ask.
fn details(world: &World, scene: &Scene<'_>, run: i64) -> Answer {
    if scene.call.flag("return_run_details") != Some(true) {
        return Ok(Reply::no_content());
    }
    let (base, name) = (&scene.call.base, full_name(world, scene.repository(world)?));
    Ok(Reply::ok(json!({
        "workflow_run_id": run,
        "run_url": format!("{base}/api/v1/repos/{name}/actions/runs/{run}"),
        "html_url": format!("{base}/{name}/actions/runs/{run}"),
    })))
}

fn given(body: &crate::gitea::bind::Body) -> BTreeMap<String, String> {
    let inputs = body.get("inputs").and_then(Value::as_object);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    inputs
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

/// A branch or tag by its short or full name.
fn resolve(world: &World, scene: &Scene<'_>, wanted: &str) -> Result<(String, Commit), Reply> {
    let candidates = if wanted.starts_with("refs/") {
        vec![wanted.to_owned()]
    } else {
        vec![
            format!("refs/heads/{wanted}"),
            format!("refs/tags/{wanted}"),
        ]
    };
    let references = world.references.get(scene.repo);
    let found = candidates.into_iter().find_map(|name| {
        let id = references?.ids.get(&name)?;
        Some((name, scene.git.commit(scene.repo, id).ok()?))
    });
    found.ok_or_else(|| Reply::error(404, format!("ref {wanted:?} doesn't exist")))
}
