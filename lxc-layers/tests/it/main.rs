//! The layers from outside, one file a feature.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod conversations;
mod corpus;
mod diagnostics;
mod examples;
mod fleets;
mod generated;
mod misfortunes;
mod model;
mod planning;
mod properties;
mod provisioners;
mod refusals;
mod schemas;
mod support;
mod worlds;
