//! Every exchange that was seen, as JSON lines with secrets taken out.
//!
//! One line is in the form that the conformance checker in `fixtures/schemas` reads: `method`, `path`,
//! `query`, `form` or `body`, `status`, `response`. What a line holds besides, and which names are
//! secret, is the affair of each side: `node` and `forge`.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

mod forge;
mod node;

/// How many exchanges are kept in memory.
const KEPT: usize = 10_000;

/// How many characters of an answer are shown where many are listed.
const SHOWN: usize = 4_000;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// The record of what was asked and answered.
#[derive(Debug)]
pub struct Journal {
    seen: Mutex<VecDeque<Value>>,
    kept: usize,
    /// How many were recorded since it was last emptied.
    count: AtomicU64,
    file: Option<Mutex<File>>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            seen: Mutex::default(),
            kept: KEPT,
            count: AtomicU64::new(0),
            file: None,
        }
    }
}

impl Journal {
    /// A journal that is also written to a file, from its beginning.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn to_file(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: Some(Mutex::new(File::create(path)?)),
            ..Self::default()
        })
    }

    /// A journal in a file, from its beginning; nothing is kept in memory.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn only_to_file(path: &Path) -> io::Result<Self> {
        Ok(Self {
            kept: 0,
            ..Self::to_file(path)?
        })
    }

    /// Everything seen, oldest first.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Value> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// How many exchanges were seen since the journal was last emptied, and the last of them, oldest
    /// first, each with its `number` and without the end of a long answer.
    #[must_use]
    pub fn latest(&self, most: usize) -> (u64, Vec<Value>) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let count = self.count.load(Ordering::Relaxed);
        let first = seen.len().saturating_sub(most);
        let mut last: Vec<Value> = seen.iter().skip(first).cloned().collect();
        let begin = count.saturating_sub(last.len() as u64);
        for (entry, number) in last.iter_mut().zip(begin + 1..) {
            entry["number"] = json!(number);
            let text = entry["response"].to_string();
            if text.len() > SHOWN {
                let start: String = text.chars().take(SHOWN).collect();
                entry["response"] = json!(format!("{start} … ({} bytes)", text.len()));
            }
        }
        (count, last)
    }

    /// Everything seen, as `METHOD path -> status`, for assertions that are easy to read.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.exchanges()
            .iter()
            .map(|e| {
                format!(
                    "{} {} -> {}",
                    text(&e["method"]),
                    text(&e["path"]),
                    e["status"]
                )
            })
            .collect()
    }

    /// Forgets what was seen; the file stays.
    pub fn clear(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clear();
        self.count.store(0, Ordering::Relaxed);
    }

    /// Adds a line.
    fn add(&self, entry: Map<String, Value>) {
        let entry = Value::Object(entry);
        if let Some(file) = &self.file {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // A full disk must not stop the server; the journal in memory goes on.
            let _ = writeln!(file, "{entry}");
        }
        if self.kept == 0 {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= self.kept {
            seen.pop_front();
        }
        seen.push_back(entry);
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Replaces texts whose name is secret, wherever they stand.
fn redact(name: Option<&str>, value: Value, secrets: &[&str]) -> Value {
    let is_secret = name.is_some_and(|name| secrets.contains(&name));
    match value {
        Value::Object(members) => {
            // In a list of pending changes `value` is a configured value, not a secret.
            let pending = members.contains_key("key");
            let each = |(name, value): (String, Value)| {
                let kept = pending && name == "value";
                let value = if kept {
                    value
                } else {
                    redact(Some(&name), value, secrets)
                };
                (name, value)
            };
            Value::Object(members.into_iter().map(each).collect())
        }
        Value::Array(items) => {
            let each = |item| redact(name, item, secrets);
            Value::Array(items.into_iter().map(each).collect())
        }
        Value::String(_) if is_secret => Value::from(REDACTED),
        other => other,
    }
}
