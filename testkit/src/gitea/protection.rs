//! Rules for branches: which one counts, and what it allows whom.

use super::access::{Doer, Mode, Unit};
use super::git::Git;
use super::world::{BranchProtection, Issue, Repository, ReviewState, World};
use super::{glob, permission};

/// The rule that counts for a branch: the first that fits, in the order of their priorities.
#[must_use]
pub fn rule_of<'w>(world: &'w World, repo: i64, branch: &str) -> Option<&'w BranchProtection> {
    let all = world.branch_protections.of(repo).map(|(_, rule)| rule);
    let fitting = all.filter(|rule| {
        rule.rule == branch || (is_glob(&rule.rule) && glob::fits(&rule.rule, branch))
    });
    fitting.min_by_key(|rule| (rule.priority, rule.rule != branch, rule.id))
}

/// Whether a rule is for several branches.
#[must_use]
pub fn is_glob(rule: &str) -> bool {
    rule.contains(['*', '?', '[', '{', '\\'])
}

/// Whether somebody stands on a list of a rule.
fn is_listed(world: &World, rule: &BranchProtection, list: &str, user: i64) -> bool {
    let in_team = |team: &i64| {
        let team = world.teams.get(*team);
        team.is_some_and(|team| team.members.contains(&user))
    };
    rule.users
        .get(list)
        .is_some_and(|users| users.contains(&user))
        || rule
            .teams
            .get(list)
            .is_some_and(|teams| teams.iter().any(in_team))
}

/// Whether somebody who may write the repository may push to the branches of a rule.
#[must_use]
pub fn may_push(world: &World, rule: &BranchProtection, user: i64) -> bool {
    rule.has("enable_push")
        && (!rule.has("enable_push_whitelist") || is_listed(world, rule, "push_whitelist", user))
}

/// Whether somebody may do so even where history is lost.
#[must_use]
pub fn may_force(world: &World, rule: &BranchProtection, user: i64) -> bool {
    rule.has("enable_force_push")
        && may_push(world, rule, user)
        && (!rule.has("enable_force_push_allowlist")
            || is_listed(world, rule, "force_push_allowlist", user))
}

/// Whether somebody who may write the repository may merge into the branches of a rule.
#[must_use]
pub fn may_merge(world: &World, rule: &BranchProtection, user: i64) -> bool {
    !rule.has("enable_merge_whitelist") || is_listed(world, rule, "merge_whitelist", user)
}

fn fits_any(patterns: &str, path: &str) -> bool {
    let lower = path.to_lowercase();
    let patterns = patterns
        .split(';')
        .map(str::trim)
        .filter(|pattern| !pattern.is_empty());
    patterns.map(str::to_lowercase).any(|pattern| {
        glob::fits(&pattern, &lower)
            || lower
                .rsplit('/')
                .next()
                .is_some_and(|name| glob::fits(&pattern, name))
    })
}

/// The first path that a rule does not let anybody change.
#[must_use]
pub fn guarded<'p>(rule: &BranchProtection, paths: &'p [String]) -> Option<&'p str> {
    paths
        .iter()
        .find(|path| fits_any(&rule.protected_files, path))
        .map(String::as_str)
}

/// Whether all paths are free for everybody who may write.
#[must_use]
pub fn are_free(rule: &BranchProtection, paths: &[String]) -> bool {
    !rule.unprotected_files.is_empty()
        && !paths.is_empty()
        && paths
            .iter()
            .all(|path| fits_any(&rule.unprotected_files, path))
}

/// A branch that somebody wants to move.
pub(crate) struct Wish<'w> {
    /// Its short name.
    pub branch: &'w str,
    /// Where it is; `None` when it is to be made.
    pub from: Option<&'w str>,
    /// Where it shall be; `None` when it is to go.
    pub to: Option<&'w str>,
}

