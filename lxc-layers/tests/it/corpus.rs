//! The corpus of the fuzz targets, replayed on stable; and inputs near to right ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::{Index, select};

#[path = "../../fuzz/parsers.rs"]
mod parsers;

/// The inputs of one parser.
fn corpus(parser: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(parser);
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

#[test]
fn no_parser_panics_on_its_corpus() {
    for parser in parsers::PARSERS {
        let inputs = corpus(parser);
        assert!(!inputs.is_empty(), "{parser} has no corpus");
        for input in inputs.values() {
            parsers::parse(parser, input);
        }
    }
}

#[test]
fn every_parser_has_a_target() {
    for parser in parsers::PARSERS {
        let target = format!(
            "{}/fuzz/fuzz_targets/{parser}.rs",
            env!("CARGO_MANIFEST_DIR")
        );
        assert!(
            fs::read_to_string(target)
                .unwrap()
                .contains(&format!("parse(\"{parser}\""))
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// An input of the corpus with a few bytes replaced, a stretch removed or doubled.
    #[test]
    fn no_parser_panics_near_its_corpus(
        parser in select(parsers::PARSERS.to_vec()),
        input in any::<Index>(),
        from in any::<Index>(),
        to in any::<Index>(),
        new in proptest::collection::vec(select(b"\0\n\r \"'#$%{}[]=,:;/<>-+.0159AZaz_\xc3\xa4\xff".to_vec()), 0..6),
        doubled in any::<bool>(),
    ) {
        let inputs = corpus(parser);
        let mut bytes = inputs.values().nth(input.index(inputs.len())).unwrap().clone();
        let (one, other) = (from.index(bytes.len()), to.index(bytes.len()));
        let range = one.min(other)..one.max(other).min(one.min(other) + 12);
        let stretch = if doubled { bytes[range.clone()].repeat(2) } else { new };
        bytes.splice(range, stretch);
        parsers::parse(parser, &bytes);
    }
}
