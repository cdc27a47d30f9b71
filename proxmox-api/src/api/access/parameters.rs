//! What new users and tokens shall be, and who shall have which role.

use std::time::SystemTime;

use crate::auth::Secret;
use crate::ids::{TokenId, UserId};
use crate::wire::Params;

/// What a new user shall be.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateUser {
    user: UserId,
    password: Option<Secret>,
    comment: Option<String>,
    email: Option<String>,
    groups: Vec<String>,
    disabled: bool,
}

impl CreateUser {
    /// A user without password.
    pub fn new(user: UserId) -> Self {
        Self {
            user,
            password: None,
            comment: None,
            email: None,
            groups: Vec::new(),
            disabled: false,
        }
    }

    /// With that password, of at least eight characters; in the realm `pve` only.
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// With words on what it is for.
    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    /// With that mail address.
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// In that group.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.groups.push(group.into());
        self
    }

    /// Not allowed to log in.
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    pub(super) fn params(&self) -> Params {
        let mut params = Params::default();
        params.set("userid", &self.user);
        params.set_some("comment", self.comment.as_ref());
        params.set_some("email", self.email.as_ref());
        params.set_some("enable", self.disabled.then_some(0));
        if !self.groups.is_empty() {
            params.set("groups", self.groups.join(","));
        }
        if let Some(password) = &self.password {
            params.set_secret("password", password.expose());
        }
        params
    }
}

/// What a new token shall be.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateToken {
    full_rights: bool,
    expire: Option<SystemTime>,
    comment: Option<String>,
}

impl CreateToken {
    /// With no rights until it is given some, which its user must have too.
    pub fn new() -> Self {
        Self::default()
    }

    /// With all rights of its user.
    pub fn with_full_rights(mut self) -> Self {
        self.full_rights = true;
        self
    }

    /// Until then.
    pub fn expire(mut self, time: SystemTime) -> Self {
        self.expire = Some(time);
        self
    }

    /// With words on what it is for.
    pub fn comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    pub(super) fn params(&self) -> Params {
        let seconds = |time: SystemTime| {
            time.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs()
        };
        let mut params = Params::default();
        params.set("privsep", u8::from(!self.full_rights));
        params.set_some("expire", self.expire.map(seconds));
        params.set_some("comment", self.comment.as_ref());
        params
    }
}

/// Which roles are given, or taken away, where.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAcl {
    path: String,
    roles: Vec<String>,
    users: Vec<String>,
    groups: Vec<String>,
    tokens: Vec<String>,
    only_here: bool,
    delete: bool,
}

impl SetAcl {
    /// That role at that path, e.g. `PVEVMUser` at `/vms/105`, for nobody yet.
    pub fn new(path: impl Into<String>, role: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            roles: vec![role.into()],
            users: Vec::new(),
            groups: Vec::new(),
            tokens: Vec::new(),
            only_here: false,
            delete: false,
        }
    }

    /// For that user.
    pub fn user(mut self, user: &UserId) -> Self {
        self.users.push(user.to_string());
        self
    }

    /// For that group.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.groups.push(group.into());
        self
    }

    /// For that token.
    pub fn token(mut self, token: &TokenId) -> Self {
        self.tokens.push(token.to_string());
        self
    }

    /// Not for what is further down.
    pub fn only_here(mut self) -> Self {
        self.only_here = true;
        self
    }

    /// Taken away instead of given.
    pub fn removed(mut self) -> Self {
        self.delete = true;
        self
    }

    pub(super) fn params(&self) -> Params {
        let mut params = Params::default();
        params.set("path", &self.path);
        params.set("roles", self.roles.join(","));
        for (key, names) in [
            ("users", &self.users),
            ("groups", &self.groups),
            ("tokens", &self.tokens),
        ] {
            if !names.is_empty() {
                params.set(key, names.join(","));
            }
        }
        params.set_some("propagate", self.only_here.then_some(0));
        params.set_flag("delete", self.delete);
        params
    }
}
