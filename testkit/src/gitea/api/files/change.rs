//! Changing files by the API: one or several in one commit.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Found, Shown, tidy, view};
use crate::gitea::api::commits::{Addresses, broken};
use crate::gitea::api::repos::REPO;
use crate::gitea::bind::{Body, Field, Kind, Rule, Schema, bind, flag, of, ruled, text};
use crate::gitea::git::Commit;
use crate::gitea::reply::{Answer, Reply};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

mod commit;
mod patch;
mod work;

use commit::{allow, answer, finish, protected, target};
use work::{Operation, Work};

pub(crate) const ROUTES: &[Route] = &[
    write("POST", "/repos/{owner}/{repo}/contents", several),
    write("POST", "/repos/{owner}/{repo}/contents/*", create),
    write("PUT", "/repos/{owner}/{repo}/contents/*", update),
    write("DELETE", "/repos/{owner}/{repo}/contents/*", delete),
    write("POST", "/repos/{owner}/{repo}/diffpatch", patch::apply),
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
static PATCH: Schema = Schema {
    name: "ApplyDiffPatchFileOptions",
    fields: &[
        MESSAGE,
        BRANCH,
        NEW_BRANCH,
        FORCE,
        AUTHOR,
        COMMITTER,
        WHEN,
        SIGNOFF,
        ruled("content", "Content", &[Rule::Required]),
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
    let mut answer = answer(world, scene, &done.commit)?;
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
        (&mut whole, answer(world, scene, &done.commit)?)
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

/// A commit that was made of operations.
struct Done {
    branch: String,
    commit: Commit,
    /// The paths in the order of the operations; `None` for what is gone.
    files: Vec<Option<String>>,
}

fn commit(
    world: &mut World,
    scene: &mut Scene<'_>,
    body: &Body,
    operations: &[Operation],
) -> Result<Done, Reply> {
    let target = target(world, scene, body)?;
    let paths: Vec<String> = operations.iter().map(|one| one.path.clone()).collect();
    protected(world, scene, &target, &paths)?;
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
    let message = message(body, operations);
    let commit = finish(world, scene, body, &target, new_tree, &message)?;
    Ok(Done {
        branch: target.branch,
        commit,
        files,
    })
}

/// The message that was given, else one that tells what happened to which files.
fn message(body: &Body, operations: &[Operation]) -> String {
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
    message
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
