//! Objects that were read before, within a bound.

use std::collections::HashMap;

use super::Object;

/// The bytes that one generation may hold; two generations live at a time.
const GENERATION_BYTES: usize = 4 << 20;
/// Larger objects are not kept.
const OBJECT_BYTES: usize = 256 << 10;

/// Two generations of objects: what is asked for again moves to the young one, and when that is full
/// the old one goes.
#[derive(Default)]
pub(super) struct Cache {
    young: HashMap<(i64, String), Object>,
    old: HashMap<(i64, String), Object>,
    bytes: usize,
}

impl Cache {
    pub(super) fn get(&mut self, repo: i64, id: &str) -> Option<Object> {
        let key = (repo, id.to_owned());
        if let Some(object) = self.young.get(&key) {
            return Some(object.clone());
        }
        let object = self.old.remove(&key)?;
        self.put(repo, id, &object);
        Some(object)
    }

    pub(super) fn put(&mut self, repo: i64, id: &str, object: &Object) {
        let size = object.data.len() + 128;
        if size > OBJECT_BYTES {
            return;
        }
        if self.bytes + size > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += size;
        self.young.insert((repo, id.to_owned()), object.clone());
    }

    pub(super) fn forget(&mut self, repo: i64) {
        self.young.retain(|(of, _), _| *of != repo);
        self.old.retain(|(of, _), _| *of != repo);
    }
}
