//! Objects of git: trees, blobs, references, tag objects, notes.
//!
//! # Quirks
//! Trees and blobs that are not there are 400, not 404.

use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use crate::api::repos::Repo;
use crate::api::repos::commits::{Commit, CommitUser, Verification};
use crate::error::Result;
use crate::page::List;
use crate::request::{Operation, operations};
use crate::wire::{model, words};

operations! {
    TREE = Operation::get("/repos/{owner}/{repo}/git/trees/{sha}", "get tree");
    BLOB = Operation::get("/repos/{owner}/{repo}/git/blobs/{sha}", "get blob");
    LIST_REFS = Operation::get("/repos/{owner}/{repo}/git/refs", "list references");
    REFS = Operation::get("/repos/{owner}/{repo}/git/refs/{+ref}", "list references below");
    TAG_OBJECT = Operation::get("/repos/{owner}/{repo}/git/tags/{sha}", "get tag object");
    NOTE = Operation::get("/repos/{owner}/{repo}/git/notes/{sha}", "get note");
}

words! {
    /// What an object is.
    pub enum ObjectKind {
        /// A file.
        Blob = "blob",
        /// A directory.
        Tree = "tree",
        /// A commit, or a submodule.
        Commit = "commit",
        /// An annotated tag.
        Tag = "tag",
    }
}

model! {
    /// An entry of a tree.
    pub struct TreeEntry {
        /// The path below the tree.
        pub path: String,
        /// The mode as git writes it, for instance `100755`.
        pub mode: String,
        /// What it is.
        pub r#type: ObjectKind,
        /// The size of a file, in bytes.
        pub size: u64,
        /// The object.
        pub sha: String,
        /// Its address.
        pub url: String,
    }

    /// A page of a tree.
    pub struct Tree {
        /// The commit or tree that was asked for.
        pub sha: String,
        /// Its address.
        pub url: String,
        /// The entries of this page.
        pub tree: Vec<TreeEntry>,
        /// Whether there are more pages.
        pub truncated: bool,
        /// The page.
        pub page: u32,
        /// The entries on all pages.
        pub total_count: u64,
    }

    /// A file's content by object.
    pub struct Blob {
        /// The object.
        pub sha: String,
        /// Its address.
        pub url: String,
        /// The size in bytes.
        pub size: u64,
        /// The content in base64; absent when it is large.
        pub content: Option<String>,
        /// `base64`.
        pub encoding: Option<String>,
    }

    /// What a reference points to.
    pub struct GitObject {
        /// What it is.
        pub r#type: ObjectKind,
        /// The object.
        pub sha: String,
        /// Its address.
        pub url: String,
    }

    /// A reference.
    pub struct Reference {
        /// The whole name, for instance `refs/heads/main`.
        pub r#ref: String,
        /// Its address.
        pub url: String,
        /// Where it points.
        pub object: GitObject,
    }

    /// An annotated tag.
    pub struct AnnotatedTag {
        /// The name.
        pub tag: String,
        /// The tag's object.
        pub sha: String,
        /// Its address.
        pub url: String,
        /// What was said.
        pub message: String,
        /// Who made it.
        pub tagger: Option<CommitUser>,
        /// What it points to.
        pub object: GitObject,
        /// The signature.
        pub verification: Option<Verification>,
    }

    /// A note on a commit.
    pub struct Note {
        /// The text.
        pub message: String,
        /// The commit that stores it.
        pub commit: Option<Commit>,
    }
}

/// How deep a tree is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Only the directory itself.
    One,
    /// Everything below.
    All,
}

impl Repo {
    /// A page of a tree, by branch, tag, commit or tree; 1000 entries each unless the server is
    /// set up otherwise.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/git/trees/{sha}`
    ///
    /// # Errors
    /// `NotFound`, `EmptyRepository`.
    pub async fn tree(&self, reference: &str, depth: Depth, page: u32) -> Result<Tree> {
        let mut request = self
            .request(&TREE)
            .with("sha", reference)
            .query("page", page);
        if depth == Depth::All {
            request = request.query("recursive", true);
        }
        self.client.send(request).await
    }

    /// All entries of a tree, page after page.
    #[must_use = "a stream does nothing until it is polled"]
    pub fn tree_entries(
        &self,
        reference: &str,
        depth: Depth,
    ) -> BoxStream<'static, Result<TreeEntry>> {
        let start = Some((self.clone(), reference.to_owned(), 1));
        let pages = stream::try_unfold(start, move |state| async move {
            let Some((repo, reference, number)) = state else {
                return Ok::<_, crate::Error>(None);
            };
            let page = repo.tree(&reference, depth, number).await?;
            let rest = page.truncated && !page.tree.is_empty();
            let next = rest.then_some((repo, reference, number + 1));
            Ok(Some((stream::iter(page.tree.into_iter().map(Ok)), next)))
        });
        pages.try_flatten().boxed()
    }

    /// A file's content by object.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/git/blobs/{sha}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn blob(&self, sha: &str) -> Result<Blob> {
        self.client.send(self.request(&BLOB).with("sha", sha)).await
    }

    /// All references.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/git/refs`
    pub fn references(&self) -> List<Reference> {
        List::whole(&self.client, self.request(&LIST_REFS))
    }

    /// References whose names, without `refs/`, begin so.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/git/refs/{ref}`
    pub fn references_below(&self, prefix: &str) -> List<Reference> {
        List::whole(&self.client, self.request(&REFS).with("ref", prefix))
    }

    /// An annotated tag by the tag's own object.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/git/tags/{sha}`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn tag_object(&self, sha: &str) -> Result<AnnotatedTag> {
        self.client
            .send(self.request(&TAG_OBJECT).with("sha", sha))
            .await
    }

    /// The note on a commit, if there is one.
    ///
    /// Upstream: `GET /repos/{owner}/{repo}/git/notes/{sha}`
    ///
    /// # Errors
    /// Any kind but `NotFound`.
    pub async fn find_note(&self, sha: &str) -> Result<Option<Note>> {
        self.client.find(self.request(&NOTE).with("sha", sha)).await
    }
}
