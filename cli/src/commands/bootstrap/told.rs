//! What is said while a bootstrap runs, and in the end.

use std::time::Instant;

use lxc_layers::event as engine;
use selfhost::{
    bootstrap::{Ended, Event, Events, Outcome, Report},
    forge::Administrator,
};

use crate::{output::Output, progress};

/// Where the words of a step begin, behind its time and its stage.
const COLUMN: usize = 22;

/// Events that are told while they happen.
pub(super) fn events(output: &Output) -> Events {
    let (output, began) = (output.clone(), Instant::now());
    Events::to(move |event| {
        if let Some(words) = words(&event) {
            let line = format!("{:7.1}s  {words}", began.elapsed().as_secs_f64());
            match &event {
                Event::Line { .. } => output.relay(&line),
                Event::Engine(event) => progress::tell(&output, event, &line),
                _ => output.say_at(&line, COLUMN),
            }
        }
    })
}

/// The listener for what the engine tells by itself.
pub(super) fn engine(output: &Output) -> impl Fn(engine::Event) + Send + Sync + 'static {
    let output = output.clone();
    move |event| {
        if let Some(words) = progress::words(&event) {
            progress::tell(&output, &event, &words);
        }
    }
}

fn words(event: &Event) -> Option<String> {
    match event {
        Event::Began { stage, step, why } => Some(format!("{stage:10}  {step}: {why}")),
        Event::Finished {
            stage,
            step,
            ended,
            seconds,
        } => Some(format!(
            "{stage:10}  {step}: {} ({seconds:.1}s)",
            end(ended)
        )),
        Event::Line { text } => Some(format!("            | {text}")),
        Event::Warning { text } => Some(format!("            warning: {text}")),
        Event::Engine(event) => progress::words(event),
        _ => None,
    }
}

fn end(ended: &Ended) -> String {
    match ended {
        Ended::Unchanged { seen } => format!("as it should be: {seen}"),
        Ended::Done { .. } => "done".to_owned(),
        Ended::Would { why } => format!("would act: {why}"),
        Ended::Failed { error } => format!("failed: {error}"),
    }
}

/// Shows the report as a person reads it.
pub(super) fn show(report: &Report, output: &Output) {
    for stage in &report.stages {
        output.data(&stage.stage.to_string());
        for step in &stage.steps {
            output.words(&format!("  {:20} {}", step.step, end(&step.ended)), 23);
            for call in &step.calls {
                output.words(&format!("    {:5} {}", call.through, call.what), 10);
            }
        }
    }
    output.words(&format!("\n{}", last(report)), 2);
}

fn last(report: &Report) -> String {
    let Report { url, seconds, .. } = report;
    match report.outcome {
        Outcome::Changed => format!("the control plane stands at {url} ({seconds:.1} s)"),
        Outcome::Unchanged => format!("nothing to do: the control plane stands at {url}"),
        Outcome::Would => format!("this would be done; nothing was changed. It would be {url}"),
        Outcome::Failed => "it stopped here; bootstrap again, and it continues".to_owned(),
    }
}

/// How to sign in: said once, kept by nobody but the operator.
pub(super) fn credentials(report: &Report, administrator: &Administrator) -> String {
    let password = administrator.password.as_ref();
    let password = password.map_or("(not known any more)", gitea_api::Secret::reveal);
    format!(
        "\nsign in at {} as\n  user      {}\n  password  {password}\nthis is shown once; the token for scripts is in `forge.local.token`, mode 0600",
        report.url, administrator.user
    )
}
