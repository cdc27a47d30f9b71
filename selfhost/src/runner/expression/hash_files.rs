//! `hashFiles`: one hash for the files of the workspace that match some patterns.

use std::{
    fs,
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};
use sha2::{Digest, Sha256};

use super::Error;

/// SHA-256 over the binary SHA-256 of each file: patterns in the order given, files of one pattern
/// in the order of their paths, each file once. `!pattern` takes away. Nothing found is the empty
/// text.
pub(super) fn hash_files(workspace: Option<&Path>, patterns: &[String]) -> Result<String, Error> {
    let Some(workspace) = workspace else {
        return Ok(String::new());
    };
    let files = matching(workspace, patterns)?;
    if files.is_empty() {
        return Ok(String::new());
    }
    let mut whole = Sha256::new();
    for file in files {
        let content =
            fs::read(&file).map_err(|error| wrong(format!("{}: {error}", file.display())))?;
        whole.update(Sha256::digest(&content));
    }
    Ok(whole
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn wrong(reason: String) -> Error {
    Error::Function {
        function: "hashFiles",
        reason,
    }
}

/// The files in the order in which they count.
fn matching(workspace: &Path, patterns: &[String]) -> Result<Vec<PathBuf>, Error> {
    let all = files_below(workspace);
    let mut chosen: Vec<PathBuf> = Vec::new();
    for pattern in patterns.iter().flat_map(|text| text.lines()).map(str::trim) {
        let (taken_away, pattern) = match pattern.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let matchers = matchers(workspace, pattern)?;
        let fits = |path: &Path| {
            path.strip_prefix(workspace)
                .is_ok_and(|path| matchers.iter().any(|glob| glob.is_match(path)))
        };
        if taken_away {
            chosen.retain(|path| !fits(path));
        } else {
            let found: Vec<PathBuf> = all
                .iter()
                .filter(|path| fits(path) && !chosen.contains(path))
                .cloned()
                .collect();
            chosen.extend(found);
        }
    }
    Ok(chosen)
}

/// A pattern matches files, and everything below the folders that it matches.
fn matchers(workspace: &Path, pattern: &str) -> Result<Vec<GlobMatcher>, Error> {
    let below = pattern
        .strip_prefix(&*workspace.to_string_lossy())
        .unwrap_or(pattern);
    let relative = below.trim_start_matches("./").trim_start_matches('/');
    let glob = |text: &str| {
        let built = GlobBuilder::new(text).literal_separator(true).build();
        built
            .map(|glob| glob.compile_matcher())
            .map_err(|error| wrong(error.to_string()))
    };
    Ok(vec![
        glob(relative)?,
        glob(&format!("{}/**", relative.trim_end_matches('/')))?,
    ])
}

/// Every file below a folder, by path; links to folders are not followed.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) if entry.path().is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(patterns: &[&str]) -> String {
        let workspace = tempfile::tempdir().unwrap();
        let at = |path: &str| workspace.path().join(path);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::create_dir_all(at(".hidden")).unwrap();
        for (path, text) in [
            ("a/one.txt", "one\n"),
            ("a/b/two.txt", "two\n"),
            ("Cargo.lock", "lock\n"),
            (".hidden/h.txt", "h\n"),
            ("empty", ""),
        ] {
            fs::write(at(path), text).unwrap();
        }
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        hash_files(Some(workspace.path()), &patterns).unwrap()
    }

    #[test]
    fn hashes_are_those_of_the_real_runner() {
        let cases: [(&[&str], &str); 8] = [
            (
                &["Cargo.lock"],
                "558f08ab17103e4aa60b92475675ae7a1eb9e3d1c0c5d7941649ae6b58583991",
            ),
            (
                &["./Cargo.lock"],
                "558f08ab17103e4aa60b92475675ae7a1eb9e3d1c0c5d7941649ae6b58583991",
            ),
            (
                &["**/*.txt"],
                "a0712eba87f4e5bd00c270c2a9792a10dc21d518aef05d31ae117e9e702b0147",
            ),
            (
                &["a/*"],
                "18d44588eb754c302baf9983ec63f3a13e277d576590f7dd1dcbe7b603d10c66",
            ),
            (
                &["a/one.txt", "Cargo.lock"],
                "5b44ff0577bd6f59dfc2daf55a802346fa7ba2b419bb3c16575ce69dd02ff46d",
            ),
            (
                &["Cargo.lock", "a/one.txt"],
                "f4f6bd8c92ce5e461882fce85f615cceb32a738f0bf3375c82f491341716f722",
            ),
            (
                &["**/*.txt", "!a/b/**"],
                "9e5b4fcad6e7e8eeeb2e37bb15a1b0868a74254e91eae6f19be7cf6bef8bb339",
            ),
            (&["no-such-file"], ""),
        ];
        for (patterns, hash) in cases {
            assert_eq!(hashed(patterns), hash, "{patterns:?}");
        }
    }
}
