//! What a pull request brings: its files, its commits, its text.

use serde_json::{Value, json};

use super::{READ, found, on_repo};
use crate::gitea::api::commits::{self, Addresses, Parts, broken};
use crate::gitea::git::Git;
use crate::gitea::page::Page;
use crate::gitea::pulls::merging;
use crate::gitea::reply::{Answer, Reply, TEXT};
use crate::gitea::router::{Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::{Issue, Pull, World};

pub(crate) const ROUTES: &[Route] = &[
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/pulls/{index}/files",
        READ,
        Run::Read(files),
    ),
    on_repo(
        "GET",
        "/repos/{owner}/{repo}/pulls/{index}/commits",
        READ,
        Run::Read(listed),
    ),
];

fn pull_of(issue: &Issue) -> Result<&Pull, Reply> {
    issue.pull.as_ref().ok_or_else(Reply::not_found)
}

/// `N.diff` and `N.patch`, as git writes them.
pub(crate) fn text(git: &Git, issue: &Issue, kind: &str) -> Answer {
    let pull = pull_of(issue)?;
    let range = format!("{}..{}", pull.merge_base, pull.head_sha);
    let failed = |_| Reply::error(500, "");
    let text = match kind {
        "diff" => git.output(
            issue.repo,
            &["diff", "--abbrev=7", "-p", &pull.merge_base, &pull.head_sha],
        ),
        "patch" => git.output(issue.repo, &["format-patch", "--stdout", &range]),
        _ => return Err(Reply::not_found()),
    };
    Ok(Reply::bytes(200, TEXT, text.map_err(failed)?))
}

fn files(world: &World, scene: &Scene<'_>) -> Answer {
    let pull = pull_of(found(world, scene)?)?;
    let range = [pull.merge_base.as_str(), pull.head_sha.as_str()];
    let ask = |how: &str| {
        let arguments = [
            "-c",
            "core.quotepath=false",
            "diff",
            how,
            "--no-renames",
            range[0],
            range[1],
        ];
        let text = scene
            .git
            .output(scene.repo, &arguments)
            .map_err(broken(scene))?;
        Ok::<_, Reply>(String::from_utf8_lossy(&text).into_owned())
    };
    let (statuses, counts) = (ask("--name-status")?, ask("--numstat")?);
    let addresses = Addresses::of(world, scene)?;
    let shown: Vec<Value> = statuses
        .lines()
        .zip(counts.lines())
        .filter_map(|(status, count)| file(&addresses, &pull.head_sha, status, count))
        .collect();
    if scene.call.query("skip-to").is_some() {
        return Err(Reply::error(422, "skip-to is not supported"));
    }
    let page = Page::of(scene.call, &world.settings);
    let part = page.slice(&shown).to_vec();
    Ok(commits::with_counts(
        Reply::ok(Value::Array(part)),
        scene,
        world,
        page,
        shown.len(),
    ))
}

fn file(addresses: &Addresses, head: &str, status: &str, count: &str) -> Option<Value> {
    let (letter, path) = status.split_once('\t')?;
    let mut numbers = count
        .split('\t')
        .map(|word| word.parse::<u64>().unwrap_or(0));
    let (added, deleted) = (numbers.next()?, numbers.next()?);
    let status = match letter.chars().next() {
        Some('A') => "added",
        Some('D') => "deleted",
        _ => "changed",
    };
    let (api, web) = (&addresses.api, &addresses.web);
    Some(json!({
        "filename": path,
        "status": status,
        "additions": added,
        "deletions": deleted,
        "changes": added + deleted,
        "html_url": format!("{web}/src/commit/{head}/{path}"),
        "contents_url": format!("{api}/contents/{path}?ref={head}"),
        "raw_url": format!("{web}/raw/commit/{head}/{path}"),
    }))
}

fn listed(world: &World, scene: &Scene<'_>) -> Answer {
    let pull = pull_of(found(world, scene)?)?;
    let mut ids = merging::between(scene.git, scene.repo, &pull.merge_base, &pull.head_sha)
        .map_err(broken(scene))?;
    ids.reverse();
    let page = Page::of(scene.call, &world.settings);
    // `stat` is not looked at here.
    let parts = Parts {
        stat: true,
        ..Parts::asked(scene)
    };
    let shown = commits::views(world, scene, page.slice(&ids), parts)?;
    Ok(commits::with_counts(
        Reply::ok(Value::Array(shown)),
        scene,
        world,
        page,
        ids.len(),
    ))
}
