//! The one place that starts programs: argv in, bytes out, always with a limit.
//!
//! A program runs in a process group of its own, and the whole group is killed when its time is up
//! or when nobody waits for it any more. Its environment is empty but for `PATH` and `LC_ALL`,
//! unless [`Program::inherit_env`] says otherwise.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

/// Where programs are looked for, and what language they speak.
const BASE_ENVIRONMENT: [(&str, &str); 2] = [
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("LC_ALL", "C.UTF-8"),
];

/// How long a program may take when nothing else is said.
const USUAL_LIMIT: Duration = Duration::from_secs(60);

/// The most that is kept of what a program writes to stderr, in bytes.
const STDERR_KEPT: usize = 64 * 1024;

/// A program to run.
#[derive(Debug)]
#[must_use]
pub struct Program {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    inherits: bool,
    directory: Option<PathBuf>,
    input: Input,
    limit: Duration,
}

/// What a program reads.
#[derive(Debug)]
enum Input {
    Nothing,
    Bytes(Vec<u8>),
    File(File),
}

/// What a program left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// All it wrote to stdout.
    pub stdout: Vec<u8>,
    /// The first 64 KiB it wrote to stderr.
    pub stderr: Vec<u8>,
}

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It could not be started.
    #[error("starting `{program}`")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It was started, and then could not be talked to.
    #[error("talking to `{program}`")]
    Talk {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It took too long, and was killed.
    #[error("`{program}` did not end within {} s", limit.as_secs())]
    Limit {
        /// The program.
        program: String,
        /// How long it was given.
        limit: Duration,
    },
    /// It ended with another code than 0.
    #[error("`{program}` failed ({status}): {words}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The last line it wrote to stderr, or to stdout when stderr is empty.
        words: String,
    },
}

impl Program {
    /// A program, looked for in the usual places unless it is a path.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            inherits: false,
            directory: None,
            input: Input::Nothing,
            limit: USUAL_LIMIT,
        }
    }

    /// Adds one argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(|one| one.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Gives it this process's environment to begin with.
    pub fn inherit_env(mut self) -> Self {
        self.inherits = true;
        self
    }

    /// Runs it in a folder.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Gives it these bytes to read.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Input::Bytes(bytes.into());
        self
    }

    /// Gives it an open file to read.
    pub fn stdin_file(mut self, file: File) -> Self {
        self.input = Input::File(file);
        self
    }

    /// Kills it after this long; 60 seconds when nothing is said.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end, however that is.
    ///
    /// # Errors
    /// [`Error::Start`], [`Error::Talk`] and [`Error::Limit`].
    pub async fn output(self) -> Result<Output, Error> {
        let limit = self.limit;
        let program = self.name();
        match timeout(limit, self.run()).await {
            Ok(result) => result,
            Err(_) => Err(Error::Limit { program, limit }),
        }
    }

    /// Runs it to a good end, and answers with what it wrote to stdout.
    ///
    /// # Errors
    /// As [`output`](Self::output), and [`Error::Failed`].
    pub async fn checked(self) -> Result<Vec<u8>, Error> {
        let program = self.name();
        let output = self.output().await?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(Error::Failed {
            program,
            status: output.status,
            words: output.words(),
        })
    }

    /// Starts it with pipes at stdin and stdout, for a conversation; stderr is not read. The limit
    /// is for [`Running::wait`].
    ///
    /// # Errors
    /// [`Error::Start`].
    pub fn converse(self) -> Result<Running, Error> {
        let (program, limit) = (self.name(), self.limit);
        let mut prepared = self.prepared();
        prepared
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut group = Group::start(&mut prepared, &program)?;
        let (stdin, stdout) = (group.child.stdin.take(), group.child.stdout.take());
        Ok(Running {
            group,
            stdin,
            stdout,
            program,
            limit,
        })
    }

    fn name(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that starts programs"
    )]
    fn prepared(&self) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.program);
        if !self.inherits {
            command.env_clear().envs(BASE_ENVIRONMENT);
        }
        command
            .args(&self.arguments)
            .envs(self.environment.iter().cloned());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.process_group(0).kill_on_drop(true);
        command
    }

    async fn run(self) -> Result<Output, Error> {
        let program = self.name();
        let mut command = self.prepared();
        let bytes = match self.input {
            Input::Nothing => {
                command.stdin(Stdio::null());
                None
            }
            Input::Bytes(bytes) => {
                command.stdin(Stdio::piped());
                Some(bytes)
            }
            Input::File(file) => {
                command.stdin(file);
                None
            }
        };
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut group = Group::start(&mut command, &program)?;
        group
            .finish(bytes)
            .await
            .map_err(|source| Error::Talk { program, source })
    }
}

