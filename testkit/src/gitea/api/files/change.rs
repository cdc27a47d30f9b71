//! Changing files by the API: one or several in one commit.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Found, Shown, tidy, view};
use crate::gitea::access::{Mode, Unit};
use crate::gitea::api::commits::{self, Addresses, broken};
use crate::gitea::api::repos::REPO;
use crate::gitea::bind::{Body, Field, Kind, Rule, Schema, bind, flag, of, ruled, text};
use crate::gitea::clock::{ZERO, rfc3339};
use crate::gitea::committing::{self, Draft, clean};
use crate::gitea::git::{Commit, Edit, EntryKind, Kind as ObjectKind, Person, TreeEntry};
use crate::gitea::permission;
use crate::gitea::protection;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

pub(crate) const ROUTES: &[Route] = &[
    write("POST", "/repos/{owner}/{repo}/contents", several),
    write("POST", "/repos/{owner}/{repo}/contents/*", create),
    write("PUT", "/repos/{owner}/{repo}/contents/*", update),
    write("DELETE", "/repos/{owner}/{repo}/contents/*", delete),
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
        needs: &[Need::SignedIn],
        run: Run::Write(run),
    }
}

static IDENTITY: Schema = Schema {
    name: "Identity",
    fields: &[
        text("name", "Name"),
        ruled("email", "Email", &[Rule::Max(254)]),
    ],
};
static DATES: Schema = Schema {
    name: "CommitDateOptions",
    fields: &[
        of("author", "Author", Kind::Time),
        of("committer", "Committer", Kind::Time),
    ],
};

const MESSAGE: Field = text("message", "Message");
const BRANCH: Field = ruled("branch", "BranchName", &[Rule::RefName, Rule::Max(100)]);
const NEW_BRANCH: Field = ruled(
    "new_branch",
    "NewBranchName",
    &[Rule::RefName, Rule::Max(100)],
);
const FORCE: Field = flag("force_push", "ForcePush");
const AUTHOR: Field = of("author", "Author", Kind::Object(&IDENTITY));
const COMMITTER: Field = of("committer", "Committer", Kind::Object(&IDENTITY));
const WHEN: Field = of("dates", "Dates", Kind::Object(&DATES));
const SIGNOFF: Field = flag("signoff", "Signoff");
const CONTENT: Field = text("content", "ContentBase64");
const SHA: Field = text("sha", "SHA");

static CREATE: Schema = Schema {
    name: "CreateFileOptions",
    fields: &[
        MESSAGE, BRANCH, NEW_BRANCH, FORCE, AUTHOR, COMMITTER, WHEN, SIGNOFF, CONTENT,
    ],
};
static UPDATE: Schema = Schema {
    name: "UpdateFileOptions",
    fields: &[
        MESSAGE,
        BRANCH,
        NEW_BRANCH,
        FORCE,
        AUTHOR,
        COMMITTER,
        WHEN,
        SIGNOFF,
        SHA,
        CONTENT,
        ruled("from_path", "FromPath", &[Rule::Max(500)]),
    ],
};
static DELETE: Schema = Schema {
    name: "DeleteFileOptions",
    fields: &[
        MESSAGE,
        BRANCH,
        NEW_BRANCH,
        FORCE,
        AUTHOR,
        COMMITTER,
        WHEN,
        SIGNOFF,
        ruled("sha", "SHA", &[Rule::Required]),
    ],
};
static OPERATION: Schema = Schema {
    name: "ChangeFileOperation",
    fields: &[
        ruled("operation", "Operation", &[Rule::Required]),
        ruled("path", "Path", &[Rule::Required, Rule::Max(500)]),
        CONTENT,
        SHA,
        text("from_path", "FromPath"),
    ],
};
static SEVERAL: Schema = Schema {
    name: "ChangeFilesOptions",
    fields: &[
        MESSAGE,
        BRANCH,
        NEW_BRANCH,
        FORCE,
        AUTHOR,
        COMMITTER,
        WHEN,
        SIGNOFF,
        of("files", "Files", Kind::Objects(&OPERATION)),
    ],
};

/// What shall become of one file.
struct Operation {
    word: String,
    path: String,
    from: String,
    sha: String,
    content: Option<Vec<u8>>,
}

fn create(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &CREATE)?;
    allow(world, scene)?;
    let operation = single(scene, &body, "create", "")?;
    one(world, scene, &body, operation, 201)
}

fn update(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &UPDATE)?;
    allow(world, scene)?;
    let (word, status) = if body.text_or_empty("sha").is_empty() {
        ("create", 201)
    } else {
        ("update", 200)
    };
    let operation = single(scene, &body, word, body.text_or_empty("from_path"))?;
    one(world, scene, &body, operation, status)
}

