//! What `bootstrap` prints, as a person reads it.

use std::process::Output;

use insta::assert_snapshot;

use super::succeeded;
use crate::{
    control_plane::World,
    support::{aligned, fits, is_seconds, plain, told},
};

/// The words, with what differs from run to run made the same.
fn masked(world: &World, output: &Output) -> String {
    let places = [
        (world.fleet().display().to_string(), "FLEET"),
        (world.source().display().to_string(), "SOURCE"),
        (world.folder.path().display().to_string(), "FOLDER"),
        (world.node.url().to_owned(), "NODE"),
        (world.node.fingerprint().to_owned(), "FINGERPRINT"),
        (world.url(), "https://CONTROL:3000"),
        (world.net(), "127.0.0"),
    ];
    let text = places
        .iter()
        .fold(told(output), |text, (from, to)| text.replace(from, to));
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.contains("| remote:")) {
        let line = line_of(line);
        // Whether there was room for a time depends on how long it took.
        match lines.last_mut().filter(|_| line.trim() == "(TIME)") {
            Some(last) => last.push_str(" (TIME)"),
            None => lines.push(line),
        }
    }
    lines.join("\n")
}

/// A line without times, hashes, run names and the password.
fn line_of(line: &str) -> String {
    if let Some((before, _)) = line.split_once("password  ") {
        return format!("{before}password  PASSWORD");
    }
    let words = line.split(' ').map(|word| {
        let bare = word.trim_matches(|edge: char| !edge.is_ascii_alphanumeric());
        let is_hex = bare.len() >= 7 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_print = word.len() == 95 && word.split(':').count() == 32;
        let is_run = bare.len() == 21 && bare.contains("Z-");
        match (is_hex, is_run, is_seconds(bare)) {
            (true, _, _) => word.replace(bare, "HASH"),
            (_, true, _) => word.replace(bare, "RUN"),
            (_, _, true) => word.replace(bare, "TIME"),
            _ if is_print => "PRINT".to_owned(),
            _ => word.to_owned(),
        }
    });
    aligned(words.collect::<Vec<_>>().join(" ").trim_end())
}

async fn check(world: &World, name: &str, args: &[&str]) {
    let output = world.bootstrap(args).await;
    succeeded(&output);
    fits(&told(&output), 80);
    let text = masked(world, &output);
    assert_snapshot!(name, text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bootstrap_is_told_before_while_and_after_it_happens() {
    let world = World::new().await;
    check(&world, "told_dry_run", &["--dry-run"]).await;
    let coloured = world.bootstrap(&["--dry-run", "--color=always"]).await;
    let words = world.bootstrap(&["--dry-run"]).await;
    assert_eq!(
        plain(&masked(&world, &coloured)),
        masked(&world, &words),
        "colour changed a word"
    );
    check(&world, "told_bootstrap", &[]).await;
    check(&world, "told_unchanged", &[]).await;
    let refused = world.bootstrap(&["--undo"]).await;
    fits(&told(&refused), 80);
    assert_snapshot!("told_undo_unasked", masked(&world, &refused));
    let undone = world.bootstrap(&["--undo", "--yes"]).await;
    fits(&told(&undone), 80);
    assert_snapshot!("told_undo", masked(&world, &undone));
}
