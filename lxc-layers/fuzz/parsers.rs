//! Every parser of the fleet repository, each as a function of bytes that must not panic.
//!
//! The fuzz targets call these, and so does a test on stable Rust, over the corpus.

use lxc_layers::diagnostic::{Style, render};
use lxc_layers::plan::{Marker, words};
use lxc_layers::resolve::resolve;
use lxc_layers::spec::Tree;

/// The names of the parsers; each has its folder in `corpus/`.
pub(crate) const PARSERS: [&str; 6] = [
    "config_env",
    "container_toml",
    "fleet_toml",
    "fleet_local_toml",
    "secrets_local_env",
    "marker",
];

/// Gives one input to one parser.
pub(crate) fn parse(parser: &str, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match parser {
        "config_env" => file("containers/web/config.env", &text),
        "container_toml" => file("containers/web/container.toml", &text),
        "fleet_toml" => file("fleet.toml", &text),
        "fleet_local_toml" => file("fleet.local.toml", &text),
        "secrets_local_env" => file("secrets.local.env", &text),
        "marker" => marker(&text),
        _ => panic!("there is no parser `{parser}`"),
    }
}

/// Reads a fleet with this file in it; what is wrong must point into the file and render.
fn file(path: &str, text: &str) {
    const FLEET: &str = "id = \"fleet-0123456789\"\n[defaults]\ntemplate = \"debian-12\"\n[network]\nsubnet = \"10.0.0.0/24\"\n";
    let fleet = (path != "fleet.toml").then_some(("fleet.toml", FLEET));
    let web = path
        .starts_with("fleet")
        .then_some(("containers/web/config.env", "ID=101\n"));
    let tree = Tree::of_texts(fleet.into_iter().chain(web).chain([(path, text)])).with_input(
        "default/default.yml",
        "",
        false,
    );
    let resolved = resolve(&tree);
    for diagnostic in &resolved.diagnostics {
        let span = diagnostic.span.as_ref().expect("every problem has a place");
        let length = tree
            .texts
            .get(&*span.file)
            .map_or(0, |text| text.content.len());
        assert!(
            span.start <= span.end && span.end <= length,
            "{diagnostic} points beyond its file"
        );
        assert!(diagnostic.help.is_some(), "{diagnostic} has no remedy");
    }
    let errors = resolved
        .diagnostics
        .iter()
        .any(|diagnostic| diagnostic.is_error());
    assert_eq!(resolved.desired.is_none(), errors);
    for style in [Style::Plain, Style::Coloured] {
        let shown = render(&resolved.diagnostics, &tree, style);
        assert_eq!(shown.is_empty(), resolved.diagnostics.is_empty());
    }
}

/// What is found in notes reads the same after it was written into them.
fn marker(notes: &str) {
    if let Ok(Some(marker)) = Marker::find(notes) {
        let written = marker.write_into(notes);
        assert_eq!(Marker::find(&written).expect("we wrote it"), Some(marker));
        assert_eq!(words(&written), words(notes));
    }
}