fn delete(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &DELETE)?;
    allow(world, scene)?;
    let mut operation = single(scene, &body, "delete", "")?;
    operation.content = None;
    one(world, scene, &body, operation, 200)
}

fn several(world: &mut World, scene: &mut Scene<'_>) -> Answer {
    let body = bind(scene.call, &SEVERAL)?;
    if !body.has("files") {
        return Err(Reply::error(422, "[Files]: Required"));
    }
    allow(world, scene)?;
    let mut operations = Vec::new();
    for file in body.objects("files") {
        let word = file.text_or_empty("operation").to_owned();
        let path = file.text_or_empty("path").to_owned();
        let from = file
            .text("from_path")
            .filter(|from| !from.is_empty())
            .unwrap_or(&path)
            .to_owned();
        let content = if matches!(word.as_str(), "rename" | "delete") && !file.has("content") {
            None
        } else {
            Some(decoded(&file)?)
        };
        operations.push(Operation {
            word,
            path,
            from,
            sha: file.text_or_empty("sha").to_owned(),
            content,
        });
    }
    let done = commit(world, scene, &body, &operations)?;
    let mut answer = answer(world, scene, &done)?;
    let files: Vec<Value> = done
        .files
        .iter()
        .take(world.settings.page_size)
        .map(|path| file_view(world, scene, &done, path.as_deref()))
        .collect::<Result<_, _>>()?;
    let mut whole =
        json!({ "files": if files.is_empty() { Value::Null } else { Value::Array(files) } });
    if let (Value::Object(whole), Value::Object(answer)) = (&mut whole, answer.take()) {
        whole.extend(answer);
    }
    Ok(Reply::created(whole))
}

fn allow(world: &World, scene: &Scene<'_>) -> Result<(), Reply> {
    let repo = scene.repository(world)?;
    if repo.archived || repo.mirror.is_some() {
        return Err(Reply::error(
            423,
            format!(
                "{} is not allowed to edit",
                permission::full_name(world, repo)
            ),
        ));
    }
    if scene.access.to(Unit::Code) < Mode::Write {
        return Err(Reply::error(
            403,
            "user should have a permission to write to the target branch",
        ));
    }
    Ok(())
}

fn single(scene: &Scene<'_>, body: &Body, word: &str, from: &str) -> Result<Operation, Reply> {
    let path = scene.call.param("*").to_owned();
    let from = if from.is_empty() {
        path.clone()
    } else {
        from.to_owned()
    };
    let content = Some(decoded(body)?);
    Ok(Operation {
        word: word.to_owned(),
        path,
        from,
        sha: body.text_or_empty("sha").to_owned(),
        content,
    })
}

fn one(
    world: &mut World,
    scene: &mut Scene<'_>,
    body: &Body,
    operation: Operation,
    status: u16,
) -> Answer {
    let done = commit(world, scene, body, &[operation])?;
    let content = file_view(
        world,
        scene,
        &done,
        done.files.first().and_then(Option::as_deref),
    )?;
    let mut whole = json!({ "content": content });
    if let (Value::Object(whole), Value::Object(answer)) =
        (&mut whole, answer(world, scene, &done)?)
    {
        whole.extend(answer);
    }
    Ok(Reply::json(status, whole))
}

/// The content of a file, as Go's decoder takes it: line breaks are passed over.
fn decoded(body: &Body) -> Result<Vec<u8>, Reply> {
    let text: String = body
        .text_or_empty("content")
        .chars()
        .filter(|letter| !matches!(letter, '\n' | '\r'))
        .collect();
    STANDARD.decode(&text).map_err(|_| {
        Reply::error(
            422,
            format!("illegal base64 data at input byte {}", first_illegal(&text)),
        )
    })
}

fn first_illegal(text: &str) -> usize {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    let padded = text.trim_end_matches('=').len();
    text.bytes()
        .take(padded)
        .position(|byte| !is_fine(byte))
        .unwrap_or(padded / 4 * 4)
}

/// A commit that was made.
struct Done {
    branch: String,
    commit: Commit,
    /// The paths in the order of the operations; `None` for what is gone.
    files: Vec<Option<String>>,
}

/// The branch a change goes to, and the commit it starts from.
struct Target {
    branch: String,
    from: Option<String>,
    base: Option<String>,
}

