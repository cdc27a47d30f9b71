//! The files a step writes to: `GITHUB_ENV`, `GITHUB_OUTPUT`, `GITHUB_STATE`, `GITHUB_PATH`.

/// Why a file cannot be read. Nothing of it counts then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// A line that sets nothing.
    #[error("line {line} of {file} is no `name=value` and begins no `name<<delimiter`")]
    NoAssignment {
        /// The name of the file's variable.
        file: &'static str,
        /// Counted from 1.
        line: usize,
    },
    /// The delimiter never came.
    #[error("line {line} of {file}: the delimiter `{delimiter}` never comes")]
    Unclosed {
        /// The name of the file's variable.
        file: &'static str,
        /// The line that began it, counted from 1.
        line: usize,
        /// What was waited for.
        delimiter: String,
    },
}

/// `name=value` lines and `name<<delimiter` blocks, in order. Blank lines between them are fine; a
/// carriage return at the end of a line is dropped.
pub(crate) fn assignments(text: &str, file: &'static str) -> Result<Vec<(String, String)>, Error> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let block = line
            .find("<<")
            .filter(|at| line.find('=').is_none_or(|equals| *at < equals));
        if let Some(at) = block {
            let delimiter = &line[at + 2..];
            let unclosed = || Error::Unclosed {
                file,
                line: index + 1,
                delimiter: delimiter.to_owned(),
            };
            let mut content: Vec<&str> = Vec::new();
            loop {
                let (_, next) = lines.next().ok_or_else(unclosed)?;
                if next == delimiter {
                    break;
                }
                // As recorded: a block begins with its first line that is not empty.
                if !(content.is_empty() && next.is_empty()) {
                    content.push(next);
                }
            }
            found.push((line[..at].to_owned(), content.join("\n")));
        } else if let Some((name, value)) =
            line.split_once('=').filter(|(name, _)| !name.is_empty())
        {
            found.push((name.to_owned(), value.to_owned()));
        } else if !line.trim().is_empty() {
            return Err(Error::NoAssignment {
                file,
                line: index + 1,
            });
        }
    }
    Ok(found)
}

/// The folders of `GITHUB_PATH`, one a line, in the order in which they were added.
pub(crate) fn folders(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let found = assignments(text, "GITHUB_ENV").unwrap();
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn lines_and_blocks_are_read_as_recorded() {
        check(
            "A=a=b=c\nB=  two  each  \r\nC=\nSHIFT=a<<b\nLAST=x",
            &[
                ("A", "a=b=c"),
                ("B", "  two  each  "),
                ("C", ""),
                ("SHIFT", "a<<b"),
                ("LAST", "x"),
            ],
        );
        check(
            "M<<EOF\nline 1\n\n  line 3 = x\nEOF\n\nS<<two words\nx\ntwo words\n",
            &[("M", "line 1\n\n  line 3 = x"), ("S", "x")],
        );
        check(
            "B<<EOF\n\n\nb\n\nEOF\nI<<EOF\n EOF\nEOF \nEOF\nN<<EOF\nEOF\n",
            &[("B", "b\n"), ("I", " EOF\nEOF "), ("N", "")],
        );
        check(
            " LEADING=blank\nTRAILING =blank",
            &[(" LEADING", "blank"), ("TRAILING ", "blank")],
        );
    }

    #[test]
    fn what_sets_nothing_is_named_by_its_line() {
        let error = assignments("A=1\nnonsense\n", "GITHUB_ENV").unwrap_err();
        insta::assert_snapshot!(error, @"line 2 of GITHUB_ENV is no `name=value` and begins no `name<<delimiter`");
        let error = assignments("A<<E\nb\n", "GITHUB_OUTPUT").unwrap_err();
        insta::assert_snapshot!(error, @"line 1 of GITHUB_OUTPUT: the delimiter `E` never comes");
    }

    #[test]
    fn folders_are_taken_as_they_are() {
        assert_eq!(
            folders("\n  blanks  \nrelative/folder\n$HOME/bin\n"),
            ["  blanks  ", "relative/folder", "$HOME/bin"]
        );
    }
}
