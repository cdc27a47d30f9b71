//! The corpus of the fuzz targets, replayed on stable; and inputs near to right ones.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::Index;

#[path = "../../fuzz/parsers.rs"]
mod parsers;

/// The inputs of one parser.
fn corpus(parser: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(parser);
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn nothing_panics_on_its_corpus() {
    for parser in parsers::PARSERS {
        let inputs = corpus(parser);
        assert!(!inputs.is_empty(), "{parser} has no corpus");
        for input in inputs {
            parsers::parse(parser, &input);
        }
    }
}

#[test]
fn every_parser_has_its_target() {
    for parser in parsers::PARSERS {
        let target = format!("fuzz/fuzz_targets/{parser}.rs");
        let text = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(target));
        assert!(text.unwrap().contains(&format!("parse(\"{parser}\"")));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// One byte of a right input changed, or its end cut off.
    #[test]
    fn nothing_panics_near_its_corpus(
        parser in 0..parsers::PARSERS.len(),
        file in any::<Index>(),
        at in any::<Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let parser = parsers::PARSERS[parser];
        let inputs = corpus(parser);
        let mut input = inputs[file.index(inputs.len())].clone();
        if !input.is_empty() {
            let at = at.index(input.len());
            if cut { input.truncate(at) } else { input[at] = byte }
        }
        parsers::parse(parser, &input);
    }
}
