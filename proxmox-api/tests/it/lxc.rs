//! Containers: what is asked, and what becomes of the answers.

use std::time::Duration;

use proxmox_api::ErrorKind;
use proxmox_api::api::{Container, Destroy, Resize, Shutdown, UpdateContainer};
use proxmox_api::property::Features;
use proxmox_api::wire::{DiskSize, Mib, Patch};

use crate::script::{Reply, Server};

const UPID: &str = r#""UPID:pve1:000063DD:0002E881:6B034DF4:vzstart:105:root@pam!ci:""#;

fn container(server: &Server) -> Container {
    server
        .client()
        .node("pve1".parse().unwrap())
        .container(105.try_into().unwrap())
}

#[tokio::test]
async fn a_missing_container_is_none() {
    let missing = "Configuration file 'nodes/pve1/lxc/105.conf' does not exist";
    let server = Server::always(|| Reply::error(500, missing)).await;
    let container = container(&server);
    assert!(container.find_config().await.unwrap().is_none());
    assert!(container.find_status().await.unwrap().is_none());
    assert_eq!(
        container.config().await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_missing_node_is_not_a_missing_container() {
    let unknown = "hostname lookup 'pve1' failed - failed to get address info for: pve1: unknown";
    let server = Server::always(|| Reply::error(500, unknown)).await;
    let error = container(&server).find_config().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownNode);
}

#[tokio::test]
async fn every_verb_has_its_call() {
    let server = Server::always(|| Reply::data(UPID)).await;
    let container = container(&server);
    let shutdown = Shutdown::new()
        .within(Duration::from_secs(30))
        .then_stopping();
    container.start().await.unwrap();
    container.shutdown(&shutdown).await.unwrap();
    container.stop().await.unwrap();
    container.reboot().await.unwrap();
    container
        .resize(&Resize::by("rootfs", DiskSize::from_mib(512)))
        .await
        .unwrap();
    container
        .destroy(&Destroy::new().stopping().purging())
        .await
        .unwrap();
    let told: Vec<String> = server
        .seen()
        .iter()
        .map(|seen| format!("{} {}", seen.call, seen.form()))
        .collect();
    assert_eq!(
        told,
        [
            "POST /api2/json/nodes/pve1/lxc/105/status/start ",
            "POST /api2/json/nodes/pve1/lxc/105/status/shutdown timeout=30&forceStop=1",
            "POST /api2/json/nodes/pve1/lxc/105/status/stop ",
            "POST /api2/json/nodes/pve1/lxc/105/status/reboot ",
            "PUT /api2/json/nodes/pve1/lxc/105/resize disk=rootfs&size=%2B512M",
            "DELETE /api2/json/nodes/pve1/lxc/105?force=1&purge=1 ",
        ]
    );
}

#[tokio::test]
async fn a_changed_configuration_is_a_conflict() {
    let changed = "detected modified configuration - file changed by other user? Try again.";
    let server = Server::always(|| Reply::error(500, changed)).await;
    let update = UpdateContainer::new()
        .memory(Mib(512))
        .searchdomain(Patch::Delete)
        .digest("0123456789abcdef0123456789abcdef01234567".parse().unwrap());
    let error = container(&server).update(&update).await.unwrap_err();
    assert!(error.is_conflict() && !error.is_retryable());
    assert_eq!(error.kind(), ErrorKind::Modified);
    let form = "memory=512&delete=searchdomain&digest=0123456789abcdef0123456789abcdef01234567";
    assert_eq!(server.seen()[0].form(), form);
}

#[tokio::test]
async fn refused_parameters_are_named() {
    let reason = "value must have a minimum value of 16";
    let server = Server::always(|| Reply::refused("memory", reason)).await;
    let update = UpdateContainer::new().memory(Mib(1));
    let error = container(&server).update(&update).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidParameter);
    assert_eq!(error.parameters()["memory"], reason);
    assert!(
        error.to_string().contains(&format!("`memory`: {reason}")),
        "{error}"
    );
}

#[tokio::test]
async fn what_only_root_may_do_is_told_apart() {
    let denied = "Permission check failed (changing feature flags (except nesting) is only allowed for root@pam)";
    let server = Server::always(|| Reply::error(403, denied)).await;
    let update = UpdateContainer::new().features(Features::default().keyctl());
    let error = container(&server).update(&update).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RootOnly);
}

#[tokio::test]
async fn a_stopped_container_has_no_addresses() {
    let server = Server::always(|| Reply::data("null")).await;
    assert!(container(&server).interfaces().await.unwrap().is_empty());
}
