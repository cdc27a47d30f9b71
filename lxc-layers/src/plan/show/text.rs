//! A plan for a terminal: eighty columns, grouped by container, colour where it is asked for.

use super::{place, summary, values};
use crate::diagnostic::Style;
use crate::event::Layer;
use crate::plan::{Cause, Change, ChangeClass, ContainerPlan, Plan, Refusal, Standing};

const WIDTH: usize = 80;
/// Where the words of a change begin: after two blanks and the longest class.
const INDENT: usize = 16;

impl Plan {
    /// The plan in words, containers without a change left out.
    #[must_use]
    pub fn to_text(&self, style: Style) -> String {
        let pen = Pen { style };
        let mut lines = Vec::new();
        for container in self
            .containers
            .iter()
            .filter(|container| !container.is_empty())
        {
            one(container, &pen, &mut lines);
            lines.push(String::new());
        }
        for notice in &self.notices {
            lines.extend(wrapped(&notice.message, "note: ", "      "));
        }
        if !self.notices.is_empty() {
            lines.push(String::new());
        }
        lines.push(pen.bold(&format!("Plan: {}", summary(self))));
        for layer in [Layer::Default, Layer::Configuration] {
            if self
                .containers
                .iter()
                .any(|container| !container.actions(layer).is_empty())
            {
                lines.push(pen.dim(&format!("{} {}", name(layer), self.hash(layer))));
            }
        }
        lines.join("\n") + "\n"
    }
}

fn name(layer: Layer) -> &'static str {
    match layer {
        Layer::Init => "init",
        Layer::Default => "default      ",
        Layer::Configuration => "configuration",
    }
}

fn one(container: &ContainerPlan, pen: &Pen, lines: &mut Vec<String>) {
    let standing = match container.standing {
        Standing::Absent => "absent",
        Standing::Running => "running",
        Standing::Stopped => "stopped",
        Standing::Foreign => "not ours",
    };
    let title = format!("{} ({}, {standing})", container.name, place(container));
    lines.push(pen.bold(&title));
    for change in &container.changes {
        lines.extend(change_lines(change, pen));
    }
    for refusal in &container.refusals {
        lines.extend(refusal_lines(refusal, pen));
    }
}

fn change_lines(change: &Change, pen: &Pen) -> Vec<String> {
    let class = pen.class(
        change.class,
        &format!("  {:<width$}", change.class.words(), width = INDENT - 2),
    );
    let subject = if change.class == ChangeClass::Layer {
        format!("{}: {}", change.key, change.field)
    } else {
        change.key.clone()
    };
    // The short fingerprints of a layer say nothing to a person.
    let values = if change.class == ChangeClass::Layer {
        String::new()
    } else {
        values(change)
    };
    let what = format!("{subject} {values}");
    let drift = match change.cause {
        Cause::Edit => "",
        Cause::Drift => "drift, another hand changed it; ",
    };
    let reason = format!("{drift}{}", change.reason);
    let blank = " ".repeat(INDENT);
    let (what, beside) = (what.trim(), format!("{} ({reason})", what.trim()));
    // The reason stands beside a change where there is room for it.
    let fits = INDENT + beside.chars().count() <= WIDTH;
    let mut lines = wrapped(
        if fits { &beside } else { what },
        &blank,
        &format!("{blank}  "),
    );
    let first = lines.remove(0);
    lines.insert(0, format!("{class}{}", &first[INDENT..]));
    if !fits {
        let reasons = wrapped(&reason, &format!("{blank}  "), &format!("{blank}  "));
        lines.extend(reasons.iter().map(|line| pen.dim(line)));
    }
    lines
}

fn refusal_lines(refusal: &Refusal, pen: &Pen) -> Vec<String> {
    let key = refusal
        .key
        .as_ref()
        .map(|key| format!("{key}: "))
        .unwrap_or_default();
    let blank = " ".repeat(INDENT);
    let mut lines = wrapped(
        &format!("{key}{} [{}]", refusal.message, refusal.code),
        &blank,
        &format!("{blank}  "),
    );
    let first = lines.remove(0);
    let refused = pen.red(&format!("  {:<width$}", "refused", width = INDENT - 2));
    lines.insert(0, format!("{refused}{}", &first[INDENT..]));
    if let Some(place) = &refusal.place {
        lines.push(format!("{blank}  at {place}"));
    }
    for way in &refusal.ways_out {
        lines.extend(wrapped(
            way,
            &format!("{blank}  - "),
            &format!("{blank}    "),
        ));
    }
    lines
}

/// Words in lines of at most eighty columns; a word that is longer stands alone.
fn wrapped(text: &str, first: &str, others: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        let room = line.chars().count() + usize::from(!empty) + word.chars().count();
        if !empty && room > WIDTH {
            lines.push(std::mem::replace(&mut line, others.to_owned()));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
    lines
}

struct Pen {
    style: Style,
}

impl Pen {
    fn paint(&self, code: &str, text: &str) -> String {
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn red(&self, text: &str) -> String {
        self.paint("31", text)
    }

    fn class(&self, class: ChangeClass, text: &str) -> String {
        let code = match class {
            ChangeClass::Create | ChangeClass::Start => "32",
            ChangeClass::Nothing
            | ChangeClass::Live
            | ChangeClass::Hotplug
            | ChangeClass::Layer => "36",
            ChangeClass::NeedsReboot
            | ChangeClass::Resize
            | ChangeClass::Move
            | ChangeClass::Migrate => "33",
            ChangeClass::Replace => "31",
        };
        self.paint(code, text)
    }
}
