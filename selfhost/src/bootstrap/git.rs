//! The operator's clones: what they hold, and how it is pushed.
//!
//! Address and credentials reach `git` through a configuration file that only we read, never by
//! argument; the operator's own configuration stays out, and nothing asks on a terminal.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lxc_layers::{
    guest::LastWords,
    process::{Finished, Program},
};

use super::{Error, Service, Site};

/// A clone on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clone {
    /// Its top folder.
    pub folder: PathBuf,
    /// The commit that is checked out.
    pub head: String,
    /// The tree of that commit.
    pub tree: String,
}

/// What git would take from the environment: another repository, less trust, or a trace with
/// credentials in it.
const NOT_INHERITED: [&str; 10] = [
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CURL_VERBOSE",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_SSL_NO_VERIFY",
    "GIT_TRACE",
    "GIT_TRACE_CURL",
    "GIT_TRACE_REDACT",
    "GIT_WORK_TREE",
];

/// The program, with nothing of the environment that would mislead it.
fn program() -> Program {
    let without = NOT_INHERITED.iter().flat_map(|name| ["-u", *name]);
    Program::new("env").args(without).arg("git")
}

/// Runs git on this machine.
async fn git(folder: &Path, arguments: &[&str]) -> Result<Finished, Error> {
    let asked = program()
        .args(["-c", "safe.directory=*", "-C"])
        .arg(folder)
        .args(arguments.iter().copied())
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0");
    let told = arguments.first().copied().unwrap_or_default();
    asked
        .capture()
        .await
        .map_err(Error::program(format!("running `git {told}`")))
}

fn text(finished: &Finished) -> String {
    finished.text().trim().to_owned()
}

impl Clone {
    /// Reads the clone whose top is `folder`.
    ///
    /// # Errors
    /// When it is none, or holds no commit.
    pub async fn read(folder: &Path) -> Result<Self, Error> {
        let no_clone = || {
            Error::refused(
                format!(
                    "`{}` is not the top folder of a git repository",
                    folder.display()
                ),
                "run `git init` there, commit, and bootstrap again: what is imported is what is committed",
            )
        };
        let top = git(folder, &["rev-parse", "--show-toplevel"]).await?;
        let top = PathBuf::from(text(&top));
        let same = |path: &Path| fs::canonicalize(path).ok();
        if same(&top).is_none() || same(&top) != same(folder) {
            return Err(no_clone());
        }
        let asked = git(folder, &["rev-parse", "-q", "--verify", "HEAD^{commit}"]).await?;
        let head = text(&asked);
        if head.is_empty() {
            return Err(Error::refused(
                format!("`{}` holds no commit", folder.display()),
                "commit, and bootstrap again: what is imported is what is committed",
            ));
        }
        let tree = text(&git(folder, &["rev-parse", "HEAD^{tree}"]).await?);
        Ok(Self {
            folder: folder.to_owned(),
            head,
            tree,
        })
    }

    /// The files that differ from the commit, as git names them; what stays on this machine does
    /// not count.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub async fn changed(&self) -> Result<Vec<String>, Error> {
        let asked = git(&self.folder, &["status", "--porcelain"]).await?;
        let is_ours = |path: &str| path.contains(".local.") || path.starts_with(".proxmox-ci");
        let lines = text(&asked);
        let paths = lines.lines().filter_map(|line| line.trim().split_once(' '));
        Ok(paths
            .map(|(_, path)| path.trim().to_owned())
            .filter(|path| !is_ours(path))
            .collect())
    }

    /// Whether `commit` is in the history of what is checked out.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub async fn comes_after(&self, commit: &str) -> Result<bool, Error> {
        let asked = ["merge-base", "--is-ancestor", commit, &self.head];
        Ok(git(&self.folder, &asked).await?.is_success())
    }
}

