//! Rules that protect branches.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::repos::REPO;
use crate::gitea::bind::{Body, Field, Kind, Schema, bind, flag, number, of, text};
use crate::gitea::clock::rfc3339;
use crate::gitea::permission;
use crate::gitea::protection::is_glob;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::{BranchProtection, World};

const ADMIN: &[Need] = &[Need::SignedIn, Need::RepoAdmin];
const CHANGE: &[Need] = &[Need::SignedIn, Need::NotArchived, Need::RepoAdmin];
const ALL: &str = "/repos/{owner}/{repo}/branch_protections";
const ONE: &str = "/repos/{owner}/{repo}/branch_protections/*";

pub(crate) const ROUTES: &[Route] = &[
    on_repo("GET", ALL, ADMIN, Run::Read(list)),
    on_repo("POST", ALL, CHANGE, Run::Write(create)),
    on_repo(
        "POST",
        "/repos/{owner}/{repo}/branch_protections/priority",
        CHANGE,
        Run::Write(order),
    ),
    on_repo("GET", ONE, ADMIN, Run::Read(get)),
    on_repo("PATCH", ONE, CHANGE, Run::Write(edit)),
    on_repo("DELETE", ONE, CHANGE, Run::Write(delete)),
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
        scopes: REPO,
        needs,
        run,
    }
}

/// Flags, in the order of answers.
const FLAGS: [&str; 16] = [
    "enable_push",
    "enable_push_whitelist",
    "push_whitelist_deploy_keys",
    "enable_force_push",
    "enable_force_push_allowlist",
    "force_push_allowlist_deploy_keys",
    "enable_merge_whitelist",
    "enable_status_check",
    "enable_approvals_whitelist",
    "block_on_rejected_reviews",
    "block_on_official_review_requests",
    "block_on_outdated_branch",
    "dismiss_stale_approvals",
    "ignore_stale_approvals",
    "require_signed_commits",
    "block_admin_merge_override",
];

/// Lists: their own name, and those of their users and teams.
const LISTS: [(&str, &str, &str); 4] = [
    (
        "push_whitelist",
        "push_whitelist_usernames",
        "push_whitelist_teams",
    ),
    (
        "force_push_allowlist",
        "force_push_allowlist_usernames",
        "force_push_allowlist_teams",
    ),
    (
        "merge_whitelist",
        "merge_whitelist_usernames",
        "merge_whitelist_teams",
    ),
    (
        "approvals_whitelist",
        "approvals_whitelist_username",
        "approvals_whitelist_teams",
    ),
];

const fn texts(json: &'static str, go: &'static str) -> Field {
    of(json, go, Kind::Texts)
}

static RULE: Schema = Schema {
    name: "CreateBranchProtectionOption",
    fields: &[
        text("branch_name", "BranchName"),
        text("rule_name", "RuleName"),
        number("priority", "Priority"),
        flag("enable_push", "EnablePush"),
        flag("enable_push_whitelist", "EnablePushWhitelist"),
        texts("push_whitelist_usernames", "PushWhitelistUsernames"),
        texts("push_whitelist_teams", "PushWhitelistTeams"),
        flag("push_whitelist_deploy_keys", "PushWhitelistDeployKeys"),
        flag("enable_force_push", "EnableForcePush"),
        flag("enable_force_push_allowlist", "EnableForcePushAllowlist"),
        texts(
            "force_push_allowlist_usernames",
            "ForcePushAllowlistUsernames",
        ),
        texts("force_push_allowlist_teams", "ForcePushAllowlistTeams"),
        flag(
            "force_push_allowlist_deploy_keys",
            "ForcePushAllowlistDeployKeys",
        ),
        flag("enable_merge_whitelist", "EnableMergeWhitelist"),
        texts("merge_whitelist_usernames", "MergeWhitelistUsernames"),
        texts("merge_whitelist_teams", "MergeWhitelistTeams"),
        flag("enable_status_check", "EnableStatusCheck"),
        texts("status_check_contexts", "StatusCheckContexts"),
        number("required_approvals", "RequiredApprovals"),
        flag("enable_approvals_whitelist", "EnableApprovalsWhitelist"),
        texts(
            "approvals_whitelist_username",
            "ApprovalsWhitelistUsernames",
        ),
        texts("approvals_whitelist_teams", "ApprovalsWhitelistTeams"),
        flag("block_on_rejected_reviews", "BlockOnRejectedReviews"),
        flag(
            "block_on_official_review_requests",
            "BlockOnOfficialReviewRequests",
        ),
        flag("block_on_outdated_branch", "BlockOnOutdatedBranch"),
        flag("dismiss_stale_approvals", "DismissStaleApprovals"),
        flag("ignore_stale_approvals", "IgnoreStaleApprovals"),
        flag("require_signed_commits", "RequireSignedCommits"),
        text("protected_file_patterns", "ProtectedFilePatterns"),
        text("unprotected_file_patterns", "UnprotectedFilePatterns"),
        flag("block_admin_merge_override", "BlockAdminMergeOverride"),
    ],
};

