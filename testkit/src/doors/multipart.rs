//! Taking a multipart upload apart while it arrives, by the server's own strict rules.
//!
//! The fields must come in this order: `content`, `checksum-algorithm`, `checksum`, the file, whose
//! field is called `filename`; what follows the file is ignored.

use std::io;

use md5::Md5;
use memchr::memmem;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::pve::{Reply, Upload};

/// The order of the fields.
const ORDER: [&str; 4] = ["content", "checksum-algorithm", "checksum", "filename"];

/// The longest head of a part, and the longest field beside the file.
const FIELD_MAX: usize = 16 * 1024;

/// Where the file's bytes go.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// An upload that is still arriving.
pub(crate) struct Multipart {
    mark: Vec<u8>,
    buffer: Vec<u8>,
    state: State,
    next: usize,
    upload: Upload,
    hasher: Option<Hasher>,
}

enum State {
    /// Before the first boundary.
    Start,
    /// After a boundary: the head of a part.
    Head,
    Field(usize),
    File,
    /// Whatever comes after the file.
    Done,
}

enum Hasher {
    Md5(Md5),
    Sha1(Sha1),
    Sha224(Sha224),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    fn new(name: &str) -> Option<Self> {
        Some(match name {
            "md5" => Self::Md5(Md5::new()),
            "sha1" => Self::Sha1(Sha1::new()),
            "sha224" => Self::Sha224(Sha224::new()),
            "sha256" => Self::Sha256(Sha256::new()),
            "sha384" => Self::Sha384(Sha384::new()),
            "sha512" => Self::Sha512(Sha512::new()),
            _ => return None,
        })
    }

    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Md5(hash) => hash.update(data),
            Self::Sha1(hash) => hash.update(data),
            Self::Sha224(hash) => hash.update(data),
            Self::Sha256(hash) => hash.update(data),
            Self::Sha384(hash) => hash.update(data),
            Self::Sha512(hash) => hash.update(data),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Md5(hash) => hex::encode(hash.finalize()),
            Self::Sha1(hash) => hex::encode(hash.finalize()),
            Self::Sha224(hash) => hex::encode(hash.finalize()),
            Self::Sha256(hash) => hex::encode(hash.finalize()),
            Self::Sha384(hash) => hex::encode(hash.finalize()),
            Self::Sha512(hash) => hex::encode(hash.finalize()),
        }
    }
}

/// Out of order or unknown: refused without a word.
fn misplaced() -> Box<Reply> {
    Box::new(Reply::empty(400, "Bad Request"))
}

fn broken() -> Box<Reply> {
    Box::new(Reply::text(500, "upload failed"))
}

impl Multipart {
    /// Begins by the request's content type; a quoted boundary is not understood.
    pub(crate) fn new(content_type: &str) -> Result<Self, Box<Reply>> {
        let boundary = content_type
            .split(';')
            .find_map(|part| part.trim().strip_prefix("boundary="));
        let boundary = boundary
            .filter(|text| !text.is_empty() && !text.starts_with('"'))
            .ok_or_else(broken)?;
        Ok(Self {
            mark: format!("\r\n--{boundary}").into_bytes(),
            // The first boundary has no line before it.
            buffer: b"\r\n".to_vec(),
            state: State::Start,
            next: 0,
            upload: Upload::default(),
            hasher: None,
        })
    }

    /// Takes the next bytes of the body.
    pub(crate) fn push(&mut self, data: &[u8], sink: Sink<'_>) -> Result<(), Box<Reply>> {
        if matches!(self.state, State::Done) {
            return Ok(());
        }
        self.buffer.extend_from_slice(data);
        while self.step(sink)? {}
        Ok(())
    }

    /// The upload, when its file has arrived whole.
    pub(crate) fn finish(mut self) -> Result<Upload, Box<Reply>> {
        if !matches!(self.state, State::Done) {
            return Err(broken());
        }
        self.upload.digest = self.hasher.map(Hasher::finish);
        Ok(self.upload)
    }

    /// Goes one state further; whether it is worth trying again.
    fn step(&mut self, sink: Sink<'_>) -> Result<bool, Box<Reply>> {
        match self.state {
            State::Start | State::Field(_) => self.until_mark(),
            State::Head => self.head(),
            State::File => self.file(sink),
            State::Done => Ok(false),
        }
    }

