//! Pure: what to do after a failed attempt.
//!
//! The rule is not the status but what was already done: a request that was certainly not sent,
//! or was refused because of a lock or a missing quorum, can be repeated whatever it does; one
//! that may have been carried out is repeated only if that does no harm.

use std::time::Duration;

use crate::error::{Delivery, Error, ErrorKind};
use crate::request::Repeat;

/// How often to try, and how long to pause in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included; at least one is made.
    pub attempts: u32,
    /// Pause after the first failure; doubled after each further one.
    pub pause: Duration,
    /// The longest pause.
    pub pause_max: Duration,
}

impl Default for RetryPolicy {
    /// Three attempts, pauses of a quarter of a second and up to five seconds.
    fn default() -> Self {
        Self {
            attempts: 3,
            pause: Duration::from_millis(250),
            pause_max: Duration::from_secs(5),
        }
    }
}

impl RetryPolicy {
    /// One attempt.
    #[must_use]
    pub const fn never() -> Self {
        Self {
            attempts: 1,
            pause: Duration::ZERO,
            pause_max: Duration::ZERO,
        }
    }

    /// The pause after that many failures; `jitter` from 0 to 1 spreads clients apart.
    fn pause_after(&self, failures: u32, jitter: f64) -> Duration {
        let doubled = self
            .pause
            .saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled
            .min(self.pause_max)
            .mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }
}

/// What is known when an attempt has failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failed<'a> {
    pub(crate) error: &'a Error,
    pub(crate) repeat: Repeat,
    /// Attempts that failed, this one included.
    pub(crate) failures: u32,
    /// Whether a new login could replace the present one, and has not yet been tried.
    pub(crate) renewable: bool,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    GiveUp,
    /// Log in anew, then ask again.
    Renew,
    /// Ask the same server again after a pause.
    Again(Duration),
    /// Ask the next server after a pause.
    Elsewhere(Duration),
}

/// Decides.
pub(crate) fn next(policy: &RetryPolicy, failed: Failed<'_>, jitter: f64) -> Next {
    let error = failed.error;
    if error.kind() == ErrorKind::Unauthorized && failed.renewable {
        return Next::Renew;
    }
    if failed.failures >= policy.attempts {
        return Next::GiveUp;
    }
    let pause = policy.pause_after(failed.failures, jitter);
    if error.is_retryable() {
        return match error.kind() {
            ErrorKind::Unreachable | ErrorKind::Gateway => Next::Elsewhere(pause),
            _ => Next::Again(pause),
        };
    }
    let unknown = error.delivery() == Delivery::Unknown;
    if unknown && failed.repeat == Repeat::Safe {
        Next::Again(pause)
    } else {
        Next::GiveUp
    }
}

#[cfg(test)]
mod tests;
