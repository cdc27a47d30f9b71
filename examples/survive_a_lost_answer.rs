//! A create is carried out and its answer is lost: what a client can know, and what it must not do.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use proxmox_api::{Client, Delivery, Tls, api::CreateContainer};
use testkit::node::Node;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let play = Node::start_memory().await?;
    // Faults can be asked for in any language too: POST /_sim/faults of a node with `--sim`.
    let fault = serde_json::json!({"method": "POST", "path": "/nodes/.*/lxc", "phase": "after", "kind": "reset"});
    play.desk()
        .world()
        .add_fault(serde_json::from_value(fault)?);

    let pve = Client::builder(play.url())
        .token(play.root_token().parse()?)
        .tls(Tls::Pinned(play.fingerprint().parse()?))
        .build()?;
    let node = pve.node(play.name().parse()?);
    let template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst".parse()?;
    let create = CreateContainer::new(105.try_into()?, template).rootfs("local:8".parse()?);

    let error = node
        .create_container(&create)
        .await
        .expect_err("the answer is lost");
    println!("{error}: delivery {:?}", error.delivery());
    anyhow::ensure!(error.delivery() == Delivery::Unknown, "nobody can know yet");

    // Not created again, but looked for.
    let there = node.list_containers().await?;
    println!("{} container is there, made once", there.len());
    anyhow::ensure!(there.len() == 1);
    Ok(())
}
