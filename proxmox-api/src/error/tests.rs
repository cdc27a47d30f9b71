//! What an error says of itself.

use std::collections::BTreeMap;
use std::error::Error as _;

use super::{Breakage, Cause, Delivery, Error, ErrorKind, Refusal, TaskFailure};

fn refused(status: u16, message: &str) -> Error {
    let kind = crate::response::classify(status, message, &BTreeMap::new());
    let refusal = Refusal {
        status,
        message: message.to_owned(),
        params: BTreeMap::new(),
        kind,
    };
    Error::new(
        "creating container `105` on node `pve1`",
        "POST /nodes/pve1/lxc",
        Cause::Refused(refusal),
    )
}

fn broken(kind: ErrorKind, delivery: Delivery) -> Error {
    let source = std::io::Error::other("connection reset by peer");
    let breakage = Breakage {
        kind,
        delivery,
        what: "the connection broke".to_owned(),
        shown: None,
        source: Some(Box::new(source)),
    };
    Error::new("reading", "GET /version", Cause::Broken(breakage))
}

#[test]
fn errors_travel_between_threads() {
    fn travels<T: Send + Sync + 'static>() {}
    travels::<Error>();
    travels::<crate::Client>();
    travels::<crate::Task>();
    travels::<crate::api::Container>();
}

#[test]
fn no_text_repeats_that_of_its_source() {
    let upid = "UPID:pve1:000063DD:0002E881:6B034DF4:vzcreate:100:root@pam:";
    let failure = TaskFailure::new(upid.parse().unwrap(), "disk full".to_owned(), vec![]);
    for error in [
        refused(500, "disk full"),
        broken(ErrorKind::Interrupted, Delivery::Unknown),
        Error::new("task", upid, Cause::Task(failure)),
        Error::new(
            "a",
            "b",
            Cause::Undecodable {
                status: 200,
                source: "odd".into(),
            },
        ),
    ] {
        let text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            assert!(!text.contains(&cause.to_string()), "{text}: {cause}");
            source = cause.source();
        }
    }
}

#[test]
fn only_what_was_certainly_not_done_is_retryable() {
    for (error, delivery, retryable) in [
        (refused(595, "Connection refused"), Delivery::NotSent, true),
        (refused(596, "broken pipe"), Delivery::Unknown, false),
        (refused(504, "Gateway Timeout"), Delivery::Unknown, false),
        (
            refused(500, "CT is locked (backup)"),
            Delivery::Answered,
            true,
        ),
        (
            refused(500, "cluster not ready - no quorum?"),
            Delivery::Answered,
            true,
        ),
        (refused(500, "disk full"), Delivery::Answered, false),
        (
            broken(ErrorKind::Unreachable, Delivery::NotSent),
            Delivery::NotSent,
            true,
        ),
        (
            broken(ErrorKind::Untrusted, Delivery::NotSent),
            Delivery::NotSent,
            false,
        ),
        (
            broken(ErrorKind::TimedOut, Delivery::Unknown),
            Delivery::Unknown,
            false,
        ),
    ] {
        assert_eq!(
            (error.delivery(), error.is_retryable()),
            (delivery, retryable),
            "{error}"
        );
    }
}

#[test]
fn missing_privileges_are_told_apart() {
    let error = refused(
        403,
        "Permission check failed (/vms/9203, VM.Config.Disk|VM.Config.CPU)",
    );
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(
        error.missing_privileges(),
        Some(("/vms/9203", vec!["VM.Config.Disk", "VM.Config.CPU"]))
    );
    assert_eq!(
        refused(403, "Permission check failed").missing_privileges(),
        None
    );
}

#[test]
fn a_failed_task_tells_its_exit_status_and_the_end_of_its_log_once() {
    let upid = "UPID:pve1:000063DD:0002E881:6B034DF4:vzcreate:100:root@pam:";
    let log = [
        "extracting archive",
        "TASK ERROR: volume 'local:vztmpl/nope' does not exist",
    ];
    let failure = TaskFailure::new(
        upid.parse().unwrap(),
        "volume 'local:vztmpl/nope' does not exist".to_owned(),
        log.map(str::to_owned).to_vec(),
    );
    assert_eq!(failure.reason(), ErrorKind::NotFound);
    let error = Error::new(
        "task `vzcreate` of `100` on node `pve1`",
        upid,
        Cause::Task(failure),
    );
    assert_eq!(
        error.to_string(),
        "task `vzcreate` of `100` on node `pve1`: task `vzcreate` failed: \
         volume 'local:vztmpl/nope' does not exist (log: extracting archive)"
    );
    assert_eq!(error.kind(), ErrorKind::TaskFailed);
}

#[test]
fn a_lock_names_the_operation_that_holds_it() {
    let error = refused(500, "CT is locked (snapshot-delete)");
    assert_eq!(
        (error.kind(), error.lock()),
        (ErrorKind::Locked, Some("snapshot-delete"))
    );
    assert_eq!(refused(500, "disk full").lock(), None);
}
