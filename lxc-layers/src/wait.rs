//! Waiting: the one place of this crate that lets time pass, always within a bound.

use std::time::Duration;

use tokio::time::Instant;

/// Lets `duration` pass.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the wait module that the ban points to"
)]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// A bounded series of pauses that grow: first short, then twice as long each time, up to a ceiling.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    deadline: Instant,
    next: Duration,
    ceiling: Duration,
}

impl Patience {
    /// A series that starts at `first`, never exceeds `ceiling` a pause, and ends after `limit`.
    pub(crate) fn new(limit: Duration, first: Duration, ceiling: Duration) -> Self {
        Self {
            deadline: Instant::now() + limit,
            next: first,
            ceiling,
        }
    }

    /// Pauses once more; false, without a pause, when the bound is reached.
    pub(crate) async fn again(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.deadline {
            return false;
        }
        pause(self.next.min(self.deadline - now)).await;
        self.next = (self.next * 2).min(self.ceiling);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn patience_ends_at_its_limit() {
        let mut patience = Patience::new(
            Duration::from_millis(20),
            Duration::from_millis(5),
            Duration::from_millis(10),
        );
        let mut pauses = 0;
        while patience.again().await {
            pauses += 1;
        }
        // Fewer where the machine was slow.
        assert!(pauses <= 5, "{pauses} pauses");
        let minute = Duration::from_secs(60);
        let moment = Duration::from_millis(1);
        assert!(Patience::new(minute, moment, moment).again().await);
    }
}
