//! From the bytes a step prints to lines of text.

/// The longest line, in bytes; the server keeps no more of one.
pub(crate) const LONGEST: usize = 65_536;

/// How much of a line is read before the rest of it is dropped. More than [`LONGEST`], since
/// a secret that begins before the cut must be seen whole to be hidden.
const READ: usize = 4 * LONGEST;

/// Cuts a stream of bytes into lines: at each newline, and at the end, where there may be none.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// The lines that these bytes complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            self.keep(&rest[..at]);
            lines.push(text(&self.unfinished));
            self.unfinished.clear();
            rest = &rest[at + 1..];
        }
        self.keep(rest);
        lines
    }

    /// The last line, when it had no newline.
    pub(crate) fn finish(&mut self) -> Option<String> {
        let last = (!self.unfinished.is_empty()).then(|| text(&self.unfinished));
        self.unfinished.clear();
        last
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = READ.saturating_sub(self.unfinished.len());
        self.unfinished
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// A line of at most [`LONGEST`] bytes, cut between two characters.
pub(crate) fn cut(line: &str) -> &str {
    &line[..line.floor_char_boundary(LONGEST)]
}

/// Bytes as text: carriage returns at the end dropped, a run of bytes that are no UTF-8 one `?`.
fn text(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != b'\r')
        .map_or(0, |last| last + 1);
    let mut text = String::with_capacity(end);
    let mut after_invalid = false;
    for chunk in bytes[..end].utf8_chunks() {
        if !chunk.valid().is_empty() {
            text.push_str(chunk.valid());
            after_invalid = false;
        }
        if !chunk.invalid().is_empty() && !after_invalid {
            text.push('?');
            after_invalid = true;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &[&str]) {
        let mut lines = Lines::default();
        let mut found = lines.push(bytes);
        found.extend(lines.finish());
        assert_eq!(found, expected);
    }

    #[test]
    fn bytes_become_lines_as_recorded() {
        check(b"one\r\ntwo\r\n\r\nthree\n", &["one", "two", "", "three"]);
        check(b"a\rb\rc\nend\r\n", &["a\rb\rc", "end"]);
        check(b"\n\n  \n\t\nx\n", &["", "", "  ", "\t", "x"]);
        check(
            b"latin \xe4 \xfc end\ncut \xc3\noverlong \xc0\x80\nmany \xff\xfe\xfd\n",
            &["latin ? ? end", "cut ?", "overlong ?", "many ?"],
        );
    }

    #[test]
    fn a_last_line_without_newline_is_kept() {
        check(b"with\nwithout", &["with", "without"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(cut(&"ä".repeat(40_000)).len(), LONGEST);
        assert_eq!(cut(&format!("a{}", "ä".repeat(40_000))).len(), LONGEST - 1);
    }

    proptest! {
        #[test]
        fn where_the_stream_is_cut_does_not_matter(text in "[a-c\n]{0,60}", at in 0_usize..60) {
            let bytes = text.as_bytes();
            let (head, tail) = bytes.split_at(at.min(bytes.len()));
            let mut pieces = Lines::default();
            let mut cut = pieces.push(head);
            cut.extend(pieces.push(tail));
            cut.extend(pieces.finish());
            let mut once = Lines::default();
            let mut whole = once.push(bytes);
            whole.extend(once.finish());
            prop_assert_eq!(cut, whole);
        }
    }
}
