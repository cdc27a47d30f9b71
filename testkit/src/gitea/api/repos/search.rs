//! The search for repositories: words, kinds, owners, and the order of what is found.

use serde_json::{Value, json};

use super::{contributes, view, visible};
use crate::gitea::access::Access;
use crate::gitea::call::Call;
use crate::gitea::page::Page;
use crate::gitea::permission;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::scene::Scene;
use crate::gitea::world::{Repository, Visibility, World};

const MODES: [&str; 5] = ["", "fork", "source", "mirror", "collaborative"];

type Found<'w> = (&'w Repository, Access);

pub(super) fn search(world: &World, scene: &Scene<'_>) -> Answer {
    let call = scene.call;
    let mode = call.query("mode").unwrap_or_default();
    if !MODES.contains(&mode) {
        let text = format!("Invalid search mode: \"{mode}\"");
        return Err(Reply::error(422, text));
    }
    let fits = |repo: &Repository| {
        is_named(world, call, repo)
            && is_of_kind(mode, repo)
            && is_as_wanted(world, call, repo)
            && belongs(world, call, mode, repo)
    };
    let mut found = visible(world, scene, fits);
    sort(world, call, &mut found)?;
    let page = Page::of(call, &world.settings);
    let shown = page.slice(&found).iter();
    let data: Vec<Value> = shown
        .map(|(repo, access)| view(world, &call.base, scene.doer.as_ref(), repo, access))
        .collect();
    let reply = Reply::ok(json!({ "ok": true, "data": data }));
    Ok(reply.with_paging(call, &world.settings, page, found.len()))
}

/// A flag that was given; what is no flag is no.
fn flag(call: &Call, name: &str) -> Option<bool> {
    call.query(name).filter(|text| !text.is_empty())?;
    Some(call.flag(name).unwrap_or_default())
}

fn number(call: &Call, name: &str) -> Option<i64> {
    let number = call.query(name)?.parse::<i64>().ok();
    number.filter(|id| *id > 0)
}

/// Whether one of the words is in its name, its topics or, if that is wanted, its description.
fn is_named(world: &World, call: &Call, repo: &Repository) -> bool {
    let words = call.query("q").unwrap_or_default().trim().to_lowercase();
    let topic_only = call.flag("topic").unwrap_or_default();
    let described = call.flag("includeDesc").unwrap_or_default();
    let name = repo.name.to_lowercase();
    let owner = world.owners.get(repo.owner);
    let owner = owner.map_or_else(String::new, |owner| owner.login.to_lowercase());
    words.is_empty()
        || words.split(',').any(|word| {
            if topic_only {
                return repo.topics.iter().any(|topic| topic == word);
            }
            let whole = word.split_once('/');
            name.contains(word)
                || repo.topics.iter().any(|topic| topic.contains(word))
                || described && repo.description.to_lowercase().contains(word)
                || whole.is_some_and(|(of, name_of)| owner.contains(of) && name.contains(name_of))
        })
}

fn is_of_kind(mode: &str, repo: &Repository) -> bool {
    match mode {
        "fork" => repo.fork_of.is_some(),
        "source" => repo.fork_of.is_none() && repo.mirror.is_none(),
        "mirror" => repo.mirror.is_some(),
        "collaborative" => repo.mirror.is_none(),
        _ => true,
    }
}

fn is_as_wanted(world: &World, call: &Call, repo: &Repository) -> bool {
    let is = |name: &str, have: bool| flag(call, name).is_none_or(|wanted| wanted == have);
    let owner = world.owners.get(repo.owner);
    let open = !repo.private && owner.is_some_and(|owner| owner.visibility == Visibility::Public);
    is("template", repo.template)
        && is("archived", repo.archived)
        && is("is_private", repo.private)
        && (open || flag(call, "private").unwrap_or(true))
}

/// Whether it has to do with the user, the team and the stars that were named.
fn belongs(world: &World, call: &Call, mode: &str, repo: &Repository) -> bool {
    let alone = call.flag("exclusive").unwrap_or_default();
    let of_user = number(call, "uid").is_none_or(|uid| match mode {
        "collaborative" => contributes(world, uid, repo),
        _ => repo.owner == uid || !alone && contributes(world, uid, repo),
    });
    let of_team = number(call, "team_id").is_none_or(|id| {
        let team = world.teams.get(id);
        team.is_some_and(|team| permission::has_repo(team, repo.id))
    });
    let starred = number(call, "starredBy").is_none_or(|id| {
        let user = world.owners.get(id);
        user.is_some_and(|user| user.starred.contains(&repo.id))
    });
    of_user && of_team && starred
}

fn sort(world: &World, call: &Call, found: &mut [Found<'_>]) -> Result<(), Reply> {
    let by = call.query("sort").unwrap_or_default();
    let order = call.query("order").filter(|order| !order.is_empty());
    let order = order.filter(|_| !by.is_empty()).unwrap_or("asc");
    if !matches!(order, "asc" | "desc") {
        let text = format!("Invalid sort order: \"{order}\"");
        return Err(Reply::error(422, text));
    }
    let name = |repo: &Repository| repo.name.clone();
    let owner = |repo: &Repository| {
        world
            .owners
            .get(repo.owner)
            .map(|owner| owner.login.clone())
    };
    match by {
        "" => found.sort_by_cached_key(|(repo, _)| (name(repo), repo.id)),
        "alpha" => found.sort_by_cached_key(|(repo, _)| (owner(repo), name(repo))),
        "created" => found.sort_by_key(|(repo, _)| repo.created),
        "updated" => found.sort_by_key(|(repo, _)| repo.updated),
        "size" | "git_size" => found.sort_by_key(|(repo, _)| repo.size),
        "stars" => found.sort_by_cached_key(|(repo, _)| stars(world, repo.id)),
        "forks" => found.sort_by_cached_key(|(repo, _)| forks(world, repo.id)),
        "id" | "lfs_size" => found.sort_by_key(|(repo, _)| repo.id),
        other => {
            let text = format!("Invalid sort mode: \"{other}\"");
            return Err(Reply::error(422, text));
        }
    }
    if order == "desc" {
        found.reverse();
    }
    Ok(())
}

fn stars(world: &World, repo: i64) -> usize {
    let all = world.owners.iter();
    all.filter(|(_, user)| user.starred.contains(&repo)).count()
}

fn forks(world: &World, repo: i64) -> usize {
    let all = world.repos.iter();
    all.filter(|(_, fork)| fork.fork_of == Some(repo)).count()
}
