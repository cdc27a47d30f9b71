//! Workflow commands: lines that a step prints to be understood, not to be read.

/// A command, `::name key=value,…::data` or `##[name key=value;…]data`, at the start of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Hide this value from now on.
    AddMask(String),
    /// Understand nothing until this token comes.
    StopCommands(String),
    /// Set an output of the step.
    SetOutput(String, String),
    /// Set a variable for the steps that follow.
    SetEnv(String, String),
    /// Put a folder in front of `PATH` for the steps that follow.
    AddPath(String),
    /// For those who look for trouble; shown only with `ACTIONS_STEP_DEBUG`.
    Debug(String),
}

/// Understands the commands of one step, from line to line.
#[derive(Debug, Default)]
pub(crate) struct Interpreter {
    stopped_until: Option<String>,
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Text to be shown, annotations and groups included: whoever shows the log understands them.
    Shown,
    /// A command that is carried out and shown.
    ShownCommand(Command),
    /// A command that is carried out and leaves no line.
    Command(Command),
    /// The token that ends `stop-commands`; leaves no line.
    Resumed,
}

impl Interpreter {
    /// What a line is, now.
    pub(crate) fn read(&mut self, line: &str) -> Line {
        if let Some(token) = &self.stopped_until {
            if line
                .strip_prefix("::")
                .and_then(|rest| rest.strip_suffix("::"))
                == Some(token)
            {
                self.stopped_until = None;
                return Line::Resumed;
            }
            return Line::Shown;
        }
        match parse(line) {
            None => Line::Shown,
            Some(
                command @ (Command::SetOutput(..) | Command::SetEnv(..) | Command::AddPath(_)),
            ) => Line::ShownCommand(command),
            Some(Command::StopCommands(token)) => {
                self.stopped_until = Some(token.clone());
                Line::Command(Command::StopCommands(token))
            }
            Some(command) => Line::Command(command),
        }
    }
}

/// The command of a line, if it is one that the runner carries out.
fn parse(line: &str) -> Option<Command> {
    let (head, data, bracketed) = match line.strip_prefix("::") {
        Some(rest) => {
            let (head, data) = rest.split_once("::")?;
            (head, data, false)
        }
        None => {
            let (head, data) = line.strip_prefix("##[")?.split_once(']')?;
            (head, data, true)
        }
    };
    let (name, parameters) = head.split_once(' ').unwrap_or((head, ""));
    let named = |key: &str| {
        let pairs = parameters.split(if bracketed { ';' } else { ',' });
        let found = pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| name.trim() == key);
        found.map(|(_, value)| unescape_parameter(value))
    };
    match (name, bracketed) {
        ("add-mask", false) => Some(Command::AddMask(unescape(data))),
        ("debug", false) => Some(Command::Debug(unescape(data))),
        ("stop-commands", _) if !data.is_empty() => Some(Command::StopCommands(data.to_owned())),
        ("set-output", _) => Some(Command::SetOutput(named("name")?, unescape(data))),
        ("set-env", _) => Some(Command::SetEnv(named("name")?, unescape(data))),
        ("add-path", _) => Some(Command::AddPath(unescape(data))),
        _ => None,
    }
}

fn unescape(data: &str) -> String {
    data.replace("%0D", "\r")
        .replace("%0A", "\n")
        .replace("%25", "%")
}

fn unescape_parameter(value: &str) -> String {
    unescape(&value.replace("%3A", ":").replace("%2C", ","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stand_at_the_start_of_a_line_in_lower_case() {
        let plain = [
            "::nothing-like-it::text",
            "::no end",
            "::::",
            ":: debug::blank",
            " ::add-mask::indented",
            "text ::add-mask::inside",
            "::ADD-MASK::upper",
            "##[add-mask]other form",
            "##[debug]other form",
            "::error file=a.rs,line=3::stays",
            "::group::stays",
        ];
        for line in plain {
            assert_eq!(Interpreter::default().read(line), Line::Shown, "{line}");
        }
    }

    #[test]
    fn commands_are_understood_in_both_forms() {
        let mut read = Interpreter::default();
        let output =
            |value: &str| Line::ShownCommand(Command::SetOutput("x".to_owned(), value.to_owned()));
        assert_eq!(read.read("::set-output name=x::y"), output("y"));
        assert_eq!(read.read("##[set-output name=x]v"), output("v"));
        let mask = Command::AddMask("one\ntwo%".to_owned());
        assert_eq!(read.read("::add-mask::one%0Atwo%25"), Line::Command(mask));
        assert_eq!(
            read.read("::debug::"),
            Line::Command(Command::Debug(String::new()))
        );
    }

    #[test]
    fn nothing_is_understood_while_commands_are_stopped() {
        let mut read = Interpreter::default();
        let stop = Command::StopCommands("token".to_owned());
        assert_eq!(read.read("::stop-commands::token"), Line::Command(stop));
        for line in [
            "::set-output name=x::y",
            "::add-mask::v",
            "::other::",
            "text",
        ] {
            assert_eq!(read.read(line), Line::Shown, "{line}");
        }
        assert_eq!(read.read("::token::"), Line::Resumed);
        assert!(matches!(
            read.read("::add-mask::v"),
            Line::Command(Command::AddMask(_))
        ));
    }
}
