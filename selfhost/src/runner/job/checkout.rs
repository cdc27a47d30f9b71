//! The checkout that is built in: `actions/checkout` without Node.
//!
//! # Quirks
//! The credentials of git go through its environment, never through arguments. Submodules and LFS
//! are refused with a clear line, since silence would leave a tree that is not the commit's.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    pin::pin,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use indexmap::IndexMap;
use tokio::time::Instant;

use super::{
    Frame, Running,
    expression::{Status, Value},
    steps::Outcome,
};
use crate::{
    process::{End, Program},
    runner::lines::Lines,
};

/// What is to be checked out, where to.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    /// Address of the repository.
    url: String,
    /// What is fetched: `source[:target]`.
    refspec: String,
    /// What is checked out of it.
    checkout: Vec<String>,
    /// How many commits; all, where it is zero.
    depth: u32,
    /// Below the workspace.
    folder: PathBuf,
    /// The token, unless it is empty.
    token: String,
    /// Whether later steps may use the token too.
    keeps_token: bool,
}

impl Running<'_> {
    /// Checks out as the inputs say.
    pub(super) async fn checkout(
        &mut self,
        frame: &Frame,
        with: &IndexMap<String, Value>,
        env: &IndexMap<String, String>,
        limit: Instant,
    ) -> Outcome {
        let github = self
            .ground
            .contexts
            .get("github")
            .cloned()
            .unwrap_or(Value::Null);
        let workspace = self.ground.folders.workspace();
        let request = match request(with, &github, &workspace) {
            Ok(request) => request,
            Err(reason) => return Outcome::failure(format!("checkout: {reason}")),
        };
        match self.carry_out_checkout(frame, &request, env, limit).await {
            Ok(commit) => Outcome {
                outputs: IndexMap::from([("commit".to_owned(), commit)]),
                ..Outcome::success()
            },
            Err(reason) => Outcome::failure(format!("checkout: {reason}")),
        }
    }

    async fn carry_out_checkout(
        &mut self,
        frame: &Frame,
        request: &Request,
        env: &IndexMap<String, String>,
        limit: Instant,
    ) -> Result<String, String> {
        let folder = &request.folder;
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let call = Call {
            env: credentials(self.variables(frame, env), &request.token),
            folder: folder.clone(),
            limit,
            status: frame.status,
        };
        self.git(&call, &["init", "-q"]).await?;
        self.git(&call, &["config", "--local", "gc.auto", "0"])
            .await?;
        if self
            .git(&call, &["remote", "add", "origin", &request.url])
            .await
            .is_err()
        {
            self.git(&call, &["remote", "set-url", "origin", &request.url])
                .await?;
        }
        let depth = format!("--depth={}", request.depth);
        let mut fetch = vec!["fetch", "-q", "--no-recurse-submodules"];
        if request.depth > 0 {
            fetch.push(&depth);
        }
        fetch.extend(["origin", &request.refspec]);
        self.git(&call, &fetch).await?;
        let mut checkout = vec!["checkout", "-q", "--force"];
        checkout.extend(request.checkout.iter().map(String::as_str));
        self.git(&call, &checkout).await?;
        if request.keeps_token {
            keep_token(request).map_err(|error| format!("keeping the token for git: {error}"))?;
        }
        self.git(&call, &["rev-parse", "HEAD"]).await
    }

    /// Runs git; what it complains about is the error.
    async fn git(&self, call: &Call, arguments: &[&str]) -> Result<String, String> {
        let argv = std::iter::once("git").chain(arguments.iter().copied());
        let program = Program {
            argv: argv.map(str::to_owned).collect(),
            env: call
                .env
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            folder: call.folder.clone(),
            deadline: Some(call.limit),
        };
        let mut stop = pin!(self.stop(call.status));
        let failed = |error: std::io::Error| format!("git cannot be run: {error}");
        let mut started = program.start().map_err(failed)?;
        let mut lines = Lines::default();
        let mut printed = Vec::new();
        while let Some(bytes) = started.read(stop.as_mut()).await {
            printed.extend(lines.push(bytes));
        }
        printed.extend(lines.finish());
        let printed = printed.join("\n");
        match started.end(stop).await.map_err(failed)? {
            End::Exited(0) => Ok(printed),
            End::Exited(_) => Err(format!("git {}: {printed}", arguments[0])),
            End::TimedOut => Err(format!(
                "git {} took longer than the step may",
                arguments[0]
            )),
            End::Cancelled => Err("the job was stopped".to_owned()),
        }
    }
}

/// How git is called throughout one checkout.
#[derive(Debug)]
struct Call {
    env: IndexMap<String, String>,
    folder: PathBuf,
    limit: Instant,
    status: Status,
}

/// Variables by which git knows the token, and asks nobody for another one.
fn credentials(mut env: IndexMap<String, String>, token: &str) -> IndexMap<String, String> {
    for (name, value) in [
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_COUNT", if token.is_empty() { "0" } else { "1" }),
        ("GIT_CONFIG_KEY_0", "http.extraHeader"),
        ("GIT_CONFIG_VALUE_0", &header(token)),
    ] {
        env.insert(name.to_owned(), value.to_owned());
    }
    env
}

