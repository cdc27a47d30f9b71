//! The one place of this crate that lets time pass.

use std::time::Duration;

use rand::RngExt;

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(10);

/// Lets some time pass.
#[expect(
    clippy::disallowed_methods,
    reason = "this file is the place where time passes"
)]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Pauses that grow from try to try, with some chance in them, up to ten seconds.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// Lets time pass before the next try.
    pub(crate) async fn wait(&mut self) {
        let whole = Duration::from_millis(100)
            .saturating_mul(1 << self.tries.min(10))
            .min(LONGEST);
        self.tries += 1;
        pause(jittered(whole)).await;
    }

    /// Something succeeded: begin anew.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

/// A time up to a fifth longer or shorter, so that many runners do not ask at once.
pub(crate) fn jittered(time: Duration) -> Duration {
    time.mul_f64(rand::rng().random_range(0.8..1.2))
}
