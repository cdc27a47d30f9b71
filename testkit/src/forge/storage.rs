//! The one file that knows the database: rows by table and id, committed in groups.
//!
//! The database is redb: one file, crash-safe by copy on write with checksums, in Rust alone, with
//! nothing to link or to configure. What we need of a database is an ordered map that survives
//! kill -9; SQL would only be in the way, since all questions are answered from memory.
//! Changes of many callers that arrive while one commit waits for the disk are the next commit.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::oneshot;

use super::Error;
use crate::gitea::table::{AnyTable, RowChange};
use crate::gitea::{Receipt, Storage, World};

/// The format of the rows; raised when older folders cannot be read any more.
const FORMAT: u64 = 1;
/// What redb may keep in memory.
const CACHE_BYTES: usize = 4 << 20;
/// The most changes in one commit.
const GROUP_MAX: usize = 512;
/// How many rows are read before they are handed on, and how often that may be ahead.
const BATCH_ROWS: usize = 512;
const BATCHES_AHEAD: usize = 8;
/// A commit that takes longer is worth waiting for others; the wait is an eighth of it.
const SLOW_COMMIT: Duration = Duration::from_millis(1);
const PATIENCE_MAX: Duration = Duration::from_millis(4);

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

/// Rows as they are on disk: the table's place, the key, and where the bytes end.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    rows: Vec<(usize, i64, usize)>,
}

impl Batch {
    fn understand(&self, tables: &mut [&mut dyn AnyTable]) -> Result<(), Error> {
        let mut begin = 0;
        for (at, key, end) in &self.rows {
            let table = &mut tables[*at];
            let loaded = table.load(*key, &self.bytes[begin..*end]);
            loaded.map_err(|source| Error::Row {
                table: table.name().to_owned(),
                key: *key,
                source,
            })?;
            begin = *end;
        }
        Ok(())
    }
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
    ///
    /// One thread reads the database while this one understands the rows: each takes about as long as
    /// the other, and a start waits for nothing else.
    pub(super) fn load(&self, folder: &Path, world: &mut World) -> Result<usize, Error> {
        let mut tables = world.tables();
        let names: Vec<&'static str> = tables.iter().map(|table| table.name()).collect();
        let (send, batches) = sync_channel(BATCHES_AHEAD);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| self.read(&names, send));
            let mut count = 0;
            for batch in batches {
                count += batch.rows.len();
                batch.understand(&mut tables)?;
            }
            let read = reader.join().expect("reading a database does not panic");
            read.map(|()| count).map_err(|source| Error::Database {
                path: folder.to_owned(),
                source,
            })
        })
    }

    /// Gives all rows of the named tables away, in order; ends early when nobody takes them.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "whoever takes the batches is done when this is dropped"
    )]
    fn read(&self, names: &[&str], batches: SyncSender<Batch>) -> Result<(), Boxed> {
        let read = self.database.begin_read()?;
        let rows = read.open_table(ROWS)?;
        // Rows come in the order of their tables.
        let mut at: Option<usize> = None;
        let mut batch = Batch::default();
        for row in rows.iter()? {
            let (key, value) = row?;
            let (table, key) = key.value();
            if at.is_none_or(|at| names[at] != table) {
                at = names.iter().position(|have| *have == table);
            }
            // Rows of tables that are not known are passed over.
            let Some(at) = at else { continue };
            batch.bytes.extend_from_slice(value.value());
            batch.rows.push((at, key, batch.bytes.len()));
            if batch.rows.len() == BATCH_ROWS && batches.send(std::mem::take(&mut batch)).is_err() {
                return Ok(());
            }
        }
        // A row that could not be understood has ended the other side, which tells of it.
        let _ = batches.send(batch);
        Ok(())
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

/// How long a group may wait for callers that the last commit answered.
///
/// They ask again a moment after the next commit could begin: without patience the callers of a slow
/// disk fall into two halves that take turns, and each waits for two commits.
fn patience_after(commit: Duration) -> Duration {
    if commit < SLOW_COMMIT {
        return Duration::ZERO;
    }
    (commit / 8).min(PATIENCE_MAX)
}

fn write_groups(database: &Database, queue: &Receiver<Work>) {
    let (mut answered, mut patience) = (0, Duration::ZERO);
    while let Some((group, closing)) = gather(queue, answered, patience) {
        let begin = Instant::now();
        let stored = store(database, &group).is_ok();
        (answered, patience) = (group.len(), patience_after(begin.elapsed()));
        for (_, report) in group {
            // Whoever asked may have gone.
            let _ = report.send(stored);
        }
        if closing {
            return;
        }
    }
}

/// Changes that are stored together, and who waits for them.
type Group = Vec<(Vec<RowChange>, oneshot::Sender<bool>)>;

/// What is stored next, and whether it is the last; `None` when nobody is left to ask.
///
/// Callers are those who came while the last commit was written, and those whom it answered: as many
/// are waited for, as long as there is patience.
fn gather(queue: &Receiver<Work>, answered: usize, patience: Duration) -> Option<(Group, bool)> {
    let mut group = Group::new();
    let mut next = queue.try_recv().ok();
    while let Some(work) = next.take() {
        match work {
            Work::Store(changes, report) => group.push((changes, report)),
            Work::Close => return Some((group, true)),
        }
        if group.len() < GROUP_MAX {
            next = queue.try_recv().ok();
        }
    }
    let callers = (group.len() + answered).min(GROUP_MAX);
    if group.is_empty() {
        match wait(queue)? {
            Work::Store(changes, report) => group.push((changes, report)),
            Work::Close => return Some((group, true)),
        }
    }
    let until = Instant::now() + patience;
    while group.len() < callers {
        match queue.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Work::Store(changes, report)) => group.push((changes, report)),
            Ok(Work::Close) => return Some((group, true)),
            Err(_) => break,
        }
    }
    Some((group, false))
}

