//! What answers: Gitea or Forgejo, which version, and what that version can do.
//!
//! Requirements of Gitea 1.24, 1.25 and 1.26 were tried on real servers. **Those of Gitea 1.27 and
//! 1.28 and everything about Forgejo were read, never tried.**

use std::fmt;

/// The two families of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flavor {
    /// Gitea.
    Gitea,
    /// Forgejo; its version text ends in `+gitea-…`. Never tried.
    Forgejo,
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gitea => "Gitea",
            Self::Forgejo => "Forgejo",
        })
    }
}

/// Major and minor number of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

impl Release {
    const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What a server said it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    flavor: Flavor,
    release: Release,
    text: String,
}

impl Server {
    /// Reads a version text such as `1.26.3` or `17.0.0-dev-1+gitea-1.22.0`.
    ///
    /// ```
    /// use gitea_api::server::{Capability, Flavor, Server};
    ///
    /// let old = Server::parse("1.25.4").expect("a version");
    /// assert_eq!(old.flavor(), Flavor::Gitea);
    /// assert!(old.supports(Capability::Runs) && !old.supports(Capability::Rerun));
    /// let other = Server::parse("15.0.0+gitea-1.22.0").expect("a version");
    /// assert_eq!(other.flavor(), Flavor::Forgejo);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let flavor = if text.contains("+gitea-") {
            Flavor::Forgejo
        } else {
            Flavor::Gitea
        };
        let mut numbers = text.trim_start_matches('v').split(['.', '-', '+']);
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        Some(Self {
            flavor,
            release: Release::new(major, minor),
            text: text.to_owned(),
        })
    }

    /// Which family it belongs to.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// The version's first two numbers.
    #[must_use]
    pub fn release(&self) -> Release {
        self.release
    }

    /// The version as the server wrote it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.text
    }

    /// Whether the server can do this.
    #[must_use]
    pub fn supports(&self, capability: Capability) -> bool {
        let (gitea, forgejo) = capability.since();
        let needed = match self.flavor {
            Flavor::Gitea => gitea,
            Flavor::Forgejo => forgejo,
        };
        needed.is_some_and(|needed| self.release >= needed)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.flavor, self.text)
    }
}

/// Defines the capabilities: since which version of Gitea, and of Forgejo.
macro_rules! capabilities {
    ($($(#[$meta:meta])* $name:ident: $gitea:expr, $forgejo:expr;)*) => {
        /// Something that not every supported server can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Capability {
            $($(#[$meta])* $name,)*
        }

        impl Capability {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            fn since(self) -> (Option<Release>, Option<Release>) {
                match self {
                    $(Self::$name => ($gitea, $forgejo),)*
                }
            }
        }
    };
}

const fn since(major: u32, minor: u32) -> Option<Release> {
    Some(Release::new(major, minor))
}

const NEVER: Option<Release> = None;

capabilities! {
    /// List, read and delete runners.
    Runners: since(1, 24), since(15, 0);
    /// Disable and enable a runner.
    EditRunner: since(1, 26), NEVER;
    /// Ask for a registration token by POST; Forgejo wants a GET, which the client knows.
    RegistrationToken: since(1, 24), NEVER;
    /// Ask for a registration token by GET.
    RegistrationTokenByGet: NEVER, since(7, 0);
    /// Make a runner in one call, without a registration.
    CreateRunner: NEVER, since(15, 0);
    /// List and read workflows, enable and disable them.
    Workflows: since(1, 24), NEVER;
    /// Start a workflow by hand.
    Dispatch: since(1, 24), since(7, 0);
    /// Learn the run from the answer to a dispatch.
    DispatchDetails: since(1, 26), NEVER;
    /// Runs and jobs of a repository.
    Runs: since(1, 25), since(15, 0);
    /// Runs and jobs of an organisation, a user or the instance.
    RunsOfOwners: since(1, 25), NEVER;
    /// List the jobs of a repository whatever their run.
    Jobs: since(1, 25), NEVER;
    /// The log of a job.
    JobLogs: since(1, 24), NEVER;
    /// Run a finished run or job again.
    Rerun: since(1, 26), NEVER;
    /// Stop a run.
    CancelRun: since(1, 28), since(15, 0);
    /// The runs of one workflow.
    RunsOfWorkflow: since(1, 27), NEVER;
    /// Earlier attempts of a run.
    RunAttempts: since(1, 27), NEVER;
    /// Tasks of a repository.
    Tasks: since(1, 24), since(7, 0);
    /// Move a branch to a commit.
    MoveBranch: since(1, 26), NEVER;
    /// File, directory and last commit in one answer.
    ContentsExt: since(1, 25), NEVER;
    /// The operations `upload` and `rename` in a commit of several files.
    UploadAndRename: since(1, 25), since(11, 0);
    /// Start a branch that exists again from another one, in a commit by API.
    ForceNewBranch: since(1, 26), NEVER;
    /// Read or revoke the token in use.
    TokenInfo: since(1, 27), NEVER;
    /// Remove all repositories of an organisation.
    DeleteOrgRepos: since(1, 27), NEVER;
}

impl Capability {
    /// What it takes, in words.
    #[must_use]
    pub fn needs(self) -> String {
        match self.since() {
            (Some(gitea), Some(forgejo)) => format!("Gitea {gitea} or Forgejo {forgejo}"),
            (Some(gitea), None) => format!("Gitea {gitea}"),
            (None, Some(forgejo)) => format!("Forgejo {forgejo}"),
            (None, None) => "a server that does not exist yet".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Capability, Flavor, Server};

    #[test]
    fn flavours_are_told_apart_by_the_version_text() {
        for (text, flavor, release) in [
            ("1.26.3", Flavor::Gitea, "1.26"),
            ("1.27.0+dev-12-gabcdef", Flavor::Gitea, "1.27"),
            ("1.24.7", Flavor::Gitea, "1.24"),
            ("17.0.0-dev-245-abc+gitea-1.22.0", Flavor::Forgejo, "17.0"),
            ("15.0.1+gitea-1.22.0", Flavor::Forgejo, "15.0"),
        ] {
            let server = Server::parse(text).unwrap();
            assert_eq!(server.flavor(), flavor, "{text}");
            assert_eq!(server.release().to_string(), release, "{text}");
        }
        assert_eq!(Server::parse("<html>"), None);
    }

    #[test]
    fn every_capability_names_what_it_takes() {
        for capability in Capability::ALL {
            assert!(capability.needs().contains(' '), "{capability:?}");
        }
        assert_eq!(Capability::Rerun.needs(), "Gitea 1.26");
        assert_eq!(Capability::CancelRun.needs(), "Gitea 1.28 or Forgejo 15.0");
    }
}
