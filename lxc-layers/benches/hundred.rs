//! A hundred containers against a simulated node whose tasks take two seconds: how much longer than the
//! tasks alone an apply takes, and how many requests a plan is.
//!
//! By hand, on a machine that does nothing else: `cargo bench -p lxc-layers --bench hundred`. The
//! engine alone, in simulated time, is judged by the tests: `cargo test -p lxc-layers hundred`.
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on fails here"
)]

use std::io::Write as _;

use lxc_layers::{
    resolve::{Desired, resolve},
    spec::Tree,
};
use testkit::pve::Timing;

#[path = "../tests/it/worlds.rs"]
#[expect(dead_code, reason = "it is shared with the tests, which use all of it")]
mod worlds;

const FLEET: &str = "\
id = \"fleet-0123456789\"
[defaults]
node = \"pve\"
storage = \"local\"
template = \"local:vztmpl/debian-12.tar.zst\"
[network]
subnet = \"10.0.0.0/24\"
gateway = \"10.0.0.1\"
";

fn fleet() -> Desired {
    let texts: Vec<(String, String)> = (0..100)
        .map(|number| {
            let path = format!("containers/c{number}/config.env");
            (path, format!("ID={}\n", 100 + number))
        })
        .collect();
    let texts = texts
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()));
    let tree = Tree::of_texts(std::iter::once(("fleet.toml", FLEET)).chain(texts));
    let tree = tree.with_input("default/default.yml", "- hosts: all\n", false);
    resolve(&tree).desired.unwrap()
}

#[tokio::main]
async fn main() {
    let desired = fleet();
    let mut out = std::io::stdout();
    for parallel in [10, 20] {
        let mut world = worlds::World::new().await;
        world.parallel = parallel;
        world.node.desk().world().set_timing(Timing::Millis(2000));
        let report = world.apply(&desired).await.unwrap();
        assert!(report.is_success(), "{report:#?}");
        // A create and a start each.
        let ideal = 100.0 * 2.0 * 2.0 / f64::from(u32::try_from(parallel).unwrap());
        let took = report.seconds.0.as_secs_f64();
        let asked = world.asked().len();
        world.node.journal().clear();
        assert!(world.plan(&desired).await.is_empty());
        writeln!(
            out,
            "{parallel} at a time: {took:.1} s, {:.3} of what its tasks take ({ideal:.0} s); {asked} requests; \
             a plan is {}",
            took / ideal,
            world.asked().len()
        )
        .unwrap();
    }
}
