//! Creates a container, follows the log of the task, starts it, and reads what stands there.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use futures_util::TryStreamExt;
use proxmox_api::{Client, Tls, api::CreateContainer};
use testkit::node::Node;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // A Proxmox VE on loopback; for a real one, take its address, token and fingerprint.
    let play = Node::start_memory().await?;
    let pve = Client::builder(play.url())
        .token(play.root_token().parse()?)
        .tls(Tls::Pinned(play.fingerprint().parse()?))
        .build()?;

    let node = pve.node(play.name().parse()?);
    let template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst".parse()?;
    let create = CreateContainer::new(105.try_into()?, template)
        .hostname("web")
        .rootfs("local:8".parse()?)
        .net(0, "name=eth0,bridge=vmbr0,ip=dhcp".parse()?);
    let task = node.create_container(&create).await?;
    let mut log = task.follow(Duration::from_secs(60));
    while let Some(line) = log.try_next().await? {
        println!("  {}", line.text);
    }

    let container = node.container(105.try_into()?);
    container
        .start()
        .await?
        .wait(Duration::from_secs(60))
        .await?;
    for entry in node.list_containers().await? {
        println!(
            "{} {} {}",
            entry.vmid,
            entry.name.unwrap_or_default(),
            entry.status
        );
    }
    Ok(())
}
