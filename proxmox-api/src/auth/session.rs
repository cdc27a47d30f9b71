//! The present login of a client: obtained when first needed, renewed before it grows old.
//!
//! # Quirks
//! A ticket is renewed by sending it in the place of the password, which needs no second factor.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Mutex;

use super::{ApiToken, SecondFactor, Secret, TfaChallenge, Ticket};
use crate::api;
use crate::client::Client;
use crate::error::{Cause, Error};
use crate::ids::UserId;
use crate::request::Request;
use crate::wire::{Params, lax};

/// Gives the answer to a challenge, or nothing if there is none to give.
pub(crate) type AnswerChallenge = Arc<dyn Fn(&TfaChallenge) -> Option<SecondFactor> + Send + Sync>;

/// What a client was given to prove who it is.
#[derive(Clone)]
pub(crate) enum Credentials {
    Anonymous,
    Token(ApiToken),
    Ticket(Ticket),
    Password {
        user: UserId,
        password: Secret,
        answer: Option<AnswerChallenge>,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Token(token) => token.fmt(f),
            Self::Ticket(ticket) => ticket.fmt(f),
            Self::Password { user, .. } => f.debug_tuple("Password").field(user).finish(),
        }
    }
}

/// What a request carries to prove who asks.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    Nothing,
    Token(ApiToken),
    Ticket(Ticket),
}

/// What a login step led to.
#[derive(Debug)]
pub(crate) enum Login {
    Ticket(Ticket),
    Challenge(TfaChallenge),
}

/// One login step: a request, and what its answer means.
#[derive(Debug)]
pub(crate) struct LoginRequest {
    pub(crate) request: Request,
    user: UserId,
}

/// The answer of `POST /access/ticket`.
#[derive(Debug, Deserialize)]
pub(crate) struct LoginAnswer {
    username: Option<UserId>,
    ticket: Option<String>,
    #[serde(rename = "CSRFPreventionToken")]
    csrf: Option<String>,
    #[serde(rename = "NeedTFA", default, deserialize_with = "lax")]
    need_tfa: Option<bool>,
}

impl LoginRequest {
    /// With a password, or with a ticket in its place.
    pub(crate) fn with_password(user: &UserId, password: &Secret) -> Self {
        Self::new(user, password.expose(), None)
    }

    /// With the answer to a challenge.
    pub(crate) fn with_factor(challenge: &TfaChallenge, factor: &SecondFactor) -> Self {
        Self::new(
            challenge.user(),
            &factor.password(),
            Some(challenge.secret()),
        )
    }

    fn new(user: &UserId, password: &str, challenge: Option<&Secret>) -> Self {
        let mut params = Params::default();
        params.set("username", user);
        params.set_secret("password", password);
        if let Some(challenge) = challenge {
            params.set_secret("tfa-challenge", challenge.expose());
        }
        Self {
            request: Request::to(&api::CREATE_TICKET, &[], params),
            user: user.clone(),
        }
    }

    /// What the answer means.
    pub(crate) fn read(&self, answer: LoginAnswer) -> Result<Login, Error> {
        let user = answer.username.unwrap_or_else(|| self.user.clone());
        let undecodable = |what: &str| {
            self.request.error(Cause::Undecodable {
                status: 200,
                source: what.to_owned().into(),
            })
        };
        let ticket = Secret::new(
            answer
                .ticket
                .ok_or_else(|| undecodable("there is no ticket in it"))?,
        );
        let is_challenge = ticket.expose().starts_with("PVE:!tfa!");
        if answer.need_tfa == Some(true) || is_challenge {
            return Ok(Login::Challenge(TfaChallenge::new(user, ticket)));
        }
        let csrf = answer
            .csrf
            .ok_or_else(|| undecodable("there is no CSRF prevention token in it"))?;
        Ok(Login::Ticket(Ticket {
            user,
            ticket,
            csrf: csrf.into(),
            obtained: Instant::now(),
        }))
    }
}

/// The present login, shared by all clones of a client.
#[derive(Debug)]
pub(crate) struct Session {
    credentials: Credentials,
    renew_after: Duration,
    live: Mutex<Option<Ticket>>,
}

impl Session {
    pub(crate) fn new(credentials: Credentials, renew_after: Duration) -> Self {
        let live = match &credentials {
            Credentials::Ticket(ticket) => Some(ticket.clone()),
            Credentials::Anonymous | Credentials::Token(_) | Credentials::Password { .. } => None,
        };
        Self {
            credentials,
            renew_after,
            live: Mutex::new(live),
        }
    }

    /// Whether a new login may help when the present one is refused.
    pub(crate) fn is_renewable(&self) -> bool {
        matches!(self.credentials, Credentials::Password { .. })
    }

    /// Proof for the next request of that client.
    pub(crate) async fn proof(&self, client: &Client) -> Result<Proof, Error> {
        match &self.credentials {
            Credentials::Anonymous => return Ok(Proof::Nothing),
            Credentials::Token(token) => return Ok(Proof::Token(token.clone())),
            Credentials::Ticket(_) | Credentials::Password { .. } => {}
        }
        // Held while logging in, so that clones wait for one login instead of making their own.
        let mut live = self.live.lock().await;
        let ticket = match live.take() {
            Some(ticket) if ticket.obtained.elapsed() < self.renew_after => ticket,
            Some(old) => match self.renewed(&old, client).await {
                Ok(ticket) => ticket,
                Err(error) => {
                    *live = Some(old);
                    return Err(error);
                }
            },
            None => self.logged_in(client).await?,
        };
        *live = Some(ticket.clone());
        Ok(Proof::Ticket(ticket))
    }

    /// Forgets a ticket that was refused, unless another one has taken its place already.
    pub(crate) async fn forget(&self, refused: &Proof) {
        let Proof::Ticket(refused) = refused else {
            return;
        };
        let mut live = self.live.lock().await;
        live.take_if(|ticket| ticket.ticket == refused.ticket);
    }

    async fn renewed(&self, old: &Ticket, client: &Client) -> Result<Ticket, Error> {
        let request = LoginRequest::with_password(&old.user, &old.ticket);
        match client.log_in(request).await {
            Ok(Login::Ticket(ticket)) => Ok(ticket),
            Ok(Login::Challenge(_)) => self.logged_in(client).await,
            Err(error) if error.is_unauthorized() && self.is_renewable() => {
                self.logged_in(client).await
            }
            Err(error) => Err(error),
        }
    }

    async fn logged_in(&self, client: &Client) -> Result<Ticket, Error> {
        let Credentials::Password {
            user,
            password,
            answer,
        } = &self.credentials
        else {
            return Err(Error::unusable(
                "logging in",
                "the ticket is spent and there is no password",
            ));
        };
        let first = LoginRequest::with_password(user, password);
        let refuse = first.request.clone();
        let challenge = match client.log_in(first).await? {
            Login::Ticket(ticket) => return Ok(ticket),
            Login::Challenge(challenge) => challenge,
        };
        let factor = answer.as_ref().and_then(|answer| answer(&challenge));
        let Some(factor) = factor else {
            return Err(refuse.error(Cause::SecondFactor(challenge)));
        };
        match client
            .log_in(LoginRequest::with_factor(&challenge, &factor))
            .await?
        {
            Login::Ticket(ticket) => Ok(ticket),
            Login::Challenge(challenge) => Err(refuse.error(Cause::SecondFactor(challenge))),
        }
    }
}
