//! The one file that knows the database: rows by table and id, committed in groups.
//!
//! The database is redb: one file, crash-safe by copy on write with checksums, in Rust alone, with
//! nothing to link or to configure. What we need of a database is an ordered map that survives
//! kill -9; SQL would only be in the way, since all questions are answered from memory.
//! Changes of many callers that arrive while one commit waits for the disk are the next commit.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::oneshot;

use super::Error;
use crate::gitea::table::RowChange;
use crate::gitea::{Receipt, Storage, World};

/// The format of the rows; raised when older folders cannot be read any more.
const FORMAT: u64 = 1;
/// What redb may keep in memory.
const CACHE_BYTES: usize = 4 << 20;
/// The most changes in one commit.
const GROUP_MAX: usize = 512;

const ROWS: TableDefinition<'_, (&str, i64), &[u8]> = TableDefinition::new("rows");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

type Boxed = Box<dyn std::error::Error + Send + Sync>;

/// Something for the writer to do.
enum Work {
    Store(Vec<RowChange>, oneshot::Sender<bool>),
    Close,
}

/// A database that is open.
pub(super) struct Rows {
    database: Database,
}

/// The writer's end that callers hold.
struct Writer {
    work: Sender<Work>,
}

/// Ends the writer.
#[derive(Debug)]
pub(super) struct Closer {
    work: Sender<Work>,
    writer: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Work")
    }
}

impl Rows {
    /// Opens the database of a folder, or makes it.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("forge.redb");
        let opened = Builder::new().set_cache_size(CACHE_BYTES).create(&path);
        let database = opened.map_err(|source| match source {
            DatabaseError::DatabaseAlreadyOpen => Error::InUse(folder.to_owned()),
            source => Error::Database {
                path: folder.to_owned(),
                source: source.into(),
            },
        })?;
        let rows = Self { database };
        let found = rows.format().map_err(|source| Error::Database {
            path: folder.to_owned(),
            source,
        })?;
        if found != FORMAT {
            return Err(Error::Format {
                path: folder.to_owned(),
                found,
                wanted: FORMAT,
            });
        }
        Ok(rows)
    }

    /// The format of the folder; a new one gets ours.
    fn format(&self) -> Result<u64, Boxed> {
        let write = self.database.begin_write()?;
        let found = {
            let mut meta = write.open_table(META)?;
            write.open_table(ROWS)?;
            let found = meta.get("format")?.map(|value| value.value());
            if found.is_none() {
                meta.insert("format", FORMAT)?;
            }
            found
        };
        match found {
            Some(found) => write.abort().map(|()| found).map_err(Into::into),
            None => write.commit().map(|()| FORMAT).map_err(Into::into),
        }
    }

    /// Reads all rows into a world; answers how many there were.
    pub(super) fn load(&self, folder: &Path, world: &mut World) -> Result<usize, Error> {
        let broken = |source: Boxed| Error::Database {
            path: folder.to_owned(),
            source,
        };
        let read = self
            .database
            .begin_read()
            .map_err(|source| broken(source.into()))?;
        let rows = read
            .open_table(ROWS)
            .map_err(|source| broken(source.into()))?;
        let mut count = 0;
        let mut tables = world.tables();
        // Rows come in the order of their tables.
        let mut at: Option<usize> = None;
        for row in rows.iter().map_err(|source| broken(source.into()))? {
            let (key, value) = row.map_err(|source| broken(source.into()))?;
            let (table, key) = key.value();
            if at.is_none_or(|at| tables[at].name() != table) {
                at = tables.iter().position(|have| have.name() == table);
            }
            // Rows of tables that are not known are passed over.
            let Some(at) = at else { continue };
            let loaded = tables[at].load(key, value.value());
            loaded.map_err(|source| Error::Row {
                table: table.to_owned(),
                key,
                source,
            })?;
            count += 1;
        }
        Ok(count)
    }

    /// Starts the thread that writes.
    pub(super) fn into_writer(self) -> std::io::Result<(Box<dyn Storage>, Closer)> {
        let (work, queue) = channel();
        let database = self.database;
        let writer = std::thread::Builder::new()
            .name("forge-writer".into())
            .spawn(move || write_groups(&database, &queue))?;
        Ok((
            Box::new(Writer { work: work.clone() }),
            Closer {
                work,
                writer: Some(writer),
            },
        ))
    }
}

impl Storage for Writer {
    fn queue(&self, changes: Vec<RowChange>) -> Receipt {
        let (report, receipt) = oneshot::channel();
        // A writer that is gone drops the report, and the receipt says that nothing was stored.
        let _ = self.work.send(Work::Store(changes, report));
        Receipt::pending(receipt)
    }
}

impl Closer {
    /// Waits until everything that was given is stored.
    pub(super) fn close(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        // The writer may have ended already.
        let _ = self.work.send(Work::Close);
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.finish();
    }
}

fn write_groups(database: &Database, queue: &Receiver<Work>) {
    loop {
        let first = match queue.recv_timeout(Duration::from_secs(3600)) {
            Ok(work) => work,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let mut group = Vec::new();
        let mut closing = false;
        let mut next = Some(first);
        while let Some(work) = next {
            match work {
                Work::Store(changes, report) => group.push((changes, report)),
                Work::Close => closing = true,
            }
            next = if closing || group.len() >= GROUP_MAX {
                None
            } else {
                queue.try_recv().ok()
            };
        }
        let stored = store(database, &group).is_ok();
        for (_, report) in group {
            // Whoever asked may have gone.
            let _ = report.send(stored);
        }
        if closing {
            return;
        }
    }
}

fn store(
    database: &Database,
    group: &[(Vec<RowChange>, oneshot::Sender<bool>)],
) -> Result<(), Boxed> {
    if group.is_empty() {
        return Ok(());
    }
    let write = database.begin_write()?;
    {
        let mut rows = write.open_table(ROWS)?;
        for change in group.iter().flat_map(|(changes, _)| changes) {
            let key = (change.table, change.key);
            match &change.value {
                Some(value) => drop(rows.insert(key, value.as_slice())?),
                None => drop(rows.remove(key)?),
            }
        }
    }
    write.commit()?;
    Ok(())
}
