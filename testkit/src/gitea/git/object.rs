//! Objects of git: their written form, loose on disk.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use sha1::{Digest, Sha1};

use super::Error;

/// The four kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file's content.
    Blob,
    /// A folder.
    Tree,
    /// A commit.
    Commit,
    /// An annotated tag.
    Tag,
}

impl Kind {
    /// Git's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Tree => "tree",
            Self::Commit => "commit",
            Self::Tag => "tag",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        [Self::Blob, Self::Tree, Self::Commit, Self::Tag]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// An object's kind and content.
#[derive(Debug, Clone)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its content without the header.
    pub data: Bytes,
}

/// Who made a commit, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Seconds since 1970.
    pub seconds: i64,
    /// The zone, in minutes east of UTC.
    pub offset: i32,
}

impl Person {
    /// `Name <mail> 1767225600 +0000`.
    #[must_use]
    pub fn written(&self) -> String {
        let (sign, minutes) = if self.offset < 0 {
            ('-', -self.offset)
        } else {
            ('+', self.offset)
        };
        format!(
            "{} <{}> {} {sign}{:02}{:02}",
            self.name,
            self.email,
            self.seconds,
            minutes / 60,
            minutes % 60
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('<')?;
        let (email, rest) = rest.split_once('>')?;
        let mut parts = rest.split_whitespace();
        let seconds = parts
            .next()
            .and_then(|text| text.parse().ok())
            .unwrap_or_default();
        let zone: i32 = parts
            .next()
            .and_then(|text| text.parse().ok())
            .unwrap_or_default();
        Some(Self {
            name: name.trim_end().to_owned(),
            email: email.to_owned(),
            seconds,
            offset: zone / 100 * 60 + zone % 100,
        })
    }
}

/// A commit, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// The id of its tree.
    pub tree: String,
    /// The ids of its parents.
    pub parents: Vec<String>,
    /// Who wrote it.
    pub author: Person,
    /// Who committed it.
    pub committer: Person,
    /// The signature, if it is signed.
    pub signature: Option<String>,
    /// The whole message.
    pub message: String,
}

impl Commit {
    pub(super) fn parse(id: &str, data: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(data);
        let (head, message) = text
            .split_once("\n\n")
            .unwrap_or((text.trim_end_matches('\n'), ""));
        let (mut tree, mut parents, mut author, mut committer, mut signature) =
            (None, Vec::new(), None, None, None::<String>);
        let mut in_signature = false;
        for line in head.lines() {
            if let (true, Some(more)) = (in_signature, line.strip_prefix(' ')) {
                let signature = signature.get_or_insert_default();
                signature.push('\n');
                signature.push_str(more);
                continue;
            }
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            in_signature = key == "gpgsig";
            match key {
                "tree" => tree = Some(value.to_owned()),
                "parent" => parents.push(value.to_owned()),
                "author" => author = Person::parse(value),
                "committer" => committer = Person::parse(value),
                "gpgsig" => signature = Some(value.to_owned()),
                _ => {}
            }
        }
        Some(Self {
            id: id.to_owned(),
            tree: tree?,
            parents,
            author: author?,
            committer: committer?,
            signature,
            message: message.to_owned(),
        })
    }

    /// The commit's content as git stores it.
    #[must_use]
    pub fn written(&self) -> Vec<u8> {
        let mut text = format!("tree {}\n", self.tree);
        for parent in &self.parents {
            text.push_str(&format!("parent {parent}\n"));
        }
        text.push_str(&format!(
            "author {}\ncommitter {}\n\n{}",
            self.author.written(),
            self.committer.written(),
            self.message
        ));
        text.into_bytes()
    }

