//! The exit codes, documented; and what a command fails with.

use std::process::ExitCode;

/// The table that `--help` ends with.
pub(crate) const HELP: &str = "\
Exit codes:
   0  done, or nothing to do
   1  something unexpected
   2  `plan --detailed-exitcode`: there are changes
   3  `apply` or `destroy`: something failed; what it did not depend on was done
   4  refused: nothing was changed, the reason and the way out were printed
  64  the command line is wrong
  65  the fleet repository is wrong: file, line and field were printed
  69  the server cannot be reached
  73  a file cannot be written
  75  busy: another run holds the lock; try again
  76  the server is not the one that was pinned (certificate or ssh host key)
  77  the server denies it: wrong or expired token, or a privilege that is missing
  78  a setting is missing or wrong (address, fingerprint, token file)

Environment:
  PROXMOX_CI_FLEET, PROXMOX_CI_URL, PROXMOX_CI_FINGERPRINT, PROXMOX_CI_CA_FILE,
  PROXMOX_CI_TOKEN_FILE stand for the flags of these names; NO_COLOR turns colour off.";

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Done, or nothing to do.
    Ok = 0,
    /// Something unexpected.
    Unexpected = 1,
    /// `plan --detailed-exitcode` found changes.
    Changes = 2,
    /// Some actions failed; what did not depend on them was done.
    Failed = 3,
    /// Refused before anything was changed.
    Refused = 4,
    /// The command line is wrong (sysexits `EX_USAGE`).
    Usage = 64,
    /// The fleet repository is wrong (`EX_DATAERR`).
    Fleet = 65,
    /// The server cannot be reached (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// A file cannot be written (`EX_CANTCREAT`).
    CannotWrite = 73,
    /// Another run holds the lock (`EX_TEMPFAIL`).
    Busy = 75,
    /// The server is not the one that was pinned (`EX_PROTOCOL`).
    Untrusted = 76,
    /// The server denies it (`EX_NOPERM`).
    Denied = 77,
    /// A setting is missing or wrong (`EX_CONFIG`).
    Settings = 78,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
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
