//! Waiting for a state, always with a limit: the one place that sleeps.

use std::time::{Duration, Instant};

/// Asks `probe` every `interval` until it answers, for at most `limit`; `None` when it never did.
/// The last question is asked when the time is up.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    interval: Duration,
    mut probe: impl FnMut() -> F,
) -> Option<T> {
    let begun = Instant::now();
    loop {
        let last = begun.elapsed() >= limit;
        if let Some(answer) = probe().await {
            return Some(answer);
        }
        if last {
            return None;
        }
        pause(interval).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that sleeps"
)]
async fn pause(interval: Duration) {
    tokio::time::sleep(interval).await;
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn a_state_that_comes_is_seen() {
        let mut asked = 0;
        let answer = until(Duration::from_secs(5), Duration::ZERO, || {
            asked += 1;
            ready((asked == 3).then_some(asked))
        });
        assert_eq!(answer.await, Some(3));
    }

    #[tokio::test]
    async fn a_state_that_never_comes_is_given_up() {
        let never = until(Duration::from_millis(20), Duration::from_millis(5), || {
            ready(None::<()>)
        });
        assert_eq!(never.await, None);
    }
}