/// Why a branch may not be moved by somebody who may write, in the words of the hook.
pub(crate) fn refusal(
    world: &World,
    git: &Git,
    repo: i64,
    user: i64,
    wish: &Wish<'_>,
) -> Option<String> {
    let (branch, rule) = (wish.branch, rule_of(world, repo, wish.branch)?);
    let Some(to) = wish.to else {
        return Some(format!("branch {branch} is protected from deletion"));
    };
    if let Some(from) = wish.from {
        let forward = super::pulls::merging::contains(git, repo, to, from).unwrap_or(false);
        if !forward && !may_force(world, rule, user) {
            return Some(format!("branch {branch} is protected from force push"));
        }
    }
    let before = wish.from.unwrap_or(super::events::ZERO_ID);
    let paths = git.changed_paths(repo, before, to).unwrap_or_default();
    if may_push(world, rule, user) {
        let path = wish.from.and_then(|_| guarded(rule, &paths))?;
        return Some(format!(
            "branch {branch} is protected from changing file {path}"
        ));
    }
    if wish.from.is_some() && are_free(rule, &paths) {
        return None;
    }
    Some(format!("Not allowed to push to protected branch {branch}"))
}

/// Why a pull request may not be merged yet, in the API's words.
pub(crate) fn hinders_merge(world: &World, issue: &Issue) -> Option<&'static str> {
    let pull = issue.pull.as_ref()?;
    let rule = rule_of(world, issue.repo, &pull.base)?;
    if rule.has("enable_status_check")
        && !checks_succeeded(world, issue.repo, &pull.head_sha, &rule.contexts)
    {
        return Some("Not all required status checks successful");
    }
    if approvals(world, issue, rule) < rule.required_approvals {
        return Some("Does not have enough approvals");
    }
    let standing = |state| {
        let reviews = world.reviews.of(issue.id).map(|(_, review)| review);
        reviews
            .filter(|review| review.official && !review.dismissed && review.state == state)
            .count()
            > 0
    };
    if rule.has("block_on_rejected_reviews") && standing(ReviewState::RequestChanges) {
        return Some("There are requested changes");
    }
    if rule.has("block_on_official_review_requests") && standing(ReviewState::RequestReview) {
        return Some("There are official review requests");
    }
    if rule.has("block_on_outdated_branch") && pull.merge_base != pull.base_sha {
        return Some("The head branch is behind the base branch");
    }
    None
}

fn approvals(world: &World, issue: &Issue, rule: &BranchProtection) -> i64 {
    let counts = |review: &&super::world::Review| {
        review.state == ReviewState::Approved
            && review.official
            && !review.dismissed
            && !(review.stale && rule.has("ignore_stale_approvals"))
    };
    let reviews = world.reviews.of(issue.id).map(|(_, review)| review);
    i64::try_from(reviews.filter(counts).count()).unwrap_or(i64::MAX)
}

/// Whether the newest status of each required context is a success.
fn checks_succeeded(world: &World, repo: i64, sha: &str, contexts: &[String]) -> bool {
    let mut newest: std::collections::BTreeMap<&str, (i64, &str)> =
        std::collections::BTreeMap::new();
    for (id, status) in world
        .statuses
        .of(repo)
        .filter(|(_, status)| status.sha == sha)
    {
        let place = newest.entry(&status.context).or_insert((0, ""));
        if id > place.0 {
            *place = (id, &status.state);
        }
    }
    let is_success = |state: &str| matches!(state, "success" | "skipped");
    if contexts.is_empty() {
        return !newest.is_empty() && newest.values().all(|(_, state)| is_success(state));
    }
    contexts.iter().all(|wanted| {
        let mut fitting = newest
            .iter()
            .filter(|(context, _)| **context == wanted || glob::fits(wanted, context))
            .peekable();
        fitting.peek().is_some() && fitting.all(|(_, (_, state))| is_success(state))
    })
}

/// Whether a review of somebody counts for the rule of a branch.
pub(crate) fn is_official(world: &World, repo: &Repository, branch: &str, doer: &Doer) -> bool {
    let access = permission::of_user(world, doer.id, repo);
    match rule_of(world, repo.id, branch).filter(|rule| rule.has("enable_approvals_whitelist")) {
        Some(rule) => is_listed(world, rule, "approvals_whitelist", doer.id),
        None => access.to(Unit::Code) >= Mode::Write,
    }
}
