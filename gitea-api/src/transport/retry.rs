//! Pure: whether a request is sent again, and after how long.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use crate::error::{Delivery, Error, ErrorKind};
use crate::request::Safety;

/// How often and how patiently a request is repeated.
///
/// A request is repeated when it certainly was not sent, or when doing it twice is the same as
/// doing it once and the failure may pass: 429, 502, 503, 504, a locked database, a broken or
/// silent connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a request is sent at most; 1 means that nothing is repeated.
    pub attempts_max: u32,
    /// The wait before the first repetition; it doubles each time, and is cut at random.
    pub first_wait: Duration,
    /// The longest single wait, also when the server asks for more.
    pub wait_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 4,
            first_wait: Duration::from_millis(200),
            wait_max: Duration::from_secs(10),
        }
    }
}

impl RetryPolicy {
    /// Nothing is repeated.
    #[must_use]
    pub fn never() -> Self {
        Self {
            attempts_max: 1,
            ..Self::default()
        }
    }

    /// The wait before the next attempt, or `None` when this failure is final. `attempt` counts
    /// from 1.
    pub(crate) fn next(&self, safety: Safety, error: &Error, attempt: u32) -> Option<Duration> {
        if attempt >= self.attempts_max || !may_repeat(safety, error) {
            return None;
        }
        let grown = self.first_wait.saturating_mul(1 << (attempt - 1).min(16));
        let asked = match error.kind() {
            ErrorKind::Unavailable { retry_after } => *retry_after,
            _ => None,
        };
        let wait = asked.unwrap_or_else(|| jitter(grown));
        Some(wait.min(self.wait_max))
    }
}

fn may_repeat(safety: Safety, error: &Error) -> bool {
    let passing = matches!(
        error.kind(),
        ErrorKind::Connect
            | ErrorKind::Timeout
            | ErrorKind::Interrupted
            | ErrorKind::Unavailable { .. }
    );
    let harmless = match error.delivery() {
        Delivery::NotSent => true,
        // Refused at the door: it was not carried out.
        Delivery::Answered if error.status() == Some(429) => true,
        Delivery::Answered | Delivery::Unknown => safety != Safety::Once,
    };
    passing && harmless
}

/// Between half of a wait and all of it, so that many clients do not come back at once.
fn jitter(wait: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    let share = f64::from(u32::try_from(random >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
    wait.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::RetryPolicy;
    use crate::error::{Delivery, Error, ErrorKind};
    use crate::request::Safety;

    #[track_caller]
    fn check(
        safety: Safety,
        kind: ErrorKind,
        delivery: Delivery,
        status: Option<u16>,
        repeated: bool,
    ) {
        let mut error = Error::new(kind, "x", delivery);
        if let Some(status) = status {
            error = error.answered(status);
        }
        let next = RetryPolicy::default().next(safety, &error, 1);
        assert_eq!(next.is_some(), repeated, "{safety:?} {error:?}");
    }

    #[test]
    fn a_write_is_repeated_only_when_it_was_certainly_not_carried_out() {
        use Delivery::{Answered, NotSent, Unknown};
        let busy = || ErrorKind::Unavailable { retry_after: None };
        check(Safety::Once, ErrorKind::Connect, NotSent, None, true);
        check(Safety::Once, ErrorKind::Interrupted, Unknown, None, false);
        check(Safety::Once, busy(), Answered, Some(429), true);
        check(Safety::Once, busy(), Answered, Some(502), false);
        check(
            Safety::Idempotent,
            ErrorKind::Interrupted,
            Unknown,
            None,
            true,
        );
        check(Safety::Removal, busy(), Answered, Some(503), true);
        check(Safety::Read, ErrorKind::Timeout, Unknown, None, true);
        check(Safety::Read, ErrorKind::Server, Answered, Some(500), false);
        check(
            Safety::Read,
            ErrorKind::CertificateRefused,
            NotSent,
            None,
            false,
        );
    }

    #[test]
    fn waits_grow_and_are_bounded() {
        let policy = RetryPolicy::default();
        let error = Error::new(ErrorKind::Connect, "x", Delivery::NotSent);
        for attempt in 1..4 {
            let wait = policy.next(Safety::Read, &error, attempt).unwrap();
            let full = policy.first_wait * (1 << (attempt - 1));
            assert!(wait >= full / 2 && wait <= full, "{attempt}: {wait:?}");
        }
        assert_eq!(policy.next(Safety::Read, &error, 4), None);
        let kind = ErrorKind::Unavailable {
            retry_after: Some(Duration::from_secs(3600)),
        };
        let error = Error::new(kind, "x", Delivery::Answered).answered(503);
        assert_eq!(policy.next(Safety::Read, &error, 1), Some(policy.wait_max));
    }
}