fn target(world: &World, scene: &Scene<'_>, body: &Body) -> Result<Target, Reply> {
    let repo = scene.repository(world)?;
    let references = world
        .references
        .get(scene.repo)
        .cloned()
        .unwrap_or_default();
    let old = body
        .text("branch")
        .filter(|name| !name.is_empty())
        .unwrap_or(&repo.default_branch)
        .to_owned();
    let new = body
        .text("new_branch")
        .filter(|name| !name.is_empty())
        .unwrap_or(&old)
        .to_owned();
    let base = references.branch(&old).map(str::to_owned);
    if base.is_none() && !repo.empty {
        return Err(Reply::error(
            404,
            format!(
                "branch does not exist [repo_id: {} name: {old}]",
                scene.repo
            ),
        ));
    }
    let from = references.branch(&new).map(str::to_owned);
    if new != old && from.is_some() && body.flag("force_push") != Some(true) {
        return Err(Reply::error(
            422,
            format!("branch already exists [name: {new}]"),
        ));
    }
    Ok(Target {
        branch: new,
        from,
        base,
    })
}

/// What the rule of the branch has against it.
fn protected(
    world: &World,
    scene: &Scene<'_>,
    target: &Target,
    operations: &[Operation],
) -> Result<(), Reply> {
    let Some(rule) = protection::rule_of(world, scene.repo, &target.branch) else {
        return Ok(());
    };
    let user = scene.doer_id();
    let allowed = protection::may_push(world, rule, user);
    if target.from.is_none() {
        let text = format!("Not allowed to push to protected branch {}", target.branch);
        return if allowed {
            Ok(())
        } else {
            Err(Reply::error(403, text))
        };
    }
    let paths: Vec<String> = operations.iter().map(|one| one.path.clone()).collect();
    if !allowed && !protection::are_free(rule, &paths) {
        let name = world
            .owners
            .get(user)
            .map_or("", |user| user.login.as_str());
        return Err(Reply::error(
            403,
            format!("user cannot commit to repo [user: {name}]"),
        ));
    }
    match protection::guarded(rule, &paths).filter(|_| allowed) {
        Some(path) => Err(Reply::error(
            403,
            format!("path is protected and can not be changed [path: {path}]"),
        )),
        None => Ok(()),
    }
}

fn commit(
    world: &mut World,
    scene: &mut Scene<'_>,
    body: &Body,
    operations: &[Operation],
) -> Result<Done, Reply> {
    let target = target(world, scene, body)?;
    protected(world, scene, &target, operations)?;
    let base = target
        .base
        .as_deref()
        .map(|id| scene.git.commit(scene.repo, id))
        .transpose()
        .map_err(broken(scene))?;
    let tree = base.as_ref().map(|base| base.tree.as_str());
    let mut work = Work {
        scene,
        tree,
        edits: BTreeMap::new(),
    };
    let mut files = Vec::new();
    for operation in operations {
        files.push(work.apply(operation)?);
    }
    let edits = work.edits;
    let new_tree = scene
        .git
        .edit_tree(scene.repo, tree, &edits)
        .map_err(broken(scene))?;
    let (author, committer) = people(world, scene, body);
    let draft = Draft {
        tree: new_tree,
        parents: target.base.iter().cloned().collect(),
        message: message(body, operations, &committer),
        author,
        committer,
    };
    let id = committing::store(scene.git, scene.repo, &draft).map_err(broken(scene))?;
    let (git, repo, doer) = (scene.git, scene.repo, scene.doer_id());
    if target.from.as_deref() != Some(&id) {
        committing::move_branch(
            world,
            git,
            repo,
            &target.branch,
            target.from.as_deref(),
            &id,
            doer,
            &mut scene.effects,
        )?;
    }
    let commit = git.commit(repo, &id).map_err(broken(scene))?;
    Ok(Done {
        branch: target.branch,
        commit,
        files,
    })
}

fn message(body: &Body, operations: &[Operation], committer: &Person) -> String {
    let mut message = body.text_or_empty("message").trim().to_owned();
    if message.is_empty() {
        let named = |words: &[&str]| -> Vec<String> {
            operations
                .iter()
                .filter(|one| words.contains(&one.word.as_str()))
                .map(|one| tidy(&one.path))
                .collect()
        };
        let kinds: [(&str, &[&str]); 3] = [
            ("Add", &["create"]),
            ("Update", &["update", "upload", "rename"]),
            ("Delete", &["delete"]),
        ];
        let lines: Vec<String> = kinds
            .into_iter()
            .map(|(verb, words)| (verb, named(words)))
            .filter(|(_, paths)| !paths.is_empty())
            .map(|(verb, paths)| format!("{verb} {}", paths.join(", ")))
            .collect();
        message = lines.join("\n");
    }
    if body.flag("signoff") == Some(true) {
        return format!(
            "{message}\n\nSigned-off-by: {} <{}>",
            committer.name, committer.email
        );
    }
    format!("{message}\n")
}