fn view(world: &World, rule: &BranchProtection) -> Value {
    let mut shown = json!({
        "branch_name": if is_glob(&rule.rule) { "" } else { rule.rule.as_str() },
        "rule_name": rule.rule,
        "priority": rule.priority,
    });
    for name in FLAGS {
        shown[name] = json!(rule.has(name));
    }
    for (list, users, teams) in LISTS {
        let logins = rule.users.get(list).into_iter().flatten();
        let logins: Vec<&str> = logins
            .filter_map(|id| world.owners.get(*id))
            .map(|user| user.login.as_str())
            .collect();
        let names = rule.teams.get(list).into_iter().flatten();
        let names: Vec<&str> = names
            .filter_map(|id| world.teams.get(*id))
            .map(|team| team.name.as_str())
            .collect();
        (shown[users], shown[teams]) = (json!(logins), json!(names));
    }
    shown["status_check_contexts"] = if rule.contexts.is_empty() {
        Value::Null
    } else {
        json!(rule.contexts)
    };
    shown["required_approvals"] = json!(rule.required_approvals);
    shown["protected_file_patterns"] = json!(rule.protected_files);
    shown["unprotected_file_patterns"] = json!(rule.unprotected_files);
    shown["created_at"] = json!(rfc3339(rule.created));
    shown["updated_at"] = json!(rfc3339(rule.updated));
    shown
}

fn list(world: &World, scene: &Scene<'_>) -> Answer {
    let mut rules: Vec<_> = world
        .branch_protections
        .of(scene.repo)
        .map(|(_, rule)| rule)
        .collect();
    rules.sort_by_key(|rule| (rule.priority, rule.id));
    Ok(Reply::ok(
        rules.into_iter().map(|rule| view(world, rule)).collect(),
    ))
}

fn found<'w>(world: &'w World, scene: &Scene<'_>) -> Result<&'w BranchProtection, Reply> {
    let name = scene.call.param("*");
    let mut rules = world
        .branch_protections
        .of(scene.repo)
        .map(|(_, rule)| rule);
    rules
        .find(|rule| rule.rule == name)
        .ok_or_else(Reply::not_found)
}

fn get(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(view(world, found(world, scene)?)))
}

/// Users of a list who may write; unknown ones are refused.
fn users_of(world: &World, scene: &Scene<'_>, names: &[String]) -> Result<Vec<i64>, Reply> {
    let repo = scene.repository(world)?;
    let mut ids = Vec::new();
    for name in names {
        let missing = || Reply::error(422, format!("user does not exist [uid: 0, name: {name}]"));
        let id = world.owner(name).map(|(id, _)| id).ok_or_else(missing)?;
        let access = permission::of_user(world, id, repo);
        if access.to(crate::gitea::access::Unit::Code) >= crate::gitea::access::Mode::Write {
            ids.push(id);
        }
    }
    Ok(ids)
}

fn teams_of(world: &World, scene: &Scene<'_>, names: &[String]) -> Result<Vec<i64>, Reply> {
    let is_org = world
        .owners
        .get(scene.owner)
        .is_some_and(crate::gitea::world::Owner::is_organization);
    let names = if is_org { names } else { &[] };
    let id = |name: &String| {
        let found = world
            .teams
            .find_id(&format!("{}/{}", scene.owner, name.to_lowercase()));
        found.ok_or_else(|| {
            Reply::error(
                422,
                format!(
                    "team does not exist [org_id: {}, team_id: 0, name: {name}]",
                    scene.owner
                ),
            )
        })
    };
    names.iter().map(id).collect()
}

type Lists = BTreeMap<String, Vec<i64>>;

