//! Sentences in the width of a terminal: folded between words, never within one.

/// The text with every line that is wider than `width` folded; `hang` is where the continuation of a
/// line begins. Without a width it is left as it is, as a file or another program wants it.
pub(super) fn folded(text: &str, width: Option<usize>, hang: impl Fn(&str) -> usize) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| match columns(line) > width {
            true => fold(line, width, hang(line)),
            false => line.to_owned(),
        })
        .collect();
    lines.join("\n")
}

/// Where a line's continuation begins that says nothing about it: two columns further in.
pub(super) fn inwards(line: &str) -> usize {
    line.len() - line.trim_start().len() + 2
}

fn fold(line: &str, width: usize, hang: usize) -> String {
    // On a terminal that narrow nothing can be aligned.
    let hang = hang.min(width / 2);
    let mut out = String::new();
    let mut column = 0;
    let mut stands = false;
    for (blanks, word) in words(line) {
        let wide = columns(word);
        // A word that fits nowhere stays where it is.
        let would_fit = hang + wide <= width;
        if stands && would_fit && column + blanks.len() + wide > width {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', hang));
            column = hang;
        } else {
            out.push_str(blanks);
            column += blanks.len();
        }
        out.push_str(word);
        column += wide;
        stands = true;
    }
    out
}

/// The words of a line, each with the blanks before it. A command between backticks is one word as
/// long as it is short, so that it can be copied.
fn words(line: &str) -> Vec<(&str, &str)> {
    const SHORT: usize = 48;
    let mut words = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let begin = rest.len() - rest.trim_start_matches(' ').len();
        let (blanks, from) = rest.split_at(begin);
        let end = from.find(' ').unwrap_or(from.len());
        let opened = from[..end].matches('`').count() % 2 == 1;
        let closed = from[end..].find('`').map(|at| end + at + 1);
        let end = match closed {
            Some(close) if opened && close <= SHORT => {
                close + from[close..].find(' ').unwrap_or(from.len() - close)
            }
            _ => end,
        };
        words.push((blanks, &from[..end]));
        rest = &from[end..];
    }
    words
}

/// How many columns a text takes: escape sequences that colour it take none.
pub(super) fn columns(text: &str) -> usize {
    let mut count = 0;
    let mut escaped = false;
    for letter in text.chars() {
        match letter {
            '\u{1b}' => escaped = true,
            'm' if escaped => escaped = false,
            _ if escaped => {}
            _ => count += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_to_the_next_line_whole() {
        let text = "error: one two three\n\n  because /a/path/that/is/longer/than/a/line ends";
        let told = folded(text, Some(14), |_| 4);
        let expected =
            "error: one two\n    three\n\n  because /a/path/that/is/longer/than/a/line\n    ends";
        assert_eq!(told, expected);
        assert_eq!(folded(text, None, |_| 4), text);
    }

    #[test]
    fn blanks_that_align_stay_and_colour_takes_no_room() {
        let line = "app   \u{1b}[1;31mdone\u{1b}[0m  word";
        assert_eq!(folded(line, Some(16), inwards), line);
        assert_eq!(
            folded(line, Some(15), inwards),
            "app   \u{1b}[1;31mdone\u{1b}[0m\n  word"
        );
    }

    #[test]
    fn a_short_command_is_not_cut() {
        let line = "run `proxmox-ci plan` first, or `nothing";
        let told = folded(line, Some(18), |_| 0);
        assert_eq!(told, "run\n`proxmox-ci plan`\nfirst, or `nothing");
    }
}
