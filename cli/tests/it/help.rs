//! The help of every command, found by asking the program itself: laws for all, a snapshot of each.

use insta::assert_snapshot;

use crate::support::{plain, proxmox_ci};

/// The help of one command, in eighty columns.
fn help(command: &[String], colour: &str) -> String {
    let flag = format!("--color={colour}");
    let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
    args.extend([flag.as_str(), "--help"]);
    let output = proxmox_ci(&args).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that a help lists: the lines below `Commands:`, up to the next blank one.
fn listed(help: &str) -> Vec<String> {
    let below = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = below.take_while(|line| !line.trim().is_empty());
    let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = named.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Every command, those of commands below others too.
fn commands() -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut next = 0;
    while let Some(command) = all.get(next).cloned() {
        for name in listed(&help(&command, "never")) {
            let mut below = command.clone();
            below.push(name);
            all.push(below);
        }
        next += 1;
    }
    all
}

#[test]
fn the_help_of_every_command_fits_a_terminal_and_says_what_each_flag_does() {
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        let text = help(&command, "never");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{command:?}: {line}");
        }
        let first = text.lines().next().unwrap_or_default();
        let begins = first.starts_with(|letter: char| letter.is_uppercase());
        assert!(begins, "{command:?} begins with: {first}");
        for (flag, words) in flags(&text) {
            assert!(!words.is_empty(), "{command:?}: nothing is said of {flag}");
        }
    }
}

/// The flags of a help with what is said of them, whichever layout they have.
fn flags(help: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in help.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if text.starts_with('-') && (2..=6).contains(&indent) {
            let (flag, words) = text.split_once("  ").unwrap_or((text, ""));
            found.push((flag.to_owned(), words.trim().to_owned()));
        } else if let Some((_, words)) = found.last_mut().filter(|_| indent > 6) {
            words.push_str(text);
        }
    }
    found
}

#[test]
fn colour_changes_no_word_of_any_help() {
    for command in commands() {
        let coloured = help(&command, "always");
        assert!(coloured.contains('\u{1b}'), "{command:?}");
        assert_eq!(plain(&coloured), help(&command, "never"), "{command:?}");
    }
}

#[test]
fn the_help_of_every_command_is_as_it_was_read() {
    for command in commands() {
        let name = ["help"]
            .into_iter()
            .chain(command.iter().map(String::as_str));
        let name = name.collect::<Vec<_>>().join("-");
        assert_snapshot!(name, help(&command, "never"));
    }
}

#[test]
fn the_help_of_the_program_ends_with_exit_codes_and_environment() {
    let help = help(&[], "never");
    let end = help.split_once("Exit codes:").unwrap().1;
    for code in [
        "0", "1", "2", "3", "4", "64", "65", "69", "73", "75", "76", "77", "78",
    ] {
        assert!(
            end.lines()
                .any(|line| line.trim_start().starts_with(&format!("{code}  "))),
            "{code}"
        );
    }
    assert!(end.contains("NO_COLOR turns colour off"), "{end}");
}