fn header(token: &str) -> String {
    format!(
        "Authorization: Basic {}",
        STANDARD.encode(format!("x-access-token:{token}"))
    )
}

/// Leaves the token in the repository's own configuration, as the action does, for later steps.
fn keep_token(request: &Request) -> std::io::Result<()> {
    let path = request.folder.join(".git/config");
    let mut file = OpenOptions::new().append(true).mode(0o600).open(path)?;
    let (scheme, rest) = request.url.split_once("://").unwrap_or(("http", ""));
    let host = rest.split('/').next().unwrap_or_default();
    writeln!(
        file,
        "[http \"{scheme}://{host}/\"]\n\textraheader = {}",
        header(&request.token)
    )
}

fn request(
    with: &IndexMap<String, Value>,
    github: &Value,
    workspace: &Path,
) -> Result<Request, String> {
    let given = |name: &str| {
        with.get(name)
            .map(Value::to_text)
            .filter(|text| !text.is_empty())
    };
    let said = |name: &str| github.member(name).to_text();
    for name in ["submodules", "lfs"] {
        if given(name).is_some_and(|value| value != "false") {
            return Err(format!("`{name}` is not supported by this runner"));
        }
    }
    let own = said("repository");
    let repository = given("repository").unwrap_or_else(|| own.clone());
    let reference = given("ref");
    let folder = workspace.join(given("path").unwrap_or_default());
    if folder.components().any(|part| part.as_os_str() == "..") {
        return Err("`path` leads out of the workspace".to_owned());
    }
    if let Some(odd) = reference
        .iter()
        .chain([&repository])
        .find(|text| text.starts_with('-'))
    {
        return Err(format!("`{odd}` is no name"));
    }
    let (refspec, checkout) = match reference {
        Some(name) => (name, vec!["--detach".to_owned(), "FETCH_HEAD".to_owned()]),
        None if repository == own => of_the_run(&said("sha"), &said("ref")),
        None => (
            "HEAD".to_owned(),
            vec!["--detach".to_owned(), "FETCH_HEAD".to_owned()],
        ),
    };
    let depth = given("fetch-depth").unwrap_or_else(|| "1".to_owned());
    let token = given("token").unwrap_or_else(|| said("token"));
    Ok(Request {
        url: format!(
            "{}/{repository}.git",
            said("server_url").trim_end_matches('/')
        ),
        refspec,
        checkout,
        depth: depth
            .trim()
            .parse()
            .map_err(|_| format!("`fetch-depth` is `{depth}`, no number"))?,
        folder,
        keeps_token: given("persist-credentials").is_none_or(|value| value != "false")
            && !token.is_empty(),
        token,
    })
}

/// The very commit of the run, under the name of its branch.
fn of_the_run(sha: &str, reference: &str) -> (String, Vec<String>) {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    if let Some(branch) = reference.strip_prefix("refs/heads/") {
        let remote = format!("refs/remotes/origin/{branch}");
        return (format!("+{sha}:{remote}"), words(&["-B", branch, &remote]));
    }
    (
        format!(
            "+{sha}:{}",
            reference.replacen("refs/pull/", "refs/remotes/pull/", 1)
        ),
        words(&["--detach", "FETCH_HEAD"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn github() -> Value {
        Value::texts([
            ("server_url", "http://forge:3000"),
            ("repository", "fleet/lab"),
            ("sha", "abc"),
            ("ref", "refs/heads/main"),
            ("token", "t"),
        ])
    }

    fn asked(with: &[(&str, &str)]) -> Result<Request, String> {
        let with = with
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::text(*value)))
            .collect();
        request(&with, &github(), Path::new("/w"))
    }

    #[test]
    fn without_inputs_it_is_the_commit_of_the_run() {
        assert_eq!(
            asked(&[]).unwrap(),
            Request {
                url: "http://forge:3000/fleet/lab.git".to_owned(),
                refspec: "+abc:refs/remotes/origin/main".to_owned(),
                checkout: ["-B", "main", "refs/remotes/origin/main"]
                    .map(str::to_owned)
                    .to_vec(),
                depth: 1,
                folder: "/w".into(),
                token: "t".to_owned(),
                keeps_token: true,
            }
        );
    }

    #[test]
    fn inputs_choose_repository_commit_and_folder() {
        let request = asked(&[
            ("repository", "fleet/other"),
            ("ref", "v1"),
            ("path", "sub"),
            ("fetch-depth", "0"),
            ("persist-credentials", "false"),
        ])
        .unwrap();
        assert_eq!(request.url, "http://forge:3000/fleet/other.git");
        assert_eq!(
            (request.refspec.as_str(), request.depth, request.keeps_token),
            ("v1", 0, false)
        );
        assert_eq!(request.folder, Path::new("/w/sub"));
    }

    #[test]
    fn what_would_do_harm_or_is_not_there_is_refused() {
        for (with, part) in [
            (("ref", "--upload-pack=x"), "is no name"),
            (("path", "../.."), "out of the workspace"),
            (("submodules", "true"), "not supported"),
            (("fetch-depth", "all"), "no number"),
        ] {
            let reason = asked(&[with]).unwrap_err();
            assert!(reason.contains(part), "{reason}");
        }
    }
}
