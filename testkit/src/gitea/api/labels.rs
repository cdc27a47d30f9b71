//! Labels: of repositories and organisations, and on issues.

use serde_json::{Value, json};

use super::issues::{self, ISSUE, READ, SIGNED, Told, found};
use crate::gitea::access::{Mode, Unit};
use crate::gitea::bind::{Body, Kind, Rule, Schema, bind, flag, of, ruled, text};
use crate::gitea::page::counted;
use crate::gitea::permission;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::{CommentKind, Issue, Label, World};

const WRITE: &[Need] = &[Need::SignedIn, Need::Writer(&[Unit::Issues, Unit::Pulls])];
const ORG: &[&[Category]] = &[&[Category::Organization]];
const OF_REPO: &str = "/repos/{owner}/{repo}/labels";
const ONE_OF_REPO: &str = "/repos/{owner}/{repo}/labels/{id}";
const OF_ORG: &str = "/orgs/{org}/labels";
const ONE_OF_ORG: &str = "/orgs/{org}/labels/{id}";
const ON_ISSUE: &str = "/repos/{owner}/{repo}/issues/{index}/labels";

pub(crate) const ROUTES: &[Route] = &[
    at(Place::Repo, "GET", OF_REPO, READ, Run::Read(list)),
    at(Place::Repo, "POST", OF_REPO, WRITE, Run::Write(create)),
    at(Place::Repo, "GET", ONE_OF_REPO, READ, Run::Read(get)),
    at(Place::Repo, "PATCH", ONE_OF_REPO, WRITE, Run::Write(edit)),
    at(
        Place::Repo,
        "DELETE",
        ONE_OF_REPO,
        WRITE,
        Run::Write(delete),
    ),
    at(Place::Org, "GET", OF_ORG, &[], Run::Read(list)),
    at(Place::Org, "POST", OF_ORG, OWNER, Run::Write(create)),
    at(Place::Org, "GET", ONE_OF_ORG, &[], Run::Read(get)),
    at(Place::Org, "PATCH", ONE_OF_ORG, OWNER, Run::Write(edit)),
    at(Place::Org, "DELETE", ONE_OF_ORG, OWNER, Run::Write(delete)),
    at(Place::Repo, "GET", ON_ISSUE, READ, Run::Read(on_issue)),
    at(Place::Repo, "POST", ON_ISSUE, SIGNED, Run::Write(add)),
    at(Place::Repo, "PUT", ON_ISSUE, SIGNED, Run::Write(replace)),
    at(Place::Repo, "DELETE", ON_ISSUE, SIGNED, Run::Write(clear)),
    at(
        Place::Repo,
        "DELETE",
        "/repos/{owner}/{repo}/issues/{index}/labels/{id}",
        SIGNED,
        Run::Write(take),
    ),
];

const OWNER: &[Need] = &[Need::SignedIn, Need::OrgOwner];

const fn at(
    place: Place,
    method: &'static str,
    path: &'static str,
    needs: &'static [Need],
    run: Run,
) -> Route {
    Route {
        method,
        path,
        place,
        scopes: if matches!(place, Place::Org) {
            ORG
        } else {
            ISSUE
        },
        needs,
        run,
    }
}

/// A label as the API answers it.
pub(crate) fn view(world: &World, base: &str, label: &Label) -> Value {
    let home = match world.repos.get(label.repo) {
        Some(repo) => format!("repos/{}", permission::full_name(world, repo)),
        None => {
            let org = world.owners.get(label.org);
            format!("orgs/{}", org.map_or("", |org| org.login.as_str()))
        }
    };
    json!({
        "id": label.id,
        "name": label.name,
        "exclusive": label.exclusive,
        "is_archived": label.archived,
        "color": label.color,
        "description": label.description,
        "url": format!("{base}/api/v1/{home}/labels/{}", label.id),
    })
}

/// The labels of an issue, by name.
pub(crate) fn views(world: &World, base: &str, ids: &[i64]) -> Vec<Value> {
    let mut labels: Vec<&Label> = ids.iter().filter_map(|id| world.labels.get(*id)).collect();
    labels.sort_by_key(|label| (label.name.to_lowercase(), label.id));
    labels
        .into_iter()
        .map(|label| view(world, base, label))
        .collect()
}

