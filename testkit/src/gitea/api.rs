//! All operations, and the way of a call to one of them.

use std::sync::OnceLock;

use super::auth;
use super::call::Call;
use super::reply::{Body, Reply};
use super::router::{Found, Route, Router, Run, placed};
use super::scene::Scene;
use super::{Gitea, Handled, actions, hooks, pages, runners, smart, versions};

pub(crate) use templates::escape;
pub(crate) use tokens::add as add_token;

pub mod account;
mod admin;
mod applications;
pub mod branches;
pub(crate) mod comments;
pub mod commits;
pub mod files;
pub(crate) mod issues;
pub(crate) mod kept;
mod keys;
pub(crate) mod labels;
mod milestones;
mod objects;
pub mod orgs;
mod people;
mod protections;
pub(crate) mod pulls;
mod quiet;
pub mod releases;
pub mod repos;
mod reviews;
mod server;
pub mod statuses;
mod tags;
pub mod teams;
mod templates;
mod tokens;
pub mod users;

/// Every table of routes below `/api/v1`.
const TABLES: &[&[Route]] = &[
    server::ROUTES,
    templates::ROUTES,
    users::ROUTES,
    account::ROUTES,
    tokens::ROUTES,
    applications::ROUTES,
    keys::ROUTES,
    admin::ROUTES,
    orgs::ROUTES,
    teams::ROUTES,
    repos::ROUTES,
    repos::create::ROUTES,
    repos::edit::ROUTES,
    repos::copies::ROUTES,
    people::ROUTES,
    files::ROUTES,
    files::change::ROUTES,
    files::raw::ROUTES,
    commits::ROUTES,
    objects::ROUTES,
    branches::ROUTES,
    tags::ROUTES,
    statuses::ROUTES,
    releases::ROUTES,
    releases::files::ROUTES,
    issues::ROUTES,
    issues::around::ROUTES,
    labels::ROUTES,
    milestones::ROUTES,
    comments::ROUTES,
    pulls::ROUTES,
    pulls::content::ROUTES,
    pulls::merge::ROUTES,
    reviews::ROUTES,
    protections::ROUTES,
    quiet::ROUTES,
    hooks::ROUTES,
];

/// Something outside `/api/v1`: answers, or `None` when the path is not its own.
pub type Door = fn(&Gitea, &Call) -> Option<Handled>;

/// The doors in the order in which they are asked.
const DOORS: &[Door] = &[
    server::health,
    server::description,
    runners::door,
    releases::files::door,
    smart::door,
    pages::door,
];

fn router() -> &'static Router {
    static ROUTER: OnceLock<Router> = OnceLock::new();
    ROUTER.get_or_init(|| Router::new(&[TABLES, &actions::TABLES].concat()))
}

impl Gitea {
    /// Answers one call.
    pub fn handle(&self, call: Call) -> Handled {
        let base = call.base.clone();
        let seen = self.journal.as_ref().map(|journal| (journal, call.clone()));
        let path = collapsed(&call.path);
        let mut handled = match path
            .strip_prefix("/api/v1")
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        {
            Some(rest) => self.rest(rest, call),
            None => self.elsewhere(&call),
        };
        handled.reply = handled.reply.finish(&base);
        if let Some((journal, call)) = seen {
            journal.record_call(&call, &handled.reply);
        }
        handled
    }

    fn elsewhere(&self, call: &Call) -> Handled {
        let found = DOORS.iter().find_map(|door| door(self, call));
        found
            .unwrap_or_else(|| Reply::bytes(404, "text/plain;charset=utf-8", "Not found.\n").into())
    }

