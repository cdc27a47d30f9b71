//! The pkt-line framing of git's protocols.

/// The most that one line carries.
const PAYLOAD_MAX: usize = 65_516;

/// One line; `None` is a flush.
pub type Packet<'b> = Option<&'b [u8]>;

/// Takes one line from the front of a body.
///
/// Answers the line and what comes behind it, or `None` when there is no whole line.
#[must_use]
pub fn split(body: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let digits = std::str::from_utf8(body.get(..4)?).ok()?;
    let length = usize::from_str_radix(digits, 16)
        .ok()
        .filter(|_| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    match length {
        0 => Some((None, &body[4..])),
        1..=3 => None,
        length => Some((Some(body.get(4..length)?), &body[length..])),
    }
}

/// One line, framed.
#[must_use]
pub fn line(payload: &[u8]) -> Vec<u8> {
    let mut framed = format!("{:04x}", payload.len() + 4).into_bytes();
    framed.extend_from_slice(payload);
    framed
}

/// The end of a section.
pub(super) const FLUSH: &[u8] = b"0000";

/// A text on a band of the side band, in as many lines as it takes.
#[must_use]
pub(super) fn banded(band: u8, payload: &[u8]) -> Vec<u8> {
    let mut framed = Vec::new();
    for part in payload.chunks(PAYLOAD_MAX - 1) {
        let mut one = vec![band];
        one.extend_from_slice(part);
        framed.extend_from_slice(&line(&one));
    }
    framed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_from_the_front() {
        let body = b"0009helloab".as_slice();
        assert_eq!(
            split(body),
            Some((Some(b"hello".as_slice()), b"ab".as_slice()))
        );
        assert_eq!(split(b"0000x"), Some((None, b"x".as_slice())));
        assert_eq!(
            (
                split(b"0009hel"),
                split(b"zzzz"),
                split(b"0002"),
                split(b"+123")
            ),
            (None, None, None, None)
        );
        assert_eq!(line(b"hi"), b"0006hi");
    }
}
