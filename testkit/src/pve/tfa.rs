//! Second factors: time-based codes and recovery keys, and the login in two steps.

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha1::Sha1;

use super::World;
use super::access::{hash, is_hash_of};
use super::reply::Fail;
use super::route::{Answer, Call, Handler};

/// A challenge must be answered within five minutes.
const CHALLENGE_SECS: i64 = 300;

/// A second factor of a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Factor {
    id: String,
    kind: Kind,
    description: String,
    created: i64,
    enable: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Kind {
    /// The shared key, and the last time window that was used: a code works once.
    Totp { key: Vec<u8>, used: i64 },
    /// Hashed keys, each of which works once.
    Recovery { keys: Vec<Option<String>> },
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Totp { .. } => "totp",
            Self::Recovery { .. } => "recovery",
        }
    }
}

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("GET", "/access/tfa") => all,
        ("GET", "/access/tfa/{userid}") => list,
        ("POST", "/access/tfa/{userid}") => add,
        ("GET", "/access/tfa/{userid}/{id}") => read,
        ("PUT", "/access/tfa/{userid}/{id}") => update,
        ("DELETE", "/access/tfa/{userid}/{id}") => remove,
        ("PUT", "/access/users/{userid}/unlock-tfa") => unlock,
        ("GET", "/access/users/{userid}/tfa") => types,
        _ => return None,
    })
}

impl World {
    pub(crate) fn needs_second_factor(&self, user: &str) -> bool {
        self.factors(user).iter().any(|factor| factor.enable)
    }

    fn factors(&self, user: &str) -> &[Factor] {
        self.access
            .users
            .get(user)
            .map_or(&[], |user| &user.factors)
    }

    /// Whether the answer to a challenge is right; it is used up then.
    pub(crate) fn second_factor(&mut self, user: &str, challenge: &str, answer: &str) -> bool {
        let Some((plain, signature)) = challenge.rsplit_once("::") else {
            return false;
        };
        let signed = format!("{plain}:{user}");
        let time = plain.rsplit(':').next().unwrap_or_default();
        if !plain.starts_with("PVE:!tfa!")
            || self.sign(&signed) != signature
            || !self.is_young(time, CHALLENGE_SECS)
        {
            return false;
        }
        match answer.split_once(':') {
            Some(("totp", code)) => self.is_totp(user, code),
            Some(("recovery", key)) => self.is_recovery(user, key),
            _ => false,
        }
    }

    /// Whether a code is valid in the windows around now.
    pub(crate) fn is_totp(&mut self, user: &str, code: &str) -> bool {
        let window = self.now().secs() / 30;
        let factors = self
            .access
            .users
            .get_mut(user)
            .map(|user| user.factors.as_mut_slice())
            .unwrap_or_default();
        factors
            .iter_mut()
            .filter(|factor| factor.enable)
            .any(|factor| match &mut factor.kind {
                Kind::Totp { key, used } => {
                    let hit =
                        (window - 1..=window + 1).find(|at| *at > *used && totp(key, *at) == code);
                    *used = hit.unwrap_or(*used);
                    hit.is_some()
                }
                Kind::Recovery { .. } => false,
            })
    }

    fn is_recovery(&mut self, user: &str, answer: &str) -> bool {
        let factors = self
            .access
            .users
            .get_mut(user)
            .map(|user| user.factors.as_mut_slice())
            .unwrap_or_default();
        factors.iter_mut().any(|factor| match &mut factor.kind {
            Kind::Recovery { keys } => {
                let hit = keys.iter_mut().find(|key| {
                    key.as_ref()
                        .is_some_and(|hashed| is_hash_of(hashed, answer))
                });
                hit.is_some_and(|key| key.take().is_some())
            }
            Kind::Totp { .. } => false,
        })
    }
}

/// The first answer of a login in two steps.
pub(crate) fn challenge(world: &World, user: &str) -> Value {
    let mut kinds = Map::new();
    for factor in world.factors(user).iter().filter(|factor| factor.enable) {
        let value = match &factor.kind {
            Kind::Totp { .. } => json!(true),
            Kind::Recovery { keys } => keys
                .iter()
                .enumerate()
                .filter(|(_, key)| key.is_some())
                .map(|(at, _)| at)
                .collect(),
        };
        kinds.insert(factor.kind.name().to_owned(), value);
    }
    let data = Value::Object(kinds).to_string();
    let escaped = data.replace('%', "%25").replace(':', "%3A");
    let plain = format!("PVE:!tfa!{escaped}:{:08X}", world.now().secs());
    let signature = world.sign(&format!("{plain}:{user}"));
    json!({"NeedTFA": 1, "ticket": format!("{plain}::{signature}"), "username": user,
        "CSRFPreventionToken": format!("{:08X}:{}", world.now().secs(), &signature[..43])})
}

fn totp(key: &[u8], window: i64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(&window.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let at = usize::from(digest[19] & 15);
    let number = u32::from_be_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]])
        & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// The key of an `otpauth://` address.
fn key_of(uri: &str) -> Option<Vec<u8>> {
    let secret = uri
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("secret="))?;
    let mut bits = (0u64, 0u32);
    let mut key = Vec::new();
    for c in secret
        .trim_end_matches(['='])
        .trim_end_matches("%3D")
        .bytes()
    {
        let value = match c.to_ascii_uppercase() {
            c @ b'A'..=b'Z' => c - b'A',
            c @ b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        bits = ((bits.0 << 5) | u64::from(value), bits.1 + 5);
        if bits.1 >= 8 {
            bits.1 -= 8;
            key.push((bits.0 >> bits.1) as u8);
            bits.0 &= (1 << bits.1) - 1;
        }
    }
    Some(key)
}

