//! What went wrong, with what, and whether it reached the server.

mod task_failure;

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;

use crate::auth::TfaChallenge;
use crate::transport::Fingerprint;

pub use task_failure::TaskFailure;

/// A call that did not do what it should.
///
/// Its text says what was being done, to what, and what the server said; [`Error::kind`] is for
/// programs. The text of a cause stands in `source()` and is not repeated.
///
/// ```
/// # use proxmox_api::{Client, Tls};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let play = testkit::node::Node::start_memory().await?;
/// # let pve = Client::builder(play.url()).token(play.root_token().parse()?)
/// #     .tls(Tls::Pinned(play.fingerprint().parse()?)).build()?;
/// # let node = pve.node(play.name().parse()?);
/// use proxmox_api::{Delivery, ErrorKind};
///
/// let error = node.container(999.try_into()?).config().await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert_eq!((error.delivery(), error.status()), (Delivery::Answered, Some(500)));
/// assert!(error.to_string().starts_with("reading the configuration of container `999`"));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    operation: String,
    subject: String,
    cause: Cause,
}

/// Why it failed; private, so that it may change.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The server answered, and refused.
    Refused(Refusal),
    /// The conversation broke.
    Broken(Breakage),
    /// The request was never made: a value is missing or wrong.
    Unsendable(String),
    /// The answer is not of the documented form.
    Undecodable { status: u16, source: BoxedError },
    /// A task ended badly.
    Task(TaskFailure),
    /// A wait reached its bound.
    Overdue(String),
    /// The login wants a second factor.
    SecondFactor(TfaChallenge),
}

/// Any error, boxed.
pub(crate) type BoxedError = Box<dyn StdError + Send + Sync>;

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) message: String,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) kind: ErrorKind,
}

/// A conversation that broke before there was a whole answer.
#[derive(Debug)]
pub(crate) struct Breakage {
    pub(crate) kind: ErrorKind,
    pub(crate) delivery: Delivery,
    pub(crate) what: String,
    pub(crate) shown: Option<Fingerprint>,
    pub(crate) source: Option<BoxedError>,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The guest, storage, volume, user, token or task is not there.
    NotFound,
    /// There is no node of that name; what it holds is unknown, not absent.
    UnknownNode,
    /// There is one of that name already.
    AlreadyExists,
    /// The guest is locked by a longer operation, e.g. a backup.
    Locked,
    /// The server waited for a lock of its own and gave up.
    LockTimeout,
    /// The configuration changed since its digest was read.
    Modified,
    /// A privilege is missing (403).
    Denied,
    /// Only `root@pam` itself may do this; no privilege and no token helps.
    RootOnly,
    /// The call is not open to API tokens.
    NeedsTicket,
    /// The credentials were not accepted (401).
    Unauthorized,
    /// The login wants a second factor.
    SecondFactor,
    /// One or more parameters were refused; see [`Error::parameters`].
    InvalidParameter,
    /// The guest is protected from being destroyed.
    Protected,
    /// The cluster has no quorum and accepts no change.
    NoQuorum,
    /// The guest does not run.
    NotRunning,
    /// The guest runs.
    AlreadyRunning,
    /// There is no such call in this version of the server.
    NotImplemented,
    /// No connection could be made.
    Unreachable,
    /// The server's certificate is not the trusted one.
    Untrusted,
    /// No answer, or no end of a task, within the limit.
    TimedOut,
    /// The connection broke after the request was begun.
    Interrupted,
    /// A proxy on the way, or the node that forwards to another, failed (502 to 504, 595 to 599).
    Gateway,
    /// The answer is larger than the limit.
    TooLarge,
    /// The answer is not of the documented form.
    Unexpected,
    /// A task ended with an error; see [`Error::task_failure`].
    TaskFailed,
    /// The client was configured with something unusable, or a value could not be sent.
    Unusable,
    /// Any other failure that the server reported.
    Server,
}

/// Whether the request reached the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Delivery {
    /// Certainly not: it can be sent again without any risk.
    NotSent,
    /// Perhaps: look at the state before anything is repeated.
    Unknown,
    /// Yes, and there was an answer.
    Answered,
}

impl Error {
    pub(crate) fn new(
        operation: impl Into<String>,
        subject: impl Into<String>,
        cause: Cause,
    ) -> Self {
        Self(Box::new(Inner {
            operation: operation.into(),
            subject: subject.into(),
            cause,
        }))
    }

    /// An error of the client's own making, before anything was sent.
    pub(crate) fn unusable(operation: &str, reason: impl Into<String>) -> Self {
        Self::new(operation, "", Cause::Unsendable(reason.into()))
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0.cause {
            Cause::Refused(refusal) => refusal.kind,
            Cause::Broken(breakage) => breakage.kind,
            Cause::Unsendable(_) => ErrorKind::Unusable,
            Cause::Undecodable { .. } => ErrorKind::Unexpected,
            Cause::Task(_) => ErrorKind::TaskFailed,
            Cause::Overdue(_) => ErrorKind::TimedOut,
            Cause::SecondFactor(_) => ErrorKind::SecondFactor,
        }
    }

