//! From a path to its handler: tables of routes, compiled once into a tree.
//!
//! Every subject has its own file with its own `pub(crate) const ROUTES: &[Route]`, and
//! [`super::api`] lists them. A pattern is written as the API documents it: `/repos/{owner}/{repo}/keys/{id}`;
//! a last part `*` takes the rest of the path with its slashes.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::access::Unit;
use super::call::Call;
use super::reply::{Answer, Reply};
use super::scene::Scene;
use super::scope::Category;
use super::world::World;

/// One operation of the API.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// `GET`, `POST`, ….
    pub method: &'static str,
    /// The pattern below `/api/v1`.
    pub path: &'static str,
    /// What the path names, looked up before anything else; its absence is the 404.
    pub place: Place,
    /// What a token must be allowed to do: checked one group after the other, each as a whole,
    /// before the place is looked up. GET needs reading, everything else writing.
    pub scopes: &'static [&'static [Category]],
    /// What is checked next, in this order.
    pub needs: &'static [Need],
    /// What is done at last.
    pub run: Run,
}

/// The two kinds of handlers.
///
/// Readers run side by side; a writer runs alone. Both may ask git through [`Scene::git`].
#[derive(Debug, Clone, Copy)]
pub enum Run {
    /// Looks only.
    Read(fn(&World, &Scene<'_>) -> Answer),
    /// Changes the world, and tells what happened through [`Scene::effects`].
    Write(fn(&mut World, &mut Scene<'_>) -> Answer),
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nothing in particular.
    Nowhere,
    /// A repository, by `{owner}` and `{repo}`: [`Scene::repo`] and [`Scene::access`] are set.
    Repo,
    /// An organisation, by `{org}`: [`Scene::owner`] is set.
    Org,
    /// A user (or organisation), by `{username}`: [`Scene::owner`] is set.
    User,
    /// The same for site administrators, who see everybody and get no redirection's answer.
    AdminUser,
    /// A team, by `{id}`: [`Scene::team`] and [`Scene::owner`] are set.
    Team,
}

/// A check before the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// 401 for the anonymous.
    SignedIn,
    /// 401 unless a password (or a token as password) was sent.
    BasicAuth,
    /// 403 unless a site administrator.
    SiteAdmin,
    /// 403 unless the user in the path or a site administrator.
    SelfOrAdmin,
    /// 403 for tokens that may see public things only.
    NotPublicOnly,
    /// 403 unless some unit of the repository may be read.
    AnyReader,
    /// 403 unless one of these units may be read.
    Reader(&'static [Unit]),
    /// 403 unless one of these units may be written.
    Writer(&'static [Unit]),
    /// 403 unless an administrator of the repository.
    RepoAdmin,
    /// 403 unless the owner of the repository.
    RepoOwner,
    /// 423 when the repository is archived.
    NotArchived,
    /// 404 when the repository has no commit.
    HasCommits,
    /// The same without a reason.
    HasCommitsPlainly,
    /// 404 unless one of these units is on.
    UnitOn(&'static [Unit]),
    /// 403 unless an owner of the organisation (or of the team's).
    OrgOwner,
    /// 403 unless a member of the organisation.
    OrgMember,
    /// 404 or 403 unless a member of the team or an owner of its organisation.
    TeamMember,
}

/// What the tree says about a path.
#[derive(Debug)]
pub enum Found {
    /// This route, with the parts of the path.
    Route(&'static Route, Vec<(&'static str, String)>),
    /// The path is known with other methods only.
    MethodNotAllowed(Vec<&'static str>),
    /// The path is not known.
    Nothing,
    /// The path is not well encoded.
    Malformed,
}

/// The compiled tables.
#[derive(Debug, Default)]
pub struct Router {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    fixed: BTreeMap<&'static str, Self>,
    any: Option<Box<Self>>,
    ends: Vec<&'static Route>,
    rests: Vec<&'static Route>,
}

impl Router {
    /// Compiles tables.
    #[must_use]
    pub fn new(tables: &[&'static [Route]]) -> Self {
        let mut router = Self::default();
        for route in tables.iter().flat_map(|table| table.iter()) {
            router.add(route);
        }
        router
    }

    fn add(&mut self, route: &'static Route) {
        let mut node = &mut self.root;
        for part in route.path.split('/').filter(|part| !part.is_empty()) {
            if part == "*" {
                node.rests.push(route);
                return;
            }
            node = if part.starts_with('{') {
                node.any.get_or_insert_default()
            } else {
                node.fixed.entry(part).or_default()
            };
        }
        node.ends.push(route);
    }

    /// Looks a path (below `/api/v1`) up.
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> Found {
        if !is_well_encoded(path) {
            return Found::Malformed;
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let mut candidates = Vec::new();
        self.root.collect(&parts, 0, &mut candidates);
        if let Some((route, depth)) = candidates.iter().find(|(route, _)| route.method == method) {
            return Found::Route(route, named(route, &parts, *depth));
        }
        let mut methods: Vec<&'static str> =
            candidates.iter().map(|(route, _)| route.method).collect();
        methods.sort_unstable();
        methods.dedup();
        if methods.is_empty() {
            Found::Nothing
        } else {
            Found::MethodNotAllowed(methods)
        }
    }
}

impl Node {
    /// All routes that fit, the most literal first; with each, how many parts came before a `*`.
    fn collect(&self, parts: &[&str], depth: usize, into: &mut Vec<(&'static Route, usize)>) {
        if depth == parts.len() {
            into.extend(self.ends.iter().map(|route| (*route, depth)));
            return;
        }
        if let Some(next) = self.fixed.get(parts[depth]) {
            next.collect(parts, depth + 1, into);
        }
        if let Some(next) = &self.any {
            next.collect(parts, depth + 1, into);
        }
        into.extend(self.rests.iter().map(|route| (*route, depth)));
    }
}

fn named(route: &'static Route, parts: &[&str], depth: usize) -> Vec<(&'static str, String)> {
    let pattern = route.path.split('/').filter(|part| !part.is_empty());
    let mut params: Vec<(&'static str, String)> = pattern
        .zip(parts)
        .filter_map(|(name, part)| {
            name.strip_prefix('{')
                .and_then(|name| name.strip_suffix('}'))
                .map(|name| (name, decoded(part)))
        })
        .collect();
    if route.path.ends_with("/*") {
        params.push(("*", decoded(&parts[depth..].join("/"))));
    }
    params
}

fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

fn is_well_encoded(path: &str) -> bool {
    let bytes = path.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'%' || (is_hex(at + 1) && is_hex(at + 2)))
}

impl Found {
    /// The answer where there is no route.
    #[must_use]
    pub fn refusal(&self) -> Reply {
        match self {
            Self::MethodNotAllowed(methods) => {
                methods.iter().fold(Reply::empty(405), |reply, method| {
                    reply.with_header("allow", *method)
                })
            }
            Self::Malformed => Reply::text(400, "400 Bad Request"),
            Self::Route(..) | Self::Nothing => Reply::text(404, "404 page not found\n"),
        }
    }
}

/// The call with what the route found in its path.
#[must_use]
pub fn placed(mut call: Call, params: Vec<(&'static str, String)>) -> Call {
    call.params = params;
    call
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &World, _: &Scene<'_>) -> Answer {
        Ok(Reply::no_content())
    }

    const fn route(method: &'static str, path: &'static str) -> Route {
        Route {
            method,
            path,
            place: Place::Nowhere,
            scopes: &[],
            needs: &[],
            run: Run::Read(nothing),
        }
    }

    static TABLE: [Route; 5] = [
        route("GET", "/repos/{owner}/{repo}"),
        route("GET", "/repos/issues/search"),
        route("GET", "/repos/{owner}/{repo}/contents"),
        route("GET", "/repos/{owner}/{repo}/contents/*"),
        route("DELETE", "/repos/{owner}/{repo}"),
    ];

    fn found(method: &str, path: &str) -> String {
        match Router::new(&[&TABLE]).find(method, path) {
            Found::Route(route, params) => format!("{} {params:?}", route.path),
            Found::MethodNotAllowed(methods) => format!("{methods:?}"),
            Found::Nothing => "nothing".into(),
            Found::Malformed => "malformed".into(),
        }
    }

    #[test]
    fn a_literal_part_wins_over_a_name() {
        assert_eq!(
            found("GET", "/repos/issues/search"),
            "/repos/issues/search []"
        );
        assert_eq!(
            found("GET", "//repos/a%2Fb/r/"),
            r#"/repos/{owner}/{repo} [("owner", "a/b"), ("repo", "r")]"#
        );
    }

    #[test]
    fn a_star_takes_the_rest() {
        let want =
            r#"/repos/{owner}/{repo}/contents/* [("owner", "o"), ("repo", "r"), ("*", "a/b c")]"#;
        assert_eq!(found("GET", "/repos/o/r/contents/a/b%20c"), want);
    }

    #[test]
    fn a_known_path_with_another_method_names_those_it_has() {
        assert_eq!(found("POST", "/repos/o/r"), r#"["DELETE", "GET"]"#);
        assert_eq!(found("GET", "/rep%6fs/o/r"), "nothing");
        assert_eq!(found("GET", "/repos/o/%zz"), "malformed");
    }
}
