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
fn man_pages_are_written_for_each_command() {
    let dir = tempfile::tempdir().unwrap();
    let output = proxmox_ci(&["man", dir.path().to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    for page in ["proxmox-ci.1", "proxmox-ci-completions.1"] {
        assert!(dir.path().join(page).is_file(), "{page} is missing");
    }
}
