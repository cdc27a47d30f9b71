//! Running programs: the one place of this crate that spawns processes.
//!
//! A program runs in a process group of its own, within a time limit, and leaves with its group:
//! when the limit is reached, or when the future is dropped, the whole group is killed. Its lines
//! are told while it runs, with secrets already masked; the last of them are kept for the error.

mod held;
mod told;

use std::{
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, Command},
    time::{Instant, sleep_until},
};

pub use held::{Held, Hold};
pub(crate) use told::Told;

use crate::redact::Redactor;

/// How long output is still read after a program ended while a process of its keeps a pipe open.
const DRAIN: Duration = Duration::from_millis(500);

/// The same when that process goes on printing.
const CHATTER: Duration = Duration::from_secs(10);

/// Why a program did not come to an end of its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The program could not be started.
    #[error("starting `{program}`")]
    Start {
        /// Its name.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Its pipes or its end could not be followed.
    #[error("following `{program}`")]
    Follow {
        /// Its name.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It did not end within its limit, and was killed with all its children.
    #[error("`{program}` did not end within {} s and was stopped", limit.as_secs_f64())]
    TimedOut {
        /// Its name.
        program: String,
        /// The limit.
        limit: Duration,
        /// Its last lines.
        tail: Vec<String>,
    },
}

impl Error {
    /// Whether the program does not exist on this machine.
    #[must_use]
    pub fn is_missing_program(&self) -> bool {
        matches!(self, Self::Start { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// The last lines that the program wrote.
    #[must_use]
    pub fn tail(&self) -> &[String] {
        match self {
            Self::TimedOut { tail, .. } => tail,
            Self::Start { .. } | Self::Follow { .. } => &[],
        }
    }
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What is told each line of a running program.
pub type OnLine<'a> = &'a (dyn Fn(Stream, &str) + Send + Sync);

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its exit code; 128 plus the number of the signal that ended it, as shells say it.
    pub code: i32,
    /// What it wrote to standard output, at most four megabytes of it, unmasked.
    pub stdout: Vec<u8>,
    /// Its last lines of both streams, in the order they were read, masked.
    pub tail: Vec<String>,
}

impl Finished {
    /// Whether it ended with 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code == 0
    }

    /// Standard output as text, without blanks at its ends.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }
}

/// A program to run: argument vector, environment, standard input and time limit.
#[derive(Clone)]
pub struct Program {
    name: String,
    args: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    directory: Option<PathBuf>,
    input: Vec<u8>,
    limit: Duration,
    redactor: Redactor,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("name", &self.name)
            .field("args", &self.args)
            .field("input", &format_args!("{} bytes", self.input.len()))
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Program {
    /// The program `name`, looked for in `PATH`, with no arguments, for at most a minute.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            args: Vec::new(),
            environment: Vec::new(),
            directory: None,
            input: Vec::new(),
            limit: Duration::from_secs(60),
            redactor: Redactor::default(),
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.args.push(argument.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I, S>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        self.args.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment; the rest is inherited.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs it in `directory`.
    #[must_use]
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// Gives it `input` on standard input, which is empty otherwise.
    #[must_use]
    pub fn input(mut self, input: Vec<u8>) -> Self {
        self.input = input;
        self
    }

    /// Bounds its running time.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Masks secrets in the lines that are told and kept.
    #[must_use]
    pub fn redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// Runs it to its end, whatever its exit code, and tells nobody its lines.
    ///
    /// # Errors
    ///
    /// When it cannot be started or followed, or does not end within its limit.
    pub async fn capture(self) -> Result<Finished, Error> {
        self.run(&|_, _| {}).await
    }

    /// Runs it to its end, whatever its exit code, and tells `on_line` each line.
    ///
    /// # Errors
    ///
    /// When it cannot be started or followed, or does not end within its limit.
    pub async fn run(self, on_line: OnLine<'_>) -> Result<Finished, Error> {
        let mut child = self
            .spawn(!self.input.is_empty())
            .map_err(|source| Error::Start {
                program: self.name.clone(),
                source,
            })?;
        let group = Group::of(&child);
        let mut told = Told::new(&self.redactor, on_line);
        let stdin = child.stdin.take();
        let work = async {
            let (status, ()) =
                tokio::try_join!(follow(&mut child, &mut told), feed(stdin, &self.input))?;
            Ok(status)
        };
        let outcome = tokio::time::timeout(self.limit, work).await;
        match outcome {
            Ok(Ok(status)) => {
                group.left_alone();
                Ok(told.finished(exit_code(status)))
            }
            Ok(Err(source)) => Err(Error::Follow {
                program: self.name.clone(),
                source,
            }),
            Err(_) => Err(Error::TimedOut {
                program: self.name.clone(),
                limit: self.limit,
                tail: told.into_tail(),
            }),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that spawns processes"
    )]
    fn spawn(&self, has_input: bool) -> io::Result<Child> {
        let mut command = Command::new(&self.name);
        command
            .args(&self.args)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(if has_input {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.spawn()
    }
}

/// A process group that is killed when it is dropped before its leader ended by itself.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(
            child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(Pid::from_raw),
        )
    }

    fn left_alone(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // The group may be gone already, and then there is nothing to stop.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Writes the whole input; a program that does not want it is not an error.
async fn feed(stdin: Option<ChildStdin>, input: &[u8]) -> io::Result<()> {
    let Some(mut stdin) = stdin else {
        return Ok(());
    };
    match stdin.write_all(input).await {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Reads both streams until the program ended and its pipes are empty.
async fn follow(child: &mut Child, told: &mut Told<'_>) -> io::Result<ExitStatus> {
    let mut out = Pipe::new(child.stdout.take(), Stream::Stdout);
    let mut err = Pipe::new(child.stderr.take(), Stream::Stderr);
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        if let Some((status, since)) = ended
            && ((!out.is_open() && !err.is_open()) || since.elapsed() >= CHATTER)
        {
            return Ok(status);
        }
        let since = ended.map_or_else(Instant::now, |(_, since)| since);
        tokio::select! {
            // What the pipes hold is read before the time is looked at: we may be late ourselves.
            biased;
            status = child.wait(), if ended.is_none() => {
                ended = Some((status?, Instant::now()));
            }
            read = out.read(), if out.is_open() => out.take(read?, told),
            read = err.read(), if err.is_open() => err.take(read?, told),
            () = sleep_until(since + DRAIN), if ended.is_some() => {
                out.source = None;
                err.source = None;
            }
        }
    }
}

/// One stream of the program.
struct Pipe<R> {
    source: Option<R>,
    stream: Stream,
    chunk: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    fn new(source: Option<R>, stream: Stream) -> Self {
        Self {
            source,
            stream,
            chunk: vec![0; 16 * 1024],
        }
    }

    fn is_open(&self) -> bool {
        self.source.is_some()
    }

    async fn read(&mut self) -> io::Result<usize> {
        match &mut self.source {
            Some(source) => source.read(&mut self.chunk).await,
            None => Ok(0),
        }
    }

    fn take(&mut self, read: usize, told: &mut Told<'_>) {
        if read == 0 {
            self.source = None;
            told.flush(self.stream);
        } else {
            told.take(self.stream, &self.chunk[..read]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn shell(script: &str) -> Program {
        Program::new("sh").args(["-c", script])
    }

    #[tokio::test]
    async fn lines_are_told_in_order_and_the_last_without_an_end_too() {
        let lines = Mutex::new(Vec::new());
        let finished = shell("echo one; echo two; printf three")
            .run(&|stream, line| lines.lock().unwrap().push((stream, line.to_owned())))
            .await
            .unwrap();
        assert_eq!(finished.code, 0);
        assert_eq!(finished.text(), "one\ntwo\nthree");
        let expected = ["one", "two", "three"].map(|line| (Stream::Stdout, line.to_owned()));
        assert_eq!(*lines.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn a_failure_is_an_outcome_with_its_last_lines() {
        let finished = shell("seq 1 100; echo broken >&2; exit 7")
            .capture()
            .await
            .unwrap();
        assert_eq!(finished.code, 7);
        assert_eq!(finished.tail.len(), 30);
        assert!(finished.tail.contains(&"broken".to_owned()));
    }

    #[tokio::test]
    async fn a_signal_has_the_code_that_shells_give_it() {
        let finished = shell("kill -TERM $$").capture().await.unwrap();
        assert_eq!(finished.code, 143);
    }

    #[tokio::test]
    async fn input_arrives_and_an_unread_rest_is_no_error() {
        let echoed = Program::new("cat")
            .input(b"hello".to_vec())
            .capture()
            .await
            .unwrap();
        assert_eq!(echoed.stdout, b"hello");
        let ignored = Program::new("true")
            .input(vec![b'x'; 1 << 20])
            .capture()
            .await
            .unwrap();
        assert!(ignored.is_success());
    }

    #[tokio::test]
    async fn the_limit_ends_the_whole_group() {
        // On a busy machine a shell needs its time to begin.
        for limit in [300, 3_000, 30_000].map(Duration::from_millis) {
            let started = Instant::now();
            let error = shell("echo begun; sleep 300 & sleep 300")
                .limit(limit)
                .capture()
                .await
                .unwrap_err();
            assert!(matches!(&error, Error::TimedOut { .. }), "{error:?}");
            assert!(started.elapsed() < Duration::from_secs(200));
            if error.tail() == ["begun"] {
                return;
            }
        }
        panic!("the shell did not even begin");
    }

    #[tokio::test]
    async fn a_child_that_keeps_the_pipe_does_not_keep_us() {
        let started = Instant::now();
        let finished = shell("sleep 90 & echo done").capture().await.unwrap();
        assert_eq!(finished.text(), "done");
        assert!(started.elapsed() < Duration::from_secs(80));
    }

    #[tokio::test]
    async fn secrets_are_masked_in_lines_and_in_the_tail() {
        let told = Mutex::new(String::new());
        let finished = shell("echo token=hunter2-long")
            .redactor(Redactor::new(["hunter2-long"]))
            .run(&|_, line| told.lock().unwrap().push_str(line))
            .await
            .unwrap();
        assert_eq!(*told.lock().unwrap(), "token=[redacted]");
        assert_eq!(finished.tail, ["token=[redacted]"]);
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = Program::new("no-such-program-here")
            .capture()
            .await
            .unwrap_err();
        assert!(error.is_missing_program());
        assert_eq!(error.to_string(), "starting `no-such-program-here`");
    }
}
