//! Making sure that something is as wished: the outcomes, and what differs.

use serde::Serialize;
use serde_json::{Map, Value};

/// What had to be done so that a thing is as wished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ensured<T> {
    /// It was not there.
    Created(T),
    /// It was there, and different.
    Updated(T),
    /// It was as wished; nothing was written.
    Unchanged(T),
}

impl<T> Ensured<T> {
    /// The thing, whatever had to be done.
    pub fn into_inner(self) -> T {
        match self {
            Self::Created(thing) | Self::Updated(thing) | Self::Unchanged(thing) => thing,
        }
    }

    /// The thing, whatever had to be done.
    pub fn get(&self) -> &T {
        match self {
            Self::Created(thing) | Self::Updated(thing) | Self::Unchanged(thing) => thing,
        }
    }

    /// Whether something was written.
    #[must_use]
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::Unchanged(_))
    }
}

/// The members of a wish that differ from what is there. Members that the server does not show
/// cannot be compared, and do not count.
pub(crate) fn differences(wish: &impl Serialize, present: &impl Serialize) -> Map<String, Value> {
    let (Ok(Value::Object(wish)), Ok(Value::Object(present))) =
        (serde_json::to_value(wish), serde_json::to_value(present))
    else {
        return Map::new();
    };
    let differs = |name: &str, value: &Value| {
        present
            .get(name)
            .is_some_and(|shown| normal(shown) != normal(value))
    };
    wish.into_iter()
        .filter(|(name, value)| differs(name, value))
        .collect()
}

/// Lists as sets, since upstream gives many in random order.
fn normal(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<_> = items.iter().map(normal).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::differences;

    #[test]
    fn only_visible_members_that_differ_count() {
        let wish =
            json!({"private": true, "description": "x", "password": "p", "events": ["b", "a"]});
        let present = json!({"private": false, "description": "x", "events": ["a", "b"], "id": 1});
        let changes = differences(&wish, &present);
        assert_eq!(serde_json::Value::Object(changes), json!({"private": true}));
    }
}
