//! The one place that sleeps: between retries and between polls, always within a bound.

use std::time::Duration;

use tokio::time::Instant;

/// How long to wait for something, and how often to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long to wait at most.
    pub limit: Duration,
    /// The wait between the first two looks; it grows by half each time.
    pub first: Duration,
    /// The longest wait between two looks.
    pub longest: Duration,
}

impl Patience {
    /// Looks after half a second, then ever more seldom, up to every five seconds.
    #[must_use]
    pub fn for_at_most(limit: Duration) -> Self {
        Self {
            limit,
            first: Duration::from_millis(500),
            longest: Duration::from_secs(5),
        }
    }

    /// Looks at a steady pace.
    #[must_use]
    pub fn every(self, interval: Duration) -> Self {
        Self {
            first: interval,
            longest: interval,
            ..self
        }
    }

    pub(crate) fn start(self) -> Waiting {
        Waiting {
            until: Instant::now() + self.limit,
            next: self.first,
            longest: self.longest,
        }
    }
}

/// A wait that has begun.
#[derive(Debug)]
pub(crate) struct Waiting {
    until: Instant,
    next: Duration,
    longest: Duration,
}

impl Waiting {
    /// Waits for the next look; `false` when time is up, without waiting.
    pub(crate) async fn again(&mut self) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        pause(self.next.min(left)).await;
        self.next = (self.next + self.next / 2).min(self.longest);
        true
    }
}

/// Sleeps.
#[expect(clippy::disallowed_methods, reason = "this is the crate's wait module")]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Patience;

    #[tokio::test]
    async fn a_wait_ends() {
        let moment = Duration::from_millis(1);
        let mut short = Patience::for_at_most(Duration::from_millis(20))
            .every(moment)
            .start();
        while short.again().await {}
        let mut long = Patience::for_at_most(Duration::from_secs(60))
            .every(moment)
            .start();
        assert!(long.again().await && long.again().await);
    }
}
