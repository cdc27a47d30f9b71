//! The one place where the server waits for time to pass.

use std::time::Duration;

#[expect(
    clippy::disallowed_methods,
    reason = "answers are late on purpose: 401s, faults"
)]
pub(super) async fn delay(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// Gives the machine a moment when it has no descriptors left.
pub(super) async fn after_failed_accept() {
    delay(Duration::from_millis(50)).await;
}
