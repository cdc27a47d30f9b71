//! Rows by id, with what every part of the world needs of them: an index, groups, and a list of what changed.
//!
//! A [`Table`] remembers which rows were touched since the last [`AnyTable::drain`]. That is all the
//! durable storage ever sees: it knows names of tables, keys and bytes, and nothing of their meaning.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Something that is kept in a [`Table`].
pub trait Row: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the table on disk and in saved worlds; must be unique and never change.
    const TABLE: &'static str;

    /// A text by which at most one row can be found again, such as a name in lower case.
    fn index(&self) -> Option<String> {
        None
    }

    /// What the row belongs to, such as the id of its repository; 0 when nothing is asked that way.
    fn group(&self) -> i64 {
        0
    }
}

/// One changed row, as the storage sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// [`Row::TABLE`].
    pub table: &'static str,
    /// The row's id; 0 is the table's id counter.
    pub key: i64,
    /// The row as JSON; `None` when it was removed.
    pub value: Option<Vec<u8>>,
}

/// Rows of one kind by their ids, which count from 1 and are never used twice.
#[derive(Debug, Clone)]
pub struct Table<T> {
    rows: BTreeMap<i64, T>,
    last: i64,
    index: HashMap<String, i64>,
    groups: BTreeMap<i64, BTreeSet<i64>>,
    touched: BTreeSet<i64>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            last: 0,
            index: HashMap::new(),
            groups: BTreeMap::new(),
            touched: BTreeSet::new(),
        }
    }
}

impl<T: Row> Table<T> {
    /// Adds the row that `make` gives for its id, and answers the id.
    pub fn insert(&mut self, make: impl FnOnce(i64) -> T) -> i64 {
        let id = self.last + 1;
        self.put(id, make(id));
        id
    }

    /// Puts a row at an id of the caller's choice (a row that goes with another table's row).
    pub fn put(&mut self, id: i64, row: T) {
        self.forget(id);
        self.last = self.last.max(id);
        self.remember(id, &row);
        self.rows.insert(id, row);
        self.touched.insert(id);
    }

    /// The row with this id.
    #[must_use]
    pub fn get(&self, id: i64) -> Option<&T> {
        self.rows.get(&id)
    }

    /// The row with this [`Row::index`].
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&T> {
        self.index.get(text).and_then(|id| self.rows.get(id))
    }

    /// The id of the row with this [`Row::index`].
    #[must_use]
    pub fn find_id(&self, text: &str) -> Option<i64> {
        self.index.get(text).copied()
    }

    /// Changes a row in place; `None` when there is none.
    pub fn update<R>(&mut self, id: i64, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut row = self.rows.remove(&id)?;
        self.unindex(id, &row);
        let answer = change(&mut row);
        self.remember(id, &row);
        self.rows.insert(id, row);
        self.touched.insert(id);
        Some(answer)
    }

    /// Takes a row away.
    pub fn remove(&mut self, id: i64) -> Option<T> {
        let row = self.forget(id)?;
        self.touched.insert(id);
        Some(row)
    }

    /// Takes away all rows of a group, and answers how many there were.
    pub fn remove_group(&mut self, group: i64) -> usize {
        let ids: Vec<i64> = self
            .groups
            .get(&group)
            .map(|ids| ids.iter().copied().collect())
            .unwrap_or_default();
        for id in &ids {
            self.remove(*id);
        }
        ids.len()
    }

    /// All rows, oldest first.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, &T)> {
        self.rows.iter().map(|(id, row)| (*id, row))
    }

    /// The rows of one group ([`Row::group`]), oldest first.
    #[must_use]
    pub fn of(&self, group: i64) -> impl DoubleEndedIterator<Item = (i64, &T)> {
        let ids = self.groups.get(&group);
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.rows.get(id).map(|row| (*id, row)))
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn remember(&mut self, id: i64, row: &T) {
        if let Some(text) = row.index() {
            self.index.insert(text, id);
        }
        if row.group() != 0 {
            self.groups.entry(row.group()).or_default().insert(id);
        }
    }

    fn unindex(&mut self, id: i64, row: &T) {
        if let Some(text) = row.index()
            && self.index.get(&text) == Some(&id)
        {
            self.index.remove(&text);
        }
        let group = row.group();
        if let Some(ids) = self.groups.get_mut(&group) {
            ids.remove(&id);
            if ids.is_empty() {
                self.groups.remove(&group);
            }
        }
    }

    fn forget(&mut self, id: i64) -> Option<T> {
        let row = self.rows.remove(&id)?;
        self.unindex(id, &row);
        Some(row)
    }
}

