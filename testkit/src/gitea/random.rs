//! The world's own source of chance: reproducible from a seed, unpredictable without it.

use sha2::{Digest, Sha256};

/// A stream of bytes that depends on the seed and on how many were drawn before.
///
/// Each block is SHA-256 of seed and counter, so the whole state can be saved as two values.
#[derive(Clone)]
pub struct Random {
    seed: [u8; 32],
    drawn: u64,
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Random")
            .field("drawn", &self.drawn)
            .finish_non_exhaustive()
    }
}

impl Random {
    /// The same stream for the same number, for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed: Sha256::digest(seed.to_be_bytes()).into(),
            drawn: 0,
        }
    }

    /// A stream that nobody can foresee, from the operating system.
    #[must_use]
    pub fn from_system() -> Self {
        Self {
            seed: rand::random(),
            drawn: 0,
        }
    }

    /// The next 32 bytes.
    pub fn block(&mut self) -> [u8; 32] {
        self.drawn += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.drawn.to_be_bytes());
        hash.finalize().into()
    }

    /// So many hexadecimal digits in lower case; 40 make an access token.
    pub fn hex(&mut self, digits: usize) -> String {
        let mut text = String::new();
        while text.len() < digits {
            text.push_str(&hex::encode(self.block()));
        }
        text.truncate(digits);
        text
    }

    /// So many letters and digits; 40 make a registration token.
    pub fn letters(&mut self, count: usize) -> String {
        const ALPHABET: &[u8; 62] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut text = String::new();
        while text.len() < count {
            // 248 is the largest multiple of 62 in a byte: what lies above would favour some letters.
            let fair = self.block().into_iter().filter(|byte| *byte < 248);
            text.extend(fair.map(|byte| char::from(ALPHABET[usize::from(byte) % 62])));
        }
        text.truncate(count);
        text
    }

    /// A random (version 4) UUID.
    pub fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.block()[..16]);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let text = hex::encode(bytes);
        format!(
            "{}-{}-{}-{}-{}",
            &text[..8],
            &text[8..12],
            &text[12..16],
            &text[16..20],
            &text[20..]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        let (mut one, mut two, mut other) =
            (Random::seeded(1), Random::seeded(1), Random::seeded(2));
        assert_eq!(one.hex(40), two.hex(40));
        assert_ne!(one.letters(40), other.letters(40));
        assert_eq!(one.uuid().len(), 36);
    }
}
