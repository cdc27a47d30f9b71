//! Names and numbers of things, one type each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Defines numeric ids. They are signed: upstream gives its own system users negative ones.
macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident,)*) => {$(
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// The number itself.
            #[must_use]
            pub fn get(self) -> i64 {
                self.0
            }
        }

        impl From<i64> for $name {
            fn from(number: i64) -> Self {
                Self(number)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self).map_err(|_| InvalidName::new(stringify!($name), text))
            }
        }

        crate::wire::null_is_default!($name);
    )*};
}

ids! {
    /// The number of a user or an organisation; system users have negative ones.
    UserId,
    /// The number of a repository.
    RepoId,
    /// The number of a team.
    TeamId,
    /// The number of an access token.
    TokenId,
    /// The number of a public key of a user, or of a deploy key within its repository.
    KeyId,
    /// The number of a webhook.
    HookId,
    /// The number of a release.
    ReleaseId,
    /// The number of an attachment of a release.
    AttachmentId,
    /// The number of an Actions runner.
    RunnerId,
    /// The database number of a workflow run (not its `run_number`).
    RunId,
    /// The database number of a job of a run.
    JobId,
    /// The number of a task, that is of one attempt of a job, in the runner protocol.
    TaskId,
}

/// A text that is not the name or number it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}")]
pub struct InvalidName {
    kind: &'static str,
    text: String,
}

impl InvalidName {
    fn new(kind: &'static str, text: &str) -> Self {
        Self {
            kind,
            text: text.to_owned(),
        }
    }
}

/// A repository by its owner and name, written `owner/name`.
///
/// ```
/// use gitea_api::RepoPath;
///
/// let path: RepoPath = "infra/deploy".parse()?;
/// assert_eq!(path.owner(), "infra");
/// assert_eq!(path.name(), "deploy");
/// assert!("infra".parse::<RepoPath>().is_err());
/// # Ok::<(), gitea_api::ids::InvalidName>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath {
    owner: String,
    name: String,
}

impl RepoPath {
    /// A path of its two parts; whether they exist, or may, is the server's to say.
    #[must_use]
    pub fn new(owner: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            owner: owner.into(),
            name: name.into(),
        }
    }

    /// The user or organisation that has the repository.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The name below the owner.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl FromStr for RepoPath {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((owner, name)) if !owner.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self::new(owner, name))
            }
            _ => Err(InvalidName::new("repository path", text)),
        }
    }
}

/// Where secrets, variables, runners, runs and hooks live.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// One repository.
    Repo(RepoPath),
    /// All repositories of an organisation.
    Org(String),
    /// All repositories of the user who asks.
    Me,
    /// The whole instance; for site administrators.
    Admin,
}

impl Scope {
    /// The beginning of the paths of this scope, as a template.
    pub(crate) fn template(&self) -> &'static str {
        match self {
            Self::Repo(_) => "/repos/{owner}/{repo}",
            Self::Org(_) => "/orgs/{org}",
            Self::Me => "/user",
            Self::Admin => "/admin",
        }
    }

    /// The arguments of that template.
    pub(crate) fn arguments(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Repo(path) => {
                vec![
                    ("owner", path.owner().to_owned()),
                    ("repo", path.name().to_owned()),
                ]
            }
            Self::Org(name) => vec![("org", name.clone())],
            Self::Me | Self::Admin => Vec::new(),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repo(path) => write!(f, "repository `{path}`"),
            Self::Org(name) => write!(f, "organisation `{name}`"),
            Self::Me => f.write_str("the signed-in user"),
            Self::Admin => f.write_str("the instance"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{RepoPath, RunId};

    proptest! {
        #[test]
        fn a_repo_path_survives_the_round_trip(owner in "[a-zA-Z0-9._-]{1,20}", name in "[a-zA-Z0-9._-]{1,20}") {
            let path = RepoPath::new(owner, name);
            prop_assert_eq!(path.to_string().parse::<RepoPath>().unwrap(), path);
        }

        #[test]
        fn an_id_survives_the_round_trip(number: i64) {
            let id = RunId::from(number);
            prop_assert_eq!(id.to_string().parse::<RunId>().unwrap(), id);
        }
    }

    #[test]
    fn a_path_needs_exactly_two_parts() {
        for text in ["", "/", "a", "a/", "/b", "a/b/c"] {
            assert!(text.parse::<RepoPath>().is_err(), "{text}");
        }
    }
}
