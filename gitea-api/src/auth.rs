//! Who asks: tokens and passwords, in a wrapper that cannot be printed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A secret text. `Debug` shows `[redacted]`; there is no `Display`. Serialising gives the text,
/// because that is how it travels to the server.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is no text: upstream shows a token once, and is silent about it afterwards.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

crate::wire::null_is_default!(Secret);

/// The credentials of a client.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Auth {
    /// None: what the public may see.
    #[default]
    Anonymous,
    /// An access token, sent as `Authorization: token …`.
    Token(Secret),
    /// A user name and password. Making and listing access tokens asks for this form.
    Basic {
        /// The login name.
        user: String,
        /// The password, or an access token in its place.
        password: Secret,
        /// The present code of an account with two factors, sent as `X-Gitea-OTP`.
        otp: Option<Secret>,
    },
}

impl Auth {
    /// An access token.
    #[must_use]
    pub fn token(token: impl Into<Secret>) -> Self {
        Self::Token(token.into())
    }

    /// A user name and password.
    #[must_use]
    pub fn basic(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::Basic {
            user: user.into(),
            password: password.into(),
            otp: None,
        }
    }

    /// The headers that carry the credentials: name and value.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Anonymous => Vec::new(),
            Self::Token(token) => vec![("authorization", format!("token {}", token.reveal()))],
            Self::Basic {
                user,
                password,
                otp,
            } => {
                let pair = STANDARD.encode(format!("{user}:{}", password.reveal()));
                let mut headers = vec![("authorization", format!("Basic {pair}"))];
                if let Some(code) = otp {
                    headers.push(("x-gitea-otp", code.reveal().to_owned()));
                }
                headers
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Auth, Secret};

    #[test]
    fn a_secret_cannot_be_printed() {
        let auth = Auth::basic("root1", "hunter2hunter2");
        assert!(!format!("{auth:?} {:?}", Auth::token("0123abc")).contains("hunter2"));
        assert_eq!(format!("{:?}", Secret::new("x")), "[redacted]");
    }

    #[test]
    fn credentials_become_headers() {
        assert_eq!(
            Auth::token("abc").headers(),
            [("authorization", "token abc".to_owned())]
        );
        let basic = Auth::basic("a", "b").headers();
        assert_eq!(basic, [("authorization", "Basic YTpi".to_owned())]);
        assert!(Auth::Anonymous.headers().is_empty());
    }
}