/// The group of the labels of the place: a repository's, or below zero an organisation's.
fn group(scene: &Scene<'_>) -> i64 {
    if scene.repo == 0 {
        -scene.owner
    } else {
        scene.repo
    }
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let mut labels: Vec<&Label> = world
        .labels
        .of(group(scene))
        .map(|(_, label)| label)
        .collect();
    match scene.call.query("sort") {
        Some("reversealphabetically") => {
            labels.sort_by_key(|label| std::cmp::Reverse(label.name.to_lowercase()));
        }
        _ => labels.sort_by_key(|label| label.name.to_lowercase()),
    }
    Ok(counted(scene.call, &world.settings, &labels, |label| {
        view(world, &scene.call.base, label)
    }))
}

fn the_label<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w Label, Reply> {
    let name = scene.call.param("id");
    let of_place = |label: &&Label| match name.parse::<i64>() {
        Ok(id) => label.id == id,
        Err(_) => label.name == name,
    };
    let mut labels = world.labels.of(group(scene)).map(|(_, label)| label);
    labels.find(of_place).ok_or_else(Reply::not_found)
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    let label = the_label(world, scene)?;
    Ok(Reply::ok(view(world, &scene.call.base, label)))
}

static CREATE: Schema = Schema {
    name: "CreateLabelOption",
    fields: &[
        ruled("name", "Name", &[Rule::Required]),
        flag("exclusive", "Exclusive"),
        ruled("color", "Color", &[Rule::Required]),
        text("description", "Description"),
        flag("is_archived", "IsArchived"),
    ],
};

/// A colour as it is kept: six digits, from three or six with or without `#`.
fn color(text: &str) -> Result<String, Reply> {
    let digits = text.trim().trim_start_matches('#').to_lowercase();
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) || ![3, 6].contains(&digits.len()) {
        return Err(Reply::error(422, format!("invalid color: #{digits}")));
    }
    if digits.len() == 6 {
        return Ok(digits);
    }
    Ok(digits.chars().flat_map(|digit| [digit, digit]).collect())
}

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let color = color(body.text_or_empty("color"))?;
    let (repo, org) = (scene.repo, scene.owner);
    let id = world.labels.insert(|id| Label {
        id,
        repo,
        org: if repo == 0 { org } else { 0 },
        name: body.text_or_empty("name").to_owned(),
        color,
        description: body.text_or_empty("description").to_owned(),
        exclusive: body.flag("exclusive") == Some(true),
        archived: body.flag("is_archived") == Some(true),
    });
    let label = world.labels.get(id).ok_or_else(Reply::not_found)?;
    Ok(Reply::created(view(world, &scene.call.base, label)))
}

static EDIT: Schema = Schema {
    name: "EditLabelOption",
    fields: &[
        text("name", "Name"),
        flag("exclusive", "Exclusive"),
        text("color", "Color"),
        text("description", "Description"),
        flag("is_archived", "IsArchived"),
    ],
};

fn edit(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &EDIT)?;
    let id = the_label(world, scene)?.id;
    let color = body.text("color").map(color).transpose()?;
    world.labels.update(id, |label| {
        if let Some(name) = body.text("name") {
            name.clone_into(&mut label.name);
        }
        if let Some(text) = body.text("description") {
            text.clone_into(&mut label.description);
        }
        label.color = color.unwrap_or_else(|| label.color.clone());
        label.exclusive = body.flag("exclusive").unwrap_or(label.exclusive);
        label.archived = body.flag("is_archived").unwrap_or(label.archived);
    });
    let label = the_label(world, scene)?;
    Ok(Reply::ok(view(world, &scene.call.base, label)))
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let Ok(label) = the_label(world, scene) else {
        return Ok(Reply::no_content());
    };
    let id = label.id;
    world.labels.remove(id);
    let bearing: Vec<i64> = world
        .issues
        .iter()
        .filter(|(_, issue)| issue.labels.contains(&id))
        .map(|(issue, _)| issue)
        .collect();
    for issue in bearing {
        world
            .issues
            .update(issue, |issue| issue.labels.retain(|have| *have != id));
    }
    Ok(Reply::no_content())
}

fn on_issue(world: &World, scene: &Scene<'_>) -> Answer {
    let issue = found(world, scene)?;
    Ok(answer(world, scene, issue))
}

fn answer(world: &World, scene: &Scene<'_>, issue: &Issue) -> Reply {
    Reply::ok(Value::Array(views(world, &scene.call.base, &issue.labels)))
}

static LABELS: Schema = Schema {
    name: "IssueLabelsOption",
    fields: &[of("labels", "Labels", Kind::Any)],
};