impl Output {
    /// What it had to say about a failure: the last line of stderr, or of stdout.
    #[must_use]
    pub fn words(&self) -> String {
        let last = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            text.lines()
                .rev()
                .map(str::trim)
                .find(|line| !line.is_empty())
                .map(str::to_owned)
        };
        last(&self.stderr)
            .or_else(|| last(&self.stdout))
            .unwrap_or_default()
    }
}

/// A program in a conversation. It is killed when this is dropped before its end.
#[derive(Debug)]
pub struct Running {
    group: Group,
    /// What it reads; drop it to say that there is no more.
    pub stdin: Option<ChildStdin>,
    /// What it writes.
    pub stdout: Option<ChildStdout>,
    program: String,
    limit: Duration,
}

impl Running {
    /// Waits for its end, after closing what is left of its stdin and stdout.
    ///
    /// # Errors
    /// [`Error::Limit`] when it does not end in time, [`Error::Talk`] when it cannot be waited for.
    pub async fn wait(mut self) -> Result<ExitStatus, Error> {
        drop(self.stdin.take());
        drop(self.stdout.take());
        let (program, limit) = (self.program, self.limit);
        match timeout(limit, self.group.wait()).await {
            Ok(ended) => ended.map_err(|source| Error::Talk { program, source }),
            Err(_) => Err(Error::Limit { program, limit }),
        }
    }
}

/// A child with all that it started in its process group, killed together when dropped early.
#[derive(Debug)]
struct Group {
    child: tokio::process::Child,
    ended: bool,
}

impl Group {
    fn start(command: &mut tokio::process::Command, program: &str) -> Result<Self, Error> {
        let child = command.spawn().map_err(|source| Error::Start {
            program: program.to_owned(),
            source,
        })?;
        Ok(Self {
            child,
            ended: false,
        })
    }

    async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.ended = true;
        Ok(status)
    }

    async fn finish(&mut self, bytes: Option<Vec<u8>>) -> io::Result<Output> {
        let stdin = self.child.stdin.take();
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let feed = async move {
            if let (Some(mut pipe), Some(bytes)) = (stdin, bytes) {
                // A program may end without having read all: its exit code says more than EPIPE.
                let _ = pipe.write_all(&bytes).await;
            }
            Ok::<(), io::Error>(())
        };
        let (stdout, stderr, ()) =
            tokio::try_join!(drain(stdout, usize::MAX), drain(stderr, STDERR_KEPT), feed)?;
        let status = self.wait().await?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let id = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(leader) = id {
            // It may be gone by now, which is all that is wanted.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Reads a pipe to its end and keeps the first `most` bytes.
async fn drain(pipe: Option<impl AsyncRead + Unpin>, most: usize) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let Some(mut pipe) = pipe else {
        return Ok(kept);
    };
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let read = pipe.read(&mut chunk).await?;
        if read == 0 {
            return Ok(kept);
        }
        kept.extend_from_slice(&chunk[..read.min(most - kept.len().min(most))]);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn what_goes_in_comes_out() {
        let bytes = vec![7; 300_000];
        let echoed = Program::new("cat")
            .stdin(bytes.clone())
            .checked()
            .await
            .unwrap();
        assert_eq!(echoed, bytes);
    }

    #[tokio::test]
    async fn a_failure_has_the_last_words_and_no_environment() {
        let script = "echo first >&2; echo \"home=$HOME path=$PATH\" >&2; exit 3";
        let error = Program::new("sh")
            .args(["-c", script])
            .checked()
            .await
            .unwrap_err();
        let Error::Failed { status, words, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(status.code(), Some(3));
        assert!(words.starts_with("home= path=/usr/local/sbin"), "{words}");
    }

    #[tokio::test]
    async fn a_group_is_killed_when_its_time_is_up() {
        let begun = Instant::now();
        // The grandchild holds the pipe open: killing the child alone would wait for it.
        let error = Program::new("sh")
            .args(["-c", "sleep 30 & wait"])
            .limit(Duration::from_millis(100))
            .output()
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Limit { .. }), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = Program::new("no-such-program").output().await.unwrap_err();
        assert_eq!(error.to_string(), "starting `no-such-program`");
    }

    #[tokio::test]
    async fn a_conversation_goes_both_ways() {
        let mut running = Program::new("cat").converse().unwrap();
        let (mut stdin, mut stdout) = (
            running.stdin.take().unwrap(),
            running.stdout.take().unwrap(),
        );
        stdin.write_all(b"hello").await.unwrap();
        drop(stdin);
        let mut heard = String::new();
        stdout.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello");
        assert!(running.wait().await.unwrap().success());
    }
}
