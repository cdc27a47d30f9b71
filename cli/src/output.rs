//! The only printer: data to standard output, talk to standard error; a closed pipe is fine.

mod fold;

use std::{
    io::{IsTerminal, Write, stderr, stdin, stdout},
    os::fd::AsFd,
    process::ExitCode,
};

use serde::Serialize;

use crate::{
    args::{Colour, Global},
    exit::{Code, Failure},
    settings::Environment,
};

/// How to speak: with colour or without, in words or in JSON.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    colour_out: bool,
    colour_err: bool,
    width_out: Option<usize>,
    width_err: Option<usize>,
    json: bool,
    quiet: bool,
}

/// Narrower than this, nothing can be read that is folded.
const NARROW: usize = 40;

impl Output {
    /// Decides by flags, environment and terminals.
    pub(crate) fn new(global: &Global, environment: &Environment) -> Self {
        let colour = |terminal: bool| match global.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && !environment.no_color,
        };
        let width = |terminal| environment.columns.or(terminal);
        Self {
            colour_out: colour(stdout().is_terminal()),
            colour_err: colour(stderr().is_terminal()),
            width_out: width(columns_of(stdout())).map(|it| it.max(NARROW)),
            width_err: width(columns_of(stderr())).map(|it| it.max(NARROW)),
            json: global.json,
            quiet: global.quiet,
        }
    }

    /// Whether `--json` was given.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether what goes to standard output may be coloured.
    pub(crate) fn colours_data(&self) -> bool {
        self.colour_out
    }

    /// Whether what goes to standard error may be coloured.
    pub(crate) fn colours_talk(&self) -> bool {
        self.colour_err
    }

    /// How wide a line of data may be; `None` where nobody looks at it on a terminal.
    pub(crate) fn width(&self) -> Option<usize> {
        self.width_out
    }

    /// Whether bars may be drawn: on a terminal, and nobody asked for silence.
    pub(crate) fn draws_bars(&self) -> bool {
        stderr().is_terminal() && !self.quiet
    }

    /// Data, a line or several, to standard output.
    pub(crate) fn data(&self, text: &str) {
        self.raw(text.as_bytes());
        if !text.ends_with('\n') {
            self.raw(b"\n");
        }
    }

    /// Data that is sentences, folded where they are wider than the terminal; what continues a line
    /// begins at the column `hang`.
    pub(crate) fn words(&self, text: &str, hang: usize) {
        self.data(&fold::folded(text, self.width_out, |_| hang));
    }

    /// Data as it is, to standard output.
    #[expect(
        clippy::unused_self,
        reason = "printing is a thing that an `Output` does"
    )]
    pub(crate) fn raw(&self, bytes: &[u8]) {
        let mut stdout = stdout().lock();
        // A reader that went away (`| head`) is no failure of ours.
        drop(stdout.write_all(bytes).and_then(|()| stdout.flush()));
    }

    /// A value as one JSON document, to standard output.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), anyhow::Error> {
        let text = serde_json::to_string_pretty(value)?;
        self.data(&text);
        Ok(())
    }

    /// A value as JSON on a line of its own, to standard output; for streams of events.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> Result<(), anyhow::Error> {
        let text = serde_json::to_string(value)?;
        self.data(&text);
        Ok(())
    }

    /// Talk, to standard error; silent under `--quiet`.
    pub(crate) fn say(&self, text: &str) {
        self.relay(&fold::folded(text, self.width_err, fold::inwards));
    }

    /// Talk in columns, of which the last begins at the column `hang`.
    pub(crate) fn say_at(&self, text: &str, hang: usize) {
        self.relay(&fold::folded(text, self.width_err, |_| hang));
    }

    /// What another program said, as it is; silent under `--quiet`.
    pub(crate) fn relay(&self, text: &str) {
        if !self.quiet {
            talk(text);
        }
    }

    /// Diagnostics that do not keep anything from being done; silent under `--quiet`.
    pub(crate) fn warnings(&self, text: &str) {
        self.relay(&self.folded_notes(text));
    }

    /// Diagnostics with their source lines, whose notes alone are folded.
    pub(crate) fn diagnostics(&self, text: &str) {
        talk(&self.folded_notes(text));
    }

    fn folded_notes(&self, text: &str) -> String {
        let lines = text.split('\n').map(|line| match note(line) {
            Some(hang) => fold::folded(line, self.width_err, |_| hang),
            None => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What went wrong, to standard error, also under `--quiet`.
    #[expect(
        clippy::unused_self,
        reason = "printing is a thing that an `Output` does"
    )]
    pub(crate) fn complain(&self, text: &str) {
        talk(text);
    }

    /// Whether somebody is at the terminal who could be asked.
    pub(crate) fn can_ask() -> bool {
        stdin().is_terminal() && stderr().is_terminal()
    }

    /// Writes a question, without an end of line.
    pub(crate) fn ask(question: &str) {
        let mut stderr = stderr().lock();
        drop(write!(stderr, "{question}").and_then(|()| stderr.flush()));
    }

    /// Tells a failure, its causes and the way out; gives the exit code.
    pub(crate) fn failure(&self, failure: &Failure) -> Code {
        let paint = |colour: &str, word: &str| match self.colour_err {
            true => format!("\u{1b}[1;{colour}m{word}\u{1b}[0m"),
            false => word.to_owned(),
        };
        let tell = |text: &str, hang| talk(&fold::folded(text, self.width_err, |_| hang));
        tell(&format!("{} {}", paint("31", "error:"), failure.error), 7);
        for cause in failure.error.chain().skip(1) {
            tell(&format!("  because {cause}"), 10);
        }
        if let Some(hint) = &failure.hint {
            tell(&format!("\n{} {hint}", paint("36", "hint:")), 6);
        }
        failure.code
    }
}

/// Where the words begin of a diagnostic's title, `error[bad-value]: …`, or of a note below its source
/// line, `  = help: …`; `None` for the source line itself and its mark.
fn note(line: &str) -> Option<usize> {
    let mut plain = String::new();
    let mut parts = line.split('\u{1b}');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    let title = ["error", "warning"].iter().any(|it| plain.starts_with(it));
    let kind = match title {
        true => plain.as_str(),
        false => plain.trim_start().strip_prefix("= ")?,
    };
    let words = kind.find(": ")? + 2;
    Some(plain.len() - kind.len() + words)
}

/// How wide a terminal is; `None` when there is none.
fn columns_of(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Tells what is wrong with the command line, or gives the help that was asked for.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let code = if error.use_stderr() {
        Code::Usage
    } else {
        Code::Ok
    };
    drop(error.print());
    code.into()
}

fn talk(text: &str) {
    let mut stderr = stderr().lock();
    drop(writeln!(stderr, "{text}"));
}