/// The labels that a body names, by ids or by names; unknown ones are passed over.
fn wanted(world: &World, scene: &Scene<'_>, body: &Body) -> Result<Vec<i64>, Reply> {
    let given = body
        .get("labels")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let (texts, numbers) = (
        given.iter().all(Value::is_string),
        given.iter().all(Value::is_i64),
    );
    if !texts && !numbers {
        return Err(Reply::error(
            400,
            "labels should be an array of strings or integers",
        ));
    }
    let offered = offered(world, scene);
    let fits = |label: &&Label| {
        given.iter().any(|wish| {
            wish.as_i64() == Some(label.id) || wish.as_str() == Some(label.name.as_str())
        })
    };
    Ok(offered
        .into_iter()
        .filter(fits)
        .map(|label| label.id)
        .collect())
}

/// Those of the repository, then those of its organisation.
fn offered<'w>(world: &'w World, scene: &Scene<'_>) -> Vec<&'w Label> {
    world
        .labels
        .of(scene.repo)
        .chain(world.labels.of(-scene.owner))
        .map(|(_, label)| label)
        .collect()
}

/// What an issue has after these labels came: of an exclusive scope the last one stays.
pub(crate) fn joined(world: &World, have: &[i64], more: &[i64]) -> Vec<i64> {
    let scope = |id: i64| {
        let label = world.labels.get(id).filter(|label| label.exclusive)?;
        label
            .name
            .rsplit_once('/')
            .map(|(scope, _)| scope.to_owned())
    };
    let mut all = have.to_vec();
    for id in more {
        if let Some(wanted) = scope(*id) {
            all.retain(|other| scope(*other).as_ref() != Some(&wanted));
        }
        if !all.contains(id) {
            all.push(*id);
        }
    }
    all
}

fn may_write(scene: &Scene<'_>, issue: &Issue) -> Result<(), Reply> {
    let unit = issues::unit(issue);
    if scene.is_admin() || scene.access.to(unit) >= Mode::Write {
        Ok(())
    } else {
        Err(Reply::error(403, "write permission is required"))
    }
}

fn store(world: &mut World, scene: &mut Scene<'_>, id: i64, labels: Vec<i64>) -> Answer {
    let now = world.now();
    let changed = world.issues.update(id, |issue| {
        let changed = issue.labels != labels;
        let action = if labels.is_empty() {
            "label_cleared"
        } else {
            "label_updated"
        };
        issue.labels = labels;
        issue.updated = now;
        changed.then_some(action)
    });
    if let Some(Some(action)) = changed {
        issues::note(world, scene, id, CommentKind::Label, "");
        issues::tell(world, scene, id, Told::Labels, action);
    }
    let issue = world.issues.get(id).ok_or_else(Reply::not_found)?;
    Ok(answer(world, scene, issue))
}

fn add(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &LABELS)?;
    let issue = found(world, scene)?;
    may_write(scene, issue)?;
    let labels = joined(world, &issue.labels, &wanted(world, scene, &body)?);
    let id = issue.id;
    store(world, scene, id, labels)
}

fn replace(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &LABELS)?;
    let issue = found(world, scene)?;
    may_write(scene, issue)?;
    let labels = joined(world, &[], &wanted(world, scene, &body)?);
    let id = issue.id;
    store(world, scene, id, labels)
}

fn clear(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let issue = found(world, scene)?;
    may_write(scene, issue)?;
    let id = issue.id;
    store(world, scene, id, Vec::new())?;
    Ok(Reply::no_content())
}

fn take(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let issue = found(world, scene)?;
    may_write(scene, issue)?;
    let name = scene.call.param("id");
    let offered = offered(world, scene);
    let label = offered.iter().find(|label| {
        name.parse::<i64>()
            .map_or(label.name == name, |id| label.id == id)
    });
    let missing = || Reply::error(422, "label does not exist [label_id: 0]");
    let label = label.ok_or_else(missing)?.id;
    let (id, mut labels) = (issue.id, issue.labels.clone());
    labels.retain(|have| *have != label);
    store(world, scene, id, labels)?;
    Ok(Reply::no_content())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_kept_as_six_digits() {
        assert_eq!(color("#abc").ok().as_deref(), Some("aabbcc"));
        assert_eq!(color("00AABB").ok().as_deref(), Some("00aabb"));
        assert!(color("red").is_err() && color("").is_err());
    }
}
