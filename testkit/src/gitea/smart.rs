//! Git over HTTP: who may fetch and push, and the two services behind it.
//!
//! Fetching is `git upload-pack` itself. Pushing is taken apart here, so that what git does in hooks
//! happens in this process: `git unpack-objects` or `git index-pack` store what came in a quarantine,
//! `git rev-list` says whether it is complete, and then references, records and events move together.

use super::access::{Doer, Mode, Unit};
use super::auth;
use super::call::Call;
use super::reply::Reply;
use super::scope::{Category, Level};
use super::world::{Repository, World};
use super::{Gitea, Handled, permission};

mod fetch;
mod flow;
pub mod packet;
mod receive;
mod report;
mod verdict;

/// One of the two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Fetch and clone.
    UploadPack,
    /// Push.
    ReceivePack,
}

impl Service {
    /// The name after `git-`.
    fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "upload-pack",
            Self::ReceivePack => "receive-pack",
        }
    }

    fn of(word: &str) -> Option<Self> {
        match word {
            "git-upload-pack" => Some(Self::UploadPack),
            "git-receive-pack" => Some(Self::ReceivePack),
            _ => None,
        }
    }
}

/// What a path asks of a repository.
enum Asked {
    Advertisement,
    Exchange(Service),
}

/// Whether the body of a request with this path may be large.
#[must_use]
pub fn takes_body(path: &str) -> bool {
    path.ends_with("/git-upload-pack") || path.ends_with("/git-receive-pack")
}

/// Text as the web side of the real one writes it.
const PLAIN: &str = "text/plain;charset=utf-8";

/// Everything below `/{owner}/{repo}.git/` that git asks for.
pub(crate) fn door(gitea: &Gitea, call: &Call) -> Option<Handled> {
    let mut parts = call.path.trim_start_matches('/').splitn(3, '/');
    let (owner, repo, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let asked = match rest {
        "info/refs" => Asked::Advertisement,
        rest => Asked::Exchange(Service::of(rest)?),
    };
    let decode = |part: &str| {
        percent_encoding::percent_decode_str(part)
            .decode_utf8_lossy()
            .into_owned()
    };
    let (owner, repo) = (decode(owner), decode(repo));
    let name = repo.strip_suffix(".git").unwrap_or(&repo).to_owned();
    Some(answer(gitea, call, &asked, &owner, &name).unwrap_or_else(Handled::from))
}

fn answer(
    gitea: &Gitea,
    call: &Call,
    asked: &Asked,
    owner: &str,
    name: &str,
) -> Result<Handled, Reply> {
    let service = match asked {
        Asked::Exchange(_) if call.method != "POST" => {
            return Err(Reply::empty(405).with_header("allow", "OPTIONS"));
        }
        Asked::Exchange(service) => *service,
        Asked::Advertisement => Service::of(call.query("service").unwrap_or_default())
            .ok_or_else(|| Reply::empty(400))?,
    };
    let guest = admit(gitea, call, service, owner, name)?;
    match asked {
        Asked::Advertisement => fetch::advertise(gitea, call, &guest, service).map(Handled::from),
        Asked::Exchange(Service::UploadPack) => {
            fetch::exchange(gitea, call, &guest).map(Handled::from)
        }
        Asked::Exchange(Service::ReceivePack) => receive::exchange(gitea, call, &guest),
    }
}

/// Somebody who was let in.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    /// Who it is; `None` for the anonymous, who may only fetch.
    pub(crate) doer: Option<Doer>,
    /// The repository.
    pub(crate) repo: i64,
    /// Whether it may write files; checked before anything moves.
    pub(crate) may_write: bool,
    /// The repository's address, for links.
    pub(crate) address: String,
}

