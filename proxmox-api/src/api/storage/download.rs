//! Files that the node fetches by itself, and checksums.

use super::ContentType;
use crate::wire::Params;

/// A checksum that a file must have, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksum {
    /// MD5.
    Md5(String),
    /// SHA-1.
    Sha1(String),
    /// SHA-256.
    Sha256(String),
    /// SHA-512.
    Sha512(String),
}

impl Checksum {
    /// Adds it to the parameters, the algorithm first: an upload is refused otherwise.
    pub(super) fn write(&self, params: &mut Params) {
        let (algorithm, digits) = match self {
            Self::Md5(digits) => ("md5", digits),
            Self::Sha1(digits) => ("sha1", digits),
            Self::Sha256(digits) => ("sha256", digits),
            Self::Sha512(digits) => ("sha512", digits),
        };
        params.set("checksum-algorithm", algorithm);
        params.set("checksum", digits.to_ascii_lowercase());
    }
}

/// What the node shall download.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadUrl {
    content: ContentType,
    filename: String,
    url: String,
    checksum: Option<Checksum>,
    compression: Option<String>,
    unverified: bool,
}

impl DownloadUrl {
    /// That address, kept under that name.
    pub fn new(content: ContentType, filename: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            content,
            filename: filename.into(),
            url: url.into(),
            checksum: None,
            compression: None,
            unverified: false,
        }
    }

    /// With that checksum; without one an existing file is refused.
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = Some(checksum);
        self
    }

    /// Decompressed from that format, e.g. `gz`, `zst`.
    pub fn compression(mut self, format: impl Into<String>) -> Self {
        self.compression = Some(format.into());
        self
    }

    /// Without verifying the certificate of the address.
    pub fn without_verifying(mut self) -> Self {
        self.unverified = true;
        self
    }

    pub(super) fn params(&self) -> Params {
        let mut params = Params::default();
        params.set("content", self.content);
        params.set("filename", &self.filename);
        params.set("url", &self.url);
        if let Some(checksum) = &self.checksum {
            checksum.write(&mut params);
        }
        params.set_some("compression", self.compression.as_ref());
        params.set_some("verify-certificates", self.unverified.then_some(0));
        params
    }
}
