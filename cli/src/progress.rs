//! Progress: bars on a terminal, plain lines in a log.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use lxc_layers::event::{Ended, Event, Events, Step};

use crate::output::Output;

/// Events that are shown while they happen.
pub(crate) fn shown(output: &Output) -> Events {
    if output.draws_bars() {
        let bars = Bars::default();
        Events::to(move |event| bars.show(&event))
    } else {
        let lines = Lines {
            output: output.clone(),
            began: Instant::now(),
        };
        Events::to(move |event| lines.show(&event))
    }
}

/// One line for each thing that happens.
struct Lines {
    output: Output,
    began: Instant,
}

impl Lines {
    fn show(&self, event: &Event) {
        let at = self.began.elapsed().as_secs_f64();
        if let Some(words) = words(event) {
            tell(&self.output, event, &format!("{at:7.1}s  {words}"));
        }
    }
}

/// Says a line that begins with its time; what another program said is not folded.
pub(crate) fn tell(output: &Output, event: &Event, line: &str) {
    match event {
        Event::Line { .. } => output.relay(line),
        _ => output.say_at(line, COLUMN),
    }
}

/// Where the words of a line begin that has its time in front.
const COLUMN: usize = 10;

/// What is said of an event; a step's begin says nothing in a log, its end does.
pub(crate) fn words(event: &Event) -> Option<String> {
    match event {
        Event::Waiting { holder } => Some(format!("waiting for another run: {holder}")),
        Event::Finished {
            step,
            ended,
            seconds,
        } => Some(format!("{}  {}", title(step), end(ended, seconds.0))),
        Event::Line {
            container, text, ..
        } => Some(format!("{container:12}  | {text}")),
        Event::Retry { container, reason } => {
            Some(format!("{container:12}  trying again: {reason}"))
        }
        Event::Warning { container, text } => Some(format!("{container:12}  warning: {text}")),
        _ => None,
    }
}

fn title(step: &Step) -> String {
    format!("{:12}  {:23}  {}", step.container, step.layer, step.name)
}

fn end(ended: &Ended, time: Duration) -> String {
    match ended {
        Ended::Done => format!("done ({:.1}s)", time.as_secs_f64()),
        Ended::Skipped { reason } => format!("left out: {reason}"),
        Ended::Failed { error } => format!("failed: {error}"),
        _ => String::new(),
    }
}

/// A bar for each container at work; what must stay readable is printed above them.
#[derive(Default)]
struct Bars {
    all: MultiProgress,
    of: Mutex<HashMap<String, ProgressBar>>,
}

impl Bars {
    fn show(&self, event: &Event) {
        match event {
            Event::Began(step) => self
                .bar(&step.container)
                .set_message(format!("{}  {}", step.layer, step.name)),
            Event::Line {
                container, text, ..
            } => {
                let text: String = text.chars().take(60).collect();
                self.bar(container).set_message(text);
            }
            Event::Finished {
                step,
                ended: Ended::Done,
                ..
            } => self.bar(&step.container).tick(),
            other => {
                if let Some(words) = words(other) {
                    // A terminal that went away is no failure of the run.
                    drop(self.all.println(words));
                }
            }
        }
    }

    fn bar(&self, container: &str) -> ProgressBar {
        let mut bars = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let style = ProgressStyle::with_template("{spinner} {prefix:12} {wide_msg} {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = self.all.add(ProgressBar::new_spinner().with_style(style));
            bar.set_prefix(container.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        };
        bars.entry(container.to_owned())
            .or_insert_with(make)
            .clone()
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        // What happened is in the report; the bars leave the terminal as they found it.
        drop(self.all.clear());
    }
}
