//! What went wrong, with what, and whether it is safe to try again.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kinds of failure a caller can act on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The thing is not there, or may not be seen by who asks: upstream does not tell which.
    NotFound,
    /// The server has no such endpoint: it is too old, or something else answers at this address.
    NoSuchEndpoint,
    /// Something of that name, or with that content, is there already.
    AlreadyExists,
    /// The request contradicts the present state in another way.
    Conflict,
    /// A file was changed since its `sha` was read.
    ShaMismatch,
    /// A branch was moved since its commit was read, or would have to be moved back by force.
    HeadMoved,
    /// Two lines of work change the same place.
    MergeConflict,
    /// The repository has no commit yet.
    EmptyRepository,
    /// The pull request cannot be merged now; checks may still be running.
    NotMergeableYet,
    /// A value was refused. `field` is the server's name for it, empty when it gave none.
    Validation {
        /// The server's name of the field.
        field: String,
        /// The rule that was broken, in the server's words.
        rule: String,
    },
    /// The credentials are wrong, missing where they are needed, or lack their second factor.
    Unauthorized,
    /// The account must change its password before anything else.
    MustChangePassword,
    /// The account is deactivated or barred from signing in.
    AccountProhibited,
    /// The token lacks scopes; **all** of `required` are needed.
    MissingScope {
        /// What the call needs.
        required: Vec<String>,
        /// What the token has.
        have: Vec<String>,
    },
    /// The user may not do this.
    Forbidden,
    /// A protection rule of the branch, tag or path forbids this.
    Protected,
    /// The repository is archived, a mirror, or locked otherwise.
    Locked,
    /// A limit of the account is reached.
    Quota,
    /// The body is larger than the server takes.
    TooLarge,
    /// The repository or its owner was renamed, and a write is not repeated elsewhere by itself.
    Moved {
        /// Where the server points to, without a query: that may hold a signature.
        location: String,
    },
    /// The server is too busy, or in maintenance.
    Unavailable {
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The server failed. Upstream also answers so for some mistakes of the caller.
    Server,
    /// The server's kind or version lacks this; nothing was sent.
    Unsupported {
        /// What it would take, for instance `Gitea 1.26`.
        needs: String,
        /// What the server is.
        have: String,
    },
    /// The request could not be built; nothing was sent.
    InvalidRequest,
    /// No connection could be made.
    Connect,
    /// The certificate was refused by the trust policy.
    CertificateRefused,
    /// Time ran out: of a request, or of a bounded wait.
    Timeout,
    /// The connection broke.
    Interrupted,
    /// The answer is not what the documentation promises.
    Decode,
    /// What answers is no Gitea API: a proxy's page, or an installation not done yet.
    NotGitea,
    /// A cap that the caller set was reached.
    LimitReached,
    /// The runner is not, or no longer, known to the server.
    UnknownRunner,
    /// The log of the task is sealed and takes no more rows.
    LogSealed,
    /// A task failed, was cancelled or ended otherwise than well, and success was asked for.
    RunFailed,
    /// Any other refusal.
    Refused,
}

impl ErrorKind {
    fn words(&self) -> String {
        match self {
            Self::NotFound => "not found".to_owned(),
            Self::NoSuchEndpoint => "the server has no such endpoint".to_owned(),
            Self::AlreadyExists => "it exists already".to_owned(),
            Self::Conflict => "it conflicts with the present state".to_owned(),
            Self::ShaMismatch => "the file was changed meanwhile".to_owned(),
            Self::HeadMoved => "the branch was moved meanwhile".to_owned(),
            Self::MergeConflict => "the changes conflict".to_owned(),
            Self::EmptyRepository => "the repository is empty".to_owned(),
            Self::NotMergeableYet => "it cannot be merged yet".to_owned(),
            Self::Validation { field, .. } if field.is_empty() => "a value was refused".to_owned(),
            Self::Validation { field, rule } => format!("`{field}` breaks the rule `{rule}`"),
            Self::Unauthorized => "the credentials were refused".to_owned(),
            Self::MustChangePassword => "the account must change its password first".to_owned(),
            Self::AccountProhibited => "the account is barred from signing in".to_owned(),
            Self::MissingScope { required, have } => {
                format!(
                    "the token lacks scopes: needed `{}`, has `{}`",
                    required.join(" "),
                    have.join(" ")
                )
            }
            Self::Forbidden => "not allowed".to_owned(),
            Self::Protected => "a protection rule forbids it".to_owned(),
            Self::Locked => "the repository takes no changes".to_owned(),
            Self::Quota => "a limit of the account is reached".to_owned(),
            Self::TooLarge => "the body is too large".to_owned(),
            Self::Moved { location } => format!("it was moved to `{location}`"),
            Self::Unavailable { .. } => "the server is not available".to_owned(),
            Self::Server => "the server failed".to_owned(),
            Self::Unsupported { needs, have } => format!("it needs {needs}, the server is {have}"),
            Self::InvalidRequest => "the request cannot be built".to_owned(),
            Self::Connect => "no connection".to_owned(),
            Self::CertificateRefused => "the certificate is not trusted".to_owned(),
            Self::Timeout => "out of time".to_owned(),
            Self::Interrupted => "the connection broke".to_owned(),
            Self::Decode => "the answer is not as documented".to_owned(),
            Self::NotGitea => "what answers is no Gitea API".to_owned(),
            Self::LimitReached => "the limit of the caller is reached".to_owned(),
            Self::UnknownRunner => "the runner is not registered".to_owned(),
            Self::LogSealed => "the log is sealed".to_owned(),
            Self::RunFailed => "it did not succeed".to_owned(),
            Self::Refused => "refused".to_owned(),
        }
    }
}

