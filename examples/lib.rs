//! The examples are the files beside this one; there is nothing to import.

/// The guide for Rust authors: its blocks are doctests.
#[cfg(doctest)]
#[doc = include_str!("guides/rust.md")]
mod guide {}
