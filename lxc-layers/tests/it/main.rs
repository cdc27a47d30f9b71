//! The layers from outside, one file a feature.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod clock;
mod conversations;
mod corpus;
mod diagnostics;
mod examples;
mod fleets;
mod generated;
mod hundred;
mod losses;
mod misfortunes;
mod model;
mod planning;
mod properties;
mod provisioners;
mod proxy;
mod refusals;
mod schemas;
mod support;
mod worlds;
