//! `git cat-file --batch` processes that stay: packed objects without a start for each.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::{Error, Kind, Object, program};

/// How many repositories may have such a process at a time.
const PROCESSES: usize = 8;

/// The processes, the one used last at the end.
#[derive(Default)]
pub(super) struct Batches {
    running: Vec<(i64, Arc<Mutex<Batch>>)>,
}

impl Batches {
    /// The process of a repository; started if need be, in place of the one not used for longest.
    pub(super) fn of(&mut self, repo: i64, folder: &Path) -> Result<Arc<Mutex<Batch>>, Error> {
        if let Some(at) = self.running.iter().position(|(of, _)| *of == repo) {
            let found = self.running.remove(at);
            let batch = Arc::clone(&found.1);
            self.running.push(found);
            return Ok(batch);
        }
        if self.running.len() >= PROCESSES {
            self.running.remove(0);
        }
        let batch = Arc::new(Mutex::new(Batch::start(folder)?));
        self.running.push((repo, Arc::clone(&batch)));
        Ok(batch)
    }

    pub(super) fn forget(&mut self, repo: i64) {
        self.running.retain(|(of, _)| *of != repo);
    }
}

/// One process; it ends when this is dropped.
pub(super) struct Batch {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Batch {
    fn start(folder: &Path) -> Result<Self, Error> {
        let broken = |source| Error::Program {
            command: "cat-file".into(),
            source,
        };
        let mut child = program::piped(folder, &["cat-file", "--batch"]).map_err(broken)?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err(broken(io::Error::other("no pipe")));
        };
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    pub(super) fn ask(&mut self, id: &str) -> Result<Object, Error> {
        let answer = self.exchange(id).map_err(|source| Error::Program {
            command: "cat-file".into(),
            source,
        })?;
        answer.ok_or_else(|| Error::Missing(id.to_owned()))
    }

    fn exchange(&mut self, id: &str) -> io::Result<Option<Object>> {
        writeln!(self.input, "{id}")?;
        self.input.flush()?;
        let mut head = String::new();
        if self.output.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut parts = head.split_whitespace().skip(1);
        let (Some(kind), Some(size)) = (
            parts.next().and_then(Kind::of),
            parts.next().and_then(|size| size.parse::<usize>().ok()),
        ) else {
            return Ok(None);
        };
        let mut data = vec![0; size + 1];
        self.output.read_exact(&mut data)?;
        data.truncate(size);
        Ok(Some(Object {
            kind,
            data: Bytes::from(data),
        }))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell otherwise.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