/// Whether a request may have had an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// It certainly did not reach the server.
    NotSent,
    /// It may have reached the server, and may have been carried out.
    Unknown,
    /// The server answered.
    Answered,
}

/// A failed call. It holds no secret: addresses are kept without query and user, bodies not at all.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = testkit::forge::Forge::start().await?;
/// # let token = gitea_api::Auth::token(&*server.ready().root_token);
/// # let client = gitea_api::Client::builder(server.url()).auth(token).build()?;
/// use gitea_api::{Delivery, ErrorKind};
///
/// let error = client.repo("nobody", "nothing").get().await.unwrap_err();
/// assert_eq!(error.kind(), &ErrorKind::NotFound);
/// assert_eq!(error.delivery(), Delivery::Answered);
/// assert_eq!((error.operation(), error.status()), ("get repository", Some(404)));
/// # Ok(())
/// # }
/// ```
pub struct Error(Box<Details>);

struct Details {
    kind: ErrorKind,
    operation: String,
    url: String,
    status: Option<u16>,
    message: Option<String>,
    delivery: Delivery,
    /// Where the server points to, whole; for following, never shown.
    redirect: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, operation: impl Into<String>, delivery: Delivery) -> Self {
        Self(Box::new(Details {
            kind,
            operation: operation.into(),
            url: String::new(),
            status: None,
            message: None,
            delivery,
            redirect: None,
            source: None,
        }))
    }

    pub(crate) fn at(mut self, url: impl Into<String>) -> Self {
        self.0.url = url.into();
        self
    }

    pub(crate) fn answered(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn saying(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(message.into()).filter(|text: &String| !text.is_empty());
        self
    }

    pub(crate) fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(cause.into());
        self
    }

    pub(crate) fn toward(mut self, location: Option<&str>) -> Self {
        self.0.redirect = location.map(str::to_owned);
        self
    }

    pub(crate) fn redirect(&self) -> Option<&str> {
        self.0.redirect.as_deref()
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// What was being done, for instance `get repository`.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The address that was asked, without query and user; empty when there was none.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The HTTP status, when the server answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The server's own words. They change between versions: decide by [`kind`](Self::kind).
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// Whether the request may have had an effect.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        self.0.delivery
    }

    /// The thing is not there, or may not be seen.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.0.kind == ErrorKind::NotFound
    }

    /// Something of that name or content is there already.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.0.kind == ErrorKind::AlreadyExists
    }

    /// The present state was another than the caller thought.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        use ErrorKind::{AlreadyExists, Conflict, HeadMoved, MergeConflict, ShaMismatch};
        matches!(
            self.0.kind,
            AlreadyExists | Conflict | HeadMoved | MergeConflict | ShaMismatch
        )
    }

    /// The credentials are wrong, missing, or not enough.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        use ErrorKind::{AccountProhibited, MustChangePassword, Unauthorized};
        matches!(
            self.0.kind,
            Unauthorized | MustChangePassword | AccountProhibited
        )
    }

    /// Trying the same again later may succeed, and cannot do harm twice: nothing was carried out.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        use ErrorKind::{NotMergeableYet, Unavailable};
        match self.0.delivery {
            Delivery::NotSent => matches!(self.0.kind, ErrorKind::Connect | ErrorKind::Timeout),
            Delivery::Unknown => false,
            Delivery::Answered => matches!(self.0.kind, Unavailable { .. } | NotMergeableYet),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.operation)?;
        if !self.0.url.is_empty() {
            write!(f, " at `{}`", self.0.url)?;
        }
        write!(f, ": {}", self.0.kind.words())?;
        if let Some(status) = self.0.status {
            write!(f, " ({status})")?;
        }
        if let Some(message) = &self.0.message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("url", &self.0.url)
            .field("status", &self.0.status)
            .field("message", &self.0.message)
            .field("delivery", &self.0.delivery)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_ref()
            .map(|source| &**source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::io;

    use super::{Delivery, Error, ErrorKind};

    #[test]
    fn the_display_never_repeats_the_source() {
        let error = Error::new(ErrorKind::Connect, "get version", Delivery::NotSent)
            .at("https://forge.internal/api/v1/version")
            .because(io::Error::other("no route"));
        assert_eq!(
            error.to_string(),
            "get version at `https://forge.internal/api/v1/version`: no connection"
        );
        assert_eq!(error.source().unwrap().to_string(), "no route");
        assert!(error.is_retryable());
    }

    #[test]
    fn an_unknown_delivery_is_never_retryable() {
        let error = Error::new(ErrorKind::Timeout, "create repository", Delivery::Unknown);
        assert!(!error.is_retryable());
    }
}
