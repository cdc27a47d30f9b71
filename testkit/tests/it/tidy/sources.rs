//! Who may do what: one room for each kind of IO, sizes, names.

use super::{Tracked, nothing, product_files, rust_files, tracked};

/// Lines that hold one of the words, outside of the files for which `exempt` says so. Comments and
/// what stands below `#[cfg(test)]` do not count.
fn uses(words: &[&str], exempt: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for Tracked { path, text } in product_files().filter(|file| !exempt(&file.path)) {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            if !comment && words.iter().any(|word| line.contains(word)) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn only_the_transport_names_the_http_library() {
    let found = uses(&["reqwest::", "use reqwest"], |path| {
        path.ends_with("/src/transport.rs") || path.contains("/src/transport/")
    });
    nothing("names the HTTP library", &found);
}

#[test]
fn only_the_guest_in_docker_names_the_docker_library() {
    let found = uses(&["bollard::", "use bollard"], |path| {
        path == "lxc-layers/src/guest/docker.rs" || path.starts_with("lxc-layers/src/guest/docker/")
    });
    nothing("names the Docker library", &found);
}

#[test]
fn only_process_rs_spawns_processes() {
    let found = uses(&["Command::new("], |path| {
        path.ends_with("/src/process.rs") || path.contains("/src/process/")
    });
    nothing("spawns a process", &found);
}

#[test]
fn only_the_settings_read_the_environment() {
    let found = uses(&["env::var", "env::vars"], |path| {
        path == "cli/src/settings.rs"
    });
    nothing("reads the environment", &found);
}

#[test]
fn only_the_output_prints() {
    let found = uses(
        &["println!(", "eprintln!(", "print!(", "eprint!("],
        |path| path == "cli/src/output.rs",
    );
    nothing("prints", &found);
}

#[test]
fn what_decides_does_no_io() {
    let pure = |path: &str| {
        let named = ["/request", "/response", "/resolve", "/plan"];
        let client = path.starts_with("proxmox-api/src") || path.starts_with("gitea-api/src");
        let place = if client { &named[..2] } else { &named[2..] };
        let engine = path.starts_with("lxc-layers/src");
        (client || engine)
            && place.iter().any(|name| {
                path.contains(&format!("src{name}.rs")) || path.contains(&format!("src{name}/"))
            })
    };
    let words = [
        "async fn", ".await", "std::fs", "tokio::", "net::Tcp", "net::Udp",
    ];
    nothing(
        "does IO where values are computed",
        &uses(&words, |path| !pure(path)),
    );
}

/// Files above 800 lines that are known; the list may only shrink.
const LONG: &[&str] = &[];

#[test]
fn no_room_is_crowded() {
    let crowded: Vec<String> = rust_files()
        .map(|file| (file.text.lines().count(), file.path))
        .filter(|(lines, path)| *lines > 800 && !LONG.contains(&path.as_str()))
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    nothing("longer than 800 lines", &crowded);
}

#[test]
fn no_file_is_named_after_nothing() {
    let empty = [
        "utils", "util", "helpers", "common", "core", "manager", "misc", "imp", "mod",
    ];
    let found: Vec<String> = rust_files()
        .map(|file| file.path)
        .filter(|path| {
            let name = path.rsplit('/').next().unwrap_or_default();
            empty
                .iter()
                .any(|word| name.strip_suffix(".rs") == Some(word))
        })
        .collect();
    nothing("says nothing by its name", &found);
}

#[test]
fn the_top_level_is_the_table_of_contents() {
    let mut top: Vec<String> = tracked()
        .into_iter()
        .map(|file| file.path.split('/').next().unwrap_or_default().to_owned())
        .collect();
    top.sort();
    top.dedup();
    insta::assert_snapshot!(top.join(" "), @".ci .gitea .gitignore ARCHITECTURE.md CHANGELOG.md Cargo.lock Cargo.toml LICENSE README.md cli clippy.toml deny.toml examples gitea-api lxc-layers proxmox-api rustfmt.toml selfhost testkit");
}
