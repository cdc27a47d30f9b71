//! Who asks: API tokens, tickets, second factors, and secrets that cannot be printed.

mod session;

use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::ids::{InvalidId, TokenId, UserId};
use crate::wire::encode;

pub(crate) use session::{AnswerChallenge, Credentials, Login, LoginRequest, Proof, Session};

/// A text that must not be seen: its `Debug` is `[redacted]`, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// An API token: a name, and a secret that the server showed once.
///
/// ```
/// let token: proxmox_api::ApiToken = "root@pam!ci=4f3a…".parse()?;
/// assert_eq!(token.id().as_str(), "root@pam!ci");
/// assert!(!format!("{token:?}").contains("4f3a"));
/// # Ok::<(), proxmox_api::ids::InvalidId>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    id: TokenId,
    secret: Secret,
}

impl ApiToken {
    /// The token of that name with that secret.
    #[must_use]
    pub fn new(id: TokenId, secret: impl Into<Secret>) -> Self {
        Self {
            id,
            secret: secret.into(),
        }
    }

    /// The token's name.
    #[must_use]
    pub fn id(&self) -> &TokenId {
        &self.id
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> String {
        format!("PVEAPIToken={}={}", self.id, self.secret.expose())
    }
}

impl FromStr for ApiToken {
    type Err = InvalidId;

    /// Reads `user@realm!name=secret`, as token files hold it; blanks around it do not count.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let text = text.trim();
        let text = text.strip_prefix("PVEAPIToken=").unwrap_or(text);
        // The refused text is not repeated: it may be the secret itself.
        let refuse = || InvalidId::new("a token (`user@realm!name=secret`)", "…");
        let (id, secret) = text.split_once('=').ok_or_else(refuse)?;
        if secret.is_empty()
            || !secret
                .bytes()
                .all(|byte| byte.is_ascii_graphic() || byte >= 0x80)
        {
            return Err(refuse());
        }
        Ok(Self {
            id: id.parse().map_err(|_| refuse())?,
            secret: Secret::new(secret),
        })
    }
}

/// A login: valid for two hours, for every node of the cluster.
#[derive(Debug, Clone)]
pub struct Ticket {
    user: UserId,
    ticket: Secret,
    csrf: Secret,
    obtained: Instant,
}

impl Ticket {
    /// A ticket that was obtained elsewhere; its age counts from now.
    #[must_use]
    pub fn new(user: UserId, ticket: impl Into<Secret>, csrf: impl Into<Secret>) -> Self {
        Self {
            user,
            ticket: ticket.into(),
            csrf: csrf.into(),
            obtained: Instant::now(),
        }
    }

    /// The user who logged in.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The ticket itself, e.g. to hand it to a console.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.ticket
    }

    /// The value of the `Cookie` header.
    pub(crate) fn cookie(&self) -> String {
        format!("PVEAuthCookie={}", encode(self.ticket.expose()))
    }

    /// The value of the `CSRFPreventionToken` header, which every change needs.
    pub(crate) fn csrf(&self) -> &str {
        self.csrf.expose()
    }
}

/// The server's wish for a second factor.
///
/// # Quirks
/// The answer to such a login is a success with a ticket that opens nothing else.
#[derive(Debug, Clone)]
pub struct TfaChallenge {
    user: UserId,
    ticket: Secret,
    kinds: Vec<String>,
}

impl TfaChallenge {
    pub(crate) fn new(user: UserId, ticket: Secret) -> Self {
        let kinds = kinds(ticket.expose());
        Self {
            user,
            ticket,
            kinds,
        }
    }

    /// The user who logs in.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The factors that the user has, e.g. `totp`, `recovery`, `webauthn`.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().map(String::as_str)
    }

    /// Whether a time-based code would do.
    #[must_use]
    pub fn accepts_totp(&self) -> bool {
        self.kinds.iter().any(|kind| kind == "totp")
    }

    /// The challenge that the second request of the login carries.
    pub(crate) fn secret(&self) -> &Secret {
        &self.ticket
    }
}

impl fmt::Display for TfaChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` must give a second factor", self.user)?;
        if self.kinds.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", self.kinds.join(" or "))
        }
    }
}

/// The answer to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecondFactor {
    /// The present code of an authenticator.
    Totp(Secret),
    /// One of the recovery keys, which is used up by it.
    Recovery(Secret),
    /// A one-time password of a Yubico key.
    Yubico(Secret),
}

impl SecondFactor {
    /// What the server wants in place of the password.
    pub(crate) fn password(&self) -> String {
        let (kind, secret) = match self {
            Self::Totp(secret) => ("totp", secret),
            Self::Recovery(secret) => ("recovery", secret),
            Self::Yubico(secret) => ("yubico", secret),
        };
        format!("{kind}:{}", secret.expose())
    }
}

/// The factors named in a challenge: `PVE:!tfa!{"totp"%3Atrue}:6B034DF4::…`.
fn kinds(ticket: &str) -> Vec<String> {
    let named = ticket
        .strip_prefix("PVE:!tfa!")
        .and_then(|rest| rest.split(':').next());
    let json = percent_decode_str(named.unwrap_or_default())
        .decode_utf8_lossy()
        .into_owned();
    let Ok(Value::Object(factors)) = serde_json::from_str(&json) else {
        return Vec::new();
    };
    let usable = |value: &Value| !matches!(value, Value::Null | Value::Bool(false));
    factors
        .into_iter()
        .filter(|(_, value)| usable(value))
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{ApiToken, SecondFactor, Secret, TfaChallenge, Ticket};

    #[test]
    fn secrets_are_never_printed() {
        let token: ApiToken = "root@pam!ci=canary-token".parse().unwrap();
        let ticket = Ticket::new("root@pam".parse().unwrap(), "canary-ticket", "canary-csrf");
        let factor = SecondFactor::Totp(Secret::new("canary-code"));
        let shown = format!("{token:?} {ticket:?} {factor:?}");
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("[redacted]"));
    }

    #[test]
    fn tokens_read_as_files_hold_them() {
        let token: ApiToken = " PVEAPIToken=root@pam!ci=a-b\n".parse().unwrap();
        assert_eq!(token.header(), "PVEAPIToken=root@pam!ci=a-b");
        for bad in [
            "",
            "root@pam!ci",
            "root@pam=x",
            "root@pam!ci=",
            "root@pam!ci=canary key",
        ] {
            let refused = bad.parse::<ApiToken>().unwrap_err().to_string();
            assert!(!refused.contains("canary"), "{refused}");
        }
    }

    #[test]
    fn cookies_are_encoded() {
        let ticket = Ticket::new("root@pam".parse().unwrap(), "PVE:root@pam:6B::a+b/c==", "x");
        assert_eq!(
            ticket.cookie(),
            "PVEAuthCookie=PVE%3Aroot%40pam%3A6B%3A%3Aa%2Bb%2Fc%3D%3D"
        );
    }

    #[test]
    fn challenges_name_their_factors() {
        for (text, kinds) in [
            ("PVE:!tfa!{\"totp\"%3Atrue}:6B034DF4::sig", vec!["totp"]),
            (
                "PVE:!tfa!%7B%22totp%22%3Atrue%2C%22recovery%22%3A%22low%22%2C%22webauthn%22%3Anull%7D:6B::s",
                vec!["totp", "recovery"],
            ),
            ("PVE:!tfa!nonsense:6B::sig", vec![]),
        ] {
            let challenge = TfaChallenge::new("a@pve".parse().unwrap(), Secret::new(text));
            assert_eq!(challenge.kinds().collect::<Vec<_>>(), kinds, "{text}");
        }
    }
}
