//! Passwords and tokens at rest, compared in constant time.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// SHA-256 of a token in hexadecimal digits: how tokens are kept and found. They are random and long,
/// so a fast hash is enough.
#[must_use]
pub fn token_digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Whether two secrets are the same, without telling by the time it takes where they differ.
#[must_use]
pub fn same(one: &[u8], two: &[u8]) -> bool {
    bool::from(one.ct_eq(two))
}

/// Argon2id with 9 MiB and four passes, one of OWASP's recommended settings: bounded, whatever a caller sends.
#[cfg(feature = "server")]
mod slow {
    use argon2::{Algorithm, Argon2, Params, Version};

    const MEMORY_KIB: u32 = 9216;
    const PASSES: u32 = 4;

    pub(super) const NAME: &str = "argon2id";

    pub(super) fn stretch(password: &str, salt: &[u8]) -> Option<[u8; 32]> {
        let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).ok()?;
        let mut out = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password.as_bytes(), salt, &mut out)
            .ok()?;
        Some(out)
    }
}

/// In process, for tests alone, passwords are salted and hashed, no more.
#[cfg(not(feature = "server"))]
mod slow {
    use sha2::{Digest, Sha256};

    pub(super) const NAME: &str = "sha256";

    pub(super) fn stretch(password: &str, salt: &[u8]) -> Option<[u8; 32]> {
        let mut hash = Sha256::new();
        hash.update(salt);
        hash.update(password.as_bytes());
        Some(hash.finalize().into())
    }
}

/// The written form of a password: `NAME$salt$hash`. The salt must be random.
#[must_use]
pub fn hashed(password: &str, salt: &[u8]) -> String {
    let hash = slow::stretch(password, salt)
        .map(hex::encode)
        .unwrap_or_default();
    format!("{}${}${hash}", slow::NAME, hex::encode(salt))
}

/// Whether a password is the one of which this is the written form; an empty form fits nothing.
#[must_use]
pub fn verify(written: &str, password: &str) -> bool {
    let mut parts = written.split('$');
    let (Some(name), Some(salt), Some(hash)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let (Ok(salt), Ok(hash)) = (hex::decode(salt), hex::decode(hash)) else {
        return false;
    };
    name == slow::NAME && slow::stretch(password, &salt).is_some_and(|have| same(&have, &hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_fits() {
        let written = hashed("correct horse", &[7; 16]);
        assert!(verify(&written, "correct horse"));
        assert!(
            !verify(&written, "correct horses") && !verify("", "") && !verify("argon2id$$", "")
        );
    }
}
