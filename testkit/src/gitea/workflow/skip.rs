//! The words that ask for no run.

/// Case matters: `[CI Skip]` is no such word.
const WORDS: [&str; 5] = [
    "[skip ci]",
    "[ci skip]",
    "[no ci]",
    "[skip actions]",
    "[actions skip]",
];

/// Whether a commit message or the title of a pull request asks for no run, anywhere in it.
#[must_use]
pub fn asks_to_be_skipped(message: &str) -> bool {
    WORDS.iter().any(|word| message.contains(word))
}
