//! Who asks: tickets, API tokens, CSRF tokens, and the login itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::access::{hash, is_hash_of};
use super::reply::Fail;
use super::request::Request;
use super::route::{Answer, Call, Handler};
use super::{World, tfa};

/// The caller where nobody needs to be known.
pub(crate) const NOBODY: &str = "";

/// Two hours, and five minutes of grace for clocks that differ.
const TICKET_SECS: i64 = 2 * 3600;
const SKEW_SECS: i64 = 300;

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("GET", "/access/ticket") => nothing,
        ("POST", "/access/ticket") => login,
        _ => return None,
    })
}

fn nothing(_: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(Value::Null)
}

impl World {
    /// The identity behind a request; uploads need no CSRF token.
    pub(crate) fn authenticate(&self, request: &Request, path: &str) -> Result<String, Fail> {
        let credentials = credentials(request);
        let open = matches!(
            (path, request.method.as_str()),
            ("/access/domains", "GET") | ("/access/ticket", _)
        );
        if open {
            return match credentials {
                Credentials::Token(token) => {
                    Ok(token.split('=').next().unwrap_or_default().to_owned())
                }
                _ => Ok(NOBODY.to_owned()),
            };
        }
        match credentials {
            Credentials::None => Err(Fail::auth("No ticket")),
            Credentials::Token(token) => self.verify_token(&token),
            Credentials::Ticket(ticket) => {
                let user = self.verify_ticket(&ticket)?;
                if request.method != "GET" && request.upload.is_none() {
                    self.verify_csrf(
                        &user,
                        request.header("CSRFPreventionToken").unwrap_or_default(),
                    )?;
                }
                Ok(user)
            }
        }
    }

    fn verify_token(&self, token: &str) -> Result<String, Fail> {
        let failed = || Fail::auth("Authentication failed!");
        let (id, secret) = token.split_once('=').ok_or_else(failed)?;
        let (user, name) = id.split_once('!').ok_or_else(failed)?;
        let now = self.now().secs();
        let known = self
            .access
            .users
            .get(user)
            .and_then(|user| user.tokens.get(name))
            .ok_or_else(failed)?;
        let valid = self.access.is_active(user, now)
            && (known.expire == 0 || known.expire > now)
            && is_hash_of(&known.secret, secret);
        if valid {
            Ok(id.to_owned())
        } else {
            Err(failed())
        }
    }

    /// The user of a ticket that is signed, young enough, and whose user may still log in.
    pub(crate) fn verify_ticket(&self, ticket: &str) -> Result<String, Fail> {
        let failed = || Fail::auth("permission denied - invalid PVE ticket");
        let (plain, signature) = ticket.rsplit_once("::").ok_or_else(failed)?;
        let rest = plain.strip_prefix("PVE:").ok_or_else(failed)?;
        let (user, time) = rest.rsplit_once(':').ok_or_else(failed)?;
        if user.starts_with('!')
            || self.sign(plain) != signature
            || !self.is_young(time, TICKET_SECS)
        {
            return Err(failed());
        }
        if self.access.is_active(user, self.now().secs()) {
            Ok(user.to_owned())
        } else {
            Err(Fail::auth("Authentication failed!"))
        }
    }

    pub(crate) fn is_young(&self, time: &str, limit: i64) -> bool {
        let age = i64::from_str_radix(time, 16).map(|time| self.now().secs() - time);
        age.is_ok_and(|age| age > -SKEW_SECS && age < limit)
    }

    fn verify_csrf(&self, user: &str, token: &str) -> Result<(), Fail> {
        let failed = || Fail::auth("Permission denied - invalid csrf token");
        let (time, _) = token.split_once(':').ok_or_else(failed)?;
        let valid = self.csrf(user, time) == token && self.is_young(time, TICKET_SECS + SKEW_SECS);
        if valid { Ok(()) } else { Err(failed()) }
    }

    fn csrf(&self, user: &str, time: &str) -> String {
        let signature = self.mac(&format!("csrf:{time}:{user}"));
        format!(
            "{time}:{}",
            STANDARD.encode(signature).trim_end_matches('=')
        )
    }

    pub(crate) fn ticket(&self, user: &str) -> String {
        let plain = format!("PVE:{user}:{:08X}", self.now().secs());
        format!("{plain}::{}", self.sign(&plain))
    }

    /// As long as the RSA signature of a real ticket.
    pub(crate) fn sign(&self, plain: &str) -> String {
        let blocks: Vec<u8> = (0..8)
            .flat_map(|block| self.mac(&format!("{block}:{plain}")))
            .collect();
        STANDARD.encode(blocks)
    }