fn admit(
    gitea: &Gitea,
    call: &Call,
    service: Service,
    owner: &str,
    name: &str,
) -> Result<Guest, Reply> {
    let moved = gitea.read(|world, _| moved(world, call, owner, name));
    if let Some(moved) = moved {
        return Err(moved);
    }
    let doer = gitea.authenticate(&auth::shown(call)).map_err(|refusal| match refusal.status {
        401 => Reply::text(401, "Failed to authenticate user\n"),
        status => Reply::text(status, "This account is prohibited from signing in, please contact your site administrator.\n"),
    })?;
    if let Some(doer) = &doer {
        gitea
            .check_password_change(doer)
            .map_err(|_| Reply::text(403, "You must change your password.\n"))?;
    }
    gitea.read(|world, _| let_in(world, call, service, owner, name, doer))
}

fn let_in(
    world: &World,
    call: &Call,
    service: Service,
    owner: &str,
    name: &str,
    doer: Option<Doer>,
) -> Result<Guest, Reply> {
    let Some((owner, account)) = world.owner(owner) else {
        return Err(Reply::bytes(404, PLAIN, "Not found.\n"));
    };
    let repo = world.repo_of(owner, name).map(|(_, repo)| repo);
    let is_push = service == Service::ReceivePack;
    let is_open = repo.is_some_and(|repo| !is_push && permission::access(world, None, repo).any());
    if doer.is_none() && !is_open {
        return Err(Reply::text(401, "Unauthorized\n")
            .with_header("www-authenticate", "Basic realm=\"Gitea\""));
    }
    let Some(repo) = repo else {
        let whose = if account.is_organization() {
            "organizations"
        } else {
            "users"
        };
        return Err(if is_push {
            Reply::bytes(
                403,
                PLAIN,
                format!("Push to create is not enabled for {whose}."),
            )
        } else {
            Reply::bytes(404, PLAIN, "Repository not found")
        });
    };
    // Before 1.26 who may only read is told of the references, and refused when the push comes.
    let asks = call.method == "GET" && world.settings.minor() < 26;
    if !is_open && !scope_allows(doer.as_ref(), repo, is_push && !asks) {
        return Err(Reply::text(403, "Forbidden\n"));
    }
    let access = permission::access(world, doer.as_ref(), repo);
    if access.to(Unit::Code) < Mode::Read {
        return Err(Reply::bytes(404, PLAIN, "Repository not found"));
    }
    if is_push && repo.archived {
        let text = "This repo is archived. You can view files and clone it, but cannot push or open issues/pull-requests.";
        return Err(Reply::bytes(403, PLAIN, text));
    }
    if is_push && repo.mirror.is_some() {
        return Err(Reply::bytes(403, PLAIN, "mirror repository is read-only"));
    }
    let address = format!("{}/{}", call.base, permission::full_name(world, repo));
    Ok(Guest {
        doer,
        repo: repo.id,
        may_write: access.to(Unit::Code) >= Mode::Write,
        address,
    })
}

fn scope_allows(doer: Option<&Doer>, repo: &Repository, is_push: bool) -> bool {
    let Some(scopes) = doer.and_then(Doer::scopes) else {
        return true;
    };
    let level = if is_push { Level::Write } else { Level::Read };
    scopes.covers(&[Category::Repository], level) && !(scopes.public_only && repo.private)
}

/// The redirection of an old name.
fn moved(world: &World, call: &Call, owner: &str, name: &str) -> Option<Reply> {
    let rest = call.path.trim_start_matches('/').splitn(3, '/').nth(2)?;
    let query: Vec<String> = call
        .query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{}", query.join("&"))
    };
    let (status, target) = match world.owner(owner) {
        None => {
            let found = world
                .redirects
                .find(&owner.to_lowercase())
                .and_then(|redirect| world.owners.get(redirect.owner))?;
            (307, format!("/{}/{name}.git/{rest}", found.login))
        }
        Some((owner, _)) if world.repo_of(owner, name).is_none() => {
            let redirect = world
                .repo_redirects
                .find(&Repository::index_of(owner, name))?;
            let repo = world.repos.get(redirect.repo)?;
            (
                301,
                format!("/{}/{rest}", permission::full_name(world, repo)),
            )
        }
        Some(_) => return None,
    };
    let target = format!("{target}{query}");
    Some(Reply::bytes(status, "text/html; charset=utf-8", "").with_header("location", target))
}