    /// The first line of the message.
    #[must_use]
    pub fn title(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

/// An annotated tag, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagObject {
    /// What it points at.
    pub object: String,
    /// The kind of that.
    pub kind: String,
    /// The tag's name.
    pub tag: String,
    /// Who made it.
    pub tagger: Option<Person>,
    /// The whole message, with a signature if there is one.
    pub message: String,
}

impl TagObject {
    /// Reads a tag object's content.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(data);
        let (head, message) = text
            .split_once("\n\n")
            .unwrap_or((text.trim_end_matches('\n'), ""));
        let value = |key: &str| {
            head.lines().find_map(|line| {
                line.strip_prefix(key)
                    .and_then(|rest| rest.strip_prefix(' '))
            })
        };
        Some(Self {
            object: value("object")?.to_owned(),
            kind: value("type")?.to_owned(),
            tag: value("tag")?.to_owned(),
            tagger: value("tagger").and_then(Person::parse),
            message: message.to_owned(),
        })
    }

    /// The tag's content as git stores it.
    #[must_use]
    pub fn written(&self) -> Vec<u8> {
        let tagger = self
            .tagger
            .as_ref()
            .map(|tagger| format!("tagger {}\n", tagger.written()))
            .unwrap_or_default();
        format!(
            "object {}\ntype {}\ntag {}\n{tagger}\n{}",
            self.object, self.kind, self.tag, self.message
        )
        .into_bytes()
    }
}

/// The id that content of a kind has.
pub(super) fn id_of(kind: Kind, data: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("{} {}\0", kind.word(), data.len()));
    hash.update(data);
    hex::encode(hash.finalize())
}

fn loose_path(folder: &Path, id: &str) -> PathBuf {
    folder.join("objects").join(&id[..2]).join(&id[2..])
}

/// A loose object; `None` when it is packed or not there.
pub(super) fn read_loose(folder: &Path, id: &str) -> Result<Option<Object>, Error> {
    let path = loose_path(folder, id);
    let file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::File { path, source }),
    };
    let mut data = Vec::new();
    ZlibDecoder::new(file)
        .read_to_end(&mut data)
        .map_err(|source| Error::File { path, source })?;
    let unreadable = || Error::Unreadable {
        id: id.to_owned(),
        kind: "object",
    };
    let end = data
        .iter()
        .position(|byte| *byte == 0)
        .ok_or_else(unreadable)?;
    let head = std::str::from_utf8(&data[..end]).map_err(|_| unreadable())?;
    let kind = head
        .split(' ')
        .next()
        .and_then(Kind::of)
        .ok_or_else(unreadable)?;
    Ok(Some(Object {
        kind,
        data: Bytes::from(data).slice(end + 1..),
    }))
}

/// Writes a loose object under a name of its own and renames it, so that a half-written one is never seen.
pub(super) fn write_loose(folder: &Path, kind: Kind, data: &[u8]) -> Result<String, Error> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = id_of(kind, data);
    let path = loose_path(folder, &id);
    if path.exists() {
        return Ok(id);
    }
    let parent = folder.join("objects").join(&id[..2]);
    let draft = folder.join("objects").join(format!(
        "tmp_obj_{}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    ));
    let write = || -> io::Result<()> {
        fs::create_dir_all(&parent)?;
        let mut out = ZlibEncoder::new(fs::File::create(&draft)?, Compression::fast());
        out.write_all(format!("{} {}\0", kind.word(), data.len()).as_bytes())?;
        out.write_all(data)?;
        out.finish()?;
        fs::rename(&draft, &path)
    };
    write().map_err(|source| Error::File {
        path: path.clone(),
        source,
    })?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_survives_being_taken_apart() {
        let text = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nparent 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@b> 5 +0130\ncommitter C <> 6 -0200\n\nTitle\n\nBody\n";
        let commit = Commit::parse("x", text.as_bytes()).expect("a commit");
        assert_eq!(
            (
                commit.author.offset,
                commit.committer.offset,
                commit.title()
            ),
            (90, -120, "Title")
        );
        assert_eq!(commit.written(), text.as_bytes());
    }

    #[test]
    fn the_empty_tree_has_its_well_known_id() {
        assert_eq!(
            id_of(Kind::Tree, b""),
            "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        );
    }
}
