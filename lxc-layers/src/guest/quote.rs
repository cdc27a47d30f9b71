//! The one quoter: an argument vector becomes one line that a POSIX shell reads as the same vector.
//!
//! `ssh` joins its arguments with blanks and hands the result to the login shell of the other side;
//! what is quoted here arrives there as it was.

/// Quotes one argument for a POSIX shell.
///
/// Text of unsuspicious characters stays as it is; everything else stands in single quotes, where a
/// shell knows no special character at all, and a single quote itself is spliced in between.
#[must_use]
pub fn quote(argument: &str) -> String {
    if !argument.is_empty() && argument.bytes().all(is_plain) {
        return argument.to_owned();
    }
    let mut quoted = String::with_capacity(argument.len() + 2);
    quoted.push('\'');
    for character in argument.chars() {
        match character {
            '\'' => quoted.push_str(r"'\''"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// Quotes an argument vector as one command line.
///
/// The first word is a program: one that holds `=` is quoted too, since a shell would take it for an
/// assignment otherwise.
#[must_use]
pub fn join<I, S>(arguments: I) -> String
where
    I: IntoIterator<Item = S>,
    S: AsRef<str>,
{
    let words: Vec<String> = arguments
        .into_iter()
        .map(|argument| quote(argument.as_ref()))
        .collect();
    words.join(" ")
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./:@%+,".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::process::Program;

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(
            join(["systemctl", "is-system-running"]),
            "systemctl is-system-running"
        );
        assert_eq!(quote("/var/lib/a_b-c.d"), "/var/lib/a_b-c.d");
    }

    #[test]
    fn nothing_is_still_an_argument() {
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn an_assignment_in_front_is_a_word() {
        assert_eq!(join(["A=b", "c"]), "'A=b' c");
    }

    #[test]
    fn everything_a_shell_loves_is_quoted() {
        assert_eq!(
            quote(r#"a b;$(c)`d`"e"\ 'f' ~ * ? # ! &"#),
            r#"'a b;$(c)`d`"e"\ '\''f'\'' ~ * ? # ! &'"#
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_shell_reads_back_what_was_quoted(words in prop::collection::vec("[^\0]{0,12}", 1..5)) {
            let line = format!("printf '%s\\0' {}", join(&words));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let printed = runtime.block_on(Program::new("sh").args(["-c", &line]).capture())?;
            let read: Vec<&[u8]> = printed.stdout.split(|byte| *byte == 0).collect();
            let expected: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).chain([&b""[..]]).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
