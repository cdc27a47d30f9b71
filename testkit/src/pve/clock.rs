//! The world's own time and chance: a clock that can be frozen, and a seeded generator.

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment(u64);

impl Moment {
    /// That many milliseconds since 1970.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Now, by the clock of this machine.
    #[must_use]
    pub fn now() -> Self {
        Self(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default())
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn secs(self) -> i64 {
        (self.0 / 1000).cast_signed()
    }

    /// This moment and some milliseconds.
    #[must_use]
    pub const fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

/// Turns the machine's time into the world's.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Clock {
    frozen: Option<Moment>,
    ahead: i64,
}

impl Clock {
    pub(crate) fn read(&self, real: Moment) -> Moment {
        self.frozen
            .unwrap_or_else(|| Moment(real.0.saturating_add_signed(self.ahead)))
    }

    pub(crate) fn freeze(&mut self, real: Moment) {
        self.frozen = Some(self.read(real));
    }

    pub(crate) fn thaw(&mut self, real: Moment) {
        if let Some(frozen) = self.frozen.take() {
            self.ahead = frozen.0.cast_signed().saturating_sub(real.0.cast_signed());
        }
    }

    pub(crate) fn advance(&mut self, millis: u64) {
        match &mut self.frozen {
            Some(frozen) => *frozen = frozen.plus(millis),
            None => self.ahead = self.ahead.saturating_add(millis.cast_signed()),
        }
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }
}

/// Splitmix64: small, cloneable and the same on every machine, which a snapshot needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    /// A random UUID, as API tokens have for a secret.
    pub(crate) fn uuid(&mut self) -> String {
        let mut bytes = self.bytes(16);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex = hex::encode(bytes);
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }

    /// A MAC address with Proxmox's prefix.
    pub(crate) fn mac(&mut self) -> String {
        let bytes = self.bytes(3);
        format!(
            "BC:24:11:{:02X}:{:02X}:{:02X}",
            bytes[0], bytes[1], bytes[2]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thawed_clock_runs_on_from_where_it_stood() {
        let mut clock = Clock::default();
        clock.freeze(Moment(1000));
        clock.advance(500);
        assert_eq!(clock.read(Moment(9000)), Moment(1500));
        clock.thaw(Moment(9000));
        assert_eq!(clock.read(Moment(9100)), Moment(1600));
    }

    #[test]
    fn the_same_seed_gives_the_same_chance() {
        let (mut one, mut two) = (Chance::new(7), Chance::new(7));
        assert_eq!(one.uuid(), two.uuid());
        assert_eq!(one.mac(), two.mac());
    }
}