/// The way to a repository of the Git service, for the `git` program.
#[derive(Debug)]
pub(super) struct Remote {
    url: String,
    config: PathBuf,
    authority: PathBuf,
    limit: Duration,
}

impl Remote {
    /// The way to `path`, such as `infra/fleet`.
    pub(super) fn new(site: &Site, service: &Service, path: &str) -> Result<Self, Error> {
        // Files of its own: another repository may be asked at the same time.
        let name = path.rsplit('/').next().unwrap_or(path);
        let config = site.scratch.path().join(format!("{name}.gitconfig"));
        let authority = site.scratch.path().join(format!("{name}.crt"));
        write_private(&authority, &service.certificate)?;
        write_private(&config, &configuration(service, &authority))?;
        Ok(Self {
            url: format!("{}/{path}.git", service.url),
            config,
            authority,
            limit: site.settings.limits.transfer,
        })
    }

    fn program(&self, folder: &Path) -> Program {
        program()
            .arg("-C")
            .arg(folder)
            .env("GIT_CONFIG_GLOBAL", &self.config)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            // It wins over every configuration, so that one that is set already would mislead.
            .env("GIT_SSL_CAINFO", &self.authority)
            .env("GIT_TERMINAL_PROMPT", "0")
            .limit(self.limit)
    }

    /// Pushes a commit as the branch `main`, forward or not at all.
    pub(super) async fn push(&self, site: &Site, clone: &Clone) -> Result<(), Error> {
        let refspec = format!("{}:refs/heads/main", clone.head);
        let program = self.program(&clone.folder);
        let pushed = program.args(["push", "--no-verify", &self.url, &refspec]);
        let on_line = |_, line: &str| site.line(line);
        self.finished("pushing", pushed.run(&on_line).await)
            .map(drop)
    }

    /// The tree of what stands as `commit` in the repository, fetched from there: the commit and all
    /// its folders. Files stay where they are, as far as the service can leave them out: the folders
    /// name them by what is in them, and a service takes no push whose files did not all arrive.
    pub(super) async fn tree(&self, commit: &str, scratch: &Path) -> Result<String, Error> {
        let bare = tempfile::tempdir_in(scratch).map_err(Error::local("making", scratch))?;
        let git = |arguments: Vec<&str>| self.program(bare.path()).args(arguments).capture();
        self.finished("preparing", git(vec!["init", "-q", "--bare"]).await)?;
        let fetch = vec![
            "fetch",
            "-q",
            "--depth=1",
            "--filter=blob:none",
            &self.url,
            commit,
        ];
        self.finished("fetching", git(fetch).await)?;
        let tree = git(vec!["rev-parse", "FETCH_HEAD^{tree}"]).await;
        Ok(text(&self.finished("reading", tree)?))
    }

    fn finished(
        &self,
        doing: &str,
        ended: Result<Finished, lxc_layers::process::Error>,
    ) -> Result<Finished, Error> {
        let doing = format!("{doing} `{}`", self.url);
        let finished = ended.map_err(Error::program(doing.clone()))?;
        if finished.is_success() {
            return Ok(finished);
        }
        Err(Error::Git {
            doing,
            code: finished.code,
            last: LastWords::new(&finished.tail),
        })
    }
}

/// What git must know of the service. A proxy of this machine has no business with it.
fn configuration(service: &Service, authority: &Path) -> String {
    let who = &service.administrator;
    let pair = format!("{}:{}", who.user, who.token.reveal());
    format!(
        "[safe]\n\tdirectory = *\n[http \"{url}/\"]\n\tsslCAInfo = {authority}\n\tproxy =\n\textraHeader = \"Authorization: Basic {credentials}\"\n\tpostBuffer = 16777216\n",
        url = service.url,
        authority = authority.display(),
        credentials = STANDARD.encode(pair),
    )
}

fn write_private(path: &Path, content: &str) -> Result<(), Error> {
    let opened = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    opened
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .map_err(Error::local("writing", path))
}
