//! Help, usage errors, completions and man pages.

use crate::support::{proxmox_ci, told};

#[test]
fn a_wrong_command_line_exits_64() {
    let output = proxmox_ci(&["no-such-command"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(
        told(&output).contains("unrecognized subcommand 'no-such-command'"),
        "{}",
        told(&output)
    );
}

#[test]
fn help_is_no_error_and_tells_the_exit_codes() {
    let output = proxmox_ci(&["--help"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Exit codes:"));
}

#[test]
fn what_clap_says_follows_the_flag_for_colour() {
    for (args, coloured) in [
        (["--color=always", "--help"], true),
        (["--color=never", "--help"], false),
        (["--color=always", "no-such"], true),
        (["--quiet", "no-such"], false),
    ] {
        let output = proxmox_ci(&args).output().unwrap();
        assert_eq!(told(&output).contains('\u{1b}'), coloured, "{args:?}");
    }
}

#[test]
fn completions_exist_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = proxmox_ci(&["completions", shell]).output().unwrap();
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("proxmox-ci"),
            "{shell}"
        );
    }
}

#[test]
fn one_command_installs_completions_that_bash_takes_and_a_man_page_for_every_command() {
    let home = tempfile::tempdir().unwrap();
    let output = proxmox_ci(&["completions", "--install"])
        .env("HOME", home.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let share = home.path().join(".local/share");
    let script = share.join("bash-completion/completions/proxmox-ci");
    let completed = bash(&format!(
        "source {} && complete -p proxmox-ci && COMP_WORDS=(proxmox-ci pl) COMP_CWORD=1 && \
         _proxmox__ci proxmox-ci pl proxmox-ci && printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display()
    ));
    assert!(completed.lines().any(|line| line == "plan"), "{completed}");
    for page in [
        "proxmox-ci.1",
        "proxmox-ci-plan.1",
        "proxmox-ci-runner-register.1",
    ] {
        let text = std::fs::read_to_string(share.join("man/man1").join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
}

/// What bash says to a script.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests of the program start what uses it"
)]
fn bash(script: &str) -> String {
    let output = std::process::Command::new("bash")
        .args(["-euc", script])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn man_pages_are_written_for_each_command() {
    let dir = tempfile::tempdir().unwrap();
    let output = proxmox_ci(&["man", dir.path().to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    for page in [
        "proxmox-ci.1",
        "proxmox-ci-completions.1",
        "proxmox-ci-runner-run.1",
    ] {
        assert!(dir.path().join(page).is_file(), "{page} is missing");
    }
}
