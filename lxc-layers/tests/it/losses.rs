//! Every call of an apply is lost once, on its way to the node or on its way back: one more apply
//! reaches the goal, nothing is made twice, nothing is left over, and what is not ours stays as it is.

use futures_util::{StreamExt as _, stream};
use lxc_layers::{diagnostic::Style, resolve::Desired};
use serde_json::Value;

use crate::{
    conversations::three,
    proxy::{Cut, Proxy},
    worlds::World,
};

/// How many of these conversations are held at the same time.
const AT_ONCE: usize = 8;

/// A guest that is not ours, beside those that are.
const STRANGER: &str = "/nodes/pve/lxc/190";

/// A world with a stranger in it, behind a proxy.
async fn scene() -> (World, Proxy) {
    let world = World::new().await;
    let form =
        "vmid=190&hostname=precious&rootfs=local:1&ostemplate=local:vztmpl/debian-12.tar.zst";
    world.ask("POST", "/nodes/pve/lxc", form);
    world.ask("POST", &format!("{STRANGER}/status/start"), "");
    let proxy = Proxy::before(&world.node).await;
    let world = world.through(&proxy.url);
    (world, proxy)
}

fn stranger(world: &World) -> (Value, Value) {
    let status = world.ask("GET", &format!("{STRANGER}/status/current"), "");
    let config = world.ask("GET", &format!("{STRANGER}/config"), "");
    (config, status["status"].clone())
}

async fn every_call_lost(cut: Cut) {
    let desired = three();
    let (clean, proxy) = scene().await;
    clean.apply(&desired).await.unwrap();
    let calls = proxy.seen();
    assert!(calls > 30, "{calls}");
    let volumes = clean.volumes();
    assert_eq!(volumes.len(), 4, "{volumes:?}");
    let lost = (1..=calls).map(|nth| call_lost(&desired, nth, cut, &volumes));
    stream::iter(lost)
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
}

async fn call_lost(desired: &Desired, nth: u64, cut: Cut, volumes: &[String]) {
    let (world, proxy) = scene().await;
    let before = stranger(&world);
    world.node.journal().clear();
    proxy.cut(nth, cut);
    // It may fail: what counts is that the next run reaches the goal.
    drop(world.apply(desired).await);
    assert!(proxy.seen() >= nth, "call {nth} was never made");
    let report = world.apply(desired).await.unwrap();
    assert!(report.is_success(), "call {nth} {cut:?}: {report:#?}");
    let plan = world.plan(desired).await;
    let text = plan.to_text(Style::Plain);
    assert!(plan.is_empty(), "call {nth} {cut:?}: {text}");
    let asked = world.asked();
    let writes = |line: &&String| line.contains("/lxc/190") && !line.starts_with("GET");
    assert_eq!(asked.iter().filter(writes).count(), 0, "{asked:#?}");
    // Three of ours, and the stranger.
    assert_eq!(world.creates().await, 4, "call {nth} {cut:?}: {asked:#?}");
    assert_eq!(world.volumes(), volumes, "call {nth} {cut:?}");
    assert_eq!(stranger(&world), before, "call {nth} {cut:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_may_be_lost_before_it_arrives() {
    every_call_lost(Cut::Before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_may_be_lost_on_its_way_back() {
    every_call_lost(Cut::After).await;
}
