//! Changing a repository's settings, topics and place.

use serde_json::{Value, json};

use super::REPO;
use crate::gitea::access::Unit;
use crate::gitea::api::repos::view_here;
use crate::gitea::bind::{Body, Kind, Rule, Schema, bind, flag, of, ruled, text};
use crate::gitea::page::counted;
use crate::gitea::projects;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::{MergeRules, RepoRedirect, Repository, World};

const ADMIN: &[Need] = &[Need::SignedIn, Need::RepoAdmin];

pub(crate) const ROUTES: &[Route] = &[
    write("PATCH", "/repos/{owner}/{repo}", edit),
    Route {
        method: "GET",
        path: "/repos/{owner}/{repo}/topics",
        place: Place::Repo,
        scopes: REPO,
        needs: &[Need::AnyReader],
        run: Run::Read(topics),
    },
    write("PUT", "/repos/{owner}/{repo}/topics", set_topics),
    write("PUT", "/repos/{owner}/{repo}/topics/{topic}", add_topic),
    write(
        "DELETE",
        "/repos/{owner}/{repo}/topics/{topic}",
        remove_topic,
    ),
    Route {
        method: "GET",
        path: "/topics/search",
        place: Place::Nowhere,
        scopes: REPO,
        needs: &[],
        run: Run::Read(search_topics),
    },
];

const fn write(
    method: &'static str,
    path: &'static str,
    run: fn(&mut World, &mut Scene<'_>) -> Answer,
) -> Route {
    Route {
        method,
        path,
        place: Place::Repo,
        scopes: REPO,
        needs: ADMIN,
        run: Run::Write(run),
    }
}

const PROJECTS: &[&str] = &["", "repo", "owner", "all"];

static EDIT: Schema = Schema {
    name: "EditRepoOption",
    fields: &[
        ruled("name", "Name", &[Rule::AlphaDashDot, Rule::Max(100)]),
        ruled("description", "Description", &[Rule::Max(2048)]),
        ruled("website", "Website", &[Rule::Max(1024)]),
        flag("private", "Private"),
        flag("template", "Template"),
        flag("has_code", "HasCode"),
        flag("has_issues", "HasIssues"),
        of("internal_tracker", "InternalTracker", Kind::Any),
        of("external_tracker", "ExternalTracker", Kind::Any),
        flag("has_wiki", "HasWiki"),
        of("external_wiki", "ExternalWiki", Kind::Any),
        text("default_branch", "DefaultBranch"),
        flag("has_pull_requests", "HasPullRequests"),
        flag("has_projects", "HasProjects"),
        ruled("projects_mode", "ProjectsMode", &[Rule::In(PROJECTS)]),
        flag("has_releases", "HasReleases"),
        flag("has_packages", "HasPackages"),
        flag("has_actions", "HasActions"),
        flag("ignore_whitespace_conflicts", "IgnoreWhitespaceConflicts"),
        flag("allow_merge_commits", "AllowMerge"),
        flag("allow_rebase", "AllowRebase"),
        flag("allow_rebase_explicit", "AllowRebaseMerge"),
        flag("allow_squash_merge", "AllowSquash"),
        flag("allow_fast_forward_only_merge", "AllowFastForwardOnly"),
        flag("allow_manual_merge", "AllowManualMerge"),
        flag("autodetect_manual_merge", "AutodetectManualMerge"),
        flag("allow_rebase_update", "AllowRebaseUpdate"),
        flag(
            "default_delete_branch_after_merge",
            "DefaultDeleteBranchAfterMerge",
        ),
        text("default_merge_style", "DefaultMergeStyle"),
        flag(
            "default_allow_maintainer_edit",
            "DefaultAllowMaintainerEdit",
        ),
        flag("archived", "Archived"),
        text("mirror_interval", "MirrorInterval"),
        flag("enable_prune", "EnablePrune"),
    ],
};

fn edit(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &EDIT)?;
    let (id, now) = (scene.repo, world.now());
    rename(world, scene, body.text_or_empty("name"))?;
    if body.has("mirror_interval") && scene.repository(world)?.mirror.is_some() {
        set_interval(world, id, body.text_or_empty("mirror_interval"))?;
    }
    let references = world.references.get(id).cloned().unwrap_or_default();
    let branch = body
        .text("default_branch")
        .filter(|branch| !branch.is_empty());
    let branch = branch.filter(|branch| {
        references.branch(branch).is_some() || world.repos.get(id).is_some_and(|repo| repo.empty)
    });
    if let Some(branch) = branch {
        scene
            .git
            .set_head(id, branch)
            .map_err(|error| scene.internal(&error.to_string()))?;
    }
    world.repos.update(id, |repo| {
        apply(repo, &body);
        if let Some(branch) = branch {
            branch.clone_into(&mut repo.default_branch);
        }
        if let Some(archived) = body.flag("archived") {
            repo.archived = archived;
            repo.archived_at = if archived { now } else { 0 };
        }
        repo.updated = now;
    });
    view_here(world, scene).map(Reply::ok)
}

