//! Checkout: what git knows of a fleet's folder, asked of the `git` program.
//!
//! A fleet need not be in git; where it is, its commit stands in the run journal, and what it tracks
//! shows whether a file that must stay on this machine is in danger.

use std::{collections::BTreeSet, path::Path};

use crate::{ledger::Provenance, process::Program};

/// What git knows of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkout {
    /// Repository and commit, when the folder is part of one.
    pub provenance: Provenance,
    /// The files that git tracks, relative to the folder; `None` when it is in no repository, or
    /// there is no git here.
    pub tracked: Option<BTreeSet<String>>,
}

impl Checkout {
    /// Asks git about `folder`. That there is no answer is an answer.
    pub async fn read(folder: &Path) -> Self {
        let Some(tracked) = git(folder, &["ls-files", "-z"]).await else {
            return Self::default();
        };
        let url = git(folder, &["config", "--get", "remote.origin.url"]).await;
        let commit = git(folder, &["rev-parse", "--verify", "-q", "HEAD"]).await;
        let tracked = tracked.split('\0').filter(|path| !path.is_empty());
        Self {
            provenance: Provenance {
                repository: url.map(|url| without_user(url.trim())),
                commit: commit.map(|commit| commit.trim().to_owned()),
            },
            tracked: Some(tracked.map(str::to_owned).collect()),
        }
    }
}

async fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let asked = Program::new("git")
        .args(["-c", "safe.directory=*", "-C"])
        .arg(folder)
        .args(arguments.iter().copied())
        .env("GIT_OPTIONAL_LOCKS", "0");
    let answer = asked.capture().await.ok()?;
    answer
        .is_success()
        .then(|| String::from_utf8_lossy(&answer.stdout).into_owned())
}

/// The address without user and password, which may be a token.
fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_its_user_and_password() {
        for (written, kept) in [
            ("https://ci:tok@forge/a/b.git", "https://forge/a/b.git"),
            ("https://forge/a@b.git", "https://forge/a@b.git"),
            ("git@forge:a/b.git", "git@forge:a/b.git"),
            ("/srv/git/fleet.git", "/srv/git/fleet.git"),
        ] {
            assert_eq!(without_user(written), kept);
        }
    }

    #[tokio::test]
    async fn a_folder_outside_git_has_no_provenance() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Checkout::read(folder.path()).await, Checkout::default());
    }

    #[tokio::test]
    async fn a_folder_in_git_has_a_commit_and_tracked_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("fleet.toml"), "").unwrap();
        let made = "git init -q . && git add . && git -c user.name=a -c user.email=a@b commit -qm x && git remote add origin https://u:p@forge/f.git";
        let made = Program::new("sh")
            .args(["-c", made])
            .directory(folder.path());
        assert!(made.capture().await.unwrap().is_success());
        let checkout = Checkout::read(folder.path()).await;
        assert_eq!(checkout.provenance.commit.map(|it| it.len()), Some(40));
        assert_eq!(
            checkout.provenance.repository.as_deref(),
            Some("https://forge/f.git")
        );
        assert_eq!(
            checkout.tracked,
            Some(BTreeSet::from(["fleet.toml".to_owned()]))
        );
    }
}
