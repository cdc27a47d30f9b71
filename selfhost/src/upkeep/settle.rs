//! The half that runs in a unit of its own: waits for the job's end, swaps, restarts, and takes the
//! old build back when the new one does not serve.

use std::time::Duration;

use async_trait::async_trait;
use gitea_api::Client;

use super::{
    machine::Here,
    order::{Order, OrderError, Record, Verdict},
};
use crate::wait::pause;

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The job that ordered the change, and those that run beside it, until they are over.
    pub jobs: Duration,
    /// A build, until it serves.
    pub serves: Duration,
    /// How long it must serve without a fault to count as healthy.
    pub steady: Duration,
    /// Between two looks.
    pub looks: Duration,
}

impl Default for Limits {
    /// A quarter of an hour for jobs, a minute to serve, one second of it steadily: a unit that ends
    /// is not started again by the system within less, so that no look in between misses its end.
    fn default() -> Self {
        Self {
            jobs: Duration::from_secs(15 * 60),
            serves: Duration::from_secs(60),
            steady: Duration::from_secs(1),
            looks: Duration::from_millis(200),
        }
    }
}

/// Why a step did not succeed.
pub(super) type Trouble = String;

/// How far an earlier try at the same order came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The old build is in place.
    Waiting,
    /// The new build is in place, and nobody has judged it yet.
    Swapped,
    /// The new build did not serve, for this reason; the old one may be in place again.
    PuttingBack(Trouble),
}

/// What settling asks of the machine that it runs on.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub(super) trait Machine: Send + Sync {
    /// How far an earlier try came.
    async fn phase(&self) -> Phase;
    /// Keeps why the new build is put back, for a later try.
    async fn remember(&self, because: &str) -> Result<(), Trouble>;
    /// Whether the job that ordered the change is over, and no other runs.
    async fn is_free(&self) -> bool;
    /// Stops the runner, so that it takes no job meanwhile; one that it has just taken may end
    /// within `limit`.
    async fn stop_runner(&self, limit: Duration) -> Result<(), Trouble>;
    /// Puts the new build in its place; the old one stays beside it.
    async fn swap(&self) -> Result<(), Trouble>;
    /// Puts the old build in its place again.
    async fn swap_back(&self) -> Result<(), Trouble>;
    /// Restarts the Git service and starts the runner.
    async fn restart(&self) -> Result<(), Trouble>;
    /// Whether both run, and from the build that is in place.
    async fn is_restarted(&self) -> bool;
    /// What is wrong with what serves; nothing, when all is well.
    async fn fault(&self) -> Option<Trouble>;
}

/// Carries out an order, and keeps how it ended. Where an earlier try was cut short, it goes on from
/// there.
///
/// # Errors
/// When the record cannot be kept; what was done is done.
pub async fn settle(order: &Order, forge: Client, limits: Limits) -> Result<Verdict, OrderError> {
    let verdict = carry_out(&Here::new(order.clone(), forge), limits).await;
    let record = Record {
        at: format!("{:.0}", jiff::Timestamp::now()),
        pin: order.pin.clone(),
        verdict: verdict.clone(),
    };
    // An order without a verdict is carried out; so the verdict comes first.
    record.keep(&order.layout)?;
    Order::remove(&order.layout);
    Ok(verdict)
}

async fn carry_out(machine: &dyn Machine, limits: Limits) -> Verdict {
    match machine.phase().await {
        Phase::Waiting => from_the_start(machine, limits).await,
        Phase::Swapped => match goes_on(machine, limits).await {
            Ok(()) => Verdict::Installed,
            Err(because) => put_back(machine, limits, because).await,
        },
        Phase::PuttingBack(because) => put_back(machine, limits, because).await,
    }
}

async fn from_the_start(machine: &dyn Machine, limits: Limits) -> Verdict {
    if !becomes_free(machine, limits).await {
        let minutes = limits.jobs.as_secs() / 60;
        let because = format!("jobs were running for {minutes} minutes");
        return Verdict::NotBegun { because };
    }
    if let Err(because) = begin(machine, limits).await {
        // The runner may have been stopped; the build that serves is the old one.
        drop(machine.restart().await);
        return Verdict::NotBegun { because };
    }
    match serves(machine, limits).await {
        Ok(()) => Verdict::Installed,
        Err(because) => put_back(machine, limits, because).await,
    }
}

