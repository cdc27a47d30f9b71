//! Who asks: tokens, passwords, sudo, and accounts that must not or cannot act.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Gitea;
use super::access::{Doer, Via};
use super::call::Call;
use super::password;
use super::reply::Reply;
use super::world::{Owner, World};

/// How long a password that was verified need not be verified again.
const VERIFIED_FOR: Duration = Duration::from_secs(60);
/// How many such passwords are remembered.
const VERIFIED_MAX: usize = 256;
/// How precisely the last use of a token is kept, in seconds.
const USED_WITHIN: i64 = 60;

/// What a caller showed to prove who it is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Nothing, or nothing that can be read.
    Nothing,
    /// A token.
    Token(String),
    /// A name and a password (or a token in either place).
    Basic(String, String),
}

/// Credentials that were verified a moment ago, by a digest of stored form and password.
#[derive(Default)]
pub(crate) struct Verified {
    known: Mutex<HashMap<String, Instant>>,
    /// One slow hash at a time: memory and processor stay bounded.
    working: Mutex<()>,
}

impl Verified {
    /// Whether the password fits the stored form.
    pub(crate) fn check(&self, stored: &str, given: &str) -> bool {
        let key = password::token_digest(&format!("{stored}\0{given}"));
        let now = Instant::now();
        let fresh = |at: &Instant| now.duration_since(*at) < VERIFIED_FOR;
        if self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .is_some_and(fresh)
        {
            return true;
        }
        let working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = password::verify(stored, given);
        drop(working);
        if fits {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, at| fresh(at));
            if known.len() < VERIFIED_MAX {
                known.insert(key, now);
            }
        }
        fits
    }
}

/// What a call shows: the query's token before the header.
pub(crate) fn shown(call: &Call) -> Shown {
    if let Some(token) = call
        .query("token")
        .or_else(|| call.query("access_token"))
        .filter(|token| !token.is_empty())
    {
        return Shown::Token(token.to_owned());
    }
    let parts: Vec<&str> = call
        .header("authorization")
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    match parts.as_slice() {
        [scheme, token]
            if scheme.eq_ignore_ascii_case("token") || scheme.eq_ignore_ascii_case("bearer") =>
        {
            Shown::Token((*token).to_owned())
        }
        [scheme, pair] if scheme.eq_ignore_ascii_case("basic") => {
            basic(pair).unwrap_or(Shown::Nothing)
        }
        _ => Shown::Nothing,
    }
}

fn basic(pair: &str) -> Option<Shown> {
    let text = String::from_utf8(STANDARD.decode(pair).ok()?).ok()?;
    text.split_once(':')
        .map(|(name, password)| Shown::Basic(name.to_owned(), password.to_owned()))
}

/// Whether the deprecated way of sending a token in the query was used.
pub(crate) fn used_query(call: &Call) -> bool {
    call.query("token")
        .or_else(|| call.query("access_token"))
        .is_some_and(|token| !token.is_empty())
}

/// The text for whatever is wrong with credentials.
pub(crate) const WRONG: &str = "invalid username, password or token";
const PROHIBITED: &str =
    "This account is prohibited from signing in, please contact your site administrator.";

impl Gitea {
    /// Who a call comes from; `None` for the anonymous.
    ///
    /// # Errors
    /// 401 for wrong credentials, 403 for an account that may not sign in.
    pub(crate) fn authenticate(&self, shown: &Shown) -> Result<Option<Doer>, Reply> {
        let doer = match shown {
            Shown::Nothing => return Ok(None),
            Shown::Token(token) => self.by_token(token, false),
            Shown::Basic(name, given) => match self.by_basic_token(name, given) {
                Some(doer) => Some(doer),
                None => self.by_password(name, given)?,
            },
        };
        let Some(doer) = doer else {
            return Err(Reply::error(401, WRONG));
        };
        let allowed = self.read(|world, _| {
            world
                .owners
                .get(doer.id)
                .is_none_or(|user| user.active && !user.prohibit_login)
        });
        if allowed {
            Ok(Some(doer))
        } else {
            Err(Reply::bare(403, PROHIBITED))
        }
    }

