//! Pure: rows wait until the server has acknowledged them.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest row, in bytes; the server cuts what is longer.
pub const ROW_MAX: usize = 65_536;

/// How many rows, and how many bytes of them, go in one call.
const BATCH_ROWS: usize = 1_000;
const BATCH_BYTES: usize = 1 << 20;

/// A row of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRow {
    time: Timestamp,
    #[serde(default)]
    content: String,
}

impl LogRow {
    /// The rows of a text: one a line, longer ones in parts. The server would show a line break
    /// inside a row as two characters, and would cut what is too long.
    pub fn of(time: Timestamp, text: &str) -> impl Iterator<Item = Self> {
        text.split('\n')
            .flat_map(|line| parts(line.strip_suffix('\r').unwrap_or(line)))
            .map(move |part| Self {
                time,
                content: part.to_owned(),
            })
    }

    /// When it was written.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The text.
    #[must_use]
    pub fn content(&self) -> &str {
        &self.content
    }
}

/// A line in parts of at most [`ROW_MAX`] bytes, cut between characters.
fn parts(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        if line.len() <= ROW_MAX {
            rest = None;
            return Some(line);
        }
        let (part, after) = line.split_at(line.floor_char_boundary(ROW_MAX));
        rest = Some(after);
        Some(part)
    })
}

/// An acknowledgement that cannot be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server acknowledged row {got}, when {kept} were acknowledged and {written} written")]
pub(super) struct Impossible {
    got: i64,
    kept: i64,
    written: i64,
}

/// Rows by their number in the whole log.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    acknowledged: i64,
    rows: VecDeque<LogRow>,
    closed: bool,
}

/// What to send next.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pub(super) index: i64,
    pub(super) rows: Vec<&'a LogRow>,
    pub(super) no_more: bool,
}

impl Buffer {
    /// A buffer whose first row will have this number.
    pub(super) fn from_row(acknowledged: i64) -> Self {
        Self {
            acknowledged,
            ..Self::default()
        }
    }

    /// Adds a row, and gives its number.
    pub(super) fn push(&mut self, row: LogRow) -> i64 {
        let number = self.written();
        self.rows.push_back(row);
        number
    }

    /// Adds the last rows.
    pub(super) fn close(&mut self, last: impl IntoIterator<Item = LogRow>) {
        if !self.closed {
            self.rows.extend(last);
            self.closed = true;
        }
    }

    /// How many rows there are, sent or not.
    pub(super) fn written(&self) -> i64 {
        self.acknowledged + i64::try_from(self.rows.len()).unwrap_or(i64::MAX)
    }

    /// How many rows are not acknowledged.
    pub(super) fn waiting(&self) -> usize {
        self.rows.len()
    }

