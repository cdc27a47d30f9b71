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
/// How everything looks: one column, the reader's own light or dark.
const STYLE: &str = ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
body{margin:0}header{padding:.6rem 1.5rem;border-bottom:1px solid #8884}\
main{max-width:64rem;margin:0 auto;padding:1rem 1.5rem}h1{font-size:1.3rem;overflow-wrap:anywhere}\
nav a{margin-right:1rem}a{color:LinkText;text-decoration:none}a:hover{text-decoration:underline}\
ul{list-style:none;padding:0;border:1px solid #8884;border-radius:6px}\
li{padding:.4rem .8rem;border-bottom:1px solid #8882;overflow-wrap:anywhere}li:last-child{border:0}\
small{opacity:.7;margin-left:.5rem}pre{overflow:auto;padding:.8rem;border:1px solid #8884;border-radius:6px;font-size:.85rem}\
.success{color:#1a7f37}.failure{color:#cf222e}.running,.waiting,.blocked{color:#9a6700}";
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
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>{again}<style>{STYLE}</style></head><body><header><a href=\"/\">Repositories</a></header><main><h1>{title}</h1>{body}</main></body></html>\n",
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

/// A path as it stands in an address.
fn address(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC).to_string()
    });
    parts.collect::<Vec<_>>().join("/")
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
        ["commit", id] if reads(Unit::Code) => commit(world, git, repo, id),
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
    let links = links.map(|(text, path)| link(&format!("/{name}{path}"), text));
    format!("<nav>{}</nav>", links.concat())
}

/// A word for how far something is, in its colour.
fn badge(word: &str) -> String {
    let word = escape(word);
    format!("<small class=\"{word}\">{word}</small>")
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
            &format!("{}<p>There is no commit yet.</p>", heading(world, repo)),
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
            let shown = |entry: &super::git::TreeEntry| {
                let slash = if entry.kind() == EntryKind::Tree {
                    "/"
                } else {
                    ""
                };
                let target = format!("/{name}/src/{}", address(&below(&entry.name)));
                link(&target, &format!("{}{slash}", entry.name))
            };
            list(entries.iter().map(shown))
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
        &format!("{}{body}", heading(world, repo)),
        false,
    ))
}

/// One commit with what it changed.
fn commit(world: &World, git: &Git, repo: &Repository, id: &str) -> Option<Reply> {
    let commit = git.commit(repo.id, id).ok()?;
    let arguments = [
        "show",
        "--format=",
        "--stat",
        "-p",
        "--end-of-options",
        &commit.id,
    ];
    let mut text = git.output(repo.id, &arguments).ok()?;
    text.truncate(FILE_MAX);
    let body = format!(
        "{}<pre>{}</pre><p>{} <small>{}</small></p><pre>{}</pre>",
        heading(world, repo),
        escape(&commit.message),
        escape(&commit.author.name),
        super::clock::rfc3339(commit.committer.seconds),
        escape(&String::from_utf8_lossy(&text))
    );
    Some(html(200, commit.title(), &body, false))
}

fn commits(world: &World, git: &Git, repo: &Repository) -> Option<Reply> {
    let name = permission::full_name(world, repo);
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
        let target = format!("/{name}/commit/{}", commit.id);
        format!(
            "{} <code>{}</code><small>{} {when}</small>",
            link(&target, commit.title()),
            &commit.id[..10],
            escape(&commit.author.name)
        )
    });
    let title = format!("Commits of {name}");
    Some(html(
        200,
        &title,
        &format!("{}{}", heading(world, repo), list(items)),
        false,
    ))
}
