//! Who exists: users, groups, roles, tokens and the access control list.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::clock::Chance;
use super::roles;
use super::{Version, World};

/// Everything of `user.cfg` and its neighbours.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Access {
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) groups: BTreeMap<String, Group>,
    /// Roles beside the built-in ones.
    pub(crate) roles: BTreeMap<String, BTreeSet<String>>,
    pub(crate) acl: BTreeMap<String, Node>,
    pub(crate) realms: BTreeMap<String, BTreeMap<String, String>>,
    /// Signs tickets and CSRF tokens.
    pub(crate) key: Vec<u8>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct User {
    /// Hashed; `None`: cannot log in.
    pub(crate) password: Option<String>,
    pub(crate) enable: bool,
    pub(crate) expire: i64,
    /// `comment`, `email`, `firstname`, `lastname`, `keys`.
    pub(crate) about: BTreeMap<String, String>,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) tokens: BTreeMap<String, Token>,
    pub(crate) factors: Vec<super::tfa::Factor>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Token {
    /// Hashed.
    pub(crate) secret: String,
    pub(crate) privsep: bool,
    pub(crate) expire: i64,
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) comment: Option<String>,
}

/// The entries of one ACL path: name → role → propagate.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) users: Grants,
    pub(crate) groups: Grants,
    pub(crate) tokens: Grants,
}

pub(crate) type Grants = BTreeMap<String, BTreeMap<String, bool>>;

/// Privilege → whether it propagates.
pub(crate) type Privileges = BTreeMap<String, bool>;

impl Access {
    /// What a new node has: root, with a password and a token.
    pub(crate) fn new(password: &str, token: &str, chance: &mut Chance) -> Self {
        let token = Token {
            secret: hash(token),
            ..Token::default()
        };
        let root = User {
            password: Some(hash(password)),
            enable: true,
            tokens: BTreeMap::from([(super::ROOT_TOKEN_NAME.to_owned(), token)]),
            ..User::default()
        };
        let realm = |kind: &str, comment: &str| {
            BTreeMap::from([
                ("type".to_owned(), kind.to_owned()),
                ("comment".to_owned(), comment.to_owned()),
            ])
        };
        Self {
            users: BTreeMap::from([("root@pam".to_owned(), root)]),
            realms: BTreeMap::from([
                (
                    "pam".to_owned(),
                    realm("pam", "Linux PAM standard authentication"),
                ),
                (
                    "pve".to_owned(),
                    realm("pve", "Proxmox VE authentication server"),
                ),
            ]),
            key: chance.bytes(32),
            ..Self::default()
        }
    }

    /// Whether the user exists, is enabled and has not expired.
    pub(crate) fn is_active(&self, user: &str, now: i64) -> bool {
        self.users
            .get(user)
            .is_some_and(|user| user.enable && (user.expire == 0 || user.expire > now))
    }

    pub(crate) fn role_exists(&self, role: &str) -> bool {
        roles::BUILT_IN.contains(&role) || self.roles.contains_key(role)
    }

    pub(crate) fn role_privileges(&self, version: Version, role: &str) -> BTreeSet<String> {
        match roles::built_in(version, role) {
            Some(set) => set.into_iter().map(str::to_owned).collect(),
            None => self.roles.get(role).cloned().unwrap_or_default(),
        }
    }

    /// Takes a guest out of the ACL, as its destruction does.
    pub(crate) fn forget_path(&mut self, path: &str) {
        self.acl.remove(path);
    }

    /// The roles of a user (or token) at a path: a deeper entry replaces a higher one, a user's own
    /// entry that of a group.
    fn roles_at(&self, who: &str, token: bool, path: &str) -> BTreeMap<String, bool> {
        let mut found = BTreeMap::new();
        let groups = self.users.get(who).map(|user| &user.groups);
        for prefix in prefixes(path) {
            let Some(node) = self.acl.get(prefix) else {
                continue;
            };
            let last = prefix == path;
            let own = if token {
                node.tokens.get(who)
            } else {
                node.users.get(who)
            };
            let mut here: BTreeMap<String, bool> = applies(own, last);
            if here.is_empty() && !token {
                for group in groups.into_iter().flatten() {
                    here.extend(applies(node.groups.get(group), last));
                }
            }
            if !here.is_empty() {
                found = here;
            }
        }
        found
    }
}

