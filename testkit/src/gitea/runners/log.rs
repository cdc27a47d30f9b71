//! `UpdateLog`: a runner sends lines, in order, as often as it takes.
//!
//! The answer says how many lines are stored. Lines that come again are not stored again; lines
//! behind a gap are not stored, and come again from the answer's place; after the end nothing is
//! added. So the stored log is what was printed, once and in order.

use super::Runner;
use super::protocol::{Done, Outcome};
use crate::gitea::Gitea;
use crate::gitea::actions::{LogChunk, LogLine, Task};
use crate::gitea::connect::{ConnectError, LogRow, UpdateLogRequest, UpdateLogResponse};
use crate::gitea::world::World;

pub(super) fn update_log(
    gitea: &Gitea,
    runner: &Runner,
    request: &UpdateLogRequest,
) -> Outcome<UpdateLogResponse> {
    let (answer, receipt) = gitea.write(|world, _, _| append(world, runner.id, request));
    answer.map(|ack_index| Done {
        message: UpdateLogResponse { ack_index },
        receipt,
    })
}

/// Stores what is new, and answers how many lines there are.
pub(super) fn append(
    world: &mut World,
    runner: i64,
    request: &UpdateLogRequest,
) -> Result<i64, ConnectError> {
    let id = request.task_id;
    let task = owned(world, id, runner)?;
    let (stored, sealed) = (task.log_lines, task.log_sealed);
    if request.index > stored {
        return Ok(stored);
    }
    let known = usize::try_from(stored - request.index.max(0)).unwrap_or_default();
    let lines: Vec<LogLine> = request.rows.iter().skip(known).map(line).collect();
    if sealed {
        return if lines.is_empty() {
            Ok(stored)
        } else {
            Err(ConnectError::archived())
        };
    }
    let added = i64::try_from(lines.len()).unwrap_or(i64::MAX);
    if added == 0 && !request.no_more {
        return Ok(stored);
    }
    if added > 0 {
        world.actions.logs.insert(|_| LogChunk { task: id, lines });
    }
    let now = world.now();
    world.actions.tasks.update(id, |task| {
        task.heard = now;
        task.confirmed = true;
        task.log_lines = stored + added;
        task.log_sealed = request.no_more;
    });
    Ok(stored + added)
}

fn owned(world: &World, task: i64, runner: i64) -> Result<&Task, ConnectError> {
    let found = world.actions.tasks.get(task).ok_or_else(|| {
        ConnectError::internal(&format!(
            "get task: task with id {task}: resource does not exist"
        ))
    })?;
    if found.runner == runner {
        Ok(found)
    } else {
        Err(ConnectError::internal("invalid runner for task"))
    }
}

/// A line is one line, and no longer than 64 KiB.
fn line(row: &LogRow) -> LogLine {
    const BYTES_MAX: usize = 64 * 1024;
    const TICKS: i64 = 10_000_000;
    let mut text = row.content.replace('\n', "\\n");
    if text.len() > BYTES_MAX {
        let end = (0..=BYTES_MAX).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
    }
    let at = row.time.map_or(0, |time| {
        time.seconds
            .saturating_mul(TICKS)
            .saturating_add(i64::from(time.nanos / 100))
    });
    LogLine { at, text }
}
