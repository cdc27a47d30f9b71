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
    /// A quarter of an hour for jobs, a minute to serve, two seconds of it steadily.
    fn default() -> Self {
        Self {
            jobs: Duration::from_secs(15 * 60),
            serves: Duration::from_secs(60),
            steady: Duration::from_secs(2),
            looks: Duration::from_millis(200),
        }
    }
}

/// Why a step did not succeed.
pub(super) type Trouble = String;

/// What settling asks of the machine that it runs on.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub(super) trait Machine: Send + Sync {
    /// Whether the job that ordered the change is over, and no other runs.
    async fn is_free(&self) -> bool;
    /// Stops the runner, so that it takes no job meanwhile.
    async fn stop_runner(&self) -> Result<(), Trouble>;
    /// Puts the new build in its place; the old one stays beside it.
    async fn swap(&self) -> Result<(), Trouble>;
    /// Puts the old build in its place again.
    async fn swap_back(&self) -> Result<(), Trouble>;
    /// Restarts the Git service and starts the runner.
    async fn restart(&self) -> Result<(), Trouble>;
    /// What is wrong with what serves; nothing, when all is well.
    async fn fault(&self) -> Option<Trouble>;
}

/// Carries out an order, and keeps how it ended.
///
/// # Errors
/// When the record cannot be kept; what was done is done.
pub async fn settle(order: &Order, forge: Client, limits: Limits) -> Result<Verdict, OrderError> {
    let verdict = carry_out(&Here::new(order.clone(), forge), limits).await;
    Order::remove(&order.layout);
    let record = Record {
        at: format!("{:.0}", jiff::Timestamp::now()),
        pin: order.pin.clone(),
        verdict: verdict.clone(),
    };
    record.keep(&order.layout)?;
    Ok(verdict)
}

async fn carry_out(machine: &dyn Machine, limits: Limits) -> Verdict {
    if !becomes_free(machine, limits).await {
        let minutes = limits.jobs.as_secs() / 60;
        let because = format!("jobs were running for {minutes} minutes");
        return Verdict::NotBegun { because };
    }
    if let Err(because) = begin(machine).await {
        // The runner may have been stopped; the build that serves is the old one.
        drop(machine.restart().await);
        return Verdict::NotBegun { because };
    }
    let Err(because) = serves(machine, limits).await else {
        return Verdict::Installed;
    };
    match back(machine, limits).await {
        Ok(()) => Verdict::PutBack { because },
        Err(now) => Verdict::Sick { because, now },
    }
}

async fn begin(machine: &dyn Machine) -> Result<(), Trouble> {
    machine.stop_runner().await?;
    machine.swap().await
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

    /// Expects the calls in this order, each answering `Ok`.
    fn expecting(calls: &[&str]) -> MockMachine {
        let mut machine = MockMachine::new();
        let mut order = Sequence::new();
        for call in calls {
            match *call {
                "free" => drop(
                    machine
                        .expect_is_free()
                        .once()
                        .in_sequence(&mut order)
                        .return_const(true),
                ),
                "busy" => drop(
                    machine
                        .expect_is_free()
                        .once()
                        .in_sequence(&mut order)
                        .return_const(false),
                ),
                "stop" => drop(
                    machine
                        .expect_stop_runner()
                        .once()
                        .in_sequence(&mut order)
                        .returning(|| Ok(())),
                ),
                "swap" => drop(
                    machine
                        .expect_swap()
                        .once()
                        .in_sequence(&mut order)
                        .returning(|| Ok(())),
                ),
                "no swap" => drop(
                    machine
                        .expect_swap()
                        .once()
                        .in_sequence(&mut order)
                        .returning(|| Err("no room".to_owned())),
                ),
                "back" => drop(
                    machine
                        .expect_swap_back()
                        .once()
                        .in_sequence(&mut order)
                        .returning(|| Ok(())),
                ),
                "restart" => drop(
                    machine
                        .expect_restart()
                        .once()
                        .in_sequence(&mut order)
                        .returning(|| Ok(())),
                ),
                "well" => drop(
                    machine
                        .expect_fault()
                        .once()
                        .in_sequence(&mut order)
                        .return_const(None),
                ),
                _ => drop(
                    machine
                        .expect_fault()
                        .once()
                        .in_sequence(&mut order)
                        .return_const(Some((*call).to_owned())),
                ),
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
            "busy", "busy", "free", "stop", "swap", "restart", "ill", "well", "well",
        ]);
        assert_eq!(carry_out(&machine, QUICK).await, Verdict::Installed);
    }

    #[tokio::test]
    async fn one_that_is_well_for_a_moment_only_is_put_back() {
        let machine = expecting(&[
            "free", "stop", "swap", "restart", "well", "ill", "well", "ill", "dead", "back",
            "restart", "well", "well",
        ]);
        let expected = Verdict::PutBack {
            because: because("dead"),
        };
        assert_eq!(carry_out(&machine, QUICK).await, expected);
    }

    #[tokio::test]
    async fn nothing_is_touched_while_jobs_run() {
        let machine = expecting(&["busy"; 5]);
        let verdict = carry_out(&machine, QUICK).await;
        assert!(matches!(verdict, Verdict::NotBegun { because } if because.contains("jobs")));
    }

    #[tokio::test]
    async fn where_the_swap_fails_the_old_build_goes_on() {
        let machine = expecting(&["free", "stop", "no swap", "restart"]);
        let expected = Verdict::NotBegun {
            because: because("no room"),
        };
        assert_eq!(carry_out(&machine, QUICK).await, expected);
    }

    #[tokio::test]
    async fn that_neither_serves_is_said() {
        let mut calls = vec!["free", "stop", "swap", "restart"];
        calls.extend(["dead"; 5]);
        calls.extend(["back", "restart"]);
        calls.extend(["disk full"; 5]);
        let expected = Verdict::Sick {
            because: because("dead"),
            now: because("disk full"),
        };
        assert_eq!(carry_out(&expecting(&calls), QUICK).await, expected);
    }
}
