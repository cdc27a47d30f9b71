//! What containers become on the wire, and what is read from it.

use serde_json::json;

use super::{
    ContainerConfig, CreateContainer, GuestInterface, PendingSetting, Privilege, UpdateContainer,
};
use crate::ErrorKind;
use crate::api::Capabilities;
use crate::property::{Features, Net};
use crate::wire::{Mib, Patch};

fn create() -> CreateContainer {
    let template = "local:vztmpl/debian-12.tar.zst".parse().unwrap();
    CreateContainer::new(105.try_into().unwrap(), template)
}

#[test]
fn creating_always_says_whether_it_is_privileged() {
    let text = create().params().unwrap().encoded();
    assert_eq!(
        text,
        "vmid=105&ostemplate=local%3Avztmpl%2Fdebian-12.tar.zst&unprivileged=1"
    );
    let privileged = create()
        .privilege(Privilege::Privileged)
        .params()
        .unwrap()
        .encoded();
    assert!(privileged.ends_with("&unprivileged=0"), "{privileged}");
}

#[test]
fn creating_sends_what_was_said_and_nothing_else() {
    let create = create()
        .hostname("web")
        .memory(Mib(512))
        .onboot(true)
        .rootfs("local:8".parse().unwrap())
        .net(
            0,
            Net::new("eth0").bridge("vmbr0").ip("dhcp".parse().unwrap()),
        )
        .features(Features::default().nesting())
        .tags(["b", "a"].iter().collect())
        .password("canary")
        .started();
    let params = create.params().unwrap();
    let pairs: Vec<String> = params
        .pairs()
        .skip(3)
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(
        pairs,
        [
            "hostname=web",
            "memory=512",
            "onboot=1",
            "rootfs=local:8",
            "net0=name=eth0,bridge=vmbr0,ip=dhcp",
            "features=nesting=1",
            "tags=a;b",
            "password=canary",
            "start=1"
        ]
    );
    assert!(!format!("{create:?} {params:?}").contains("canary"));
}

#[test]
fn changing_tells_apart_what_is_set_removed_and_left() {
    let update = UpdateContainer::new()
        .memory(Mib(1024))
        .hostname(Patch::Keep)
        .searchdomain(Patch::Delete)
        .net(1, Patch::Delete)
        .onboot(false)
        .memory(Mib(2048))
        .revert("features")
        .digest("0123456789abcdef0123456789abcdef01234567".parse().unwrap());
    let params = update.params().unwrap();
    let pairs: Vec<String> = params
        .pairs()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(
        pairs,
        [
            "onboot=0",
            "memory=2048",
            "delete=searchdomain,net1",
            "revert=features",
            "digest=0123456789abcdef0123456789abcdef01234567"
        ]
    );
    assert!(!update.is_empty() && UpdateContainer::new().hostname(Patch::Keep).is_empty());
}

#[test]
fn a_value_that_would_be_misread_is_never_sent() {
    let refused = create()
        .net(0, Net::new("eth0").bridge("a,b=c"))
        .params()
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unusable);
    assert!(
        refused.to_string().contains("net0") && refused.to_string().contains("`bridge`"),
        "{refused}"
    );
    let refused = UpdateContainer::new()
        .net(0, Net::new(""))
        .params()
        .unwrap_err();
    assert!(
        refused.to_string().contains("`name` has an empty value"),
        "{refused}"
    );
}

#[test]
fn a_recorded_configuration_is_read() {
    let config: ContainerConfig = serde_json::from_value(json!({
        "arch": "amd64", "cmode": "shell", "console": 0, "cores": 1, "cpulimit": "1.50", "cpuunits": 512,
        "digest": "0123456789abcdef0123456789abcdef01234567", "features": "nesting=1",
        "hostname": "new.gold.test", "memory": 512, "nameserver": "192.0.2.1 192.0.2.2", "onboot": 1,
        "description": "two\nlines\n", "ostype": "debian", "rootfs": "local:9120/vm-9120-disk-0.raw,size=1G",
        "mp1": "local:9126/vm-9126-disk-2.raw,mp=/more,acl=1,backup=1,ro=1,size=1G",
        "net0": "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,type=veth", "net10": "name=eth10",
        "unused0": "local:9126/vm-9126-disk-1.raw", "startup": "up=5,order=3", "swap": "64", "tags": "x;y",
        "tty": 2, "unprivileged": 1, "lxc": [["lxc.idmap", "u 0 100000 65536"]], "future": "kept"
    }))
    .unwrap();
    assert_eq!(
        (config.memory, config.swap, config.cores),
        (Some(Mib(512)), Some(Mib(64)), Some(1))
    );
    assert_eq!(config.cpulimit, Some("1.5".parse().unwrap()));
    assert_eq!(config.description.as_deref(), Some("two\nlines"));
    assert_eq!(
        config.nameservers().collect::<Vec<_>>(),
        ["192.0.2.1", "192.0.2.2"]
    );
    assert_eq!((config.console, config.onboot), (Some(false), Some(true)));
    assert!(config.unprivileged && !config.template && config.features.unwrap().nesting);
    assert_eq!(config.nets.keys().collect::<Vec<_>>(), [&0, &10]);
    assert_eq!(config.mount_points[&1].path, "/more");
    assert_eq!(config.unused[&0].as_str(), "local:9126/vm-9126-disk-1.raw");
    assert_eq!(config.startup.unwrap().order, Some(3));
    assert_eq!(
        config.raw_lxc,
        [("lxc.idmap".to_owned(), "u 0 100000 65536".to_owned())]
    );
    assert_eq!(
        config.other.into_iter().collect::<Vec<_>>(),
        [("future".to_owned(), "kept".to_owned())]
    );
}

