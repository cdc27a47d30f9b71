//! The one place of this crate that starts processes: a group of their own, one pipe for what they
//! print, an end within bounds.

use std::{
    ffi::OsString,
    fs, io,
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    pin::Pin,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::{
    fs::{Access, access},
    process::{Pid, Signal, kill_process, kill_process_group},
};
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    process::{Child, Command},
    time::{Instant, timeout_at},
};

use crate::wait::pause;

/// How long a group has to end by itself after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// How long the pipe may stay open once the whole group was killed: a process that left the group
/// must not keep us.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often processes are looked for, and how long nothing happens in between.
const LOOKS_MAX: usize = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

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

/// A program that runs. Its output is to be read to the end, then its own end is to be asked for.
#[derive(Debug)]
pub(crate) struct Started {
    output: pipe::Receiver,
    child: Child,
    group: Group,
    phase: Phase,
    buffer: Box<[u8]>,
}

/// How far a program is on its way to its end.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// It may go on, until this moment.
    Running(Option<Instant>),
    /// It was asked to end, and has until this moment.
    Asked(Instant),
    /// It was killed; what is still in the pipe is read until this moment.
    Killed(Instant, End),
}

impl Program {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(self) -> io::Result<Started> {
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
        let mut command =
            Command::new(self.located(program).as_deref().unwrap_or(program.as_ref()));
        command.as_std_mut().arg0(program);
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
        let group = Group::of(&child);
        let phase = Phase::Running(self.deadline);
        Ok(Started {
            output,
            child,
            group,
            phase,
            buffer: vec![0; 64 * 1024].into(),
        })
    }
}

impl Program {
    /// Where the program is, if its name is one to be looked for. The library that starts processes
    /// would look itself, but can then only copy this process first, which takes longer than all else.
    fn located(&self, program: &str) -> Option<PathBuf> {
        let path = self.env.iter().rfind(|(name, _)| name == "PATH");
        let (_, path) = path.filter(|_| !program.contains('/'))?;
        std::env::split_paths(path)
            .map(|folder| self.folder.join(folder).join(program))
            .find(|file| file.is_file() && access(file, Access::EXEC_OK).is_ok())
    }
}