fn applies(grants: Option<&BTreeMap<String, bool>>, last: bool) -> BTreeMap<String, bool> {
    grants
        .into_iter()
        .flatten()
        .filter(|(_, propagate)| last || **propagate)
        .map(|(role, propagate)| (role.clone(), *propagate))
        .collect()
}

/// `/`, `/vms`, `/vms/100`.
fn prefixes(path: &str) -> Vec<&str> {
    let mut found = vec!["/"];
    found.extend(
        path.char_indices()
            .skip(1)
            .filter(|(_, c)| *c == '/')
            .map(|(at, _)| &path[..at]),
    );
    if path != "/" {
        found.push(path);
    }
    found
}

impl World {
    /// The privileges that an identity (`user@realm` or `user@realm!token`) has at a path.
    pub(crate) fn privileges(&self, identity: &str, path: &str) -> Privileges {
        let (user, token) = match identity.split_once('!') {
            Some((user, token)) => (user, Some(token)),
            None => (identity, None),
        };
        let own = self.privileges_of(user, false, path);
        let separate = token
            .and_then(|name| self.access.users.get(user)?.tokens.get(name))
            .is_some_and(|t| t.privsep);
        if !separate {
            return own;
        }
        let granted = self.privileges_of(identity, true, path);
        granted
            .into_iter()
            .filter(|(privilege, _)| own.contains_key(privilege))
            .collect()
    }

    fn privileges_of(&self, who: &str, token: bool, path: &str) -> Privileges {
        if who == "root@pam" {
            return roles::all(self.version())
                .into_iter()
                .map(|name| (name.to_owned(), true))
                .collect();
        }
        let mut held = self.access.roles_at(who, token, path);
        if held.contains_key("NoAccess") {
            return Privileges::new();
        }
        if let Some(pool) = self.pool_of(path) {
            for (role, propagate) in self.access.roles_at(who, token, &format!("/pool/{pool}")) {
                held.entry(role).or_insert(propagate);
            }
        }
        if held.contains_key("NoAccess") {
            return Privileges::new();
        }
        let mut privileges = Privileges::new();
        for (role, propagate) in held {
            for privilege in self.access.role_privileges(self.version(), &role) {
                *privileges.entry(privilege).or_insert(propagate) |= propagate;
            }
        }
        privileges
    }

    /// The pool through which a guest or storage inherits rights.
    fn pool_of(&self, path: &str) -> Option<&str> {
        let (kind, id) = path.strip_prefix('/')?.split_once('/')?;
        let member = |pool: &super::pools::Pool| match kind {
            "vms" => id.parse().is_ok_and(|vmid| pool.guests.contains(&vmid)),
            "storage" => pool.storages.contains(id),
            _ => false,
        };
        self.pools
            .iter()
            .find(|(_, pool)| member(pool))
            .map(|(name, _)| name.as_str())
    }
}

/// Secrets are kept hashed, so that a snapshot of the world can be shown.
pub(crate) fn hash(secret: &str) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(secret.as_bytes()))
}

/// Whether a secret is the one that was hashed, in constant time.
pub(crate) fn is_hash_of(hashed: &str, secret: &str) -> bool {
    use subtle::ConstantTimeEq;
    hashed.as_bytes().ct_eq(hash(secret).as_bytes()).into()
}

/// A path as the ACL spells it; `None` where it has forbidden characters.
pub(crate) fn normalize(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    parts
        .iter()
        .all(|part| part.chars().all(valid))
        .then(|| format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_go_from_the_root_to_the_path() {
        assert_eq!(prefixes("/vms/100"), ["/", "/vms", "/vms/100"]);
        assert_eq!(prefixes("/"), ["/"]);
    }

    #[test]
    fn a_path_with_a_blank_has_no_normal_form() {
        assert_eq!(normalize("vms//100/").as_deref(), Some("/vms/100"));
        assert_eq!(normalize("/pool/bad pool"), None);
    }
}