    fn mac(&self, text: &str) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.access.key)
            .expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }

    /// Whether a password (or a ticket in its place) is the user's.
    pub(crate) fn password_is(&self, user: &str, password: &str) -> bool {
        let Some(known) = self.access.users.get(user) else {
            return false;
        };
        if password.starts_with("PVE:")
            && self
                .verify_ticket(password)
                .is_ok_and(|owner| owner == user)
        {
            return true;
        }
        known
            .password
            .as_ref()
            .is_some_and(|hashed| is_hash_of(hashed, password))
    }

    pub(crate) fn set_password(&mut self, user: &str, password: &str) {
        if let Some(user) = self.access.users.get_mut(user) {
            user.password = Some(hash(password));
        }
    }
}

/// What a request brings along, in the order in which the server looks for it.
enum Credentials {
    None,
    Ticket(String),
    Token(String),
}

fn credentials(request: &Request) -> Credentials {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let cookies = request
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let ticket = cookies
        .flat_map(|(_, value)| value.split(';'))
        .find_map(|cookie| {
            let (name, value) = cookie.trim().split_once('=')?;
            matches!(name, "PVEAuthCookie" | "__Host-PVEAuthCookie").then(|| decode(value))
        });
    if let Some(ticket) = ticket.filter(|ticket| !ticket.is_empty()) {
        return Credentials::Ticket(ticket);
    }
    let authorization = request.header("authorization").unwrap_or_default();
    if let Some(ticket) = authorization.strip_prefix("PVEAuthCookie=") {
        return Credentials::Ticket(decode(ticket));
    }
    let token = authorization
        .strip_prefix("PVEAPIToken")
        .and_then(|rest| rest.strip_prefix(['=', ' ']));
    token.map_or(Credentials::None, |token| Credentials::Token(decode(token)))
}

fn login(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (name, password) = (call.text("username"), call.text("password"));
    let user = match call.optional("realm") {
        Some(realm) if !name.contains('@') => format!("{name}@{realm}"),
        _ => name,
    };
    let failure = || Fail::api(401, "authentication failure\n", true);
    let active = world.access.is_active(&user, world.now().secs());
    if let Some(challenge) = call.optional("tfa-challenge") {
        if !active || !world.second_factor(&user, &challenge, &password) {
            return Err(failure());
        }
        return Ok(session(world, &user));
    }
    if !active || !world.password_is(&user, &password) {
        world.log_event(
            &user,
            &format!(
                "authentication failure; rhost=127.0.0.1 user={user} msg=authentication failure"
            ),
        );
        return Err(failure());
    }
    if let (Some(path), Some(needed)) = (call.optional("path"), call.optional("privs")) {
        let needed: Vec<&str> = super::property::split_list(&needed).collect();
        if world.check(&user, &path, &needed).is_err() {
            return Err(failure());
        }
        return Ok(json!({"username": user, "cap": capabilities(world, &user)}));
    }
    let renewal = password.starts_with("PVE:");
    if !renewal && world.needs_second_factor(&user) {
        if let Some(code) = call.optional("otp") {
            return if world.is_totp(&user, &code) {
                Ok(session(world, &user))
            } else {
                Err(failure())
            };
        }
        return Ok(tfa::challenge(world, &user));
    }
    Ok(session(world, &user))
}

fn session(world: &mut World, user: &str) -> Value {
    let time = format!("{:08X}", world.now().secs());
    world.log_event(user, &format!("successful auth for user '{user}'"));
    json!({
        "CSRFPreventionToken": world.csrf(user, &time),
        "cap": capabilities(world, user),
        "ticket": world.ticket(user),
        "username": user,
    })
}

/// Which parts of the web interface a user may see.
fn capabilities(world: &World, user: &str) -> Value {
    let areas: [(&str, &[&str], &[&str]); 7] = [
        ("vms", &["VM.", "Permissions.Modify"], &["/vms"]),
        (
            "storage",
            &["Datastore.", "Permissions.Modify"],
            &["/storage"],
        ),
        (
            "access",
            &["User.", "Group.", "Permissions.Modify"],
            &["/access"],
        ),
        ("nodes", &["Sys.", "Permissions.Modify"], &["/nodes"]),
        ("sdn", &["SDN.", "Permissions.Modify"], &["/sdn"]),
        ("dc", &["Sys.Audit", "Sys.Modify", "SDN."], &["/"]),
        (
            "mapping",
            &["Mapping.", "Permissions.Modify"],
            &["/mapping"],
        ),
    ];
    let mut all = Map::new();
    for (area, prefixes, roots) in areas {
        let mut held = Map::new();
        let below = world
            .access
            .acl
            .keys()
            .filter(|path| roots.iter().any(|root| path.starts_with(root)));
        for path in roots
            .iter()
            .map(|root| (*root).to_owned())
            .chain(below.cloned())
        {
            for privilege in world.privileges(user, &path).into_keys() {
                if prefixes.iter().any(|prefix| privilege.starts_with(prefix)) {
                    held.insert(privilege, json!(1));
                }
            }
        }
        all.insert(area.to_owned(), Value::Object(held));
    }
    Value::Object(all)
}
