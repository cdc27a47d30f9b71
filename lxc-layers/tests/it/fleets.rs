//! Small fleets in memory, to be broken or planned from.

use lxc_layers::diagnostic::{Style, render};
use lxc_layers::resolve::{Desired, resolve};
use lxc_layers::spec::Tree;

/// A fleet's own file that fits every container of the tests.
pub(crate) const FLEET: &str = "\
id = \"fleet-0123456789\"

[defaults]
node = \"pve\"
storage = \"local\"
template = \"local:vztmpl/debian-12.tar.zst\"

[network]
subnet = \"10.0.0.0/24\"
gateway = \"10.0.0.1\"
vmids = \"100-199\"

[vars]
GREETING = \"hello\"
";

/// A tree of the given texts, with the base layer and, unless given, the fleet's own file.
pub(crate) fn tree(texts: &[(&str, &str)]) -> Tree {
    let given = texts.iter().any(|(path, _)| *path == "fleet.toml");
    let own = (!given).then_some(("fleet.toml", FLEET));
    Tree::of_texts(own.into_iter().chain(texts.iter().copied())).with_input(
        "default/default.yml",
        "- hosts: all\n",
        false,
    )
}

/// What the fleet should be; fails with the rendered problems when it cannot be said.
#[track_caller]
pub(crate) fn desired(tree: &Tree) -> Desired {
    let resolved = resolve(tree);
    let problems = render(&resolved.diagnostics, tree, Style::Plain);
    resolved.desired.unwrap_or_else(|| panic!("{problems}"))
}

/// The problems of a fleet as a person reads them.
pub(crate) fn problems(tree: &Tree) -> String {
    render(&resolve(tree).diagnostics, tree, Style::Plain)
}
