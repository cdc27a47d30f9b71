//! The exit codes, documented; and what a command fails with.

use std::process::ExitCode;

/// The table that `--help` ends with.
pub(crate) const HELP: &str = "\
Exit codes:
   0  done, or nothing to do
   1  something unexpected
   2  `plan --detailed-exitcode`: there are changes
   3  `apply` or `destroy`: something failed; what it did not depend on was done
      `logs --follow`: the run did not go well; `doctor`: something is wrong
   4  refused: nothing was changed, the reason and the way out were printed
  64  the command line is wrong
  65  the fleet repository is wrong: file, line and field were printed
  69  the server cannot be reached
  73  a file cannot be written
  75  busy: another run holds the lock; try again
  76  the server is not the one that was pinned (certificate or ssh host key)
  77  denied by the server: wrong or expired token, or a missing privilege
  78  a setting is missing or wrong (address, fingerprint, token file)
`exec` ends with the code of its command.

Environment:
  PROXMOX_CI_FLEET, PROXMOX_CI_URL, PROXMOX_CI_FINGERPRINT, PROXMOX_CI_CA_FILE,
  PROXMOX_CI_TOKEN_FILE, PROXMOX_CI_SSH_KEY stand for the flags of these names.
  NO_COLOR turns colour off. COLUMNS=80 folds sentences as a terminal that wide.
  DOCKER_HOST=unix://SOCKET is the daemon of `local`.
  PROXMOX_CI_RUNNER_TOKEN is the registration token of `runner register`.
  PROXMOX_CI_GITEA is the program of Gitea that `bootstrap` installs.
  PROXMOX_CI_STATE, PROXMOX_CI_FORGE_URL, PROXMOX_CI_FORGE_FINGERPRINT,
  PROXMOX_CI_FORGE_CA_FILE, PROXMOX_CI_FORGE_TOKEN_FILE stand for flags too.";

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Done, or nothing to do.
    Ok,
    /// Something unexpected.
    Unexpected,
    /// `plan --detailed-exitcode` found changes.
    Changes,
    /// Some actions failed; what did not depend on them was done.
    Failed,
    /// Refused before anything was changed.
    Refused,
    /// The command line is wrong (sysexits `EX_USAGE`).
    Usage,
    /// The fleet repository is wrong (`EX_DATAERR`).
    Fleet,
    /// The server cannot be reached (`EX_UNAVAILABLE`).
    Unavailable,
    /// A file cannot be written (`EX_CANTCREAT`).
    CannotWrite,
    /// Another run holds the lock (`EX_TEMPFAIL`).
    Busy,
    /// The server is not the one that was pinned (`EX_PROTOCOL`).
    Untrusted,
    /// The server denies it (`EX_NOPERM`).
    Denied,
    /// A setting is missing or wrong (`EX_CONFIG`).
    Settings,
    /// `exec`: the command's own exit code.
    OfCommand(u8),
}

impl Code {
    /// The exit code of a command that ran in a guest.
    pub(crate) fn of_command(code: i32) -> Self {
        u8::try_from(code).map_or(Self::Unexpected, Self::OfCommand)
    }

    const fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Unexpected => 1,
            Self::Changes => 2,
            Self::Failed => 3,
            Self::Refused => 4,
            Self::Usage => 64,
            Self::Fleet => 65,
            Self::Unavailable => 69,
            Self::CannotWrite => 73,
            Self::Busy => 75,
            Self::Untrusted => 76,
            Self::Denied => 77,
            Self::Settings => 78,
            Self::OfCommand(code) => code,
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.number())
    }
}

/// A command that did not succeed: how the program ends, why, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) code: Code,
    /// What went wrong, with its causes.
    pub(crate) error: anyhow::Error,
    /// What to do, where there is something to do.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure with a code of its own.
    pub(crate) fn new(code: Code, error: impl Into<anyhow::Error>) -> Self {
        Self {
            code,
            error: error.into(),
            hint: None,
        }
    }

    /// The same failure with a way out.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Code::Unexpected, error)
    }
}