    fn until_mark(&mut self) -> Result<bool, Box<Reply>> {
        let Some(at) = memmem::find(&self.buffer, &self.mark) else {
            return if self.buffer.len() > FIELD_MAX {
                Err(broken())
            } else {
                Ok(false)
            };
        };
        if let State::Field(which) = self.state {
            let value = String::from_utf8_lossy(&self.buffer[..at]).into_owned();
            if ORDER[which] == "checksum-algorithm" {
                self.hasher = Hasher::new(&value);
            }
            self.upload.fields.push((ORDER[which].to_owned(), value));
        }
        self.buffer.drain(..at + self.mark.len());
        self.state = State::Head;
        Ok(true)
    }

    fn head(&mut self) -> Result<bool, Box<Reply>> {
        if self.buffer.starts_with(b"--") {
            return Err(misplaced());
        }
        let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") else {
            return if self.buffer.len() > FIELD_MAX {
                Err(broken())
            } else {
                Ok(false)
            };
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let line = head
            .trim_start_matches("\r\n")
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        if !line.to_lowercase().starts_with("content-disposition:") {
            return Err(broken());
        }
        let name = attribute(&line, "name").ok_or_else(broken)?;
        let which = ORDER
            .iter()
            .position(|known| *known == name)
            .ok_or_else(misplaced)?;
        if which < self.next {
            return Err(misplaced());
        }
        self.next = which + 1;
        if name != "filename" {
            self.state = State::Field(which);
            return Ok(true);
        }
        self.upload.filename = attribute(&line, "filename")
            .filter(|name| !name.is_empty())
            .ok_or_else(broken)?;
        self.state = State::File;
        Ok(true)
    }

    fn file(&mut self, sink: Sink<'_>) -> Result<bool, Box<Reply>> {
        let found = memmem::find(&self.buffer, &self.mark);
        // Without a boundary all but what might be its beginning belongs to the file.
        let end = found.unwrap_or_else(|| self.buffer.len().saturating_sub(self.mark.len()));
        let data = &self.buffer[..end];
        if let Some(hasher) = &mut self.hasher {
            hasher.update(data);
        }
        sink(data).map_err(|error| {
            Box::new(Reply::text(
                500,
                &format!("unable to write temporary file - {error}\n"),
            ))
        })?;
        self.upload.size += end as u64;
        self.buffer.drain(..end);
        if found.is_some() {
            self.state = State::Done;
            self.buffer = Vec::new();
        }
        Ok(false)
    }
}

/// An attribute of a `Content-Disposition` line.
fn attribute(line: &str, name: &str) -> Option<String> {
    line.split(';').find_map(|part| {
        let (key, value) = part.trim().split_once('=')?;
        (key == name).then(|| value.trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str, piece: usize) -> Result<(Upload, Vec<u8>), u16> {
        let mut file = Vec::new();
        let mut parser =
            Multipart::new("multipart/form-data; boundary=b").map_err(|reply| reply.status)?;
        for data in body.as_bytes().chunks(piece) {
            let mut sink = |data: &[u8]| {
                file.extend_from_slice(data);
                Ok(())
            };
            parser.push(data, &mut sink).map_err(|reply| reply.status)?;
        }
        parser
            .finish()
            .map(|upload| (upload, file))
            .map_err(|reply| reply.status)
    }

    fn part(name: &str, value: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    }

    const FILE: &str = "--b\r\nContent-Disposition: form-data; name=\"filename\"; filename=\"a b.iso\"\r\nContent-Type: x/y\r\n\r\n";

    #[test]
    fn the_file_is_the_same_however_the_body_is_cut() {
        let body = part("content", "iso")
            + &part("checksum-algorithm", "sha256")
            + FILE
            + "golden\r\n--\r\n--b--\r\n";
        for piece in [1, 2, 7, 1000] {
            let (upload, file) = parse(&body, piece).unwrap();
            assert_eq!(file, b"golden\r\n--");
            assert_eq!((upload.size, upload.filename.as_str()), (10, "a b.iso"));
            assert!(upload.digest.is_some());
        }
    }

    #[test]
    fn fields_out_of_order_are_refused() {
        let body = part("checksum", "x") + &part("content", "iso") + FILE + "x\r\n--b--\r\n";
        assert_eq!(parse(&body, 64).unwrap_err(), 400);
        let body = part("bogus", "x") + FILE + "x\r\n--b--\r\n";
        assert_eq!(parse(&body, 64).unwrap_err(), 400);
    }

    #[test]
    fn a_body_that_ends_early_is_no_upload() {
        assert_eq!(
            parse(&(part("content", "iso") + FILE + "half"), 64).unwrap_err(),
            500
        );
        assert!(Multipart::new("multipart/form-data; boundary=\"b\"").is_err());
    }
}
