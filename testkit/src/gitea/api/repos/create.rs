//! Making repositories.

use std::collections::BTreeMap;

use crate::gitea::access::Doer;
use crate::gitea::api::{orgs, templates};
use crate::gitea::bind::{Body, Rule, Schema, bind, flag, ruled, text};
use crate::gitea::committing::{self, Draft};
use crate::gitea::git::Edit;
use crate::gitea::projects;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::scope::Category;
use crate::gitea::world::World;

const OWN: &[&[Category]] = &[&[Category::User], &[Category::Repository]];
const ORG: &[&[Category]] = &[&[Category::Organization]];

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/user/repos",
        place: Place::Nowhere,
        scopes: OWN,
        needs: &[Need::SignedIn, Need::NotPublicOnly],
        run: Run::Write(create_own),
    },
    Route {
        method: "POST",
        path: "/orgs/{org}/repos",
        place: Place::Org,
        scopes: ORG,
        needs: &[Need::SignedIn],
        run: Run::Write(create_in_org),
    },
    Route {
        method: "POST",
        path: "/org/{org}/repos",
        place: Place::Org,
        scopes: ORG,
        needs: &[Need::SignedIn],
        run: Run::Write(create_in_org),
    },
    Route {
        method: "POST",
        path: "/admin/users/{username}/repos",
        place: Place::AdminUser,
        scopes: &[&[Category::Admin]],
        needs: &[Need::SignedIn, Need::SiteAdmin],
        run: Run::Write(create_for_user),
    },
];

static CREATE: Schema = Schema {
    name: "CreateRepoOption",
    fields: &[
        ruled(
            "name",
            "Name",
            &[Rule::Required, Rule::AlphaDashDot, Rule::Max(100)],
        ),
        ruled("description", "Description", &[Rule::Max(2048)]),
        flag("private", "Private"),
        text("issue_labels", "IssueLabels"),
        flag("auto_init", "AutoInit"),
        flag("template", "Template"),
        text("gitignores", "Gitignores"),
        text("license", "License"),
        text("readme", "Readme"),
        ruled(
            "default_branch",
            "DefaultBranch",
            &[Rule::RefName, Rule::Max(100)],
        ),
        text("trust_model", "TrustModel"),
        text("object_format_name", "ObjectFormatName"),
    ],
};

fn create_own(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    create(world, scene, scene.doer_id(), &body)
}

fn create_in_org(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    let org = scene.account(world)?;
    if !crate::gitea::permission::sees_owner(world, scene.doer.as_ref(), org) {
        return Err(Reply::not_found_in_none("HasOrgOrUserVisible"));
    }
    if !orgs::may_create_in(world, scene.doer()?, scene.owner) {
        return Err(Reply::error(
            403,
            "User is not allowed to create repositories in this organization.",
        ));
    }
    create(world, scene, scene.owner, &body)
}

fn create_for_user(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    create(world, scene, scene.owner, &body)
}

/// Why a name cannot be had with this owner.
pub(crate) fn check_name(
    world: &World,
    scene: &Scene<'_>,
    owner: i64,
    name: &str,
) -> Result<(), Reply> {
    if name.contains("..") {
        return Err(scene.internal(&format!(
            "name is invalid [{name}]: must be valid alpha or numeric or dash(-_) or dot characters"
        )));
    }
    projects::check_name(name).map_err(|text| Reply::error(422, text))?;
    if world.repo_of(owner, name).is_some() {
        return Err(Reply::error(
            409,
            "The repository with the same name already exists.",
        ));
    }
    let limit = world.owners.get(owner).map_or(-1, |owner| owner.max_repos);
    let have = i64::try_from(world.repos.of(owner).count()).unwrap_or(i64::MAX);
    if limit >= 0 && have >= limit && !scene.doer.as_ref().is_some_and(|doer| doer.admin) {
        return Err(Reply::error(
            403,
            format!("user has reached maximum limit of repositories [limit: {limit}]"),
        ));
    }
    Ok(())
}