impl Started {
    /// The next bytes that it prints, standard output and standard error in the order in which
    /// they were written; none when there will be no more. When `stop` ends, or its time is over,
    /// it is ended with its group.
    pub(crate) async fn read(
        &mut self,
        mut stop: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> Option<&[u8]> {
        let length = loop {
            match self.phase {
                Phase::Running(deadline) => tokio::select! {
                    read = self.output.read(&mut self.buffer) => break read.unwrap_or(0),
                    () = passed(deadline) => self.kill(End::TimedOut),
                    () = stop.as_mut() => self.ask(),
                },
                Phase::Asked(until) => {
                    match timeout_at(until, self.output.read(&mut self.buffer)).await {
                        Ok(Ok(length @ 1..)) => break length,
                        _ => self.kill(End::Cancelled),
                    }
                }
                Phase::Killed(until, _) => {
                    let read = timeout_at(until, self.output.read(&mut self.buffer)).await;
                    break read.map_or(0, |read| read.unwrap_or(0));
                }
            }
        };
        (length > 0).then(|| &self.buffer[..length])
    }

    /// How it ended, once there is nothing to read any more.
    pub(crate) async fn end(
        mut self,
        mut stop: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> io::Result<End> {
        loop {
            match self.phase {
                Phase::Running(deadline) => tokio::select! {
                    status = self.child.wait() => return Ok(End::Exited(code(status?))),
                    () = passed(deadline) => self.kill(End::TimedOut),
                    () = stop.as_mut() => self.ask(),
                },
                Phase::Asked(until) => {
                    drop(timeout_at(until, self.child.wait()).await);
                    self.kill(End::Cancelled);
                }
                Phase::Killed(_, end) => {
                    self.child.wait().await?;
                    return Ok(end);
                }
            }
        }
    }

    fn ask(&mut self) {
        self.group.signal(Signal::TERM);
        self.phase = Phase::Asked(Instant::now() + GRACE);
    }

    fn kill(&mut self, end: End) {
        self.group.signal(Signal::KILL);
        self.phase = Phase::Killed(Instant::now() + LAST_WORDS, end);
    }
}

/// The processes that a program started, unless they left its group.
#[derive(Debug)]
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
            let _ = kill_process_group(group, signal);
        }
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
pub(crate) async fn kill_marked(name: &str, value: &str) -> usize {
    let mark = format!("{name}={value}").into_bytes();
    kill_where(|variable| variable == mark).await
}

/// The same for every value that is a path below a folder: what a killed runner left behind.
pub(crate) async fn kill_marked_below(name: &str, folder: &Path) -> usize {
    let mark = format!("{name}={}/", folder.display()).into_bytes();
    kill_where(|variable| variable.starts_with(&mark)).await
}

/// Looks until two looks in a row find nothing: a process can start another one meanwhile, and
/// the environment of one that is just starting a program cannot be read.
async fn kill_where(found: impl Fn(&[u8]) -> bool) -> usize {
    let marked = |folder: &Path| {
        let environment = fs::read(folder.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(&found)
    };
    let (mut killed, mut quiet) = (0, 0);
    for _ in 0..LOOKS_MAX {
        let these: Vec<Pid> = processes()
            .filter(|(_, folder)| marked(folder))
            .map(|(id, _)| id)
            .collect();
        quiet = if these.is_empty() { quiet + 1 } else { 0 };
        if quiet == 2 {
            break;
        }
        killed += these.len();
        for id in these {
            let _ = kill_process(id, Signal::KILL);
        }
        pause(BETWEEN_LOOKS).await;
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
    use std::{future::pending, os::unix::fs::symlink, pin::pin};

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
        let mut stop = pin!(pending());
        let mut printed = Vec::new();
        let mut started = program.start().unwrap();
        while let Some(bytes) = started.read(stop.as_mut()).await {
            printed.extend_from_slice(bytes);
        }
        (
            started.end(stop).await.unwrap(),
            String::from_utf8(printed).unwrap(),
        )
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
        // On a busy machine a shell needs its time to begin.
        for limit in [200, 2_000, 20_000].map(Duration::from_millis) {
            let begun = Instant::now();
            let (end, printed) = run(Program {
                deadline: Some(begun + limit),
                ..shell("echo start; sleep 300; echo never")
            })
            .await;
            assert_eq!(end, End::TimedOut);
            assert!(begun.elapsed() < Duration::from_secs(200));
            if printed == "start\n" {
                return;
            }
            assert_eq!(printed, "");
        }
        panic!("the shell did not even begin");
    }

    #[tokio::test]
    async fn a_cancelled_program_may_say_its_last_words() {
        let stop = Notify::new();
        let mut stopped = pin!(stop.notified());
        let mut printed = Vec::new();
        let mut started = shell("trap 'echo bye; exit 1' TERM; sleep 60 & echo start; wait")
            .start()
            .unwrap();
        while let Some(bytes) = started.read(stopped.as_mut()).await {
            printed.extend_from_slice(bytes);
            stop.notify_one();
        }
        assert_eq!(started.end(stopped).await.unwrap(), End::Cancelled);
        assert_eq!(String::from_utf8(printed).unwrap(), "start\nbye\n");
    }

    #[tokio::test]
    async fn what_left_the_group_is_found_by_its_mark() {
        let mark = format!("{}-{:?}", std::process::id(), std::thread::current().id());
        let mut program = shell("setsid sleep 60 >/dev/null 2>&1 </dev/null & echo $!");
        program.env.push(("TRACKED".into(), mark.clone().into()));
        let (end, _) = run(program).await;
        assert_eq!(end, End::Exited(0));
        assert!(kill_marked("TRACKED", &mark).await >= 1);
    }

    #[tokio::test]
    async fn a_program_is_looked_for_in_its_own_path_and_called_as_it_was_named() {
        let folder = tempfile::tempdir().unwrap();
        // A folder of that name, and a file that may not be run, are no programs.
        fs::create_dir_all(folder.path().join("first/greet")).unwrap();
        for place in ["second", "third"] {
            fs::create_dir(folder.path().join(place)).unwrap();
        }
        fs::write(folder.path().join("second/greet"), "").unwrap();
        symlink("/bin/sh", folder.path().join("third/greet")).unwrap();
        let program = Program {
            argv: ["greet", "-c", "echo $0"].map(str::to_owned).to_vec(),
            env: vec![("PATH".into(), "first:second:third".into())],
            folder: folder.path().to_owned(),
            deadline: None,
        };
        assert_eq!(run(program).await, (End::Exited(0), "greet\n".to_owned()));
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error() {
        let program = Program {
            argv: vec!["/no/such/program".to_owned()],
            ..shell("")
        };
        let error = program.start().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
