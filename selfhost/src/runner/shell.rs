//! Which program runs a script, with which arguments.

/// How the script of a step is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shell {
    /// What the log says: the command with `{0}` for the file.
    pub(crate) display: String,
    /// Program and arguments; `{0}` stands for the file.
    words: Vec<String>,
    /// How the name of the file ends.
    pub(crate) extension: &'static str,
}

/// Why no shell comes of what the workflow says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The quotes of the template do not close.
    #[error("the shell `{0}` has a quote that nobody closes")]
    Quotes(String),
    /// There is nothing to run.
    #[error("the shell is empty")]
    Empty,
}

impl Shell {
    /// The shell of a name or of a template; `None` is bash with `pipefail`, as Gitea has it.
    pub(crate) fn of(name: Option<&str>) -> Result<Self, Error> {
        let (display, extension) = match name.map(str::trim) {
            None | Some("" | "bash") => ("bash --noprofile --norc -e -o pipefail {0}", ".sh"),
            Some("sh") => ("sh -e {0}", ".sh"),
            Some("python") => ("python {0}", ".py"),
            Some("node") => ("node {0}", ".js"),
            Some("pwsh") => ("pwsh -command . '{0}'", ".ps1"),
            Some(template) => (template, ".sh"),
        };
        let words = shlex::split(display).ok_or_else(|| Error::Quotes(display.to_owned()))?;
        if words.is_empty() {
            return Err(Error::Empty);
        }
        Ok(Self {
            display: display.to_owned(),
            words,
            extension,
        })
    }

    /// The program's name.
    pub(crate) fn program(&self) -> &str {
        &self.words[0]
    }

    /// Program and arguments for a script in this file.
    pub(crate) fn argv(&self, script: &str) -> Vec<String> {
        self.words
            .iter()
            .map(|word| word.replace("{0}", script))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: Option<&str>, argv: &[&str]) {
        assert_eq!(Shell::of(name).unwrap().argv("/s"), argv);
    }

    #[test]
    fn names_stand_for_commands_and_templates_for_themselves() {
        check(
            None,
            &[
                "bash",
                "--noprofile",
                "--norc",
                "-e",
                "-o",
                "pipefail",
                "/s",
            ],
        );
        check(Some("sh"), &["sh", "-e", "/s"]);
        check(Some("python"), &["python", "/s"]);
        check(
            Some("bash -eu {0} one \"two three\""),
            &["bash", "-eu", "/s", "one", "two three"],
        );
        check(Some("echo no-script"), &["echo", "no-script"]);
        check(
            Some("bash  -c  'echo \"quoted $0\"'  {0}"),
            &["bash", "-c", "echo \"quoted $0\"", "/s"],
        );
    }

    #[test]
    fn an_open_quote_is_refused() {
        assert_eq!(
            Shell::of(Some("bash 'x {0}")),
            Err(Error::Quotes("bash 'x {0}".to_owned()))
        );
    }
}