/// The lists that a body names.
fn lists(world: &World, scene: &Scene<'_>, body: &Body) -> Result<(Lists, Lists), Reply> {
    let (mut users, mut teams) = (Lists::new(), Lists::new());
    for (list, user_list, team_list) in LISTS {
        if let Some(names) = body.texts(user_list) {
            users.insert(list.to_owned(), users_of(world, scene, &names)?);
        }
        if let Some(names) = body.texts(team_list) {
            teams.insert(list.to_owned(), teams_of(world, scene, &names)?);
        }
    }
    Ok((users, teams))
}

/// Flags that mean nothing while another is not set, or not told in the same change.
const DEPENDING: [(&str, &str); 5] = [
    ("enable_push_whitelist", "enable_push"),
    ("push_whitelist_deploy_keys", "enable_push"),
    ("enable_force_push", "enable_push"),
    ("enable_force_push_allowlist", "enable_force_push"),
    ("force_push_allowlist_deploy_keys", "enable_force_push"),
];

/// Takes what a body says into a rule.
fn apply(rule: &mut BranchProtection, body: &Body, (users, teams): (Lists, Lists)) {
    for name in FLAGS {
        let Some(wanted) = body.flag(name) else {
            continue;
        };
        let needed = DEPENDING
            .iter()
            .find(|(flag, _)| *flag == name)
            .map(|(_, needed)| *needed);
        if needed.is_some_and(|needed| body.flag(needed).is_none()) {
            continue;
        }
        if wanted {
            rule.flags.insert(name.to_owned());
        } else {
            rule.flags.remove(name);
        }
    }
    for (flag, needed) in DEPENDING {
        if !rule.has(needed) {
            rule.flags.remove(flag);
        }
    }
    rule.users.extend(users);
    rule.teams.extend(teams);
    rule.contexts = body
        .texts("status_check_contexts")
        .unwrap_or_else(|| rule.contexts.clone());
    rule.required_approvals = body
        .number("required_approvals")
        .unwrap_or(rule.required_approvals)
        .max(0);
    rule.priority = body
        .number("priority")
        .filter(|priority| *priority > 0)
        .unwrap_or(rule.priority);
    if let Some(text) = body.text("protected_file_patterns") {
        text.clone_into(&mut rule.protected_files);
    }
    if let Some(text) = body.text("unprotected_file_patterns") {
        text.clone_into(&mut rule.unprotected_files);
    }
}

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &RULE)?;
    let given = body.text("rule_name").filter(|name| !name.is_empty());
    let name = given
        .unwrap_or_else(|| body.text_or_empty("branch_name"))
        .to_owned();
    if name.is_empty() {
        return Err(Reply::error(
            400,
            "both rule_name and branch_name are empty",
        ));
    }
    if world
        .branch_protections
        .of(scene.repo)
        .any(|(_, rule)| rule.rule == name)
    {
        return Err(Reply::error(403, "Branch protection already exist"));
    }
    let lists = lists(world, scene, &body)?;
    let last = world
        .branch_protections
        .of(scene.repo)
        .map(|(_, rule)| rule.priority)
        .max();
    let (now, repo) = (world.now(), scene.repo);
    let id = world.branch_protections.insert(|id| {
        let mut rule = BranchProtection {
            id,
            repo,
            rule: name,
            priority: last.unwrap_or_default() + 1,
            created: now,
            updated: now,
            ..BranchProtection::default()
        };
        apply(&mut rule, &body, lists);
        rule
    });
    let made = world
        .branch_protections
        .get(id)
        .ok_or_else(Reply::not_found)?;
    Ok(Reply::created(view(world, made)))
}

fn edit(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &RULE)?;
    let id = found(world, scene)?.id;
    let (lists, now) = (lists(world, scene, &body)?, world.now());
    world.branch_protections.update(id, |rule| {
        apply(rule, &body, lists);
        rule.updated = now;
    });
    Ok(Reply::ok(view(world, found(world, scene)?)))
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let id = found(world, scene)?.id;
    world.branch_protections.remove(id);
    Ok(Reply::no_content())
}

static ORDER: Schema = Schema {
    name: "UpdateBranchProtectionPriories",
    fields: &[of("ids", "IDs", Kind::Numbers)],
};

fn order(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &ORDER)?;
    let ids = body
        .get("ids")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let own: Vec<i64> = world
        .branch_protections
        .of(scene.repo)
        .map(|(id, _)| id)
        .collect();
    let ids = ids
        .iter()
        .filter_map(Value::as_i64)
        .filter(|id| own.contains(id));
    for (place, id) in (1..).zip(ids) {
        world
            .branch_protections
            .update(id, |rule| rule.priority = place);
    }
    Ok(Reply::no_content())
}
