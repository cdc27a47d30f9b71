//! A clock that only moves when everybody waits: hours of simulated work in the time of its thinking,
//! and the same result on every machine.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

/// The time of a simulation.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<Mutex<Sleepers>>);

#[derive(Default)]
struct Sleepers {
    now: Duration,
    /// Who waits until when; the second number tells apart those who wait for the same moment.
    until: BTreeMap<(Duration, u64), Waker>,
    begun: u64,
}

impl Clock {
    pub(crate) fn now(&self) -> Duration {
        self.0.lock().unwrap().now
    }

    /// Lets simulated time pass.
    pub(crate) async fn sleep(&self, time: Duration) {
        let end = self.now() + time;
        poll_fn(|context| {
            let mut sleepers = self.0.lock().unwrap();
            if sleepers.now >= end {
                return Poll::Ready(());
            }
            sleepers.begun += 1;
            let key = (end, sleepers.begun);
            sleepers.until.insert(key, context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Goes on to the next moment for which somebody waits; false when nobody does.
    fn advance(&self) -> bool {
        let waker = {
            let mut sleepers = self.0.lock().unwrap();
            sleepers.until.pop_first().map(|((end, _), waker)| {
                sleepers.now = sleepers.now.max(end);
                waker
            })
        };
        let is_some = waker.is_some();
        waker.into_iter().for_each(Waker::wake);
        is_some
    }

    /// Does `work`; time moves whenever nothing in it can go on without.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let flag = Arc::new(AtomicBool::new(false));
        poll_fn(|context| {
            flag.store(false, Ordering::SeqCst);
            let waker = Waker::from(Arc::new(Woken {
                flag: Arc::clone(&flag),
                outer: context.waker().clone(),
            }));
            let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
            if polled.is_pending() && !flag.load(Ordering::SeqCst) && self.advance() {
                // Whom it woke may be done already, and then there is a next moment.
                context.waker().wake_by_ref();
            }
            polled
        })
        .await
    }
}

/// Whether somebody can go on at the present moment.
struct Woken {
    flag: Arc<AtomicBool>,
    outer: Waker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.flag.store(true, Ordering::SeqCst);
        self.outer.wake_by_ref();
    }
}
