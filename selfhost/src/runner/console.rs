//! Where a job speaks: secrets are hidden and lines are cut before anything is kept.

use super::{expression::Value, lines::cut, mask::Masks, progress::Progress};

/// The log of a job.
#[derive(Debug)]
pub(crate) struct Console {
    progress: Progress,
    masks: Masks,
    shows_debug: bool,
}

impl Console {
    /// A log that hides these secrets. `ACTIONS_STEP_DEBUG` among them shows debug lines.
    pub(crate) fn new<'a>(
        progress: Progress,
        secrets: impl IntoIterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Self {
        let debug = secrets
            .clone()
            .into_iter()
            .any(|secret| secret == ("ACTIONS_STEP_DEBUG", "true"));
        let hidden = secrets
            .into_iter()
            .filter(|(name, _)| *name != "ACTIONS_STEP_DEBUG");
        Self {
            progress,
            masks: Masks::new(hidden.map(|(_, value)| value)),
            shows_debug: debug,
        }
    }

    /// Prints lines.
    pub(crate) async fn print(&self, lines: Vec<String>) {
        let hidden = lines
            .iter()
            .map(|line| cut(&self.masks.apply(line)).to_owned())
            .collect();
        self.progress.print(hidden).await;
    }

    /// Prints a line of the runner's own.
    pub(crate) async fn say(&self, line: impl Into<String>) {
        self.print(vec![line.into()]).await;
    }

    /// Prints why something went wrong, with all its causes.
    pub(crate) async fn fail(&self, reason: &str) {
        self.say(format!("##[error]{reason}")).await;
    }

    /// Prints a debug line, where these are wanted.
    pub(crate) async fn debug(&self, text: &str) {
        if self.shows_debug {
            self.say(text.replace('\n', "\\n")).await;
        }
    }

    /// Hides one more value from now on.
    pub(crate) fn hide(&mut self, value: &str) {
        self.masks.add(value);
    }

    /// The header of a step: what is run, with what.
    pub(crate) async fn header(&self, title: &str, details: Vec<String>) {
        let mut lines = vec![format!("::group::Run {title}")];
        lines.extend(details);
        lines.push("::endgroup::".to_owned());
        self.print(lines).await;
    }
}

/// `name: value` lines below a word, for headers.
pub(crate) fn named<'a>(
    word: &str,
    pairs: impl IntoIterator<Item = (&'a String, String)>,
) -> Vec<String> {
    let lines: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("  {name}: {}", value.replace('\n', "\\n")))
        .collect();
    let head = (!lines.is_empty()).then(|| format!("{word}:"));
    head.into_iter().chain(lines).collect()
}

/// The values of `with:` as a header shows them.
pub(crate) fn shown<'a>(
    with: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> impl Iterator<Item = (&'a String, String)> {
    with.into_iter()
        .map(|(name, value)| (name, value.to_text()))
}
