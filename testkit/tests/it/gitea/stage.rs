//! A forge, a caller and a git for one test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use testkit::forge::{Forge, ForgeOptions};
use testkit::gitea::Call;
use testkit::gitea::api::json_of;

/// A forge in this process, with a folder for work.
pub(crate) struct Stage {
    pub(crate) forge: Forge,
    pub(crate) folder: tempfile::TempDir,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        Self::with(ForgeOptions::default()).await
    }

    pub(crate) async fn with(options: ForgeOptions) -> Self {
        Self {
            forge: Forge::start_with(options).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Asks as the administrator: status and body.
    pub(crate) fn ask(&self, method: &str, target: &str, body: Option<&Value>) -> (u16, Value) {
        let token = self.forge.ready().root_token.clone();
        self.ask_as(method, target, body, &format!("token {token}"))
    }

    /// Asks with this `Authorization`; an empty one is left out.
    pub(crate) fn ask_as(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        who: &str,
    ) -> (u16, Value) {
        let mut call = Call::new(method, &format!("/api/v1{target}"));
        if !who.is_empty() {
            call = call.with_header("authorization", who);
        }
        if let Some(body) = body {
            call = call.with_json(body);
        }
        let reply = self.forge.gitea().handle(call).reply;
        let body = json_of(&reply).cloned().unwrap_or_default();
        (reply.status, body)
    }

    /// A repository of the administrator with one commit.
    pub(crate) fn repository(&self, name: &str) {
        let (status, body) = self.ask(
            "POST",
            "/user/repos",
            Some(&json!({ "name": name, "auto_init": true })),
        );
        assert_eq!(status, 201, "{body}");
    }

    /// The address of a repository with credentials in it.
    pub(crate) fn address(&self, user: &str, password: &str, repo: &str) -> String {
        let host = self.forge.url().trim_start_matches("http://").to_owned();
        format!("http://{user}:{password}@{host}/{repo}.git")
    }

    /// The same for the administrator.
    pub(crate) fn own(&self, repo: &str) -> String {
        let ready = self.forge.ready();
        let whole = format!("{}/{repo}", ready.root_user);
        self.address(&ready.root_user, &ready.root_token, &whole)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs git in the folder for work; it must not be waited for on a thread that serves.
    pub(crate) async fn git(&self, within: &str, arguments: &[&str]) -> Output {
        let folder = self.path(within);
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        tokio::task::spawn_blocking(move || git(&folder, &arguments))
            .await
            .unwrap()
    }
}

/// Runs git with an identity, and without anybody's configuration.
#[expect(
    clippy::disallowed_methods,
    reason = "a test talks to the forge with the real git"
)]
pub(crate) fn git(folder: &Path, arguments: &[String]) -> Output {
    Command::new("git")
        .args([
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@forge.internal",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .unwrap()
}

/// What git said on stderr.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A caller over HTTP.
pub(crate) fn http() -> reqwest::Client {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().timeout(std::time::Duration::from_secs(60));
    builder.no_proxy().build().unwrap()
}
