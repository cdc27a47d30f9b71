//! The ranges of ids that root may use for guests, in `/etc/subuid` and `/etc/subgid`.
//!
//! Each run adds a line of its own, with a range that nobody else has: two runs share nothing,
//! and each removes exactly its line.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::records::Change;
use super::while_doing;
use crate::guests::Failure;
use crate::guests::lxc::render::IDS;

/// The files that list ranges.
const FILES: [&str; 2] = ["/etc/subuid", "/etc/subgid"];

/// Where ranges usually begin.
const FIRST: u32 = 100_000;

/// Chooses a range that is free in both files. The caller holds the machine's lock.
pub(super) fn choose() -> Result<u32, Failure> {
    let texts: Vec<String> = FILES
        .iter()
        .map(|file| read(Path::new(file)))
        .collect::<Result<_, _>>()?;
    free(&texts).ok_or_else(|| Failure::new("no range of ids is free for guests"))
}

/// The changes that add a range.
pub(super) fn changes(first: u32) -> impl Iterator<Item = Change> {
    let change = move |file| Change::IdRange {
        file: PathBuf::from(file),
        line: line(first),
    };
    FILES.into_iter().map(change)
}

/// Adds a range. The caller holds the machine's lock.
pub(super) fn add(first: u32) -> Result<(), Failure> {
    let add = |file: &str| {
        append(Path::new(file), &line(first)).map_err(while_doing(format!("adding to `{file}`")))
    };
    FILES.iter().try_for_each(|file| add(file))
}

fn line(first: u32) -> String {
    format!("root:{first}:{IDS}")
}

/// Removes a line, once, and leaves everything else as it is. The caller holds the machine's lock.
pub(super) fn remove(file: &Path, line: &str) -> Result<(), Failure> {
    let text = read(file)?;
    let Some(shorter) = without(&text, line) else {
        return Ok(());
    };
    replace(file, &shorter).map_err(while_doing(format!("removing from `{}`", file.display())))
}

fn read(file: &Path) -> Result<String, Failure> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other.map_err(while_doing(format!("reading `{}`", file.display()))),
    }
}

/// The first of a range of ids that overlaps none in these files.
fn free(texts: &[String]) -> Option<u32> {
    let ranges: Vec<(u64, u64)> = texts
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let first: u64 = fields.next()?.trim().parse().ok()?;
            let count: u64 = fields.next()?.trim().parse().ok()?;
            Some((first, first + count))
        })
        .collect();
    let taken = |first: u32| {
        let (first, end) = (u64::from(first), u64::from(first) + u64::from(IDS));
        ranges
            .iter()
            .any(|(other, other_end)| first < *other_end && *other < end)
    };
    (FIRST..u32::MAX - IDS)
        .step_by(IDS as usize)
        .find(|first| !taken(*first))
}

fn append(file: &Path, line: &str) -> io::Result<()> {
    let text = fs::read_to_string(file).unwrap_or_default();
    // A file whose last line has no end would swallow ours; that end is then part of the addition.
    let gap = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    file.write_all(format!("{gap}{line}\n").as_bytes())
}

/// A text without the first line that is exactly this one; `None` when there is none.
fn without(text: &str, line: &str) -> Option<String> {
    let mut found = false;
    let kept: String = text
        .split_inclusive('\n')
        .filter(|one| {
            let is_it = !found && one.trim_end_matches('\n') == line;
            found |= is_it;
            !is_it
        })
        .collect();
    found.then_some(kept)
}

fn replace(file: &Path, text: &str) -> io::Result<()> {
    let before = fs::metadata(file)?;
    let fresh = file.with_extension("proxmox-ci-new");
    let mut new = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&fresh)?;
    new.write_all(text.as_bytes())?;
    new.set_permissions(PermissionsExt::from_mode(before.mode() & 0o7777))?;
    new.sync_all()?;
    fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_overlaps_nobodys() {
        let texts = [
            "me:100000:65536\n".to_owned(),
            "you:231072:1\n# note\n".to_owned(),
        ];
        assert_eq!(free(&texts), Some(165_536));
        assert_eq!(
            free(&[
                "a:100000:65536\nb:165536:65536\n".to_owned(),
                "c:231072:9\n".to_owned()
            ]),
            Some(296_608)
        );
        assert_eq!(free(&[String::new(), String::new()]), Some(100_000));
    }

    #[test]
    fn only_our_line_is_removed() {
        let text = "me:100000:65536\nroot:165536:65536\nroot:165536:655360\n";
        assert_eq!(
            without(text, "root:165536:65536").as_deref(),
            Some("me:100000:65536\nroot:165536:655360\n")
        );
        assert_eq!(without(text, "root:1:1"), None);
    }

    #[test]
    fn a_file_is_byte_for_byte_what_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("subuid");
        fs::write(&file, "me:100000:65536\n").unwrap();
        append(&file, "root:165536:65536").unwrap();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "me:100000:65536\nroot:165536:65536\n"
        );
        remove(&file, "root:165536:65536").unwrap();
        remove(&file, "root:165536:65536").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "me:100000:65536\n");
    }
}
