//! A runner that lets the server wait for work is answered when there is some.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::fetch::{Asker, would_bring};
use super::protocol::{Work, caller};
use crate::gitea::Gitea;
use crate::gitea::call::Call;
use crate::gitea::connect::Method;

/// The longest wait; whoever asks for more gets this.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Waits as long as the call allows, until it would bring a task or the server stops. Nothing is
/// taken here: a caller who goes away meanwhile takes nothing with it.
pub(crate) async fn await_work(gitea: &Gitea, call: &Call, mut stopped: watch::Receiver<bool>) {
    let Some(wait) = allowed(call) else { return };
    let Ok(runner) = caller(gitea, call, Work::Other) else {
        return;
    };
    let asker = Asker::of(call);
    let mut changes = gitea.changes();
    let work = async {
        loop {
            changes.borrow_and_update();
            if gitea.read(|world, _| would_bring(world, &runner, &asker)) {
                return;
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        // That there was no work in time is an answer too.
        _ = timeout(wait, work) => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

/// How long a call lets us wait: `Prefer: wait=SECONDS` of RFC 7240, for `FetchTask` alone.
fn allowed(call: &Call) -> Option<Duration> {
    let method = call.path.strip_prefix("/api/actions/")?;
    if Method::from_path(method) != Some(Method::FetchTask) {
        return None;
    }
    let mut preferences = call.header("prefer")?.split([',', ';']);
    let seconds = preferences.find_map(|one| one.trim().strip_prefix("wait="))?;
    let seconds = seconds.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(WAIT_MAX))
}
