//! Plans the example fleet against a Proxmox VE that has nothing yet, and does nothing.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{path::Path, time::Duration};

use lxc_layers::{
    diagnostic::{Style, render},
    host::ProxmoxHost,
    observe::observe,
    plan::{Identity, plan},
    resolve::resolve,
    spec,
};
use proxmox_api::{ApiToken, Client, Tls};
use testkit::node::Node;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let play = Node::start_memory().await?;
    let token: ApiToken = play.root_token().parse()?;
    let identity = Identity::Token(token.id().to_string());
    let tls = Tls::Pinned(play.fingerprint().parse()?);
    let client = Client::builder(play.url()).token(token).tls(tls).build()?;

    let tree = spec::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet"))?;
    let resolved = resolve(&tree);
    let Some(desired) = resolved.desired else {
        anyhow::bail!("{}", render(&resolved.diagnostics, &tree, Style::Plain));
    };
    let host = ProxmoxHost::new(client, identity);
    let observed = observe(&host, &desired, Duration::from_secs(60)).await?;
    println!("{}", plan(&desired, &observed).to_text(Style::Plain));
    Ok(())
}