    fn by_basic_token(&self, name: &str, given: &str) -> Option<Doer> {
        let token = if given.is_empty() || given == "x-oauth-basic" {
            name
        } else {
            given
        };
        self.by_token(token, true)
    }

    fn by_token(&self, token: &str, as_password: bool) -> Option<Doer> {
        let digest = password::token_digest(token);
        let (doer, stale) = self.read(|world, _| {
            let Some(found) = world.tokens.find(&digest) else {
                return (super::actions::doer_of_job_token(world, token), None);
            };
            let via = Via::Token {
                id: found.id,
                scopes: found.scopes.clone(),
                as_password,
            };
            let admin = world.owners.get(found.user).is_some_and(|user| user.admin);
            let stale = (world.now() - found.used).abs() >= USED_WITHIN;
            (
                Some(Doer {
                    id: found.user,
                    admin,
                    via,
                }),
                stale.then_some(found.id),
            )
        });
        if let Some(id) = stale {
            // Nobody waits for this to be stored: a lost time of use is no loss.
            let _ = self.write(|world, _, _| {
                let now = world.now();
                world.tokens.update(id, |token| token.used = now);
            });
        }
        doer
    }

    fn by_password(&self, name: &str, given: &str) -> Result<Option<Doer>, Reply> {
        let found = self.read(|world, _| {
            user_by_name(world, name).map(|user| {
                (
                    user.id,
                    user.admin,
                    user.password.clone(),
                    user.prohibit_login,
                )
            })
        });
        let (id, admin, stored, prohibited) = found.unwrap_or_default();
        let fits = self.verified.check(&stored, given);
        let doer = Doer {
            id,
            admin,
            via: Via::Password,
        };
        Ok((fits && !prohibited).then_some(doer))
    }

    /// Puts another user in the administrator's place, if the call asks for it.
    ///
    /// # Errors
    /// 403 unless a site administrator asks, 404 for an unknown user.
    pub(crate) fn sudo(
        &self,
        call: &Call,
        doer: Option<Doer>,
    ) -> Result<(Option<Doer>, bool), Reply> {
        let name = call
            .query("sudo")
            .filter(|name| !name.is_empty())
            .or_else(|| call.header("sudo"))
            .unwrap_or_default();
        if name.is_empty() {
            return Ok((doer, false));
        }
        let Some(doer) = doer.filter(|doer| doer.admin) else {
            return Err(Reply::bare(403, "Only administrators allowed to sudo."));
        };
        let user = self.read(|world, _| world.owner(name).map(|(id, user)| (id, user.admin)));
        let (id, admin) = user.ok_or_else(Reply::not_found)?;
        Ok((
            Some(Doer {
                id,
                admin,
                via: doer.via,
            }),
            true,
        ))
    }

    /// 403 for an account that must change its password first.
    pub(crate) fn check_password_change(&self, doer: &Doer) -> Result<(), Reply> {
        let root = self.read(|world, _| {
            let must = world
                .owners
                .get(doer.id)
                .is_some_and(|user| user.must_change_password);
            must.then(|| world.settings.root_url.clone())
        });
        match root {
            Some(root) => Err(Reply::bare(
                403,
                format!(
                    "You must change your password. Change it at: {root}//user/change_password"
                ),
            )),
            None => Ok(()),
        }
    }
}

/// The user of a login name or a mail address.
fn user_by_name<'w>(world: &'w World, name: &str) -> Option<&'w Owner> {
    let by_mail = || {
        world
            .emails
            .find(&name.to_lowercase())
            .filter(|mail| mail.verified || mail.primary)
            .and_then(|mail| world.owners.get(mail.user))
    };
    let user = if name.contains('@') {
        by_mail()
    } else {
        world.owner(name).map(|(_, user)| user)
    };
    user.filter(|user| !user.is_organization())
}
