//! Plain pages for people: repositories, files, commits, runs with their logs.
//!
//! They are HTML without scripts; a log that is being written reloads itself. Everything that comes
//! from users is escaped, and nothing is shown to those who are not signed in (basic authentication).

use super::access::Unit;
use super::access::{Doer, Mode};
use super::api::escape;
use super::auth;
use super::call::Call;
use super::git::{EntryKind, Git};
use super::permission;
use super::reply::Reply;
use super::world::{Repository, World};
use super::{Gitea, Handled};

mod log;

/// The longest file that a page shows, in bytes.
const FILE_MAX: usize = 512 << 10;
/// How many commits and runs a page lists.
const LIST_MAX: usize = 50;

/// `/`, `/{owner}/{repo}` and what is below it in the browser.
pub(crate) fn door(gitea: &Gitea, call: &Call) -> Option<Handled> {
    if call.method != "GET" || call.path.starts_with("/api/") || call.path.starts_with("/_sim") {
        return None;
    }
    let decode = |part: &str| {
        percent_encoding::percent_decode_str(part)
            .decode_utf8_lossy()
            .into_owned()
    };
    let parts: Vec<String> = call
        .path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(decode)
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let known = match parts.as_slice() {
        [] => true,
        [owner, name, ..] => gitea.read(|world, _| {
            world
                .owner(owner)
                .is_some_and(|(owner, _)| world.repo_of(owner, name).is_some())
        }),
        _ => false,
    };
    if !known {
        return None;
    }
    if let [_, _, "pulls", file] = parts.as_slice()
        && (file.ends_with(".diff") || file.ends_with(".patch"))
    {
        let target = format!("/api/v1/repos{}", call.path.trim_end_matches('/'));
        let asked = Call {
            path: target,
            ..call.clone()
        };
        // The same bytes under the address that answers name.
        return Some(gitea.handle(asked));
    }
    let Ok(Some(doer)) = gitea.authenticate(&auth::shown(call)) else {
        let asked = Reply::text(401, "Sign in with your name and password.\n");
        return Some(
            asked
                .with_header("www-authenticate", "Basic realm=\"Gitea\"")
                .into(),
        );
    };
    Some(
        gitea
            .read(|world, git| page(world, git, &doer, &parts))
            .unwrap_or_else(not_found)
            .into(),
    )
}

fn not_found() -> Reply {
    html(404, "Not found", "<p>There is no such page.</p>", false)
}

/// A whole page; one that is not finished asks for itself again.
fn html(status: u16, title: &str, body: &str, reload: bool) -> Reply {
    let again = if reload {
        "<meta http-equiv=\"refresh\" content=\"2\">"
    } else {
        ""
    };
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>{again}</head><body><h1>{title}</h1>{body}</body></html>\n",
        title = escape(title)
    );
    Reply::bytes(status, "text/html; charset=utf-8", page)
        .with_header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'")
        .with_header("x-content-type-options", "nosniff")
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: String = items.map(|item| format!("<li>{item}</li>")).collect();
    format!("<ul>{items}</ul>")
}

fn link(target: &str, text: &str) -> String {
    format!("<a href=\"{}\">{}</a>", escape(target), escape(text))
}

fn page(world: &World, git: &Git, doer: &Doer, parts: &[&str]) -> Option<Reply> {
    let [owner, name, rest @ ..] = parts else {
        return Some(front(world, doer));
    };
    let (owner, _) = world.owner(owner)?;
    let (_, repo) = world.repo_of(owner, name)?;
    let access = permission::access(world, Some(doer), repo);
    let reads = |unit| access.to(unit) >= Mode::Read;
    match rest {
        [] if reads(Unit::Code) => folder(world, git, repo, ""),
        ["src", path @ ..] if reads(Unit::Code) => folder(world, git, repo, &path.join("/")),
        ["commits"] if reads(Unit::Code) => commits(world, git, repo),
        ["actions"] if reads(Unit::Actions) => Some(log::runs(world, repo)),
        ["actions", "runs", run] if reads(Unit::Actions) => {
            log::run(world, repo, run.parse().ok()?)
        }
        ["actions", "runs", _, "jobs", job] if reads(Unit::Actions) => {
            log::job(world, repo, job.parse().ok()?)
        }
        _ => None,
    }
}

fn front(world: &World, doer: &Doer) -> Reply {
    let seen = world
        .repos
        .iter()
        .map(|(_, repo)| repo)
        .filter(|repo| permission::access(world, Some(doer), repo).any());
    let mut names: Vec<String> = seen
        .map(|repo| permission::full_name(world, repo))
        .collect();
    names.sort();
    html(
        200,
        "Repositories",
        &list(names.iter().map(|name| link(&format!("/{name}"), name))),
        false,
    )
}

/// The links that every page of a repository begins with.
fn heading(world: &World, repo: &Repository) -> String {
    let name = permission::full_name(world, repo);
    let links = [
        ("files", String::new()),
        ("commits", "/commits".into()),
        ("runs", "/actions".into()),
    ];
    links
        .map(|(text, path)| link(&format!("/{name}{path}"), text))
        .join(" ")
}

fn folder(world: &World, git: &Git, repo: &Repository, path: &str) -> Option<Reply> {
    let name = permission::full_name(world, repo);
    let Some(head) = world
        .references
        .get(repo.id)
        .and_then(|references| references.branch(&repo.default_branch))
    else {
        return Some(html(
            200,
            &name,
            &format!(
                "<p>{}</p><p>There is no commit yet.</p>",
                heading(world, repo)
            ),
            false,
        ));
    };
    let tree = git.commit(repo.id, head).ok()?.tree;
    let entry = git.entry(repo.id, &tree, path).ok()??;
    let title = format!("{name}/{path}");
    let body = match entry.kind() {
        EntryKind::Tree => {
            let below = |child: &str| {
                if path.is_empty() {
                    child.to_owned()
                } else {
                    format!("{path}/{child}")
                }
            };
            let entries = git.tree(repo.id, &entry.id).ok()?;
            list(
                entries
                    .iter()
                    .map(|entry| link(&format!("/{name}/src/{}", below(&entry.name)), &entry.name)),
            )
        }
        EntryKind::Submodule => "<p>A commit of another repository.</p>".to_owned(),
        EntryKind::Blob | EntryKind::Link => {
            let data = git.object(repo.id, &entry.id).ok()?.data;
            match std::str::from_utf8(&data) {
                Ok(text) if data.len() <= FILE_MAX => format!("<pre>{}</pre>", escape(text)),
                _ => format!("<p>{} bytes.</p>", data.len()),
            }
        }
    };
    Some(html(
        200,
        &title,
        &format!("<p>{}</p>{body}", heading(world, repo)),
        false,
    ))
}

fn commits(world: &World, git: &Git, repo: &Repository) -> Option<Reply> {
    let head = world
        .references
        .get(repo.id)?
        .branch(&repo.default_branch)?;
    let history = git.history(repo.id, head).ok()?;
    let shown = history
        .iter()
        .take(LIST_MAX)
        .filter_map(|id| git.commit(repo.id, id).ok());
    let items = shown.map(|commit| {
        let when = super::clock::rfc3339(commit.committer.seconds);
        format!(
            "<code>{}</code> {} <small>{} {when}</small>",
            &commit.id[..10],
            escape(commit.title()),
            escape(&commit.author.name)
        )
    });
    let title = format!("Commits of {}", permission::full_name(world, repo));
    Some(html(
        200,
        &title,
        &format!("<p>{}</p>{}", heading(world, repo), list(items)),
        false,
    ))
}