#[test]
fn an_odd_value_is_kept_as_text_and_hides_nothing() {
    let config: ContainerConfig = serde_json::from_value(
        json!({"memory": " ", "net0": "bridge=vmbr0", "lock": "create", "cores": 2}),
    )
    .unwrap();
    assert_eq!((config.memory, config.cores), (None, Some(2)));
    assert!(config.nets.is_empty() && config.rootfs.is_none());
    assert_eq!(config.other["net0"], "bridge=vmbr0");
    assert_eq!(config.other["memory"], " ");
}

#[test]
fn the_lowest_free_index_fills_gaps() {
    let config: ContainerConfig =
        serde_json::from_value(json!({"net0": "name=a", "net2": "name=b", "mp0": "a1:b,mp=/a"}))
            .unwrap();
    assert_eq!(
        (config.free_net(), config.free_mount_point()),
        (Some(1), Some(1))
    );
    assert_eq!(ContainerConfig::default().free_net(), Some(0));
}

#[test]
fn pending_changes_are_told_apart() {
    let settings: Vec<PendingSetting> = serde_json::from_value(json!([
        {"key": "cores", "value": 2},
        {"key": "features", "pending": "nesting=0", "value": "nesting=1"},
        {"delete": 1, "key": "swap", "pending": "64", "value": 512}
    ]))
    .unwrap();
    let changes: Vec<Patch<&str>> = settings.iter().map(PendingSetting::change).collect();
    assert_eq!(
        changes,
        [Patch::Keep, Patch::Set("nesting=0"), Patch::Delete]
    );
}

#[test]
fn addresses_are_read_from_either_form() {
    let new: GuestInterface = serde_json::from_value(json!({
        "name": "eth0", "hardware-address": "bc:24:11:00:00:01", "inet": "10.0.0.5/24",
        "ip-addresses": [
            {"ip-address": "10.0.0.5", "ip-address-type": "inet", "prefix": 24},
            {"ip-address": "fe80::1", "ip-address-type": "inet6", "prefix": "64"}
        ]
    }))
    .unwrap();
    assert_eq!(new.addresses.len(), 2);
    assert_eq!(
        new.addresses
            .iter()
            .filter(|address| address.is_reachable())
            .count(),
        1
    );
    let old: GuestInterface = serde_json::from_value(
        json!({"name": "eth0", "hwaddr": "bc:24:11:00:00:01", "inet": "10.0.0.5/24"}),
    )
    .unwrap();
    assert_eq!(
        (old.hwaddr, old.addresses.first()),
        (new.hwaddr, new.addresses.first())
    );
}

#[test]
fn a_setting_of_tomorrow_is_sent_as_it_is() {
    let params = create().setting("future", "a=1").params().unwrap();
    assert!(params.encoded().ends_with("&future=a%3D1"), "{params:?}");
    assert!(params.own_names().all(|name| name != "future"));
    let update = UpdateContainer::new().setting("lock", Patch::Delete);
    assert_eq!(update.params().unwrap().encoded(), "delete=lock");
}

#[test]
fn what_an_older_server_refuses_is_known_beforehand() {
    let net = "name=eth0,host-managed=1".parse().unwrap();
    let mount = "local:1,mp=/a,idmap=passthrough".parse().unwrap();
    let create = create()
        .net(0, net)
        .mount_point(1, mount)
        .entrypoint("/bin/sh")
        .ha_managed();
    let refused = |release: &str| create.unsupported(Capabilities::of_release(release));
    assert_eq!(
        refused("8.4"),
        ["net0.host-managed", "mp1.idmap", "entrypoint", "ha-managed"]
    );
    assert_eq!(refused("9.1"), ["mp1.idmap"]);
    assert!(refused("9.2").is_empty());
    let update = UpdateContainer::new()
        .env("A=1".to_owned())
        .memory(Mib(512));
    assert_eq!(update.unsupported(Capabilities::of_release("8.4")), ["env"]);
}
