//! The cluster: resources, free numbers, members, pools, version.

use proxmox_api::ErrorKind;
use proxmox_api::api::{ContainerState, ListResources, ResourceKind};

use crate::script::{Reply, Server};

#[tokio::test]
async fn resources_of_every_kind_are_read() {
    let list = r#"[{"id":"lxc/9210","maxcpu":1,"maxdisk":1073741824,"maxmem":268435456,"name":"web",
        "node":"pve1","status":"stopped","tags":"r","template":0,"type":"lxc","uptime":0,"vmid":9210},
        {"id":"storage/pve1/local","maxdisk":1,"node":"pve1","plugintype":"dir","shared":0,
        "status":"available","storage":"local","type":"storage"},
        {"cgroup-mode":2,"id":"node/pve1","level":"","maxcpu":2,"node":"pve1","status":"online",
        "type":"node","uptime":1},
        {"id":"network/pve1/zone/localnetwork","network":"localnetwork","node":"pve1",
        "status":"ok","type":"network"}]"#;
    let server = Server::always(|| Reply::data(list)).await;
    let cluster = server.client().cluster();
    let resources = cluster.list_resources(ListResources::All).await.unwrap();
    let kinds: Vec<&ResourceKind> = resources.iter().map(|resource| &resource.kind).collect();
    let expected = [
        &ResourceKind::Lxc,
        &ResourceKind::Storage,
        &ResourceKind::Node,
        &ResourceKind::Unknown,
    ];
    assert_eq!(kinds, expected);
    assert_eq!(resources[0].state(), ContainerState::Stopped);
    let guest = cluster
        .find_guest(9210.try_into().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (guest.node.unwrap().as_str(), guest.tags.contains("r")),
        ("pve1", true)
    );
    assert!(
        cluster
            .find_guest(9211.try_into().unwrap())
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(server.calls()[0], "GET /api2/json/cluster/resources");
    assert_eq!(
        server.calls()[1],
        "GET /api2/json/cluster/resources?type=vm"
    );
}

#[tokio::test]
async fn the_next_number_is_a_text_and_a_taken_one_an_answer() {
    let server = Server::plain(|_, before| match before {
        0 => Reply::data("\"100\""),
        1 => Reply::refused("vmid", "VM 100 already exists"),
        2 => Reply::data("\"101\""),
        _ => Reply::error(403, "Permission check failed"),
    })
    .await;
    let cluster = server.client().cluster();
    assert_eq!(cluster.next_vmid().await.unwrap().get(), 100);
    assert!(!cluster.is_free(100.try_into().unwrap()).await.unwrap());
    assert!(cluster.is_free(101.try_into().unwrap()).await.unwrap());
    let error = cluster.is_free(101.try_into().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn members_and_nodes_are_read() {
    let nodes = r#"[{"id":"node/pve1","node":"pve1","status":"unknown","type":"node"}]"#;
    let status = r#"[{"id":"cluster","name":"c","nodes":2,"quorate":1,"type":"cluster","version":2},
        {"id":"node/pve1","ip":"192.0.2.1","local":1,"name":"pve1","nodeid":1,"online":1,
        "type":"node"}]"#;
    let server = Server::plain(|seen, _| {
        Reply::data(if seen.call.ends_with("/nodes") {
            nodes
        } else {
            status
        })
    })
    .await;
    let cluster = server.client().cluster();
    let members = cluster.status().await.unwrap();
    assert_eq!(
        (members[0].quorate, members[1].local),
        (Some(true), Some(true))
    );
    assert!(!cluster.list_nodes().await.unwrap()[0].is_online());
}

#[tokio::test]
async fn pools_are_created_found_and_missed() {
    let pools = r#"[{"comment":"c","poolid":"gold/kid",
        "members":[{"id":"lxc/9106","node":"pve1","type":"lxc","vmid":9106}]}]"#;
    let server = Server::plain(|_, before| match before {
        0 => Reply::data("null"),
        1 => Reply::data(pools),
        _ => Reply::error(500, "pool 'gold/kid' does not exist"),
    })
    .await;
    let (cluster, pool) = (server.client().cluster(), "gold/kid".parse().unwrap());
    cluster.create_pool(&pool, Some("c")).await.unwrap();
    let found = cluster.find_pool(&pool).await.unwrap().unwrap();
    assert_eq!(found.members[0].vmid.unwrap().get(), 9106);
    assert!(cluster.find_pool(&pool).await.unwrap().is_none());
    assert!(cluster.delete_pool(&pool).await.unwrap_err().is_not_found());
    assert_eq!(
        server.calls()[3],
        "DELETE /api2/json/pools?poolid=gold%2Fkid"
    );
}

#[tokio::test]
async fn the_version_says_what_the_server_can_do() {
    let version = r#"{"release":"9.2","repoid":"a","version":"9.2.11"}"#;
    let server = Server::always(|| Reply::data(version)).await;
    let version = server.client().version().await.unwrap();
    let can = version.capabilities();
    assert!(can.creates_unprivileged() && can.has_oci_images() && can.has_idmapped_mounts());
    assert!(can.takes("/nodes/{node}/lxc", "env"));
    assert_eq!(version.to_string(), "9.2.11");
}