async fn begin(machine: &dyn Machine, limits: Limits) -> Result<(), Trouble> {
    machine.stop_runner(limits.jobs).await?;
    machine.swap().await
}

/// After a try that was cut short: what runs is not restarted without need, since jobs may have
/// begun meanwhile.
async fn goes_on(machine: &dyn Machine, limits: Limits) -> Result<(), Trouble> {
    if machine.is_restarted().await && is_steady(machine, limits).await.is_ok() {
        return Ok(());
    }
    serves(machine, limits).await
}

async fn put_back(machine: &dyn Machine, limits: Limits, because: Trouble) -> Verdict {
    // Where it cannot be kept, a later try finds the new build in place, and judges it again.
    drop(machine.remember(&because).await);
    match back(machine, limits).await {
        Ok(()) => Verdict::PutBack { because },
        Err(now) => Verdict::Sick { because, now },
    }
}

async fn back(machine: &dyn Machine, limits: Limits) -> Result<(), Trouble> {
    machine.swap_back().await?;
    serves(machine, limits).await
}

async fn becomes_free(machine: &dyn Machine, limits: Limits) -> bool {
    for _ in 0..looks(limits.jobs, limits) {
        if machine.is_free().await {
            return true;
        }
        pause(limits.looks).await;
    }
    false
}

/// Restarts, and waits until nothing is wrong for a while.
async fn serves(machine: &dyn Machine, limits: Limits) -> Result<(), Trouble> {
    machine.restart().await?;
    is_steady(machine, limits).await
}

/// Waits until nothing is wrong for a while.
async fn is_steady(machine: &dyn Machine, limits: Limits) -> Result<(), Trouble> {
    let (mut well, mut last) = (0, String::new());
    for _ in 0..looks(limits.serves, limits) {
        match machine.fault().await {
            None => well += 1,
            Some(fault) => (well, last) = (0, fault),
        }
        if well >= looks(limits.steady, limits) {
            return Ok(());
        }
        pause(limits.looks).await;
    }
    Err(last)
}

