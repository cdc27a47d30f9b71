//! A small Gitea for tests: one administrator, one repository, calls and pushes in a line.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::gitea::clock::Clock;
use crate::gitea::committing::{Draft, person_of, store};
use crate::gitea::events::{PushedBy, ZERO_ID};
use crate::gitea::git::{Edit, Git, Kind, Move};
use crate::gitea::random::Random;
use crate::gitea::reply::{Body, Reply};
use crate::gitea::{Call, Gitea, Settings, World, owners, projects, pushes};

pub(crate) struct Stage {
    pub(crate) gitea: Arc<Gitea>,
    pub(crate) root: i64,
    pub(crate) repo: i64,
    folder: PathBuf,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A runner that was registered.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) uuid: String,
    pub(crate) token: String,
}

const PASSWORD: &str = "correct horse";

impl Stage {
    /// At noon of the first day of 2026, by a clock that stands still.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("testkit-actions-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let settings = Settings {
            root_url: "http://forge".into(),
            ..Settings::default()
        };
        let clock = Clock::Frozen {
            at: 1_767_268_800_000_000,
        };
        let world = World::new(settings, clock, Random::seeded(7));
        let gitea = Gitea::new(world, Git::new(&folder), None);
        let ((root, repo), _) = gitea.write(|world, git, _| {
            let password = owners::hash(world, PASSWORD);
            let root = owners::create_user(world, "root1", "root1@forge", |user| {
                user.admin = true;
                user.password = password;
            });
            let repo = projects::create(world, git, root, root, "r", |_| {}).expect("a repository");
            (root, repo)
        });
        Self {
            gitea,
            root,
            repo,
            folder,
        }
    }

    /// A call by the administrator.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let basic = STANDARD.encode(format!("root1:{PASSWORD}"));
        let mut call = Call::new(method, &format!("/api/v1{path}"))
            .with_header("authorization", &format!("Basic {basic}"));
        if let Some(body) = body {
            call = call.with_json(&body);
        }
        call.base = "http://forge".into();
        self.gitea.handle(call).reply
    }

    /// The JSON that a GET answers.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        json_of(self.call("GET", path, None))
    }

    /// Status and message of a call that is refused, or status and nothing.
    pub(crate) fn told(&self, method: &str, path: &str, body: Option<Value>) -> (u16, String) {
        let reply = self.call(method, path, body);
        let status = reply.status;
        let message = match reply.body {
            Body::Json(body) => body["message"].as_str().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        (status, message)
    }

    /// Pushes one commit with these files to `main`, and answers its id.
    pub(crate) fn push(&self, message: &str, files: &[(&str, &str)]) -> String {
        self.push_to("refs/heads/main", message, files)
    }

    /// The same to any branch, which begins at what `main` is.
    pub(crate) fn push_to(&self, name: &str, message: &str, files: &[(&str, &str)]) -> String {
        let (id, _) = self.gitea.write(|world, git, effects| {
            let refs = world.references.get(self.repo).cloned().unwrap_or_default();
            let from = refs.ids.get(name).cloned();
            let parent = from
                .clone()
                .or_else(|| refs.branch("main").map(str::to_owned));
            let tree = parent
                .as_ref()
                .map(|id| git.commit(self.repo, id).expect("a commit").tree);
            let mut edits = BTreeMap::new();
            for (path, text) in files {
                let id = git
                    .store(self.repo, Kind::Blob, text.as_bytes())
                    .expect("a blob");
                edits.insert(
                    (*path).to_owned(),
                    Edit::Put {
                        id,
                        mode: 0o100_644,
                    },
                );
            }
            let tree = git
                .edit_tree(self.repo, tree.as_deref(), &edits)
                .expect("a tree");
            let person = person_of(world, self.root);
            let draft = Draft {
                tree,
                parents: parent.into_iter().collect(),
                author: person.clone(),
                committer: person,
                message: format!("{message}\n"),
            };
            let to = store(git, self.repo, &draft).expect("a commit");
            let from = from.unwrap_or_else(|| ZERO_ID.to_owned());
            let step = Move {
                name: name.to_owned(),
                from,
                to: to.clone(),
            };
            pushes::move_reference(
                world,
                git,
                self.repo,
                &step,
                self.root,
                PushedBy::Git,
                effects,
            )
            .expect("a free reference");
            to
        });
        id
    }

    /// Pushes a workflow `ci.yml` of these jobs that runs on push, with a runner for the label `x`.
    pub(crate) fn workflow(&self, jobs: &str) -> Known {
        self.push(
            "ci",
            &[(
                ".gitea/workflows/ci.yml",
                &format!("on: push\njobs:\n{jobs}"),
            )],
        );
        self.runner(&["x"])
    }

    /// Registers a runner of the repository.
    pub(crate) fn runner(&self, labels: &[&str]) -> Known {
        let reply = self.call(
            "POST",
            "/repos/root1/r/actions/runners/registration-token",
            None,
        );
        let token = json_of(reply)["token"].clone();
        let asked = json!({"name": "n", "token": token, "labels": labels});
        let told = self.rpc("Register", None, &asked).expect("a runner");
        let text = |name: &str| told["runner"][name].as_str().unwrap_or_default().to_owned();
        Known {
            uuid: text("uuid"),
            token: text("token"),
        }
    }

    /// A call of the runner protocol; the message of an error.
    pub(crate) fn rpc(
        &self,
        method: &str,
        runner: Option<&Known>,
        message: &Value,
    ) -> Result<Value, String> {
        self.rpc_with(method, runner, message, &[])
    }

    /// The same with headers of its own.
    pub(crate) fn rpc_with(
        &self,
        method: &str,
        runner: Option<&Known>,
        message: &Value,
        headers: &[(&str, &str)],
    ) -> Result<Value, String> {
        let path = format!("/api/actions/runner.v1.RunnerService/{method}");
        let mut call = Call::new("POST", &path).with_json(message);
        for (name, value) in headers {
            call = call.with_header(name, value);
        }
        if let Some(runner) = runner {
            call = call
                .with_header("x-runner-uuid", &runner.uuid)
                .with_header("x-runner-token", &runner.token);
        }
        let reply = self.gitea.handle(call).reply;
        let Body::Bytes(_, bytes) = reply.body else {
            return Err(format!("{reply:?}"));
        };
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        match reply.status {
            200 => Ok(value),
            _ => Err(value["message"].as_str().unwrap_or_default().to_owned()),
        }
    }

    /// Takes the next task, and answers its id and the id of its job in the workflow.
    pub(crate) fn fetch(&self, runner: &Known) -> Option<(String, String)> {
        let told = self
            .rpc("FetchTask", Some(runner), &json!({}))
            .expect("an answer");
        let task = told.get("task")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Some((text(&task["id"]), text(&task["context"]["job"])))
    }

    /// Ends a task.
    pub(crate) fn end(&self, runner: &Known, task: &str, result: &str) {
        let message = json!({"state": {"id": task, "result": result}});
        self.rpc("UpdateTask", Some(runner), &message)
            .expect("an answer");
    }

    /// The names of all jobs with their status or conclusion.
    pub(crate) fn jobs(&self) -> Vec<(String, String)> {
        let jobs = self.get("/repos/root1/r/actions/jobs?limit=50");
        let jobs = jobs["jobs"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        jobs.iter()
            .map(|job| {
                let end = job.get("conclusion").unwrap_or(&job["status"]);
                (text(&job["name"]), text(end))
            })
            .collect()
    }

    /// Moves the clock.
    pub(crate) fn wait(&self, seconds: i64) {
        let _ = self
            .gitea
            .write(|world, _, _| world.clock.advance(seconds * 1_000_000));
        let _ = self.gitea.tick();
    }
}

#[track_caller]
pub(crate) fn json_of(reply: Reply) -> Value {
    match reply.body {
        Body::Json(value) => value,
        other => panic!("no JSON: {} {other:?}", reply.status),
    }
}