fn create(world: &mut World, scene: &mut Scene<'_>, owner: i64, body: &Body) -> Answer {
    let name = body.text_or_empty("name");
    let readme = body.text_or_empty("readme");
    if !matches!(readme, "" | "Default") {
        return Err(Reply::error(
            400,
            format!("readme template does not exist, available templates: [Default] [{readme}]"),
        ));
    }
    let format = body.text_or_empty("object_format_name");
    if !matches!(format, "" | "sha1") {
        return Err(scene.internal(&format!("unsupported object format: {format}")));
    }
    check_name(world, scene, owner, name)?;
    let initial = if body.flag("auto_init").unwrap_or_default() {
        Some(initial_files(scene, body)?)
    } else {
        None
    };
    let git = scene.git.clone();
    let made = projects::create(world, &git, scene.doer_id(), owner, name, |repo| {
        body.text_or_empty("description")
            .clone_into(&mut repo.description);
        repo.private = body.flag("private").unwrap_or_default();
        repo.template = body.flag("template").unwrap_or_default();
        body.text_or_empty("trust_model")
            .clone_into(&mut repo.trust_model);
        if let Some(branch) = body
            .text("default_branch")
            .filter(|branch| !branch.is_empty())
        {
            branch.clone_into(&mut repo.default_branch);
        }
    });
    let id = made.map_err(|error| scene.internal(&error.to_string()))?;
    projects::announce(world, id, "created", scene.doer_id(), &mut scene.effects);
    if let Some(files) = initial {
        first_commit(world, scene, id, &files)?;
    }
    let license = body.text_or_empty("license");
    if !license.is_empty() && body.flag("auto_init").unwrap_or_default() {
        world
            .repos
            .update(id, |repo| repo.licenses = vec![license.to_owned()]);
    }
    answer(world, scene, id)
}

/// 201 with a new repository as its maker sees it.
pub(crate) fn answer(world: &World, scene: &Scene<'_>, id: i64) -> Answer {
    let repo = world.repos.get(id).ok_or_else(Reply::not_found)?;
    Ok(Reply::created(super::view(
        world,
        &scene.call.base,
        scene.doer.as_ref(),
        repo,
        &scene.access_to(world, repo),
    )))
}

/// The files of the first commit by their paths.
fn initial_files(scene: &Scene<'_>, body: &Body) -> Result<BTreeMap<String, String>, Reply> {
    let (name, description) = (
        body.text_or_empty("name"),
        body.text_or_empty("description"),
    );
    let mut files =
        BTreeMap::from([("README.md".to_owned(), format!("# {name}\n\n{description}"))]);
    let ignored: Vec<&str> = body
        .text_or_empty("gitignores")
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    let mut text = String::new();
    for template in ignored {
        let found = templates::gitignore(template).ok_or_else(|| {
            scene.internal(&format!("getRepoInitFile[{template}]: file does not exist"))
        })?;
        text.push_str(&format!("# ---> {template}\n{found}\n"));
    }
    if !text.is_empty() {
        files.insert(".gitignore".into(), text);
    }
    let license = body.text_or_empty("license");
    if !license.is_empty() {
        let found = templates::license(license).ok_or_else(|| {
            scene.internal(&format!("GetLicense[{license}]: file does not exist"))
        })?;
        files.insert("LICENSE".into(), found.to_owned());
    }
    Ok(files)
}

fn first_commit(
    world: &mut World,
    scene: &mut Scene<'_>,
    id: i64,
    files: &BTreeMap<String, String>,
) -> Result<(), Reply> {
    let mut edits = BTreeMap::new();
    for (path, text) in files {
        let blob = scene
            .git
            .store(id, crate::gitea::git::Kind::Blob, text.as_bytes())
            .map_err(|error| scene.internal(&error.to_string()))?;
        edits.insert(
            path.clone(),
            Edit::Put {
                id: blob,
                mode: 0o100_644,
            },
        );
    }
    first_commit_of(world, scene, id, &edits)
}

/// The first commit of a repository, on its default branch.
pub(crate) fn first_commit_of(
    world: &mut World,
    scene: &mut Scene<'_>,
    id: i64,
    edits: &BTreeMap<String, Edit>,
) -> Result<(), Reply> {
    let git = scene.git;
    let broken = |error: crate::gitea::git::Error| Reply::internal(&error.to_string(), true);
    let tree = git.edit_tree(id, None, edits).map_err(broken)?;
    let branch = world
        .repos
        .get(id)
        .map(|repo| repo.default_branch.clone())
        .unwrap_or_default();
    let person = committing::person_of(world, scene.doer_id());
    let draft = Draft {
        tree,
        parents: Vec::new(),
        author: person.clone(),
        committer: person,
        message: "Initial commit\n".into(),
    };
    let commit = committing::store(git, id, &draft).map_err(broken)?;
    let doer = scene.doer_id();
    committing::move_branch(
        world,
        git,
        id,
        &branch,
        None,
        &commit,
        doer,
        &mut scene.effects,
    )
}

/// Whether a doer may make repositories for an owner.
pub(crate) fn may_create_for(world: &World, doer: &Doer, owner: i64) -> bool {
    doer.admin || doer.id == owner || orgs::may_create_in(world, doer, owner)
}