/// Author and committer: as given, else each other, else the doer.
fn people(world: &World, scene: &Scene<'_>, body: &Body) -> (Person, Person) {
    let own = committing::person_of(world, scene.doer_id());
    let dates = body.object("dates");
    let given = |name: &str| {
        let who = body.object(name);
        let (name, email) = (
            clean(who.text_or_empty("name")),
            clean(who.text_or_empty("email")),
        );
        (!name.is_empty() || !email.is_empty()).then_some((name, email))
    };
    let (author, committer) = (given("author"), given("committer"));
    let make = |who: Option<(String, String)>, date: &str| {
        let (name, email) = who.unwrap_or_default();
        let (seconds, offset) = dates.time(date).unwrap_or((own.seconds, own.offset));
        Person {
            name: if name.is_empty() {
                own.name.clone()
            } else {
                name
            },
            email: if email.is_empty() {
                own.email.clone()
            } else {
                email
            },
            seconds,
            offset,
        }
    };
    (
        make(author.clone().or_else(|| committer.clone()), "author"),
        make(committer.or(author), "committer"),
    )
}

/// Files that change, and where they are looked for.
struct Work<'w, 's> {
    scene: &'w Scene<'s>,
    tree: Option<&'w str>,
    edits: BTreeMap<String, Edit>,
}

impl Work<'_, '_> {
    fn entry(&self, path: &str) -> Result<Option<TreeEntry>, Reply> {
        let Some(tree) = self.tree else {
            return Ok(None);
        };
        self.scene
            .git
            .entry(self.scene.repo, tree, path)
            .map_err(broken(self.scene))
    }

    /// What is there to be changed, if it is what the caller thinks.
    fn existing(&self, path: &str, sha: &str) -> Result<TreeEntry, Reply> {
        let missing = || {
            Reply::error(
                404,
                format!("object does not exist [id: , rel_path: {path}]"),
            )
        };
        let found = self.entry(path)?.ok_or_else(missing)?;
        check_sha(&found, sha)?;
        Ok(found)
    }

    /// Nothing may be where a new file shall be.
    fn check_free(&self, path: &str) -> Result<(), Reply> {
        check_way(self.scene, self.tree, path)?;
        let taken =
            self.entry(path)?.is_some() || matches!(self.edits.get(path), Some(Edit::Put { .. }));
        if taken {
            return Err(Reply::error(
                422,
                format!("repository file already exists [path: {path}]"),
            ));
        }
        Ok(())
    }

    /// Carries one operation out; answers the path of the file, unless it is gone.
    fn apply(&mut self, operation: &Operation) -> Result<Option<String>, Reply> {
        let (path, from) = (checked(&operation.path)?, checked(&operation.from)?);
        let content = operation.content.as_deref();
        match operation.word.as_str() {
            "delete" => {
                self.existing(&path, &operation.sha)?;
                self.edits.insert(path, Edit::Remove);
                return Ok(None);
            }
            "create" => {
                self.check_free(&path)?;
                put(
                    self.scene,
                    &mut self.edits,
                    &path,
                    content.unwrap_or_default(),
                    0o100_644,
                )?;
            }
            "upload" => {
                check_way(self.scene, self.tree, &path)?;
                let mode = self.entry(&path)?.map_or(0o100_644, |found| found.mode);
                put(
                    self.scene,
                    &mut self.edits,
                    &path,
                    content.unwrap_or_default(),
                    mode,
                )?;
            }
            "update" => {
                let found = self.existing(&from, &operation.sha)?;
                check_way(self.scene, self.tree, &path)?;
                if from != path {
                    self.check_free(&path)?;
                    self.edits.insert(from, Edit::Remove);
                }
                put(
                    self.scene,
                    &mut self.edits,
                    &path,
                    content.unwrap_or_default(),
                    found.mode,
                )?;
            }
            "rename" => {
                let found = self.existing(&from, &operation.sha)?;
                self.check_free(&path)?;
                self.edits.insert(from, Edit::Remove);
                match content {
                    Some(content) => put(self.scene, &mut self.edits, &path, content, found.mode)?,
                    None => drop(self.edits.insert(
                        path.clone(),
                        Edit::Put {
                            id: found.id,
                            mode: found.mode,
                        },
                    )),
                }
            }
            other => {
                let text = format!(
                    "invalid file operation: {other} {path}, supported operations are create, update, delete"
                );
                return Err(self.scene.internal(&text));
            }
        }
        Ok(Some(path))
    }
}

