//! Pure: how far a job is, as the sum of what happened to it.

use std::{collections::VecDeque, time::SystemTime};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Conclusion, Row, Snapshot, StepProgress};

/// Something that happened to a job. The state is the sum of these, so that a journal of them is
/// enough to know it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Entry {
    /// The job begins.
    Began {
        /// When.
        at: SystemTime,
        /// How many steps it has.
        steps: usize,
    },
    /// A step begins.
    StepBegan {
        /// When.
        at: SystemTime,
        /// Which one, from 0.
        index: usize,
    },
    /// A step ends; one that never began has no rows.
    StepEnded {
        /// When.
        at: SystemTime,
        /// Which one, from 0.
        index: usize,
        /// How.
        conclusion: Conclusion,
    },
    /// Rows of the log, secrets hidden.
    Printed {
        /// When.
        at: SystemTime,
        /// What they say.
        rows: Vec<String>,
    },
    /// The job's outputs are known.
    Given {
        /// By name.
        outputs: IndexMap<String, String>,
    },
    /// The job ends. Only the first end counts.
    Ended {
        /// When.
        at: SystemTime,
        /// How.
        conclusion: Conclusion,
    },
}

/// How far a job is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// Rows that the server has not acknowledged.
    rows: VecDeque<Row>,
    /// Their size in bytes.
    #[serde(skip)]
    bytes: usize,
    /// Index of the first row in `rows`: so many are acknowledged.
    acknowledged: u64,
    steps: Vec<StepProgress>,
    current: Option<usize>,
    started: Option<SystemTime>,
    outputs: IndexMap<String, String>,
    ended: Option<(SystemTime, Conclusion)>,
    /// Counts what is reported at once: beginnings and ends, not rows.
    #[serde(skip)]
    milestones: u64,
}

impl State {
    /// Adds what happened.
    pub(crate) fn apply(&mut self, entry: Entry) {
        self.milestones += u64::from(!matches!(entry, Entry::Printed { .. }));
        match entry {
            Entry::Began { at, steps } => {
                self.started = Some(at);
                self.steps = vec![StepProgress::default(); steps];
            }
            Entry::StepBegan { at, index } => self.begin_step(at, index),
            Entry::StepEnded {
                at,
                index,
                conclusion,
            } => self.end_step(at, index, conclusion),
            Entry::Printed { at, rows } => self.print(at, rows),
            Entry::Given { outputs } => self.outputs = outputs,
            Entry::Ended { at, conclusion } => {
                self.ended.get_or_insert((at, conclusion));
            }
        }
    }

    fn begin_step(&mut self, at: SystemTime, index: usize) {
        let log_index = self.next_row();
        if let Some(step) = self.steps.get_mut(index) {
            *step = StepProgress {
                started: Some(at),
                log_index,
                ..StepProgress::default()
            };
        }
        self.current = Some(index);
    }

    fn end_step(&mut self, at: SystemTime, index: usize, conclusion: Conclusion) {
        let next = self.next_row();
        let began = self.current == Some(index);
        if let Some(step) = self.steps.get_mut(index) {
            step.ended = Some((at, conclusion));
            if !began {
                step.log_index = next;
            }
        }
        self.current = None;
    }

    fn print(&mut self, time: SystemTime, rows: Vec<String>) {
        if let Some(step) = self.current.and_then(|index| self.steps.get_mut(index)) {
            step.log_length += rows.len() as u64;
        }
        self.bytes += rows.iter().map(String::len).sum::<usize>();
        let rows = rows.into_iter().map(|content| Row { time, content });
        self.rows.extend(rows);
    }

    /// What a job that nobody carries out any more has come to: the step at which it was is a
    /// failure, those after it never began.
    pub(crate) fn cut_short(&self, at: SystemTime, reason: &str) -> Vec<Entry> {
        if self.ended.is_some() {
            return Vec::new();
        }
        let rows = vec![format!("##[error]{reason}")];
        let open = self.steps.iter().enumerate();
        let steps = open
            .filter(|(_, step)| step.ended.is_none())
            .map(|(index, step)| Entry::StepEnded {
                at,
                index,
                conclusion: match step.started {
                    Some(_) => Conclusion::Failure,
                    None => Conclusion::Cancelled,
                },
            });
        let end = Entry::Ended {
            at,
            conclusion: Conclusion::Failure,
        };
        std::iter::once(Entry::Printed { at, rows })
            .chain(steps)
            .chain([end])
            .collect()
    }

    /// So many rows of the whole log are stored on the server.
    pub(crate) fn acknowledge(&mut self, stored: u64) {
        let fresh = stored.saturating_sub(self.acknowledged);
        let gone = usize::try_from(fresh)
            .unwrap_or(usize::MAX)
            .min(self.rows.len());
        let bytes: usize = self.rows.drain(..gone).map(|row| row.content.len()).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        self.acknowledged += gone as u64;
    }

    /// The rows of the whole log from this one on, as far as they are not acknowledged.
    pub(crate) fn rows_from(&self, index: u64) -> Vec<Row> {
        let known = index.saturating_sub(self.acknowledged);
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        self.rows.iter().skip(known).cloned().collect()
    }

    /// How many rows, and how many bytes of them, the server has not acknowledged.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.rows.len(), self.bytes)
    }

    /// How many rows the server has acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// What a report says.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            started: self.started,
            ended: self.ended,
            steps: self.steps.clone(),
            outputs: self.outputs.clone(),
            milestones: self.milestones,
        }
    }

    fn next_row(&self) -> u64 {
        self.acknowledged + self.rows.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const AT: SystemTime = UNIX_EPOCH;

    fn began(steps: usize) -> State {
        let mut state = State::default();
        state.apply(Entry::Began { at: AT, steps });
        state
    }

    #[test]
    fn a_job_that_is_cut_short_is_a_failure_with_a_reason() {
        let mut state = began(3);
        for entry in [
            Entry::StepBegan { at: AT, index: 0 },
            Entry::StepEnded {
                at: AT,
                index: 0,
                conclusion: Conclusion::Success,
            },
            Entry::StepBegan { at: AT, index: 1 },
        ] {
            state.apply(entry);
        }
        for entry in state.cut_short(AT, "killed") {
            state.apply(entry);
        }
        let snapshot = state.snapshot();
        let ends: Vec<_> = snapshot
            .steps
            .iter()
            .map(|step| step.ended.unwrap().1)
            .collect();
        assert_eq!(
            ends,
            [
                Conclusion::Success,
                Conclusion::Failure,
                Conclusion::Cancelled
            ]
        );
        assert_eq!(snapshot.ended.unwrap().1, Conclusion::Failure);
        assert_eq!(state.rows_from(0)[0].content, "##[error]killed");
        assert!(
            state.cut_short(AT, "again").is_empty(),
            "it has ended already"
        );
    }

    #[test]
    fn a_state_is_the_same_after_it_was_written_down() {
        let mut state = began(1);
        state.apply(Entry::StepBegan { at: AT, index: 0 });
        state.apply(Entry::Printed {
            at: AT,
            rows: vec!["a".to_owned(), "b".to_owned()],
        });
        state.acknowledge(1);
        let text = serde_json::to_string(&state).unwrap();
        let mut again: State = serde_json::from_str(&text).unwrap();
        for state in [&mut state, &mut again] {
            state.apply(Entry::Printed {
                at: AT,
                rows: vec!["c".to_owned()],
            });
        }
        assert_eq!(again.rows_from(0), state.rows_from(0));
        assert_eq!(again.snapshot().steps, state.snapshot().steps);
        assert_eq!(again.acknowledged(), 1);
    }
}
