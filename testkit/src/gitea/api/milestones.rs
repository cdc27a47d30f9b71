//! Milestones.

use serde_json::{Value, json};

use super::issues::{ISSUE, READ};
use crate::gitea::access::Unit;
use crate::gitea::bind::{Kind, Rule, Schema, bind, of, ruled, text};
use crate::gitea::clock::rfc3339;
use crate::gitea::page::counted;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::{Milestone, World};

const WRITE: &[Need] = &[Need::SignedIn, Need::Writer(&[Unit::Issues, Unit::Pulls])];
const ALL: &str = "/repos/{owner}/{repo}/milestones";
const ONE: &str = "/repos/{owner}/{repo}/milestones/{id}";

pub(crate) const ROUTES: &[Route] = &[
    on_repo("GET", ALL, READ, Run::Read(list)),
    on_repo("POST", ALL, WRITE, Run::Write(create)),
    on_repo("GET", ONE, READ, Run::Read(get)),
    on_repo("PATCH", ONE, WRITE, Run::Write(edit)),
    on_repo("DELETE", ONE, WRITE, Run::Write(delete)),
];

const fn on_repo(
    method: &'static str,
    path: &'static str,
    needs: &'static [Need],
    run: Run,
) -> Route {
    Route {
        method,
        path,
        place: Place::Repo,
        scopes: ISSUE,
        needs,
        run,
    }
}

/// A milestone as the API answers it.
pub(crate) fn view(world: &World, milestone: &Milestone) -> Value {
    let of_it = |closed: bool| {
        world
            .issues
            .of(milestone.repo)
            .filter(|(_, issue)| issue.milestone == milestone.id && (issue.closed != 0) == closed)
            .count()
    };
    let time = |at: i64| {
        if at == 0 {
            Value::Null
        } else {
            json!(rfc3339(at))
        }
    };
    json!({
        "id": milestone.id,
        "title": milestone.title,
        "description": milestone.description,
        "state": if milestone.closed == 0 { "open" } else { "closed" },
        "open_issues": of_it(false),
        "closed_issues": of_it(true),
        "created_at": rfc3339(milestone.created),
        "updated_at": rfc3339(milestone.updated),
        "closed_at": time(milestone.closed),
        "due_on": time(milestone.due),
    })
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let state = scene.call.query("state").unwrap_or("open").to_owned();
    let name = scene.call.query("name").unwrap_or_default().to_lowercase();
    let fits = |milestone: &&Milestone| {
        let open = milestone.closed == 0;
        let stands = match state.as_str() {
            "all" => true,
            "closed" => !open,
            _ => open,
        };
        stands && milestone.title.to_lowercase().contains(&name)
    };
    let all = world
        .milestones
        .of(scene.repo)
        .map(|(_, milestone)| milestone);
    let mut found: Vec<&Milestone> = all.filter(fits).collect();
    // Those with a date first, the nearest at the top.
    found.sort_by_key(|milestone| {
        (
            if milestone.due == 0 {
                i64::MAX
            } else {
                milestone.due
            },
            milestone.id,
        )
    });
    Ok(counted(scene.call, &world.settings, &found, |milestone| {
        view(world, milestone)
    }))
}

/// By its id, else by its title.
fn found<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Milestone, Reply> {
    let name = scene.call.param("id");
    let number = name.parse::<i64>().ok();
    let mut all = world
        .milestones
        .of(scene.repo)
        .map(|(_, milestone)| milestone);
    all.find(|milestone| Some(milestone.id) == number || milestone.title == name)
        .ok_or_else(Reply::not_found)
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(view(world, found(world, scene)?)))
}

static CREATE: Schema = Schema {
    name: "CreateMilestoneOption",
    fields: &[
        text("title", "Title"),
        text("description", "Description"),
        ruled("state", "State", &[Rule::In(&["open", "closed"])]),
        of("due_on", "Deadline", Kind::Time),
    ],
};

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let (now, repo) = (world.now(), scene.repo);
    let id = world.milestones.insert(|id| Milestone {
        id,
        repo,
        title: body.text_or_empty("title").to_owned(),
        description: body.text_or_empty("description").to_owned(),
        due: body.time("due_on").map_or(0, |time| time.0),
        closed: if body.text("state") == Some("closed") {
            now
        } else {
            0
        },
        created: now,
        updated: now,
    });
    let made = world.milestones.get(id).ok_or_else(Reply::not_found)?;
    Ok(Reply::created(view(world, made)))
}

static EDIT: Schema = Schema {
    name: "EditMilestoneOption",
    fields: &[
        text("title", "Title"),
        text("description", "Description"),
        text("state", "State"),
        of("due_on", "Deadline", Kind::Time),
    ],
};

fn edit(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &EDIT)?;
    let (id, now) = (found(world, scene)?.id, world.now());
    world.milestones.update(id, |milestone| {
        if let Some(title) = body.text("title").filter(|title| !title.is_empty()) {
            title.clone_into(&mut milestone.title);
        }
        if let Some(text) = body.text("description") {
            text.clone_into(&mut milestone.description);
        }
        // The real one forgets the date, too, when it is not told again.
        milestone.due = body.time("due_on").map_or(0, |time| time.0);
        match body.text("state") {
            Some("closed") => milestone.closed = now,
            Some("open") => milestone.closed = 0,
            _ => {}
        }
        milestone.updated = now;
    });
    let edited = world.milestones.get(id).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(view(world, edited)))
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let id = found(world, scene)?.id;
    let of_it: Vec<i64> = world
        .issues
        .of(scene.repo)
        .filter(|(_, issue)| issue.milestone == id)
        .map(|(issue, _)| issue)
        .collect();
    for issue in of_it {
        world.issues.update(issue, |issue| issue.milestone = 0);
    }
    world.milestones.remove(id);
    Ok(Reply::no_content())
}