fn put(
    scene: &Scene<'_>,
    edits: &mut BTreeMap<String, Edit>,
    path: &str,
    content: &[u8],
    mode: u32,
) -> Result<(), Reply> {
    let id = scene
        .git
        .store(scene.repo, ObjectKind::Blob, content)
        .map_err(broken(scene))?;
    edits.insert(path.to_owned(), Edit::Put { id, mode });
    Ok(())
}

/// A path that git can keep: without `..`, `.git`, or nothing at all.
fn checked(path: &str) -> Result<String, Reply> {
    let tidy = tidy(path);
    let bad = |part: &str| {
        part == ".."
            || part.eq_ignore_ascii_case(".git")
            || part.contains(['\0', '\\']) && part.eq_ignore_ascii_case("git~1")
    };
    if tidy.is_empty() || tidy.split('/').any(bad) || tidy.contains('\0') {
        return Err(Reply::error(
            422,
            format!(
                "path contains a malformed path component [path: {}]",
                if tidy.is_empty() { path } else { &tidy }
            ),
        ));
    }
    Ok(tidy)
}

fn check_sha(found: &TreeEntry, given: &str) -> Result<(), Reply> {
    if given.is_empty() || given == found.id {
        return Ok(());
    }
    Err(Reply::error(
        422,
        format!(
            "sha does not match [given: {given}, expected: {}]",
            found.id
        ),
    ))
}

/// Nothing but folders may lie on the way to a file, and no folder or link where it shall be.
fn check_way(scene: &Scene<'_>, tree: Option<&str>, path: &str) -> Result<(), Reply> {
    let Some(tree) = tree else { return Ok(()) };
    let refuse = |what: &str, path: &str| Reply::error(422, format!("{what} [path: {path}]"));
    let ends = path
        .match_indices('/')
        .map(|(at, _)| at)
        .chain([path.len()]);
    for end in ends {
        let at = &path[..end];
        let Some(found) = scene
            .git
            .entry(scene.repo, tree, at)
            .map_err(broken(scene))?
        else {
            return Ok(());
        };
        let is_last = end == path.len();
        match found.kind() {
            EntryKind::Link => {
                return Err(refuse(
                    "a symbolic link exists where you’re trying to create a subdirectory",
                    at,
                ));
            }
            EntryKind::Tree if is_last => {
                return Err(refuse(
                    "a directory exists where you’re trying to create a file",
                    at,
                ));
            }
            EntryKind::Blob | EntryKind::Submodule if !is_last => {
                return Err(refuse(
                    "a file exists where you’re trying to create a subdirectory",
                    at,
                ));
            }
            EntryKind::Tree | EntryKind::Blob | EntryKind::Submodule => {}
        }
    }
    Ok(())
}

fn file_view(
    world: &World,
    scene: &Scene<'_>,
    done: &Done,
    path: Option<&str>,
) -> Result<Value, Reply> {
    let Some(path) = path else {
        return Ok(Value::Null);
    };
    let found = scene
        .git
        .entry(scene.repo, &done.commit.tree, path)
        .map_err(broken(scene))?;
    let Some(entry) = found else {
        return Ok(Value::Null);
    };
    let at = Found {
        reference: &done.branch,
        commit: &done.commit.id,
    };
    view(
        world,
        scene,
        &Addresses::of(world, scene)?,
        &at,
        path,
        &entry,
        Shown {
            content: true,
            commit: true,
        },
    )
}

/// The members `commit` and `verification`.
fn answer(world: &World, scene: &Scene<'_>, done: &Done) -> Result<Value, Reply> {
    let addresses = Addresses::of(world, scene)?;
    let (api, commit) = (&addresses.api, &done.commit);
    let parents: Vec<Value> = commit
        .parents
        .iter()
        .map(|id| json!({ "url": format!("{api}/git/commits/{id}"), "sha": id, "created": ZERO }))
        .collect();
    let person = |person: &Person| json!({ "name": person.name, "email": person.email, "date": rfc3339(person.seconds) });
    Ok(json!({
        "commit": {
            "url": format!("{api}/git/commits/{}", commit.id),
            "sha": commit.id,
            "created": ZERO,
            "html_url": format!("{}/commit/{}", addresses.web, commit.id),
            "author": person(&commit.author),
            "committer": person(&commit.committer),
            "parents": parents,
            "message": commit.message,
            "tree": { "url": format!("{api}/git/trees/{}", commit.tree), "sha": commit.tree, "created": ZERO },
        },
        "verification": commits::verification(commit),
    }))
}
