//! The steps of each stage, in their order.

mod build;
mod ci;
mod container;
mod forge;
mod handover;
mod operator;
mod preflight;
mod program;
mod repository;
mod runner;

use super::{Site, Stage, Step};

/// The steps of a stage, in their order.
pub(super) fn of(stage: Stage, site: &Site) -> Vec<Box<dyn Step>> {
    match stage {
        Stage::Preflight => preflight::steps(),
        Stage::Container => container::steps(),
        Stage::Forge => forge::steps(site),
        Stage::Repository => repository::steps(site),
        Stage::Ci => ci::steps(),
        Stage::Handover => handover::steps(),
    }
}
