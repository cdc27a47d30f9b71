//! What a push is answered: its report, and words for the person who pushed.

use super::flow::Landed;
use super::packet::{FLUSH, banded, line};
use super::receive::{Command, Push};

/// How each command of a push ended: `None` is well.
pub(super) type Outcome = Vec<Option<String>>;

/// The whole answer to a push.
pub(super) fn written(
    push: &Push,
    unpacked: &str,
    outcome: &Outcome,
    before: &str,
    after: &str,
) -> Vec<u8> {
    let mut report = Vec::new();
    if push.has("report-status") || push.has("report-status-v2") {
        report.extend(line(format!("unpack {unpacked}\n").as_bytes()));
        for (command, result) in push.commands.iter().zip(outcome) {
            report.extend(line(told(command, result.as_deref()).as_bytes()));
        }
        report.extend_from_slice(FLUSH);
    }
    if !push.has("side-band-64k") && !push.has("side-band") {
        return report;
    }
    let mut answer = banded(2, before.as_bytes());
    answer.extend(banded(1, &report));
    answer.extend(banded(2, after.as_bytes()));
    answer.extend_from_slice(FLUSH);
    answer
}

/// The same where some commands landed elsewhere than they said.
pub(super) fn written_with(
    push: &Push,
    unpacked: &str,
    (outcome, flows): (&Outcome, &[Landed]),
    before: &str,
    after: &str,
) -> Vec<u8> {
    let mut report = Vec::new();
    if flows.is_empty() || !push.has("report-status-v2") {
        return written(push, unpacked, outcome, before, after);
    }
    report.extend(line(format!("unpack {unpacked}\n").as_bytes()));
    for (command, result) in push.commands.iter().zip(outcome) {
        report.extend(line(told(command, result.as_deref()).as_bytes()));
        if let Some(landed) = flows.iter().find(|landed| landed.asked == command.name) {
            report.extend(line(format!("option refname {}\n", landed.name).as_bytes()));
            report.extend(line(format!("option old-oid {}\n", landed.from).as_bytes()));
            report.extend(line(format!("option new-oid {}\n", landed.to).as_bytes()));
            if landed.forced {
                report.extend(line(b"option forced-update\n"));
            }
        }
    }
    report.extend_from_slice(FLUSH);
    let mut answer = banded(2, before.as_bytes());
    answer.extend(banded(1, &report));
    answer.extend(banded(2, after.as_bytes()));
    answer.extend_from_slice(FLUSH);
    answer
}

fn told(command: &Command, result: Option<&str>) -> String {
    match result {
        None => format!("ok {}\n", command.name),
        Some(reason) => format!("ng {} {reason}\n", command.name),
    }
}

/// A refusal of the whole push, as its hook prints it.
#[must_use]
pub(super) fn refusal(text: &str) -> String {
    let lines: String = text
        .lines()
        .map(|line| format!("error: {line}\n"))
        .collect();
    format!("\nerror: \n{lines}error: \n")
}

/// A link to open a pull request of a branch.
#[must_use]
pub(super) fn invitation(address: &str, branch: &str) -> String {
    format!("\nCreate a new pull request for '{branch}':\n  {address}/pulls/new/{branch}\n\n")
}

/// A link to the pull request that a branch has.
#[must_use]
pub(super) fn reminder(address: &str, number: i64) -> String {
    format!("\nVisit the existing pull request:\n  {address}/pulls/{number}\n\n")
}

/// How many references were looked at.
#[must_use]
pub(super) fn count(references: usize) -> String {
    format!(
        "{} Processing {references} references\nProcessed {references} references in total\n",
        ".".repeat(references)
    )
}
