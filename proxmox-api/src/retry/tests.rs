//! The table of what is tried again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Failed, Next, RetryPolicy, next};
use crate::error::{Breakage, Cause, Delivery, Error, ErrorKind, Refusal};
use crate::request::Repeat;

const POLICY: RetryPolicy = RetryPolicy {
    attempts: 3,
    pause: Duration::from_millis(100),
    pause_max: Duration::from_millis(300),
};

fn refused(status: u16, message: &str) -> Error {
    let kind = crate::response::classify(status, message, &BTreeMap::new());
    let refusal = Refusal {
        status,
        message: message.to_owned(),
        params: BTreeMap::new(),
        kind,
    };
    Error::new("a", "b", Cause::Refused(refusal))
}

fn broken(kind: ErrorKind, delivery: Delivery) -> Error {
    let breakage = Breakage {
        kind,
        delivery,
        what: String::new(),
        shown: None,
        source: None,
    };
    Error::new("a", "b", Cause::Broken(breakage))
}

/// What the table says: G give up, R renew, A again, E elsewhere.
#[track_caller]
fn check(error: &Error, safe: char, unsafe_: char) {
    for (repeat, expected) in [(Repeat::Safe, safe), (Repeat::Unsafe, unsafe_)] {
        let decision = next(
            &POLICY,
            Failed {
                error,
                repeat,
                failures: 1,
                renewable: true,
            },
            1.0,
        );
        let letter = match decision {
            Next::GiveUp => 'G',
            Next::Renew => 'R',
            Next::Again(_) => 'A',
            Next::Elsewhere(_) => 'E',
        };
        assert_eq!(letter, expected, "{repeat:?} {error:?}");
    }
}

#[test]
fn what_was_not_sent_goes_elsewhere_whatever_it_is() {
    check(&broken(ErrorKind::Unreachable, Delivery::NotSent), 'E', 'E');
    check(&refused(595, "No route to host"), 'E', 'E');
}

#[test]
fn what_may_have_been_done_is_repeated_only_if_that_is_safe() {
    check(&broken(ErrorKind::Interrupted, Delivery::Unknown), 'A', 'G');
    check(&broken(ErrorKind::TimedOut, Delivery::Unknown), 'A', 'G');
    check(&refused(596, "timeout"), 'A', 'G');
    check(&refused(599, "Too many redirections"), 'A', 'G');
    check(&refused(504, "Gateway Timeout"), 'A', 'G');
}

#[test]
fn what_was_refused_before_any_work_is_repeated() {
    check(&refused(500, "CT is locked (snapshot)"), 'A', 'A');
    check(&refused(500, "can't lock file 'x' - got timeout"), 'A', 'A');
    check(
        &refused(
            500,
            "cfs-lock 'file-user_cfg' error: got lock request timeout",
        ),
        'A',
        'A',
    );
    check(&refused(500, "cluster not ready - no quorum?"), 'A', 'A');
}

#[test]
fn a_refused_ticket_is_renewed_once() {
    let error = refused(401, "permission denied - invalid PVE ticket");
    check(&error, 'R', 'R');
    let again = Failed {
        error: &error,
        repeat: Repeat::Safe,
        failures: 1,
        renewable: false,
    };
    assert_eq!(next(&POLICY, again, 0.0), Next::GiveUp);
}

#[test]
fn answers_are_final_otherwise() {
    for (status, message) in [
        (400, "Parameter verification failed."),
        (403, "Permission check failed"),
        (
            500,
            "Configuration file 'nodes/a/lxc/1.conf' does not exist",
        ),
        (
            500,
            "detected modified configuration - file changed by other user? Try again.",
        ),
        (
            500,
            "unable to create CT 100 - CT 100 already exists on node 'x'",
        ),
        (500, "anything else"),
        (501, "Method 'GET /x' not implemented"),
    ] {
        check(&refused(status, message), 'G', 'G');
    }
    check(&broken(ErrorKind::Untrusted, Delivery::NotSent), 'G', 'G');
    check(&broken(ErrorKind::TooLarge, Delivery::Answered), 'G', 'G');
}

#[test]
fn attempts_and_pauses_are_bounded() {
    let error = broken(ErrorKind::Unreachable, Delivery::NotSent);
    let after = |failures, jitter| {
        next(
            &POLICY,
            Failed {
                error: &error,
                repeat: Repeat::Safe,
                failures,
                renewable: false,
            },
            jitter,
        )
    };
    assert_eq!(after(1, 1.0), Next::Elsewhere(Duration::from_millis(100)));
    assert_eq!(after(1, 0.0), Next::Elsewhere(Duration::from_millis(50)));
    assert_eq!(after(2, 1.0), Next::Elsewhere(Duration::from_millis(200)));
    assert_eq!(after(3, 1.0), Next::GiveUp);
    assert_eq!(POLICY.pause_after(40, 1.0), Duration::from_millis(300));
}
