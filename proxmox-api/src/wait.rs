//! The one place that lets time pass; every use of it has a bound.

use std::time::Duration;

/// Lets that much time pass.
#[expect(clippy::disallowed_methods, reason = "this is the wait module")]
pub(crate) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