fn row(factor: &Factor) -> Value {
    let mut row = json!({"id": factor.id, "type": factor.kind.name(), "created": factor.created, "description": factor.description});
    if !factor.enable {
        row["enable"] = json!(0);
    }
    row
}

/// A user may look at its own factors, others need `Sys.Audit`.
fn known(world: &World, call: &Call<'_>) -> Result<String, Fail> {
    let user = call.text("userid");
    if world.access.users.contains_key(&user) {
        Ok(user)
    } else {
        Err(Fail::die(format!("no such user ('{user}')")))
    }
}

fn all(world: &mut World, call: &mut Call<'_>) -> Answer {
    let visible = |user: &String| {
        *user == call.identity
            || world
                .check_any(
                    &call.identity,
                    "/access/groups",
                    &["User.Modify", "Sys.Audit"],
                )
                .is_ok()
    };
    Ok(world
        .access
        .users
        .iter()
        .filter(|(name, user)| !user.factors.is_empty() && visible(name))
        .map(|(name, user)| json!({"userid": name, "entries": user.factors.iter().map(row).collect::<Vec<_>>()}))
        .collect())
}

fn list(world: &mut World, call: &mut Call<'_>) -> Answer {
    let user = known(world, call)?;
    Ok(world.factors(&user).iter().map(row).collect())
}

fn read(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (user, id) = (known(world, call)?, call.text("id"));
    world
        .factors(&user)
        .iter()
        .find(|factor| factor.id == id)
        .map(row)
        .ok_or_else(|| missing(&id))
}

fn missing(id: &str) -> Fail {
    Fail::api(404, &format!("No such tfa entry '{id}'"), true)
}

fn add(world: &mut World, call: &mut Call<'_>) -> Answer {
    let user = known(world, call)?;
    world.confirm(call, "password")?;
    let description = call.optional("description").unwrap_or_default();
    let created = world.now().secs();
    match call.text("type").as_str() {
        "totp" => {
            let key = call
                .optional("totp")
                .as_deref()
                .and_then(key_of)
                .ok_or_else(|| Fail::param("totp", "invalid totp uri"))?;
            let window = created / 30;
            let code = call.optional("value").unwrap_or_default();
            let Some(used) = (window - 1..=window + 1).find(|at| totp(&key, *at) == code) else {
                return Err(Fail::die("failed to verify TOTP challenge"));
            };
            let id = world.chance.uuid();
            let factor = Factor {
                id: id.clone(),
                kind: Kind::Totp { key, used },
                description,
                created,
                enable: true,
            };
            world
                .access
                .users
                .entry(user)
                .or_default()
                .factors
                .push(factor);
            Ok(json!({"id": id}))
        }
        "recovery" => {
            let keys: Vec<String> = (0..10).map(|_| recovery_key(world)).collect();
            let kind = Kind::Recovery {
                keys: keys.iter().map(|key| Some(hash(key))).collect(),
            };
            let factor = Factor {
                id: "recovery".to_owned(),
                kind,
                description,
                created,
                enable: true,
            };
            let factors = &mut world.access.users.entry(user).or_default().factors;
            if factors.iter().any(|factor| factor.id == "recovery") {
                return Err(Fail::die("user already has recovery keys"));
            }
            factors.push(factor);
            Ok(json!({"id": "recovery", "recovery": keys}))
        }
        other => Err(Fail::param(
            "type",
            format!("second factor '{other}' is not simulated"),
        )),
    }
}

fn recovery_key(world: &mut World) -> String {
    let hex = hex::encode(world.chance.bytes(8));
    format!(
        "{}-{}-{}-{}",
        &hex[..4],
        &hex[4..8],
        &hex[8..12],
        &hex[12..]
    )
}

fn update(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (user, id) = (known(world, call)?, call.text("id"));
    world.confirm(call, "password")?;
    let factors = &mut world.access.users.entry(user).or_default().factors;
    let factor = factors
        .iter_mut()
        .find(|factor| factor.id == id)
        .ok_or_else(|| missing(&id))?;
    if let Some(description) = call.optional("description") {
        factor.description = description;
    }
    if call.has("enable") {
        factor.enable = call.flag("enable");
    }
    Ok(Value::Null)
}

fn remove(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (user, id) = (known(world, call)?, call.text("id"));
    world.confirm(call, "password")?;
    let factors = &mut world.access.users.entry(user).or_default().factors;
    let before = factors.len();
    factors.retain(|factor| factor.id != id);
    if factors.len() == before {
        Err(missing(&id))
    } else {
        Ok(Value::Null)
    }
}

fn unlock(world: &mut World, call: &mut Call<'_>) -> Answer {
    known(world, call)?;
    Ok(json!(0))
}

fn types(world: &mut World, call: &mut Call<'_>) -> Answer {
    let user = known(world, call)?;
    let types: Vec<&str> = world
        .factors(&user)
        .iter()
        .map(|factor| factor.kind.name())
        .collect();
    let mut answer = json!({"realm": user.rsplit('@').next().unwrap_or_default()});
    if call.flag("multiple") {
        answer["types"] = json!(types);
    } else if let Some(first) = types.first() {
        answer["user"] = json!(utf8_percent_encode(first, NON_ALPHANUMERIC).to_string());
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::{key_of, totp};

    #[test]
    fn a_code_is_that_of_the_standard() {
        let key = key_of("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        assert_eq!(key, b"12345678901234567890");
        assert_eq!(totp(&key, 1), "287082");
    }
}
