//! Nodes: lists of containers, templates, storages and tasks.

use proxmox_api::ErrorKind;
use proxmox_api::api::{ContentType, CreateContainer, ListStorages, ListTasks, Node};

use crate::script::{Reply, Server};

fn node(server: &Server) -> Node {
    server.client().node("pve1".parse().unwrap())
}

#[tokio::test]
async fn containers_are_listed_with_their_state() {
    let list = r#"[{"cpus":1,"maxmem":268435456,"name":"web","status":"running","type":"lxc",
        "uptime":7,"vmid":105,"tags":"b;a","lock":"backup","pid":1},
        {"cpus":"0.5","name":"db","status":"stopped","uptime":0,"vmid":"106","template":1}]"#;
    let server = Server::always(|| Reply::data(list)).await;
    let containers = node(&server).list_containers().await.unwrap();
    assert!(containers[0].is_running() && !containers[1].is_running());
    assert_eq!(containers[0].lock.as_ref().unwrap().as_str(), "backup");
    assert_eq!(containers[0].tags.to_string(), "a;b");
    assert_eq!(
        (containers[1].vmid.get(), containers[1].cpus),
        (106, Some(0.5))
    );
    assert!(containers[1].template);
}

#[tokio::test]
async fn creating_what_is_there_is_told_apart() {
    let server = Server::always(|| Reply::error(500, "CT 105 already exists on node 'pve1'")).await;
    let template = "local:vztmpl/a.tar.zst".parse().unwrap();
    let create = CreateContainer::new(105.try_into().unwrap(), template);
    let error = node(&server).create_container(&create).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(error.operation(), "creating container `105` on node `pve1`");
}

#[tokio::test]
async fn tasks_are_listed_with_how_they_ended() {
    let list = r#"[{"id":"105","node":"pve1","pid":1,"pstart":1,"starttime":1795000000,
        "status":"WARNINGS: 1","type":"vzcreate","user":"root@pam","endtime":1795000001,
        "upid":"UPID:pve1:000063DD:0002E881:6B034DF4:vzcreate:105:root@pam!ci:"},
        {"id":"","node":"pve1","starttime":"1795000000","status":"RUNNING","type":"imgcopy",
        "saved":"0","user":"root@pam!ci",
        "upid":"UPID:pve1:000063DD:0002E882:6B034DF4:imgcopy::root@pam!ci:"}]"#;
    let server = Server::always(|| Reply::data(list)).await;
    let asked = ListTasks::new()
        .running_too()
        .about(105.try_into().unwrap());
    let tasks = node(&server)
        .list_tasks(&asked.kind("vzcreate").limit(2))
        .await
        .unwrap();
    assert_eq!(
        (tasks[0].succeeded(), tasks[1].succeeded()),
        (Some(true), None)
    );
    let query = "source=all&vmid=105&typefilter=vzcreate&limit=2";
    assert_eq!(
        server.calls(),
        [format!("GET /api2/json/nodes/pve1/tasks?{query}")]
    );
}

#[tokio::test]
async fn storages_are_listed_by_what_they_hold() {
    let list = r#"[{"active":1,"avail":10,"content":"iso,vztmpl,rootdir","enabled":1,"shared":0,
        "storage":"local","total":20,"type":"dir","used":10,"used_fraction":0.5}]"#;
    let server = Server::always(|| Reply::data(list)).await;
    let asked = ListStorages::all().holding(ContentType::Template).enabled();
    let storages = node(&server).list_storages(&asked).await.unwrap();
    assert!(storages[0].active && storages[0].holds(ContentType::Rootdir));
    assert!(!storages[0].holds(ContentType::Backup));
    assert_eq!(
        server.calls(),
        ["GET /api2/json/nodes/pve1/storage?content=vztmpl&enabled=1"]
    );
}

#[tokio::test]
async fn a_template_that_the_list_does_not_have_is_not_found() {
    let server = Server::always(|| Reply::refused("template", "no such template")).await;
    let storage = "local".parse().unwrap();
    let error = node(&server)
        .download_template(&storage, "nope.tar.zst")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let doing = "downloading template `nope.tar.zst` to `local` on node `pve1`";
    assert_eq!(error.operation(), doing);
}

#[tokio::test]
async fn the_state_of_a_node_is_read() {
    let state = r#"{"cpu":0.1,"loadavg":["0.1","0.2","0.3"],"memory":{"free":1,"total":3,"used":2},
        "pveversion":"pve-manager/8.4.21/abc","rootfs":{"avail":1,"free":1,"total":2,"used":1},
        "swap":{"free":0,"total":0,"used":0},"uptime":99,"kversion":"Linux","idle":0}"#;
    let server = Server::always(|| Reply::data(state)).await;
    let status = node(&server).status().await.unwrap();
    assert_eq!(
        (status.memory.total, status.uptime, status.loadavg.len()),
        (3, Some(99), 3)
    );
}
