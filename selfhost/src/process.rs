//! The one place of this crate that starts processes: a group of their own, one pipe for what they
//! print, an end within bounds.

use std::{
    ffi::OsString,
    fs, io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::{Path, PathBuf},
    pin::pin,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    process::{Child, Command},
    time::{Instant, timeout, timeout_at},
};

/// How long a group has to end by itself after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// How long the pipe may stay open once the whole group was killed: a process that left the group
/// must not keep us.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A program to be run.
#[derive(Debug)]
pub(crate) struct Program {
    /// Program and arguments. A name without `/` is looked for in `PATH` of `env`.
    pub(crate) argv: Vec<String>,
    /// The whole environment.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// Where it runs.
    pub(crate) folder: PathBuf,
    /// When it must have ended.
    pub(crate) deadline: Option<Instant>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, with this code; a signal counts as 128 and its number.
    Exited(i32),
    /// It took longer than it was given, and was killed with its group.
    TimedOut,
    /// Somebody stopped the job, and it was ended with its group.
    Cancelled,
}

impl Program {
    /// Runs it to its end and hands on what it prints, standard output and standard error in the
    /// order in which they were written. Ends early when `stop` does.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn run(
        self,
        stop: impl Future<Output = ()>,
        mut print: impl AsyncFnMut(&[u8]),
    ) -> io::Result<End> {
        let mut stop = pin!(stop);
        let (mut output, mut child) = self.spawn()?;
        let mut buffer = vec![0; 64 * 1024];
        let group = Group::of(&child);
        loop {
            tokio::select! {
                read = output.read(&mut buffer) => match read {
                    Ok(0) | Err(_) => break,
                    Ok(length) => print(&buffer[..length]).await,
                },
                () = passed(self.deadline) => {
                    group.signal(Signal::KILL);
                    drain(&mut output, &mut buffer, &mut print).await;
                    child.wait().await?;
                    return Ok(End::TimedOut);
                }
                () = &mut stop => {
                    group.signal(Signal::TERM);
                    // What it says while it ends is still worth reading.
                    drop(timeout(GRACE, read_on(&mut output, &mut buffer, &mut print)).await);
                    group.signal(Signal::KILL);
                    drain(&mut output, &mut buffer, &mut print).await;
                    child.wait().await?;
                    return Ok(End::Cancelled);
                }
            }
        }
        self.wait(&mut child, &group, stop).await
    }

    /// Waits for a program that has closed its output.
    async fn wait(
        &self,
        child: &mut Child,
        group: &Group,
        stop: impl Future<Output = ()>,
    ) -> io::Result<End> {
        let end = tokio::select! {
            status = child.wait() => return Ok(End::Exited(code(status?))),
            () = passed(self.deadline) => End::TimedOut,
            () = stop => End::Cancelled,
        };
        if end == End::Cancelled {
            group.signal(Signal::TERM);
            drop(timeout(GRACE, child.wait()).await);
        }
        group.signal(Signal::KILL);
        child.wait().await?;
        Ok(end)
    }

    fn spawn(&self) -> io::Result<(pipe::Receiver, Child)> {
        let (reader, writer) = io::pipe()?;
        let [program, arguments @ ..] = self.argv.as_slice() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no program is named",
            ));
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "this file is the one that starts processes"
        )]
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn()?;
        // The command holds our ends of the pipe; only the program may keep it open.
        drop(command);
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok((output, child))
    }
}

/// The processes that a program started, unless they left its group.
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

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // A group that is gone already is what we want.
            drop(kill_process_group(group, signal));
        }
    }
}

async fn drain(output: &mut pipe::Receiver, buffer: &mut [u8], print: &mut impl AsyncFnMut(&[u8])) {
    drop(timeout(LAST_WORDS, read_on(output, buffer, print)).await);
}

async fn read_on(
    output: &mut pipe::Receiver,
    buffer: &mut [u8],
    print: &mut impl AsyncFnMut(&[u8]),
) {
    while let Ok(length @ 1..) = output.read(buffer).await {
        print(&buffer[..length]).await;
    }
}