    fn rest(&self, path: &str, mut call: Call) -> Handled {
        let warns = auth::used_query(&call);
        let renamed = versions::addressed(self.minor, &mut call, path);
        let path = renamed.as_deref().unwrap_or(path);
        let (route, params) = match router().find(&call.method, path) {
            Found::Route(route, params) => (route, params),
            found => return found.refusal().into(),
        };
        let mut handled = self.versioned(route, placed(call, params));
        if warns {
            let text = "token and access_token API authentication is deprecated and will be removed in gitea 1.23. Please use AuthorizationHeaderToken instead. Existing queries will continue to work but without authorization.";
            handled.reply = handled.reply.with_header("x-gitea-warning", text);
        }
        handled
    }

    /// The route as the played release has it.
    fn versioned(&self, route: &'static Route, mut call: Call) -> Handled {
        if let Some(refusal) = versions::lacks(self.minor, route) {
            return refusal.into();
        }
        if let Err(refusal) = versions::asked(self.minor, route, &mut call) {
            return refusal.into();
        }
        let mut handled = self.route(route, &call);
        if self.minor < 26 {
            handled.reply =
                self.read(|world, _| versions::answered(world, self.minor, route, handled.reply));
        }
        handled
    }

    fn route(&self, route: &Route, call: &Call) -> Handled {
        let doer = self
            .authenticate(&auth::shown(call))
            .and_then(|doer| self.sudo(call, doer));
        let doer = match doer {
            Ok((doer, sudo)) => match doer
                .as_ref()
                .filter(|_| !sudo)
                .map_or(Ok(()), |doer| self.check_password_change(doer))
            {
                Ok(()) => doer,
                Err(refusal) => return refusal.into(),
            },
            Err(refusal) => return refusal.into(),
        };
        match route.run {
            Run::Read(run) => {
                let key = self
                    .keeps()
                    .and_then(|_| kept::key(route, call, doer.as_ref()));
                self.read(|world, git| {
                    let state = self.state();
                    let have = key.as_ref().and_then(|key| self.kept.get(state, key));
                    if let Some(reply) = have {
                        return reply.into();
                    }
                    let mut scene = Scene::new(call, git, doer);
                    let reply = either(scene.enter(world, route).and_then(|()| run(world, &scene)));
                    match key {
                        Some(key) => self.kept.put(state, key, reply).into(),
                        None => reply.into(),
                    }
                })
            }
            Run::Write(run) => {
                let (reply, receipt) = self.write(|world, git, effects| {
                    let mut scene = Scene::new(call, git, doer);
                    let reply = either(
                        scene
                            .enter(world, route)
                            .and_then(|()| run(world, &mut scene)),
                    );
                    *effects = scene.effects;
                    reply
                });
                Handled { reply, receipt }
            }
        }
    }
}

fn either(answer: Result<Reply, Reply>) -> Reply {
    answer.unwrap_or_else(|refusal| refusal)
}

/// The path with runs of slashes as one.
fn collapsed(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter != '/' || !text.ends_with('/') {
            text.push(letter);
        }
    }
    text
}

/// Whether a call is answered from memory alone, so that no thread of its own is worth the while.
#[must_use]
pub fn is_quick(call: &Call) -> bool {
    let with_password = call
        .header("authorization")
        .is_some_and(|value| value.len() > 5 && value[..5].eq_ignore_ascii_case("basic"));
    let parts = call.path.split('/').filter(|part| !part.is_empty()).count();
    let reads = call.method == "GET" && call.path.starts_with("/api/");
    let last = call.path.trim_end_matches('/').rsplit('/').next();
    let listed = call.path.contains("/actions/")
        && matches!(
            last,
            Some("runs" | "jobs" | "tasks" | "runners" | "variables" | "secrets")
        );
    let short = reads && (parts <= 5 || listed);
    !with_password && (short || call.path.starts_with("/api/actions/"))
}

/// The body of an answer as JSON, for tests and for those who look over our shoulder.
#[must_use]
pub fn json_of(reply: &Reply) -> Option<&serde_json::Value> {
    match &reply.body {
        Body::Json(value) => Some(value),
        Body::Written(value, _) => Some(value),
        Body::Empty | Body::Problem(_) | Body::Bytes(..) | Body::Stream(..) => None,
    }
}