    /// Whether the request reached the server.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        match &self.0.cause {
            Cause::Broken(breakage) => breakage.delivery,
            Cause::Unsendable(_) => Delivery::NotSent,
            // 595: the node that was asked could not connect to the one that should answer.
            Cause::Refused(refusal) if refusal.status == 595 => Delivery::NotSent,
            Cause::Refused(refusal) if refusal.kind == ErrorKind::Gateway => Delivery::Unknown,
            Cause::Refused(_)
            | Cause::Undecodable { .. }
            | Cause::Task(_)
            | Cause::Overdue(_)
            | Cause::SecondFactor(_) => Delivery::Answered,
        }
    }

    /// What was being done, e.g. ``creating container `105` on node `pve1` ``.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The call it was done with, e.g. `POST /nodes/pve1/lxc`; empty if there was none.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The HTTP status, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.0.cause {
            Cause::Refused(refusal) => Some(refusal.status),
            Cause::Undecodable { status, .. } => Some(*status),
            Cause::Broken(_)
            | Cause::Unsendable(_)
            | Cause::Task(_)
            | Cause::Overdue(_)
            | Cause::SecondFactor(_) => None,
        }
    }

    /// The refused parameters with the server's reason for each; empty for other failures.
    #[must_use]
    pub fn parameters(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        match &self.0.cause {
            Cause::Refused(refusal) => &refusal.params,
            _ => &NONE,
        }
    }

    /// The server's own words, without what this crate adds; for a failed task its exit status.
    #[must_use]
    pub fn server_message(&self) -> Option<&str> {
        match &self.0.cause {
            Cause::Refused(refusal) => Some(&refusal.message),
            Cause::Task(failure) => Some(failure.exit_status()),
            _ => None,
        }
    }

    /// The failed task, if it was one.
    #[must_use]
    pub fn task_failure(&self) -> Option<&TaskFailure> {
        match &self.0.cause {
            Cause::Task(failure) => Some(failure),
            _ => None,
        }
    }

    /// The challenge to answer, if the login wants a second factor.
    #[must_use]
    pub fn challenge(&self) -> Option<&TfaChallenge> {
        match &self.0.cause {
            Cause::SecondFactor(challenge) => Some(challenge),
            _ => None,
        }
    }

    /// The fingerprint of the certificate that was not trusted.
    #[must_use]
    pub fn shown_fingerprint(&self) -> Option<&Fingerprint> {
        match &self.0.cause {
            Cause::Broken(breakage) => breakage.shown.as_ref(),
            _ => None,
        }
    }

    /// What was missing, if the server said it: the path, and the privileges of which one suffices.
    #[must_use]
    pub fn missing_privileges(&self) -> Option<(&str, Vec<&str>)> {
        let inner = self
            .server_message()?
            .split_once("Permission check failed (")?
            .1;
        let (path, privileges) = inner.split_once(')')?.0.split_once(", ")?;
        Some((path, privileges.split('|').collect()))
    }

    /// The operation that holds the guest, e.g. `backup`, if that is why it was refused.
    #[must_use]
    pub fn lock(&self) -> Option<&str> {
        let text = self.server_message()?.split_once(" is locked (")?.1;
        text.split_once(')').map(|(operation, _)| operation)
    }

    /// Whether the thing asked for is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }

    /// Whether something stands in the way that was not there when last looked at.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self.kind(), ErrorKind::AlreadyExists | ErrorKind::Modified)
    }

    /// Whether the credentials were not accepted.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Unauthorized | ErrorKind::SecondFactor
        )
    }

    /// Whether sending the very same request again is safe and may help.
    ///
    /// True only if it was certainly not carried out: never sent, or refused before any work
    /// because of a lock or a missing quorum.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match &self.0.cause {
            Cause::Refused(refusal) => refusal.status == 595 || is_momentary(refusal.kind),
            Cause::Broken(breakage) => {
                breakage.delivery == Delivery::NotSent && breakage.kind == ErrorKind::Unreachable
            }
            _ => false,
        }
    }

    /// The same error without the texts that must not be shown.
    pub(crate) fn redacted(mut self, redact: impl Fn(&str) -> String) -> Self {
        if let Cause::Refused(refusal) = &mut self.0.cause {
            refusal.message = redact(&refusal.message);
            for reason in refusal.params.values_mut() {
                *reason = redact(reason);
            }
        }
        self
    }
}

/// States of the cluster or the guest that pass, and in which nothing was begun.
fn is_momentary(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Locked | ErrorKind::LockTimeout | ErrorKind::NoQuorum
    )
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.0.operation)?;
        match &self.0.cause {
            Cause::Refused(refusal) => refusal.fmt(f),
            Cause::Broken(breakage) => f.write_str(&breakage.what),
            Cause::Unsendable(reason) | Cause::Overdue(reason) => f.write_str(reason),
            Cause::Undecodable { status, .. } => {
                write!(f, "the answer ({status}) is not of the documented form")
            }
            Cause::Task(failure) => failure.fmt(f),
            Cause::SecondFactor(challenge) => challenge.fmt(f),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        write!(f, "{} ({})", words(&self.message), self.status)?;
        for (name, reason) in &self.params {
            write!(f, "; `{name}`: {}", words(reason))?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = match &self.0.cause {
            Cause::Broken(breakage) => breakage.source.as_ref()?,
            Cause::Undecodable { source, .. } => source,
            _ => return None,
        };
        Some(source.as_ref())
    }
}

#[cfg(test)]
mod tests;