fn rename(world: &mut World, scene: &Scene<'_>, new: &str) -> Result<(), Reply> {
    let repo = scene.repository(world)?;
    let (owner, old) = (repo.owner, repo.name.clone());
    if new.is_empty() || new == old {
        return Ok(());
    }
    projects::check_name(new).map_err(|text| Reply::error(422, text))?;
    if !new.eq_ignore_ascii_case(&old) {
        if world.repo_of(owner, new).is_some() {
            let full = crate::gitea::permission::full_name(world, repo);
            let owner = full.split('/').next().unwrap_or_default();
            return Err(Reply::error(
                422,
                format!(
                    "repo name is already taken [name: {new}]: repository already exists [uname: {owner}, name: {new}]"
                ),
            ));
        }
        let taken = world
            .repo_redirects
            .find_id(&Repository::index_of(owner, new));
        taken.map(|id| world.repo_redirects.remove(id));
        world.repo_redirects.insert(|_| RepoRedirect {
            owner,
            name: old.to_lowercase(),
            repo: scene.repo,
        });
    }
    world
        .repos
        .update(scene.repo, |repo| new.clone_into(&mut repo.name));
    Ok(())
}

fn set_interval(world: &mut World, id: i64, text: &str) -> Result<(), Reply> {
    let refuse = || Reply::error(422, format!("time: invalid duration \"{text}\""));
    let (digits, unit) = text.split_at(
        text.find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let number: i64 = digits.parse().map_err(|_| refuse())?;
    let seconds = match unit.chars().next() {
        Some('h') => number * 3600,
        Some('m') => number * 60,
        Some('s') => number,
        _ => return Err(refuse()),
    };
    if seconds != 0 && seconds < 600 {
        return Err(Reply::error(
            422,
            format!("invalid mirror interval: {text} is below minimum interval: 10m0s"),
        ));
    }
    world.repos.update(id, |repo| {
        if let Some((_, interval)) = &mut repo.mirror {
            *interval = seconds;
        }
    });
    Ok(())
}

fn apply(repo: &mut Repository, body: &Body) {
    for (name, field) in [
        ("description", &mut repo.description),
        ("website", &mut repo.website),
    ] {
        if let Some(text) = body.text(name) {
            text.clone_into(field);
        }
    }
    repo.private = body.flag("private").unwrap_or(repo.private);
    repo.template = body.flag("template").unwrap_or(repo.template);
    if let Some(mode) = body.text("projects_mode").filter(|mode| !mode.is_empty()) {
        mode.clone_into(&mut repo.projects_mode);
    }
    let units = [
        ("has_code", Unit::Code),
        ("has_issues", Unit::Issues),
        ("has_wiki", Unit::Wiki),
        ("has_projects", Unit::Projects),
        ("has_releases", Unit::Releases),
        ("has_packages", Unit::Packages),
        ("has_actions", Unit::Actions),
    ];
    for (name, unit) in units {
        switch(repo, body.flag(name), unit);
    }
    for name in ["internal_tracker", "external_tracker", "external_wiki"] {
        if let Some(value) = body.get(name) {
            repo.extra.insert(name.to_owned(), value.clone());
        }
    }
    if body.flag("has_pull_requests") == Some(true) && !repo.has(Unit::Pulls) {
        repo.merge = MergeRules::default();
    }
    switch(repo, body.flag("has_pull_requests"), Unit::Pulls);
    if repo.has(Unit::Pulls) {
        apply_rules(&mut repo.merge, body);
    }
}

fn switch(repo: &mut Repository, wanted: Option<bool>, unit: Unit) {
    match wanted {
        Some(true) => {
            repo.units.insert(unit);
        }
        Some(false) => {
            repo.units.remove(&unit);
        }
        None => {}
    }
}

fn apply_rules(rules: &mut MergeRules, body: &Body) {
    let flags = [
        (
            "ignore_whitespace_conflicts",
            &mut rules.ignore_whitespace_conflicts,
        ),
        ("allow_merge_commits", &mut rules.allow_merge_commits),
        ("allow_rebase", &mut rules.allow_rebase),
        ("allow_rebase_explicit", &mut rules.allow_rebase_explicit),
        ("allow_squash_merge", &mut rules.allow_squash_merge),
        (
            "allow_fast_forward_only_merge",
            &mut rules.allow_fast_forward_only,
        ),
        ("allow_rebase_update", &mut rules.allow_rebase_update),
        ("allow_manual_merge", &mut rules.allow_manual_merge),
        (
            "autodetect_manual_merge",
            &mut rules.autodetect_manual_merge,
        ),
        (
            "default_delete_branch_after_merge",
            &mut rules.delete_branch_after_merge,
        ),
        (
            "default_allow_maintainer_edit",
            &mut rules.allow_maintainer_edit,
        ),
    ];
    for (name, field) in flags {
        if let Some(value) = body.flag(name) {
            *field = value;
        }
    }
    if let Some(style) = body.text("default_merge_style") {
        style.clone_into(&mut rules.default_style);
    }
}

fn topics(world: &World, scene: &Scene<'_>) -> Answer {
    let topics = &scene.repository(world)?.topics;
    let page = crate::gitea::page::Page::of(scene.call, &world.settings);
    let shown = page.slice(topics);
    let reply = Reply::ok(json!({ "topics": shown }));
    Ok(reply.with_header("x-total-count", topics.len().to_string()))
}

fn is_topic(topic: &str) -> bool {
    let first = topic
        .chars()
        .next()
        .is_some_and(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit());
    first
        && topic.len() <= 35
        && topic.chars().all(|letter| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-' || letter == '.'
        })
}

