//! The only printer: data to standard output, talk to standard error; a closed pipe is fine.

use std::{
    io::{IsTerminal, Write, stderr, stdin, stdout},
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
    json: bool,
    quiet: bool,
}

impl Output {
    /// Decides by flags, environment and terminals.
    pub(crate) fn new(global: &Global, environment: &Environment) -> Self {
        let colour = |terminal: bool| match global.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && !environment.no_color,
        };
        Self {
            colour_out: colour(stdout().is_terminal()),
            colour_err: colour(stderr().is_terminal()),
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
        if !self.quiet {
            talk(text);
        }
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
        talk(&format!("{} {}", paint("31", "error:"), failure.error));
        for cause in failure.error.chain().skip(1) {
            talk(&format!("  because {cause}"));
        }
        if let Some(hint) = &failure.hint {
            talk(&format!("\n{} {hint}", paint("36", "hint:")));
        }
        failure.code
    }
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
