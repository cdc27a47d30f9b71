//! The program on a terminal, and away from one: colour, width, questions.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
    process::{Command, Output, Stdio},
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize},
};
use tempfile::TempDir;

use crate::{
    scene::Scene,
    support::{fits, plain, proxmox_ci, told},
};

/// A variable of the environment.
type Variable = (&'static str, &'static str);

/// A terminal with so many columns: our end and the program's.
fn terminal(columns: u16) -> (OwnedFd, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let path = std::path::PathBuf::from(name.into_string().unwrap());
    let theirs = File::options().read(true).write(true).open(path).unwrap();
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&theirs, size).unwrap();
    // What is typed is not shown: it would be shown before the question.
    let mut modes = tcgetattr(&theirs).unwrap();
    modes.local_modes -= LocalModes::ECHO;
    tcsetattr(&theirs, OptionalActions::Now, &modes).unwrap();
    (ours, theirs)
}

/// The program on a terminal where somebody typed something: its exit code and all that was shown.
fn on_terminal(mut command: Command, columns: u16, typed: &str) -> (Option<i32>, String) {
    let (ours, theirs) = terminal(columns);
    command
        .stdin(theirs.try_clone().unwrap())
        .stdout(theirs.try_clone().unwrap())
        .stderr(theirs);
    let mut child = command.spawn().unwrap();
    // It holds the program's end too, which would keep ours from ending.
    drop(command);
    let mut ours = File::from(ours);
    ours.write_all(typed.as_bytes()).unwrap();
    let mut shown = Vec::new();
    let mut piece = [0; 4096];
    // The end of a terminal is an error.
    while let Ok(read @ 1..) = ours.read(&mut piece) {
        shown.extend_from_slice(&piece[..read]);
    }
    let code = child.wait().unwrap().code();
    let text = String::from_utf8(shown).unwrap().replace("\r\n", "\n");
    (code, text)
}

/// A new fleet, with a mistake in it.
fn mistaken() -> TempDir {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let fleet = folder.path().display().to_string();
    let made = proxmox_ci(&["init", &fleet]).output().unwrap();
    assert!(made.status.success(), "{}", told(&made));
    let file = folder.path().join("containers/web/config.env");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}MEMROY=512\n")).unwrap();
    folder
}

/// The check of a fleet, with nothing in the environment that says how wide it is.
fn check(fleet: &TempDir, args: &[&str], variables: &[Variable]) -> Command {
    let fleet = fleet.path().display().to_string();
    let mut command = proxmox_ci(&[&["check", "--fleet", &fleet], args].concat());
    command.env_remove("COLUMNS").envs(variables.to_vec());
    command
}

fn piped(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn colour_is_for_terminals_that_nobody_asked_to_be_without() {
    let fleet = mistaken();
    let cases: [(&[&str], &[Variable], bool); 6] = [
        (&[], &[], true),
        (&[], &[("NO_COLOR", "1")], false),
        (&[], &[("NO_COLOR", "")], true),
        (&[], &[("TERM", "dumb")], false),
        (&["--color=never"], &[], false),
        (&["--color=always"], &[("NO_COLOR", "1")], true),
    ];
    let mut words = Vec::new();
    for (args, variables, coloured) in cases {
        let (code, shown) = on_terminal(check(&fleet, args, variables), 80, "");
        assert_eq!(code, Some(65), "{shown}");
        assert_eq!(shown.contains('\u{1b}'), coloured, "{args:?} {variables:?}");
        words.push(plain(&shown));
    }
    words.dedup();
    assert_eq!(words.len(), 1, "colour changed a word: {words:?}");
    assert!(words[0].contains("did you mean `MEMORY`?"), "{words:?}");
}

#[test]
fn away_from_a_terminal_there_is_colour_only_when_asked() {
    let fleet = mistaken();
    let colour = |args: &[&str]| told(&piped(check(&fleet, args, &[]))).contains('\u{1b}');
    assert!(!colour(&[]));
    assert!(!colour(&["--color=auto"]));
    assert!(colour(&["--color=always"]));
    // What stands on standard error is coloured for itself.
    let (ours, theirs) = terminal(80);
    let mut command = check(&fleet, &[], &[]);
    let output = command.stdin(Stdio::null()).stderr(theirs).output();
    drop(command);
    assert!(output.unwrap().stdout.is_empty());
    let mut shown = [0; 4096];
    let read = File::from(ours).read(&mut shown).unwrap();
    assert!(shown[..read].contains(&0x1b));
}

#[test]
fn a_wrong_line_is_coloured_on_a_terminal_alone() {
    let wrong = || {
        let mut command = proxmox_ci(&["plan", "--markdwon"]);
        command.env("TERM", "xterm");
        command
    };
    let (code, shown) = on_terminal(wrong(), 80, "");
    assert_eq!(code, Some(64));
    assert!(shown.contains('\u{1b}'), "{shown}");
    let mut without = wrong();
    without.env("NO_COLOR", "1");
    let (_, without) = on_terminal(without, 80, "");
    assert_eq!(without, plain(&shown));
    let told = told(&piped(wrong()));
    assert!(
        !told.contains('\u{1b}') && told.ends_with(&without),
        "{told}"
    );
}

#[test]
fn sentences_are_folded_to_the_terminal_and_left_whole_for_other_programs() {
    let wrong = |columns: Option<&str>| {
        let mut command = proxmox_ci(&["local", "web", "--fleet", "../examples/fleet"]);
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        match columns {
            Some(columns) => command.env("COLUMNS", columns),
            None => command.env_remove("COLUMNS"),
        };
        command
    };
    let whole = piped(wrong(None));
    let whole = String::from_utf8(whole.stderr).unwrap();
    assert!(whole.lines().any(|line| line.len() > 120), "{whole}");
    for (columns, variable, expected) in [(60, None, 60), (60, Some("90"), 90)] {
        let (_, shown) = on_terminal(wrong(variable), columns, "");
        let shown = plain(&shown);
        fits(&shown, expected);
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(&shown), words(&whole), "a word was lost or cut");
        assert!(shown.lines().count() > whole.lines().count(), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_is_asked_and_what_it_says_is_heard() {
    let scene = Scene::new().await;
    let answer = async |args: &[&str], typed: &'static str| {
        let command = scene.command(args);
        tokio::task::spawn_blocking(move || on_terminal(command, 80, typed))
            .await
            .unwrap()
    };
    for no in ["n\n", "\n", "what?\n", "\u{4}"] {
        let (code, shown) = answer(&["apply"], no).await;
        assert_eq!(code, Some(4), "{no:?}: {shown}");
        assert!(shown.contains("apply this plan? [y/N] "), "{shown}");
        assert!(
            shown.contains("not confirmed; nothing was changed"),
            "{shown}"
        );
        assert!(scene.volumes().is_empty());
    }
    let (code, shown) = answer(&["apply", "db"], "y\n").await;
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(scene.volumes().len(), 1);
    let (code, shown) = answer(&["destroy", "db"], "no\n").await;
    assert_eq!(code, Some(4), "{shown}");
    assert!(
        shown.contains("destroy `db` (guest 111) with all its disks? [y/N] "),
        "{shown}"
    );
    assert_eq!(scene.volumes().len(), 1);
    let (code, shown) = answer(&["destroy", "db"], "yes\n").await;
    assert_eq!(code, Some(0), "{shown}");
    assert!(scene.volumes().is_empty());
}
