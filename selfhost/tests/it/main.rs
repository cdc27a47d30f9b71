//! The control plane's parts in conversation with a forge.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod runner;
