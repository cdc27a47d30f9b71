//! Processes, files and the disk, for a bench.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testkit::forge::Ready;

/// This program again, as something else; killed when it is dropped.
pub(crate) struct Child(std::process::Child);

impl Child {
    pub(crate) fn start(what: &str, folder: &Path) -> Self {
        let own = std::env::current_exe().unwrap();
        let mut command = program(own.to_str().unwrap());
        Self(
            command
                .arg(what)
                .arg(folder)
                .stdin(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    }

    /// What it holds in memory, shared pages too.
    pub(crate) fn memory_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

/// How a forge ends before it is started again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Killed hard.
    Killed,
    /// Asked to.
    Ended,
}

/// Ends a forge and starts it again; the best of three.
pub(crate) fn seconds_to_ready(folder: &Path, mut forge: Child, end: End) -> (Child, f64) {
    let mut best = f64::MAX;
    for _ in 0..3 {
        if end == End::Ended {
            drop(forge.0.stdin.take());
            forge.0.wait().unwrap();
        }
        drop(forge);
        let begin = Instant::now();
        (forge, _) = self::forge(folder);
        best = best.min(begin.elapsed().as_secs_f64());
    }
    (forge, best)
}

impl Child {
    /// Asks a forge to end, and waits until it has.
    pub(crate) fn end(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench compares processes")]
pub(crate) fn program(name: &str) -> Command {
    Command::new(name)
}

/// Starts a forge in the folder and waits until it is ready.
pub(crate) fn forge(folder: &Path) -> (Child, Ready) {
    // It is not there at first.
    let _ = std::fs::remove_file(folder.join("ready"));
    let child = Child::start("serve-forge", folder);
    let line = ready_of(folder, "ready");
    (child, serde_json::from_str(&line).unwrap())
}

/// What a child wrote when it was ready; the file is taken away.
pub(crate) fn ready_of(folder: &Path, name: &str) -> String {
    let (path, begin) = (folder.join(name), Instant::now());
    while begin.elapsed() < Duration::from_secs(20) {
        if let Ok(text) = std::fs::read_to_string(&path) {
            std::fs::remove_file(&path).unwrap();
            return text;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    panic!("`{name}` did not come");
}

/// Writes a file that appears whole.
pub(crate) fn announce(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    std::fs::write(&draft, text).unwrap();
    std::fs::rename(&draft, path).unwrap();
}

/// Runs git without anybody's configuration; whether it went well.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> bool {
    let mut command = program("git");
    command.args([
        "-c",
        "user.name=T",
        "-c",
        "user.email=t@forge.internal",
        "-c",
        "init.defaultBranch=main",
    ]);
    command
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null());
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0");
    command.status().unwrap().success()
}

/// A work tree with one commit of many files.
pub(crate) fn many_files(work: &Path, count: usize) {
    for number in 0..count {
        let folder = work.join(format!("{:02}", number % 100));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(
            folder.join(format!("{number}.txt")),
            format!("line {number}\n").repeat(20),
        )
        .unwrap();
    }
    assert!(
        git(work, &["init", "-q"])
            && git(work, &["add", "-A"])
            && git(work, &["commit", "-q", "-m", "many"])
    );
}

/// This program as something else on a slow disk, where each fsync takes so much longer.
///
/// It is done by strace, which also writes each of them down, see [`fsyncs_of`]; `None` without it.
pub(crate) fn on_slow_disk(what: &str, folder: &Path, delay: Duration) -> Option<(Child, String)> {
    let version = program("strace").arg("-V").stdout(Stdio::null()).status();
    version.ok().filter(std::process::ExitStatus::success)?;
    let mut command = program("strace");
    command.args(["-f", "-qq", "--seccomp-bpf", "-e", "trace=fsync,fdatasync"]);
    let delay = delay.as_micros();
    command.arg(format!("--inject=fsync,fdatasync:delay_exit={delay}"));
    command.arg("-o").arg(folder.join("trace"));
    command.arg(std::env::current_exe().unwrap());
    command.arg(what).arg(folder).stdin(Stdio::piped());
    let child = Child(command.spawn().unwrap());
    let line = ready_of(folder, "ready");
    Some((child, line))
}

/// How many times a program [`on_slow_disk`] has waited for the disk.
pub(crate) fn fsyncs_of(folder: &Path) -> usize {
    let trace = std::fs::read_to_string(folder.join("trace")).unwrap();
    trace
        .lines()
        .filter(|line| line.ends_with(" = 0 (DELAYED)"))
        .count()
}

/// Writes a second of 512 bytes, one after the other, each followed by an fsync.
pub(crate) fn fsyncs(path: &Path, span: Duration) -> f64 {
    let mut file = std::fs::File::create(path).unwrap();
    let (begin, mut count) = (Instant::now(), 0_u32);
    while begin.elapsed() < span {
        file.write_all(&[7; 512]).unwrap();
        file.sync_all().unwrap();
        count += 1;
    }
    f64::from(count) / begin.elapsed().as_secs_f64()
}