/// A table whose rows the storage need not understand.
pub trait AnyTable {
    /// [`Row::TABLE`].
    fn name(&self) -> &'static str;

    /// What changed since the last call, as rows of JSON; the counter of ids (key 0) comes with it.
    fn drain(&mut self) -> Vec<RowChange>;

    /// Whether [`AnyTable::drain`] would answer anything.
    fn is_touched(&self) -> bool;

    /// All rows and the counter, as [`AnyTable::drain`] would give them.
    fn dump(&self) -> Vec<RowChange>;

    /// Takes in one row that was stored earlier.
    ///
    /// # Errors
    /// When the bytes are no such row: the folder was written by another version.
    fn load(&mut self, key: i64, value: &[u8]) -> Result<(), serde_json::Error>;

    /// Empties the table.
    fn clear(&mut self);
}

impl<T: Row> AnyTable for Table<T> {
    fn name(&self) -> &'static str {
        T::TABLE
    }

    fn drain(&mut self) -> Vec<RowChange> {
        let touched = std::mem::take(&mut self.touched);
        if touched.is_empty() {
            return Vec::new();
        }
        let mut changes: Vec<RowChange> = touched.into_iter().map(|key| self.change(key)).collect();
        changes.push(self.counter());
        changes
    }

    fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    fn dump(&self) -> Vec<RowChange> {
        let mut rows: Vec<RowChange> = self.rows.keys().map(|key| self.change(*key)).collect();
        rows.push(self.counter());
        rows
    }

    fn load(&mut self, key: i64, value: &[u8]) -> Result<(), serde_json::Error> {
        if key == 0 {
            self.last = self.last.max(serde_json::from_slice(value)?);
            return Ok(());
        }
        let row: T = serde_json::from_slice(value)?;
        self.forget(key);
        self.last = self.last.max(key);
        self.remember(key, &row);
        self.rows.insert(key, row);
        Ok(())
    }

    fn clear(&mut self) {
        let keys: Vec<i64> = self.rows.keys().copied().collect();
        for key in keys {
            self.remove(key);
        }
    }
}

impl<T: Row> Table<T> {
    fn change(&self, key: i64) -> RowChange {
        let value = self.rows.get(&key).map(|row| {
            serde_json::to_vec(row).expect("a row is plain data and always becomes JSON")
        });
        RowChange {
            table: T::TABLE,
            key,
            value,
        }
    }

    fn counter(&self) -> RowChange {
        RowChange {
            table: T::TABLE,
            key: 0,
            value: Some(self.last.to_string().into_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Thing {
        name: String,
        of: i64,
    }

    impl Row for Thing {
        const TABLE: &'static str = "thing";
        fn index(&self) -> Option<String> {
            Some(self.name.clone())
        }
        fn group(&self) -> i64 {
            self.of
        }
    }

    #[test]
    fn a_row_is_found_by_text_and_group_until_it_changes() {
        let mut table = Table::default();
        let id = table.insert(|_| Thing {
            name: "a".into(),
            of: 7,
        });
        assert_eq!(table.find_id("a"), Some(id));
        table.update(id, |row| row.name = "b".into());
        assert_eq!((table.find_id("a"), table.find_id("b")), (None, Some(id)));
        assert_eq!(table.of(7).count(), 1);
        table.remove(id);
        assert_eq!((table.of(7).count(), table.find_id("b")), (0, None));
    }

    #[test]
    fn an_id_is_not_used_twice_after_a_reload() {
        let mut table = Table::default();
        let id = table.insert(|_| Thing {
            name: "a".into(),
            of: 0,
        });
        table.remove(id);
        let mut again: Table<Thing> = Table::default();
        for change in table.drain() {
            if let Some(value) = change.value {
                again
                    .load(change.key, &value)
                    .expect("own rows can be read");
            }
        }
        assert_eq!(
            again.insert(|_| Thing {
                name: "b".into(),
                of: 0
            }),
            id + 1
        );
        assert!(table.drain().is_empty());
    }
}
