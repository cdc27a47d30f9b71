//! Runs the binary in a clean environment and keeps what it said.

use std::process::{Command, Output, Stdio};

use testkit::{
    node::{Node, NodeOptions},
    pve::{Setup, Timing},
};

/// The program with these arguments, without anything of our own environment.
pub(crate) fn proxmox_ci(args: &[&str]) -> Command {
    let mut command = program(env!("CARGO_BIN_EXE_proxmox-ci"));
    command.args(args);
    command
}

/// A node of memory guests, named `pve`, with one template, whose tasks take their time.
pub(crate) async fn node() -> Node {
    let setup = Setup {
        node: "pve".to_owned(),
        timing: Timing::Natural,
        slow_refusals: false,
        templates: vec![("debian-12.tar.zst".to_owned(), 1 << 20)],
        ..Setup::with_fresh_secrets()
    };
    let options = NodeOptions {
        setup,
        ..NodeOptions::default()
    };
    Node::start(options).await.unwrap()
}

/// A program without anything of our own environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests of the program start the program"
)]
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("COLUMNS", "80");
    command
}

/// Stand-ins come before what the system has of their name, and what is said is kept.
pub(crate) fn among_stand_ins(command: &mut Command) -> &mut Command {
    let stand_ins = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/stand-ins");
    command
        .env("PATH", format!("{stand_ins}:/usr/sbin:/usr/bin:/sbin:/bin"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
}

/// Text whose escape sequences can be seen.
pub(crate) fn visible(text: &str) -> String {
    text.replace('\u{1b}', "␛")
}

/// Text without escape sequences that colour it.
pub(crate) fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| {
        out + part.split_once('m').map_or(part, |(_, rest)| rest)
    })
}

/// No line is wider than so many columns, but for what nobody can fold: a word such as a path or a
/// fingerprint, a source line with the mark below it, a line of another program.
#[track_caller]
pub(crate) fn fits(text: &str, columns: usize) {
    for line in plain(text).lines() {
        let line = line.trim_end();
        let is_word = line
            .split(' ')
            .any(|word| word.chars().count() + 10 > columns);
        let is_quoted = line.contains(" | ");
        let is_narrow = line.chars().count() <= columns;
        assert!(
            is_narrow || is_word || is_quoted,
            "wider than {columns}: {line}"
        );
    }
}

/// Whether a word tells seconds, such as `0.3s` or `12.0`.
pub(crate) fn is_seconds(word: &str) -> bool {
    let time = word.trim_end_matches('s');
    time.contains('.') && time.parse::<f64>().is_ok()
}

/// A line that begins with `TIME`, as if that were less than ten seconds: they stand to the right.
pub(crate) fn aligned(line: &str) -> String {
    match line.trim_start().strip_prefix("TIME  ") {
        Some(rest) => format!("    TIME  {rest}"),
        None => line.to_owned(),
    }
}

/// Exit code, standard output and standard error as one text, for snapshots.
pub(crate) fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output
        .status
        .code()
        .map_or("killed".to_owned(), |code| code.to_string());
    format!(
        "exit: {code}\n--- stdout\n{}--- stderr\n{}",
        text(&output.stdout),
        text(&output.stderr)
    )
}
