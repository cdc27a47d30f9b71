//! Recorded answers of real servers, for tests: the golden stories of `testkit/fixtures`.

use std::path::Path;

use bytes::Bytes;
use serde_json::Value;

use crate::response::Answer;

/// An answer that a real server gave.
pub(crate) struct Recorded {
    /// The story it comes from, and the call it answered.
    pub(crate) call: String,
    pub(crate) answer: Answer,
}

/// The folder of fixtures of that name.
pub(crate) fn fixtures(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testkit/fixtures")
        .join(name)
}

/// Every recorded answer.
pub(crate) fn answers() -> Vec<Recorded> {
    let mut paths: Vec<_> = std::fs::read_dir(fixtures("golden/stories"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().flat_map(|path| story(path)).collect()
}

fn story(path: &Path) -> Vec<Recorded> {
    let story: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let steps = story["steps"].as_array().unwrap();
    steps
        .iter()
        .flat_map(|step| recorded(&story["name"], step))
        .collect()
}

fn recorded(story: &Value, step: &Value) -> Vec<Recorded> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let versions = step["expect"].as_object().into_iter().flatten();
    let recorded = versions.filter(|(_, expected)| expected["status"].is_u64());
    recorded
        .map(|(_, expected)| {
            let body = match &expected["body"] {
                Value::Null => text(&expected["text"]),
                body => body.to_string(),
            };
            let status = u16::try_from(expected["status"].as_u64().unwrap()).unwrap();
            let call = format!(
                "{} {} {}",
                text(story),
                text(&step["method"]),
                text(&step["path"])
            );
            let answer = Answer {
                status,
                reason: text(&expected["reason"]),
                body: Bytes::from(body),
            };
            Recorded { call, answer }
        })
        .collect()
}

/// Every exit status that a recorded task had.
pub(crate) fn exit_statuses() -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(fixtures("golden/stories")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let story: Value = serde_json::from_str(&text).unwrap();
        for step in story["steps"].as_array().unwrap() {
            for expected in step["expect"]
                .as_object()
                .into_iter()
                .flat_map(|expect| expect.values())
            {
                found.extend(expected["task"]["exitstatus"].as_str().map(str::to_owned));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}
