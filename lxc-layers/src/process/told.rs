//! What a running program says: cut into lines, masked, told, and the last of it kept.

use std::collections::VecDeque;

use super::{Finished, OnLine, Stream};
use crate::redact::Redactor;

/// Lines that an error shows.
const TAIL: usize = 30;
/// Bytes of standard output that are kept.
const KEEP: usize = 4 * 1024 * 1024;
/// Bytes after which a line without an end is told in pieces.
const LINE: usize = 64 * 1024;

/// What has been told so far, and to whom.
pub(crate) struct Told<'a> {
    redactor: &'a Redactor,
    on_line: OnLine<'a>,
    stdout: Vec<u8>,
    /// A line of each stream that has no end yet.
    open: [Vec<u8>; 2],
    tail: VecDeque<String>,
}

impl<'a> Told<'a> {
    pub(crate) fn new(redactor: &'a Redactor, on_line: OnLine<'a>) -> Self {
        Self {
            redactor,
            on_line,
            stdout: Vec::new(),
            open: [Vec::new(), Vec::new()],
            tail: VecDeque::new(),
        }
    }

    /// Takes what was read of a stream.
    pub(crate) fn take(&mut self, stream: Stream, chunk: &[u8]) {
        if stream == Stream::Stdout {
            self.keep(chunk);
        }
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            let line = &mut self.open[slot(stream)];
            line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || line.len() >= LINE {
                self.flush(stream);
            }
        }
    }

    /// Keeps standard output that is told to nobody.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        let room = KEEP.saturating_sub(self.stdout.len()).min(bytes.len());
        self.stdout.extend_from_slice(&bytes[..room]);
    }

    /// Tells the line of a stream that has no end.
    pub(crate) fn flush(&mut self, stream: Stream) {
        let line = std::mem::take(&mut self.open[slot(stream)]);
        if line.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&line);
        let text = self.redactor.mask(text.trim_end_matches(['\r', '\n']));
        (self.on_line)(stream, &text);
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(text.into_owned());
    }

    /// The last lines.
    pub(crate) fn into_tail(self) -> Vec<String> {
        self.tail.into()
    }

    pub(crate) fn finished(mut self, code: i32) -> Finished {
        self.flush(Stream::Stdout);
        self.flush(Stream::Stderr);
        Finished {
            code,
            stdout: self.stdout,
            tail: self.tail.into(),
        }
    }
}

const fn slot(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}
