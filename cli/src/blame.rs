//! Which exit code and which way out an error of the engine deserves.

use lxc_layers::{
    execute::{self, Class, Report},
    guest, host,
    ledger::lock,
};

use crate::exit::{Code, Failure};

/// The exit code of a class of failures.
pub(crate) fn code(class: Class) -> Code {
    match class {
        Class::Refused => Code::Refused,
        Class::Untrusted => Code::Untrusted,
        Class::Unreachable => Code::Unavailable,
        Class::Denied => Code::Denied,
        Class::Busy => Code::Busy,
        Class::Local => Code::CannotWrite,
        _ => Code::Failed,
    }
}

/// The exit code of a run: that of its one class of failures, or [`Code::Failed`] when they differ.
pub(crate) fn of_report(report: &Report) -> Code {
    let mut classes = report.failures().map(|(_, failure)| failure.class);
    match classes.next() {
        None if report.is_success() => Code::Ok,
        None => Code::Failed,
        Some(first) if classes.all(|class| class == first) => match first {
            // Something was refused in the middle of a run: others may have been changed.
            Class::Refused => Code::Failed,
            class => code(class),
        },
        Some(_) => Code::Failed,
    }
}

impl From<host::Error> for Failure {
    fn from(error: host::Error) -> Self {
        let code = match error.kind() {
            host::Kind::Untrusted => Code::Untrusted,
            host::Kind::Unreachable | host::Kind::Lost | host::Kind::Overdue => Code::Unavailable,
            host::Kind::Denied | host::Kind::Unauthorized => Code::Denied,
            host::Kind::Busy => Code::Busy,
            _ => Code::Failed,
        };
        let hint = error.hint();
        with(Self::new(code, error), hint.map(str::to_owned))
    }
}

impl From<execute::Error> for Failure {
    fn from(error: execute::Error) -> Self {
        let hint = error.hint();
        with(Self::new(code(error.class()), error), hint)
    }
}

impl From<guest::Error> for Failure {
    fn from(error: guest::Error) -> Self {
        let code = if error.is_untrusted() {
            Code::Untrusted
        } else if error.is_taken() {
            Code::Busy
        } else {
            Code::Unavailable
        };
        let hint = error.hint();
        with(Self::new(code, error), hint)
    }
}

impl From<lock::Error> for Failure {
    fn from(error: lock::Error) -> Self {
        match error {
            lock::Error::Busy { .. } => {
                Self::new(Code::Busy, error).hint("wait for it to end, then try again")
            }
            _ => Self::new(Code::CannotWrite, error),
        }
    }
}

fn with(failure: Failure, hint: Option<String>) -> Failure {
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