/// Ends when the time has come; never, where there is none.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => drop(timeout_at(deadline, std::future::pending::<()>()).await),
        None => std::future::pending().await,
    }
}

fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Kills every process whose environment holds `NAME=value`, wherever it has moved; at the end of
/// a job nothing of it may stay behind. Returns how many there were.
pub(crate) fn kill_marked(name: &str, value: &str) -> usize {
    let mark = format!("{name}={value}").into_bytes();
    let marked = |folder: &Path| {
        let environment = fs::read(folder.join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark)
    };
    let mut killed = 0;
    // A process can start another one while we look: look again until nothing is found.
    for _ in 0..10 {
        let found: Vec<Pid> = processes()
            .filter(|(_, folder)| marked(folder))
            .map(|(id, _)| id)
            .collect();
        if found.is_empty() {
            break;
        }
        killed += found.len();
        for id in found {
            drop(kill_process(id, Signal::KILL));
        }
    }
    killed
}

fn processes() -> impl Iterator<Item = (Pid, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let id = entry
            .file_name()
            .to_str()?
            .parse()
            .ok()
            .and_then(Pid::from_raw)?;
        Some((id, entry.path()))
    })
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::Notify;

    use super::*;

    fn shell(script: &str) -> Program {
        Program {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: vec![
                ("PATH".into(), "/usr/bin:/bin".into()),
                ("MARK".into(), "here".into()),
            ],
            folder: "/".into(),
            deadline: None,
        }
    }

    async fn run(program: Program) -> (End, String) {
        let mut printed = Vec::new();
        let end = program
            .run(pending(), async |bytes: &[u8]| {
                printed.extend_from_slice(bytes)
            })
            .await;
        (end.unwrap(), String::from_utf8(printed).unwrap())
    }

    #[tokio::test]
    async fn both_outputs_come_in_the_order_in_which_they_were_written() {
        let program = shell("echo a; echo b >&2; echo c; exit 3");
        assert_eq!(run(program).await, (End::Exited(3), "a\nb\nc\n".to_owned()));
    }

    #[tokio::test]
    async fn a_signal_counts_as_128_and_its_number() {
        assert_eq!(run(shell("kill -9 $$")).await.0, End::Exited(137));
    }

    #[tokio::test]
    async fn time_ends_the_whole_group() {
        let deadline = Some(Instant::now() + Duration::from_millis(200));
        let begun = Instant::now();
        let (end, printed) = run(Program {
            deadline,
            ..shell("echo start; sleep 60; echo never")
        })
        .await;
        assert_eq!((end, printed.as_str()), (End::TimedOut, "start\n"));
        assert!(begun.elapsed() < Duration::from_secs(20));
    }

    #[tokio::test]
    async fn a_cancelled_program_may_say_its_last_words() {
        let stop = Notify::new();
        let program = shell("trap 'echo bye; exit 1' TERM; sleep 60 & echo start; wait");
        let mut printed = Vec::new();
        let end = program
            .run(stop.notified(), async |bytes: &[u8]| {
                printed.extend_from_slice(bytes);
                stop.notify_one();
            })
            .await;
        assert_eq!(end.unwrap(), End::Cancelled);
        assert_eq!(String::from_utf8(printed).unwrap(), "start\nbye\n");
    }

    #[tokio::test]
    async fn what_left_the_group_is_found_by_its_mark() {
        let mark = format!("{}-{:?}", std::process::id(), std::thread::current().id());
        let mut program = shell("setsid sleep 60 >/dev/null 2>&1 </dev/null & echo $!");
        program.env.push(("TRACKED".into(), mark.clone().into()));
        let (end, _) = run(program).await;
        assert_eq!(end, End::Exited(0));
        assert!(kill_marked("TRACKED", &mark) >= 1);
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        let program = Program {
            argv: vec!["/no/such/program".to_owned()],
            ..shell("")
        };
        let error = program
            .run(pending(), async |_: &[u8]| {})
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