/// Waits for something to do; `None` when nobody is left to ask.
fn wait(queue: &Receiver<Work>) -> Option<Work> {
    loop {
        match queue.recv_timeout(Duration::from_secs(3600)) {
            Ok(work) => return Some(work),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> Work {
        Work::Store(Vec::new(), oneshot::channel().0)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_slow_disk_gets_those_together_that_take_turns() {
        let (send, queue) = channel();
        for _ in 0..4 {
            send.send(change()).unwrap();
        }
        let late = send.clone();
        let answered = std::thread::spawn(move || {
            for _ in 0..4 {
                late.send(change()).unwrap();
            }
        });
        let (group, closing) = gather(&queue, 4, LONG).unwrap();
        answered.join().unwrap();
        assert_eq!((group.len(), closing), (8, false));
        send.send(change()).unwrap();
        send.send(Work::Close).unwrap();
        let (group, closing) = gather(&queue, 8, LONG).unwrap();
        assert_eq!((group.len(), closing), (1, true));
        drop(send);
        assert!(gather(&queue, 8, LONG).is_none());
    }

    #[test]
    fn a_group_has_its_end_and_nothing_of_the_next_is_lost() {
        let (send, queue) = channel();
        for _ in 0..=GROUP_MAX {
            send.send(change()).unwrap();
        }
        let full = gather(&queue, 0, LONG).unwrap().0.len();
        let rest = gather(&queue, 0, LONG).unwrap().0.len();
        assert_eq!((full, rest), (GROUP_MAX, 1));
    }

    #[test]
    fn nobody_waits_on_a_fast_disk_and_nobody_for_long_on_a_slow_one() {
        assert_eq!(patience_after(Duration::from_micros(200)), Duration::ZERO);
        assert_eq!(
            patience_after(Duration::from_millis(8)),
            Duration::from_millis(1)
        );
        assert_eq!(patience_after(Duration::from_secs(60)), PATIENCE_MAX);
    }
}
