//! How long to wait, how often to look, and how much oddity to put up with.

use std::time::{Duration, Instant};

/// Looks at which a task may be unknown, or ended without an exit status, before that counts.
const PATIENCE: u32 = 5;

/// How long to wait for a task, and how often to look.
///
/// A duration alone means: that long, looking often at first and less often later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    limit: Duration,
    poll: Poll,
}

/// How often to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Poll {
    /// From a tenth of a second, a half more each time, up to two seconds.
    #[default]
    Adaptive,
    /// Always after that time.
    Every(Duration),
}

impl Wait {
    /// At most that long.
    #[must_use]
    pub const fn up_to(limit: Duration) -> Self {
        Self {
            limit,
            poll: Poll::Adaptive,
        }
    }

    /// Looking that often.
    #[must_use]
    pub const fn polling(mut self, poll: Poll) -> Self {
        self.poll = poll;
        self
    }

    /// The bound.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn begin(self) -> Watch {
        Watch {
            wait: self,
            started: Instant::now(),
            polls: 0,
            unknown: 0,
            mute: 0,
        }
    }
}

impl From<Duration> for Wait {
    fn from(limit: Duration) -> Self {
        Self::up_to(limit)
    }
}

/// A wait that has begun.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    wait: Wait,
    started: Instant,
    polls: i32,
    unknown: u32,
    mute: u32,
}

impl Watch {
    /// Lets time pass until the next look; false when there is none left.
    pub(crate) async fn tick(&mut self) -> bool {
        let left = self.wait.limit.saturating_sub(self.started.elapsed());
        if left.is_zero() {
            return false;
        }
        crate::wait::pause(self.pause().min(left)).await;
        self.polls += 1;
        true
    }

    /// The bound of the wait.
    pub(crate) fn limit(&self) -> Duration {
        self.wait.limit
    }

    /// Whether an unknown task may still appear: its log is written after it was named.
    pub(super) fn may_appear(&mut self) -> bool {
        self.unknown += 1;
        self.unknown <= PATIENCE
    }

    /// Whether an ended task may still tell how: the last line of its log is written last.
    pub(super) fn may_speak(&mut self) -> bool {
        self.mute += 1;
        self.mute <= PATIENCE
    }

    fn pause(&self) -> Duration {
        match self.wait.poll {
            Poll::Every(time) => time,
            Poll::Adaptive => {
                let grown = Duration::from_millis(100).mul_f64(1.5_f64.powi(self.polls.min(8)));
                grown.min(Duration::from_secs(2))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Poll, Wait};

    #[tokio::test]
    async fn pauses_grow_and_the_bound_holds() {
        let mut watch = Wait::up_to(Duration::from_secs(60)).begin();
        let mut pauses = Vec::new();
        for polls in 0..12 {
            watch.polls = polls;
            pauses.push(watch.pause());
        }
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert_eq!(pauses[0], Duration::from_millis(100));
        assert_eq!(pauses[11], Duration::from_secs(2));
        let mut spent = Wait::up_to(Duration::ZERO)
            .polling(Poll::Every(Duration::ZERO))
            .begin();
        assert!(!spent.tick().await);
    }
}