    /// The first rows that are not acknowledged. The last call of a closed log says so, and always
    /// has a row with it.
    pub(super) fn next(&self) -> Option<Batch<'_>> {
        let mut bytes = 0;
        let fits = |row: &&LogRow| {
            bytes += row.content.len();
            bytes <= BATCH_BYTES + ROW_MAX
        };
        let rows: Vec<_> = self.rows.iter().take(BATCH_ROWS).take_while(fits).collect();
        if rows.is_empty() {
            return None;
        }
        let no_more = self.closed && rows.len() == self.rows.len();
        Some(Batch {
            index: self.acknowledged,
            rows,
            no_more,
        })
    }

    /// Forgets what the server has.
    pub(super) fn acknowledge(&mut self, index: i64) -> Result<(), Impossible> {
        let (kept, written) = (self.acknowledged, self.written());
        if index < kept || index > written {
            return Err(Impossible {
                got: index,
                kept,
                written,
            });
        }
        let count = usize::try_from(index - kept).unwrap_or_default();
        self.rows.drain(..count);
        self.acknowledged = index;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::{Buffer, LogRow, ROW_MAX};

    /// The server's rules: known rows are trimmed, gaps are ignored, a seal takes no new rows.
    #[derive(Default)]
    struct Server {
        stored: Vec<String>,
        sealed: bool,
    }

    impl Server {
        fn update(&mut self, buffer: &Buffer, only: usize) -> i64 {
            if let Some(batch) = buffer.next() {
                let index = usize::try_from(batch.index).unwrap();
                let known = self.stored.len();
                if index <= known {
                    let new: Vec<_> = batch.rows.iter().skip(known - index).collect();
                    assert!(!self.sealed || new.is_empty(), "new rows after the seal");
                    let new = new
                        .into_iter()
                        .take(if batch.no_more { usize::MAX } else { only });
                    self.stored.extend(new.map(|row| row.content.clone()));
                    self.sealed |= batch.no_more;
                }
            }
            i64::try_from(self.stored.len()).unwrap()
        }
    }

    #[derive(Debug, Clone)]
    enum Event {
        Push(String),
        Send,
        AnswerLost,
        OldAnswer,
        Partly(usize),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            4 => "[a-z]{0,5}".prop_map(Event::Push),
            2 => Just(Event::Send),
            1 => Just(Event::AnswerLost),
            1 => Just(Event::OldAnswer),
            1 => (0usize..3).prop_map(Event::Partly),
        ]
    }

    proptest! {
        #[test]
        fn the_stored_log_is_what_was_written_once_and_in_order(
            events in proptest::collection::vec(event(), 0..60)
        ) {
            let (mut buffer, mut server) = (Buffer::default(), Server::default());
            let mut written = Vec::new();
            let mut before = 0;
            for event in events {
                match event {
                    Event::Push(text) => {
                        let number = buffer.push(LogRow { time: Timestamp::UNIX_EPOCH, content: text.clone() });
                        prop_assert_eq!(number, i64::try_from(written.len()).unwrap());
                        written.push(text);
                    }
                    Event::Send => {
                        before = server.update(&buffer, usize::MAX);
                        buffer.acknowledge(before).unwrap();
                    }
                    Event::AnswerLost => { server.update(&buffer, usize::MAX); }
                    // A late answer to an earlier call never takes anything back.
                    Event::OldAnswer => { let _ = buffer.acknowledge(before); }
                    Event::Partly(rows) => {
                        before = server.update(&buffer, rows);
                        buffer.acknowledge(before).unwrap();
                    }
                }
            }
            buffer.close(LogRow::of(Timestamp::UNIX_EPOCH, "end"));
            buffer.close(LogRow::of(Timestamp::UNIX_EPOCH, "never twice"));
            written.push("end".to_owned());
            server.update(&buffer, usize::MAX);
            while buffer.waiting() > 0 {
                let answer = server.update(&buffer, usize::MAX);
                buffer.acknowledge(answer).unwrap();
            }
            prop_assert!(server.sealed);
            prop_assert_eq!(server.stored, written);
        }

        #[test]
        fn rows_hold_the_whole_text(text in "[a-zä\r\n]{0,40}", times in 1usize..4000) {
            let long = text.repeat(times);
            let rows: Vec<_> = LogRow::of(Timestamp::UNIX_EPOCH, &long).collect();
            prop_assert!(rows.iter().all(|row| row.content.len() <= ROW_MAX && !row.content.contains('\n')));
            let joined: String = rows.iter().map(LogRow::content).collect();
            let lines = long.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
            prop_assert_eq!(joined, lines.collect::<String>());
        }
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_written_is_refused() {
        let mut buffer = Buffer::default();
        buffer.push(LogRow {
            time: Timestamp::UNIX_EPOCH,
            content: "x".to_owned(),
        });
        assert!(buffer.acknowledge(2).is_err());
        buffer.acknowledge(1).unwrap();
        assert!(
            buffer.acknowledge(0).is_err(),
            "rows that are forgotten cannot be sent again"
        );
    }
}