static TOPICS: Schema = Schema {
    name: "RepoTopicOptions",
    fields: &[of("topics", "Topics", Kind::Texts)],
};

fn set_topics(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let given = bind(scene.call, &TOPICS)?
        .texts("topics")
        .unwrap_or_default();
    let mut wanted: Vec<String> = given
        .iter()
        .map(|topic| topic.trim().to_lowercase())
        .filter(|topic| !topic.is_empty())
        .collect();
    wanted.sort();
    wanted.dedup();
    if wanted.len() > 25 {
        return Err(Reply::json(
            422,
            json!({ "invalidTopics": null, "message": "Exceeding maximum number of topics per repo" }),
        ));
    }
    let bad: Vec<&String> = given
        .iter()
        .filter(|topic| !is_topic(&topic.trim().to_lowercase()))
        .collect();
    if !bad.is_empty() {
        return Err(Reply::json(
            422,
            json!({ "invalidTopics": bad, "message": "Topic names are invalid" }),
        ));
    }
    world.repos.update(scene.repo, |repo| repo.topics = wanted);
    Ok(Reply::no_content())
}

fn named_topic(scene: &Scene<'_>) -> Result<String, Reply> {
    let topic = scene.call.param("topic").trim().to_lowercase();
    if is_topic(&topic) {
        return Ok(topic);
    }
    Err(Reply::json(
        422,
        json!({ "invalidTopics": scene.call.param("topic"), "message": "Topic name is invalid" }),
    ))
}

fn add_topic(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let topic = named_topic(scene)?;
    let topics = &scene.repository(world)?.topics;
    if topics.len() >= 25 && !topics.contains(&topic) {
        return Err(Reply::json(
            422,
            json!({ "message": "Exceeding maximum allowed topics per repo." }),
        ));
    }
    world.repos.update(scene.repo, |repo| {
        repo.topics.push(topic);
        repo.topics.sort();
        repo.topics.dedup();
    });
    Ok(Reply::no_content())
}

fn remove_topic(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let topic = named_topic(scene)?;
    if !scene.repository(world)?.topics.contains(&topic) {
        return Err(Reply::not_found());
    }
    world
        .repos
        .update(scene.repo, |repo| repo.topics.retain(|have| *have != topic));
    Ok(Reply::no_content())
}

fn search_topics(world: &World, scene: &Scene<'_>) -> Answer {
    let word = scene.call.query("q").unwrap_or_default().to_lowercase();
    let mut names: Vec<&String> = world
        .repos
        .iter()
        .flat_map(|(_, repo)| repo.topics.iter())
        .filter(|topic| topic.contains(&word))
        .collect();
    names.sort();
    names.dedup();
    let count = |name: &str| {
        world
            .repos
            .iter()
            .filter(|(_, repo)| repo.topics.iter().any(|topic| topic == name))
            .count()
    };
    let mut reply = counted(scene.call, &world.settings, &names, |name| {
        let zero = crate::gitea::clock::ZERO;
        json!({ "id": 0, "topic_name": name, "repo_count": count(name), "created": zero, "updated": zero })
    });
    if let crate::gitea::reply::Body::Json(list) = &mut reply.body {
        let topics = std::mem::replace(list, Value::Null);
        *list = json!({ "topics": topics });
    }
    Ok(reply)
}
