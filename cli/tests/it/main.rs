//! The binary, as its users run it: standard output, standard error, exit code.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod bootstrap;
mod control;
mod control_plane;
mod disk;
mod help;
mod kills;
mod layers;
mod local;
mod names;
mod printed;
mod runner;
mod scene;
mod shell;
mod support;
mod terminal;
mod together;
mod upkeep;