fn looks(time: Duration, limits: Limits) -> u128 {
    (time.as_millis() / limits.looks.as_millis().max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use mockall::Sequence;

    use super::*;

    const QUICK: Limits = Limits {
        jobs: Duration::from_millis(5),
        serves: Duration::from_millis(5),
        steady: Duration::from_millis(2),
        looks: Duration::from_millis(1),
    };

    /// The next call in a sequence.
    macro_rules! next {
        ($machine:ident, $order:ident, $expect:ident) => {
            $machine.$expect().once().in_sequence(&mut $order)
        };
    }

    /// Expects the calls in this order, each answering `Ok`.
    fn expecting(calls: &[&str]) -> MockMachine {
        let (mut machine, mut order) = (MockMachine::new(), Sequence::new());
        for call in calls {
            match *call {
                "waiting" => drop(next!(machine, order, expect_phase).return_const(Phase::Waiting)),
                "swapped" => drop(next!(machine, order, expect_phase).return_const(Phase::Swapped)),
                "putting back" => {
                    let dead = Phase::PuttingBack("dead".to_owned());
                    next!(machine, order, expect_phase).return_const(dead);
                }
                "restarted" => drop(next!(machine, order, expect_is_restarted).return_const(true)),
                "not restarted" => {
                    next!(machine, order, expect_is_restarted).return_const(false);
                }
                "free" => drop(next!(machine, order, expect_is_free).return_const(true)),
                "busy" => drop(next!(machine, order, expect_is_free).return_const(false)),
                "stop" => drop(next!(machine, order, expect_stop_runner).returning(|_| Ok(()))),
                "swap" => drop(next!(machine, order, expect_swap).returning(|| Ok(()))),
                "no swap" => {
                    next!(machine, order, expect_swap).returning(|| Err("no room".to_owned()));
                }
                "remember" => drop(next!(machine, order, expect_remember).returning(|_| Ok(()))),
                "back" => drop(next!(machine, order, expect_swap_back).returning(|| Ok(()))),
                "restart" => drop(next!(machine, order, expect_restart).returning(|| Ok(()))),
                "well" => drop(next!(machine, order, expect_fault).return_const(None)),
                ill => {
                    let fault = Some(ill.to_owned());
                    next!(machine, order, expect_fault).return_const(fault);
                }
            }
        }
        machine
    }

    #[track_caller]
    fn because(text: &str) -> String {
        text.to_owned()
    }

    #[tokio::test]
    async fn a_build_that_serves_is_installed_after_the_job() {
        let machine = expecting(&[
            "waiting", "busy", "busy", "free", "stop", "swap", "restart", "ill", "well", "well",
        ]);
        assert_eq!(carry_out(&machine, QUICK).await, Verdict::Installed);
    }

    #[tokio::test]
    async fn one_that_is_well_for_a_moment_only_is_put_back() {
        let machine = expecting(&[
            "waiting", "free", "stop", "swap", "restart", "well", "ill", "well", "ill", "dead",
            "remember", "back", "restart", "well", "well",
        ]);
        let expected = Verdict::PutBack {
            because: because("dead"),
        };
        assert_eq!(carry_out(&machine, QUICK).await, expected);
    }

    #[tokio::test]
    async fn nothing_is_touched_while_jobs_run() {
        let machine = expecting(&[&["waiting"][..], &["busy"; 5]].concat());
        let verdict = carry_out(&machine, QUICK).await;
        assert!(matches!(verdict, Verdict::NotBegun { because } if because.contains("jobs")));
    }

    #[tokio::test]
    async fn where_the_swap_fails_the_old_build_goes_on() {
        let machine = expecting(&["waiting", "free", "stop", "no swap", "restart"]);
        let expected = Verdict::NotBegun {
            because: because("no room"),
        };
        assert_eq!(carry_out(&machine, QUICK).await, expected);
    }

    #[tokio::test]
    async fn that_neither_serves_is_said() {
        let mut calls = vec!["waiting", "free", "stop", "swap", "restart"];
        calls.extend(["dead"; 5]);
        calls.extend(["remember", "back", "restart"]);
        calls.extend(["disk full"; 5]);
        let expected = Verdict::Sick {
            because: because("dead"),
            now: because("disk full"),
        };
        assert_eq!(carry_out(&expecting(&calls), QUICK).await, expected);
    }

    #[tokio::test]
    async fn one_that_was_killed_after_the_swap_is_judged_by_the_next_try() {
        // The machine was restarted: what runs is the new build, perhaps with jobs.
        let machine = expecting(&["swapped", "restarted", "ill", "well", "well"]);
        assert_eq!(carry_out(&machine, QUICK).await, Verdict::Installed);
        // Killed before the restart: the old build runs from a name that is gone.
        let machine = expecting(&["swapped", "not restarted", "restart", "well", "well"]);
        assert_eq!(carry_out(&machine, QUICK).await, Verdict::Installed);
    }

    #[tokio::test]
    async fn one_that_was_killed_after_the_swap_and_does_not_serve_is_put_back() {
        let mut calls = vec!["swapped", "not restarted", "restart"];
        calls.extend(["dead"; 5]);
        calls.extend(["remember", "back", "restart", "well", "well"]);
        let expected = Verdict::PutBack {
            because: because("dead"),
        };
        assert_eq!(carry_out(&expecting(&calls), QUICK).await, expected);
    }

    #[tokio::test]
    async fn putting_back_that_was_cut_short_goes_on() {
        let calls = [
            "putting back",
            "remember",
            "back",
            "restart",
            "well",
            "well",
        ];
        let expected = Verdict::PutBack {
            because: because("dead"),
        };
        assert_eq!(carry_out(&expecting(&calls), QUICK).await, expected);
    }
}
