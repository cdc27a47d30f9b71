//! What a client needs to know beforehand.

use std::sync::Arc;
use std::time::Duration;

use super::Client;
use crate::auth::{
    AnswerChallenge, ApiToken, Credentials, SecondFactor, Secret, Session, TfaChallenge, Ticket,
};
use crate::error::Error;
use crate::ids::UserId;
use crate::retry::RetryPolicy;
use crate::transport::{Limits, ServerUrl, Tls, Transport};

/// Describes a client; [`ClientBuilder::build`] makes it.
#[must_use]
#[derive(Debug, Clone)]
pub struct ClientBuilder {
    servers: Vec<(String, Option<Tls>)>,
    tls: Tls,
    credentials: Credentials,
    retry: RetryPolicy,
    limits: Limits,
    renew_after: Duration,
}

impl ClientBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            servers: vec![(url, None)],
            tls: Tls::default(),
            credentials: Credentials::Anonymous,
            retry: RetryPolicy::default(),
            limits: Limits {
                connect: Duration::from_secs(5),
                answer: Duration::from_secs(60),
                body: 32 << 20,
            },
            renew_after: Duration::from_secs(3600),
        }
    }

    /// A further address of the same cluster, used when the present one cannot be reached.
    pub fn or_at(mut self, url: impl Into<String>) -> Self {
        self.servers.push((url.into(), None));
        self
    }

    /// A further address with a trust of its own, e.g. another fingerprint.
    pub fn or_at_trusting(mut self, url: impl Into<String>, tls: Tls) -> Self {
        self.servers.push((url.into(), Some(tls)));
        self
    }

    /// Which certificates are trusted; the operating system's if nothing is said.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Asks with an API token.
    pub fn token(mut self, token: ApiToken) -> Self {
        self.credentials = Credentials::Token(token);
        self
    }

    /// Logs in with a password when first asked to do something, and renews the login in time.
    ///
    /// If the user has a second factor, requests fail with
    /// [`ErrorKind::SecondFactor`](crate::ErrorKind::SecondFactor); see
    /// [`ClientBuilder::password_and_factor`].
    pub fn password(mut self, user: UserId, password: impl Into<Secret>) -> Self {
        self.credentials = Credentials::Password {
            user,
            password: password.into(),
            answer: None,
        };
        self
    }

    /// Logs in with a password, and asks `answer` for the second factor when the server wants one.
    ///
    /// ```
    /// use proxmox_api::{Client, SecondFactor, Secret};
    ///
    /// # let code_of_the_moment = || "123456";
    /// let client = Client::builder("pve1.example")
    ///     .password_and_factor("root@pam".parse()?, "secret", move |challenge| {
    ///         let code = code_of_the_moment();
    ///         challenge.accepts_totp().then(|| SecondFactor::Totp(Secret::new(code)))
    ///     });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn password_and_factor(
        mut self,
        user: UserId,
        password: impl Into<Secret>,
        answer: impl Fn(&TfaChallenge) -> Option<SecondFactor> + Send + Sync + 'static,
    ) -> Self {
        let answer: AnswerChallenge = Arc::new(answer);
        let password = password.into();
        self.credentials = Credentials::Password {
            user,
            password,
            answer: Some(answer),
        };
        self
    }

    /// Asks with a ticket that was obtained elsewhere, and renews it in time.
    pub fn ticket(mut self, ticket: Ticket) -> Self {
        self.credentials = Credentials::Ticket(ticket);
        self
    }

    /// How often to try, and how long to pause in between.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How long to wait for a connection; five seconds if nothing is said.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.limits.connect = limit;
        self
    }

    /// How long to wait for a whole answer, for an upload as long as nothing moves; a minute if
    /// nothing is said. The server itself may wait ten seconds for a lock and thirty for a node.
    pub fn answer_timeout(mut self, limit: Duration) -> Self {
        self.limits.answer = limit;
        self
    }

    /// The largest answer to read, in bytes; 32 MiB if nothing is said.
    pub fn answer_bytes_max(mut self, bytes: usize) -> Self {
        self.limits.body = bytes;
        self
    }

    /// The age at which a ticket is renewed; an hour if nothing is said, of the two it lives.
    pub fn renew_after(mut self, age: Duration) -> Self {
        self.renew_after = age;
        self
    }

    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Unusable`](crate::ErrorKind::Unusable) if an address or a CA file cannot be
    /// used.
    pub fn build(self) -> Result<Client, Error> {
        let mut servers = Vec::new();
        for (url, tls) in self.servers {
            let url: ServerUrl = url.parse().map_err(|error: crate::ids::InvalidId| {
                Error::unusable("preparing the connection", error.to_string())
            })?;
            servers.push((url, tls.unwrap_or_else(|| self.tls.clone())));
        }
        let transport = Transport::new(servers, self.limits)?;
        let session = Session::new(self.credentials, self.renew_after);
        Ok(Client::from_parts(transport, session, self.retry))
    }
}
