//! Faults on demand: which request goes wrong, how, and before or after it was carried out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::World;
use super::reply::{Damage, Fail, Format, Reply};
use super::request::Request;
use super::verify::matches;

/// A rule: requests that match it go wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    /// The method, any by default.
    #[serde(default)]
    pub method: Option<String>,
    /// A regular expression that the whole path must match, `/api2/json` left out; any by default.
    #[serde(default)]
    pub path: Option<String>,
    /// Only the request with this number (from 1) among those that match.
    #[serde(default)]
    pub nth: Option<u64>,
    /// The share of matching requests that go wrong, 1 by default.
    #[serde(default = "always")]
    pub probability: f64,
    /// Whether the request is carried out first.
    #[serde(default)]
    pub phase: Phase,
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: Kind,
    /// How often the rule strikes before it is used up; without end by default.
    #[serde(default)]
    pub times: Option<u64>,
    /// How many requests have matched so far.
    #[serde(default)]
    pub seen: u64,
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Instead of the request: nothing has happened.
    #[default]
    Before,
    /// After the request was carried out: only the answer suffers.
    After,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Kind {
    /// An answer with this status and message; 595 and 596 have neither body nor type.
    Status {
        /// The status.
        status: u16,
        /// The message.
        #[serde(default)]
        message: String,
    },
    /// The connection is reset.
    Reset,
    /// The answer never comes.
    Hang,
    /// The body ends after this many bytes.
    Truncate {
        /// How many.
        #[serde(default)]
        bytes: usize,
    },
    /// The answer comes this late.
    Delay {
        /// How late.
        millis: u64,
    },
}

fn always() -> f64 {
    1.0
}

/// All rules, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Faults(Vec<Fault>);

impl Fault {
    /// The answer instead of a request, where the request is not carried out at all.
    pub(crate) fn reply(&self) -> Option<Reply> {
        match self.kind {
            Kind::Status { .. } | Kind::Reset | Kind::Hang => Some(Reply {
                status: 200,
                ..Reply::default()
            }),
            Kind::Truncate { .. } | Kind::Delay { .. } => None,
        }
    }

    /// Spoils an answer.
    pub(crate) fn damage(&self, reply: &mut Reply) {
        match &self.kind {
            Kind::Status {
                status: status @ 595..=599,
                message,
            } => {
                let effects = std::mem::take(&mut reply.effects);
                *reply = Reply {
                    effects,
                    ..Reply::empty(*status, message)
                };
            }
            Kind::Status { status, message } => {
                let effects = std::mem::take(&mut reply.effects);
                *reply = Fail::api(*status, &format!("{message}\n"), false).reply(Format::Json);
                reply.effects = effects;
            }
            Kind::Reset => reply.fault = Some(Damage::Reset),
            Kind::Hang => reply.fault = Some(Damage::Hang),
            Kind::Truncate { bytes } => reply.fault = Some(Damage::Truncate(*bytes)),
            Kind::Delay { millis } => reply.delay += Duration::from_millis(*millis),
        }
    }

    fn concerns(&self, method: &str, path: &str) -> bool {
        self.method
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self
                .path
                .as_ref()
                .is_none_or(|pattern| matches(&format!("(?:{pattern})"), path))
    }
}

impl World {
    /// Adds a rule; its number.
    pub fn add_fault(&mut self, fault: Fault) -> usize {
        self.faults.0.push(fault);
        self.faults.0.len() - 1
    }

    /// All rules, with how often each has matched.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults.0
    }

    /// Forgets all rules.
    pub fn clear_faults(&mut self) {
        self.faults.0.clear();
    }

    /// The first rule that strikes this request.
    pub(crate) fn strike(&mut self, request: &Request) -> Option<Fault> {
        if self.faults.0.is_empty() {
            return None;
        }
        let path = request.raw_path();
        let path = path
            .strip_prefix("/api2/json")
            .or_else(|| path.strip_prefix("/api2/extjs"))
            .unwrap_or(path);
        for at in 0..self.faults.0.len() {
            if !self.faults.0[at].concerns(&request.method, path)
                || self.faults.0[at].times == Some(0)
            {
                continue;
            }
            self.faults.0[at].seen += 1;
            let rule = &self.faults.0[at];
            let turn = rule.nth.is_none_or(|nth| nth == rule.seen);
            let probability = rule.probability;
            if turn && (probability >= 1.0 || self.chance.share() < probability) {
                let rule = &mut self.faults.0[at];
                rule.times = rule.times.map(|times| times - 1);
                return Some(rule.clone());
            }
        }
        None
    }
}
