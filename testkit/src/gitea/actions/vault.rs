//! Secrets at rest: sealed with a key that lies elsewhere.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::gitea::random::Random;

/// The key that opens secrets. It is never among the records: whoever keeps the records keeps the
/// key in a file of its own, and hands it in at the start.
#[derive(Clone)]
pub struct VaultKey([u8; 32]);

impl std::fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VaultKey(…)")
    }
}

impl From<[u8; 32]> for VaultKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// A value that only the key opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Twelve bytes that are used once, in hexadecimal digits.
    nonce: String,
    /// Ciphertext and tag, in hexadecimal digits.
    text: String,
}

impl VaultKey {
    /// Seals a value; `place` says where it belongs, and it opens nowhere else.
    ///
    /// # Panics
    /// For values of many gigabytes, which no caller can send.
    #[must_use]
    pub fn seal(&self, random: &mut Random, place: &str, value: &str) -> Sealed {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&random.block()[..12]);
        let payload = Payload {
            msg: value.as_bytes(),
            aad: place.as_bytes(),
        };
        let text = self
            .cipher()
            .encrypt(&Nonce::from(nonce), payload)
            .expect("a value of at most 64 KiB can always be sealed");
        Sealed {
            nonce: hex::encode(nonce),
            text: hex::encode(text),
        }
    }

    /// Opens a value; `None` when the key is another one, or the value belongs elsewhere.
    #[must_use]
    pub fn open(&self, place: &str, sealed: &Sealed) -> Option<String> {
        let nonce: [u8; 12] = hex::decode(&sealed.nonce).ok()?.try_into().ok()?;
        let text = hex::decode(&sealed.text).ok()?;
        let payload = Payload {
            msg: &text,
            aad: place.as_bytes(),
        };
        let value = self.cipher().decrypt(&Nonce::from(nonce), payload).ok()?;
        String::from_utf8(value).ok()
    }

    /// A signature by which values that were handed out are known again.
    #[must_use]
    pub fn sign(&self, purpose: &str, text: &str) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&self.block());
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// The key as the HMAC takes it: a block of 64 bytes, filled up with zeros.
    fn block(&self) -> hmac::digest::Key<Hmac<Sha256>> {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        block.into()
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&Key::from(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_with_its_key_and_in_its_place() {
        let (key, mut random) = (VaultKey::from([1; 32]), Random::seeded(1));
        let sealed = key.seal(&mut random, "r1/NAME", "hunter2");
        assert!(!format!("{sealed:?}").contains(&hex::encode("hunter2")));
        assert_eq!(key.open("r1/NAME", &sealed).as_deref(), Some("hunter2"));
        assert_eq!(key.open("r2/NAME", &sealed), None);
        assert_eq!(VaultKey::from([2; 32]).open("r1/NAME", &sealed), None);
        assert_ne!(key.seal(&mut random, "r1/NAME", "hunter2"), sealed);
    }
}
