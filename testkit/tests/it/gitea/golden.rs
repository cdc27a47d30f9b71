//! The golden stories of Gitea 1.26, told to a forge in this process, with floors just under what it reaches.

use std::process::{Command, Output};

use testkit::forge::Forge;

/// Themes, and the share of steps that must be equal, in percent.
const FLOORS: [(&str, u32); 24] = [
    ("auth", 100),
    ("branches", 100),
    ("comments", 100),
    ("commits", 100),
    ("contents", 100),
    ("errors", 100),
    ("git", 98),
    ("hooks", 95),
    ("keys", 100),
    ("labels", 100),
    ("orgs", 100),
    ("paging", 100),
    ("protection", 100),
    ("pulls", 97),
    ("repos", 100),
    ("reviews", 100),
    ("runner-protocol", 98),
    ("secrets", 100),
    ("server", 100),
    ("statuses", 100),
    ("tags", 100),
    ("tokens", 100),
    ("users", 100),
    ("variables", 100),
];

#[expect(
    clippy::disallowed_methods,
    reason = "the replayer is a program of its own"
)]
fn replay(forge: &Forge, theme: &str) -> Output {
    let ready = forge.ready();
    Command::new("python3")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/fixtures/golden/gitea/replay.py"
        ))
        .args([
            "--url",
            &ready.url,
            "--version",
            "1.26",
            "--root-user",
            &ready.root_user,
            "--only",
            theme,
        ])
        .env("GOLDEN_ROOT_PASSWORD", &ready.root_password)
        .env("GOLDEN_ROOT_TOKEN", &ready.root_token)
        .env("GOLDEN_RUNNER_TOKEN", &ready.runner_token)
        .output()
        .unwrap()
}

/// `N stories, N steps, N equal, N differ (P %)` → equal steps and all steps.
fn counted(line: &str) -> Option<(u32, u32)> {
    let number = |word: &str| {
        let before = line.split(word).next()?.split_whitespace().last()?;
        before.parse::<u32>().ok()
    };
    Some((number(" equal")?, number(" steps")?))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stories_are_told_as_the_real_server_tells_them() {
    let forge = std::sync::Arc::new(Forge::start().await.unwrap());
    // Stories mostly wait; some are told at the same time.
    for themes in FLOORS.chunks(6) {
        let mut telling = tokio::task::JoinSet::new();
        for (theme, floor) in themes {
            let forge = std::sync::Arc::clone(&forge);
            telling.spawn_blocking(move || (*theme, *floor, replay(&forge, theme)));
        }
        for (theme, floor, output) in telling.join_all().await {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let (equal, all) = text
                .lines()
                .last()
                .and_then(counted)
                .unwrap_or_else(|| panic!("{theme}: {text}"));
            assert!(
                equal * 100 >= floor * all,
                "{theme}: {equal} of {all}\n{text}"
            );
        }
    }
}
