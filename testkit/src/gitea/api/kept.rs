//! Answers that are kept until the world changes: for what is asked often and costs much to write.
//!
//! A repository has a hundred members, and writing them takes longer than all else of a read. What is
//! kept is the text for one caller and one address; the first change of anything makes all of it old.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::Value;

use crate::gitea::access::Doer;
use crate::gitea::call::Call;
use crate::gitea::reply::{Body, Reply};
use crate::gitea::router::Route;

/// How many answers are kept; beyond that all are forgotten.
const KEPT_MAX: usize = 512;

/// The answers, and the state of the world that they are true for.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    answers: Mutex<(u64, Answers)>,
}

/// What was answered: the value, and its text.
type Answers = HashMap<Key, (Arc<Value>, Bytes)>;

/// Who asks for what: the path as it was sent, the address that answers name, and the caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key(String, String, Option<String>);

/// The key of a call whose answer may be kept.
pub(crate) fn key(route: &Route, call: &Call, doer: Option<&Doer>) -> Option<Key> {
    let plain =
        route.method == "GET" && route.path == "/repos/{owner}/{repo}" && call.query.is_empty();
    // What a caller may see depends on the token, too.
    plain.then(|| {
        Key(
            call.path.clone(),
            call.base.clone(),
            doer.map(|doer| format!("{doer:?}")),
        )
    })
}

impl Kept {
    /// The answer, if the world has not changed since it was kept.
    pub(crate) fn get(&self, state: u64, key: &Key) -> Option<Reply> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (value, text) = answers.1.get(key).filter(|_| answers.0 == state)?.clone();
        Some(written(value, text))
    }

    /// Keeps an answer, and answers it as it will be answered from now on.
    pub(crate) fn put(&self, state: u64, key: Key, reply: Reply) -> Reply {
        if reply.status != 200 || !reply.headers.is_empty() {
            return reply;
        }
        let Body::Json(value) = reply.body else {
            return reply;
        };
        let mut text = serde_json::to_vec(&value).unwrap_or_default();
        text.push(b'\n');
        let have = (Arc::new(value), Bytes::from(text));
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.0 != state || answers.1.len() >= KEPT_MAX {
            answers.1.clear();
            answers.0 = state;
        }
        answers.1.insert(key, have.clone());
        written(have.0, have.1)
    }
}

fn written(value: Arc<Value>, text: Bytes) -> Reply {
    Reply {
        body: Body::Written(value, text),
        ..Reply::empty(200)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_is_kept_until_the_world_changes() {
        let (kept, key) = (Kept::default(), Key("/r".into(), "http://h".into(), None));
        kept.put(1, key.clone(), Reply::ok(json!({ "id": 1 })));
        assert!(kept.get(1, &key).is_some() && kept.get(2, &key).is_none());
        let other = Key("/r".into(), "http://h".into(), Some("somebody".into()));
        assert!(kept.get(1, &other).is_none());
        kept.put(1, other.clone(), Reply::not_found());
        assert!(kept.get(1, &other).is_none(), "a refusal is not kept");
    }
}
