//! What property strings mean, keep and refuse.

use std::fmt::Display;
use std::str::FromStr;

use proptest::prelude::*;

use super::{Device, Features, MacAddr, MountPoint, Net, Property, RootFs, Startup, VolumeSource};
use crate::wire::DiskSize;

#[track_caller]
fn same<P: FromStr<Err: std::fmt::Debug> + Display + PartialEq + std::fmt::Debug>(
    texts: &[&str],
    printed: &str,
) {
    let values: Vec<P> = texts.iter().map(|text| text.parse().unwrap()).collect();
    for value in &values {
        assert_eq!(value, &values[0]);
        assert_eq!(value.to_string(), printed);
    }
}

#[test]
fn interfaces_compare_by_meaning() {
    same::<Net>(
        &[
            "name=eth0,bridge=vmbr0,gw=10.1.1.1,hwaddr=00:11:22:AA:bb:cc,ip=10.1.1.5/24,type=veth",
            "type=veth,ip=10.1.1.5/24,hwaddr=00:11:22:aa:BB:CC,,gw=10.1.1.1,bridge=vmbr0,name=eth0",
            "name=eth0,bridge=vmbr0,gw=10.1.1.1,hwaddr=00:11:22:AA:BB:CC,ip=10.1.1.5/24,firewall=0,link_down=off",
        ],
        "name=eth0,bridge=vmbr0,gw=10.1.1.1,hwaddr=00:11:22:AA:BB:CC,ip=10.1.1.5/24",
    );
    same::<Net>(
        &[
            "name=eth0,rate=10,trunks=5;3,ip6=auto,tag=5",
            "name=eth0,rate=10.0,trunks=3;5,ip6=auto,tag=5",
        ],
        "name=eth0,ip6=auto,rate=10,tag=5,trunks=3;5",
    );
}

#[test]
fn unknown_keys_and_unreadable_values_survive() {
    for text in [
        "name=eth0,future=x=y",
        "name=eth0,ip=10.1.1.5",
        "name=eth0,mtu=jumbo,type=macvlan",
    ] {
        assert_eq!(text.parse::<Net>().unwrap().to_string(), text);
    }
    let text = "local:100/vm-100-disk-0.raw,mp=/data,newer=1,size=huge";
    assert_eq!(text.parse::<MountPoint>().unwrap().to_string(), text);
    assert_eq!(
        "nesting=1,zfs=2".parse::<Features>().unwrap().to_string(),
        "nesting=1,zfs=2"
    );
}

#[test]
fn mount_points_know_volumes_allocations_and_paths() {
    same::<MountPoint>(
        &[
            "local:9126/vm-9126-disk-2.raw,mp=/more,acl=1,backup=1,ro=1,size=8G",
            "mp=/more,volume=local:9126/vm-9126-disk-2.raw,size=8192M,backup=yes,acl=on,ro=true,replicate=1,shared=0",
        ],
        "local:9126/vm-9126-disk-2.raw,mp=/more,acl=1,backup=1,ro=1,size=8G",
    );
    let source = |text: &str| text.parse::<RootFs>().unwrap().source;
    assert!(
        matches!(source("local:1.5"), VolumeSource::Allocate(_, size) if size.to_string() == "1.5")
    );
    assert!(matches!(source("/srv"), VolumeSource::Path(path) if path == "/srv"));
    assert!(source("local:100/vm-100-disk-0.raw").volume().is_some());
    let allocated = RootFs::new(VolumeSource::allocate(
        "local-zfs".parse().unwrap(),
        DiskSize::from_gib(8),
    ));
    assert_eq!(allocated.to_string(), "local-zfs:8");
}

#[test]
fn a_path_with_an_equals_sign_is_written_with_its_key() {
    let text = "volume=/srv/a=b,mp=/a";
    let mount: MountPoint = text.parse().unwrap();
    assert_eq!(mount.source, VolumeSource::Path("/srv/a=b".to_owned()));
    assert_eq!(mount.to_string(), text);
}

#[test]
fn devices_startup_and_features_read_their_default_keys() {
    same::<Device>(
        &[
            "/dev/net/tun,mode=0660,uid=0",
            "uid=0,path=/dev/net/tun,mode=0660,deny-write=0",
        ],
        "/dev/net/tun,mode=0660,uid=0",
    );
    same::<Startup>(&["5,up=3", "up=3,order=5"], "order=5,up=3");
    same::<Features>(
        &[
            "nesting=1,mount=nfs;cifs",
            "mount=cifs;nfs,fuse=0,nesting=1",
        ],
        "mount=cifs;nfs,nesting=1",
    );
    assert!(!"nesting=1".parse::<Features>().unwrap().needs_root());
    assert!(
        "nesting=1,keyctl=1"
            .parse::<Features>()
            .unwrap()
            .needs_root()
    );
}

#[test]
fn what_the_server_refuses_is_refused_with_the_key() {
    for (text, key) in [
        ("bridge=vmbr0", "`name`"),
        ("name=eth0,bridge=", "`bridge`"),
        ("name=eth0,name=eth1", "`name`"),
        ("eth0", "`eth0`"),
    ] {
        let error = text.parse::<Net>().unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
    assert!(
        "local:1"
            .parse::<MountPoint>()
            .unwrap_err()
            .to_string()
            .contains("`mp`")
    );
}

#[test]
fn a_comma_in_a_value_is_found_before_it_is_sent() {
    let net = Net::new("eth0").bridge("vmbr0,firewall=0");
    assert!(net.check().unwrap_err().contains("`bridge`"));
    assert!(Net::new("").check().unwrap_err().contains("`name`"));
    assert!(Net::new("eth0").bridge("vmbr0").check().is_ok());
}

#[test]
fn hardware_addresses_fold_case_and_know_groups() {
    let address: MacAddr = "bc:24:11:0a:0b:0c".parse().unwrap();
    assert_eq!(address.to_string(), "BC:24:11:0A:0B:0C");
    assert!(address.is_unicast());
    assert!(!"01:11:22:33:44:55".parse::<MacAddr>().unwrap().is_unicast());
    for bad in [
        "zz",
        "bc:24:11:0a:0b",
        "bc:24:11:0a:0b:0c:0d",
        "bc:24:11:0a:0b:+c",
        "",
    ] {
        assert!(bad.parse::<MacAddr>().is_err(), "`{bad}` was accepted");
    }
}

/// The keys that the newest schema knows in a setting of a container, sorted.
fn schema(setting: &str) -> Vec<String> {
    let path = crate::golden::fixtures("schemas/pve-api.json");
    let schema: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let is_create = |endpoint: &&serde_json::Value| {
        endpoint["method"] == "POST" && endpoint["path"] == "/nodes/{node}/lxc"
    };
    let create = schema["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .find(is_create)
        .unwrap();
    let format = create["parameters"][setting]["format"].as_object().unwrap();
    let mut keys: Vec<String> = format.keys().cloned().collect();
    keys.sort();
    keys
}

#[track_caller]
fn covers(setting: &str, text: &str, rest: &std::collections::BTreeMap<String, String>) {
    let mut keys: Vec<&str> = text
        .split(',')
        .map(|item| item.split('=').next().unwrap())
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, schema(setting));
    assert!(rest.is_empty(), "not typed: {rest:?}");
}

#[test]
fn every_key_of_the_schema_has_a_field() {
    let net = "name=eth0,bridge=vmbr0,firewall=1,gw=10.0.0.1,gw6=fe80::1,host-managed=1,\
               hwaddr=BC:24:11:00:00:01,ip=dhcp,ip6=auto,link_down=1,mtu=1400,rate=1.5,tag=5,\
               trunks=1;2,type=veth";
    covers("net[n]", net, &net.parse::<Net>().unwrap().other);
    let mount = "volume=a1:b,mp=/a,acl=1,backup=1,idmap=passthrough,keepattrs=1,\
                 mountoptions=noatime,quota=1,replicate=0,ro=1,shared=1,size=1G";
    covers(
        "mp[n]",
        mount,
        &mount.parse::<MountPoint>().unwrap().options.other,
    );
    let rootfs = "volume=a1:b,acl=1,idmap=passthrough,mountoptions=noatime,quota=1,replicate=0,\
                  ro=1,shared=1,size=1G";
    covers(
        "rootfs",
        rootfs,
        &rootfs.parse::<RootFs>().unwrap().options.other,
    );
    let features = "force_rw_sys=1,fuse=1,keyctl=1,mknod=1,mount=nfs,nesting=1";
    covers(
        "features",
        features,
        &features.parse::<Features>().unwrap().other,
    );
    let device = "path=/dev/a,deny-write=1,gid=1,mode=0660,uid=1";
    covers("dev[n]", device, &device.parse::<Device>().unwrap().other);
}

const KEY: &str = "[a-z][a-z0-9_-]{0,8}";
const VALUE: &str = "[A-Za-z0-9/:.;=_-]{1,12}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn interfaces_round_trip(
        extra in proptest::collection::btree_map(KEY, VALUE, 0..5), mac in any::<[u8; 6]>(),
        ip in proptest::option::of((any::<[u8; 4]>(), 0_u8..=32)), tag in proptest::option::of(1_u16..4095),
        flags in any::<(bool, bool, bool)>(), trunks in proptest::collection::btree_set(1_u16..4095, 0..4),
    ) {
        let mut net = Net::new("eth0").hwaddr(MacAddr::new(mac));
        net.ip = ip.map(|(address, prefix)| super::Ipv4Config::Static(address.into(), prefix));
        net.tag = tag;
        (net.firewall, net.link_down, net.host_managed) = flags;
        net.trunks = trunks;
        net.other = extra.into_iter().map(|(key, value)| (format!("x-{key}"), value)).collect();
        prop_assert_eq!(net.to_string().parse::<Net>().unwrap(), net);
    }

    #[test]
    fn any_items_round_trip_through_every_property(
        extra in proptest::collection::btree_map(KEY, VALUE, 0..6),
    ) {
        let items: Vec<String> = extra.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let text = items.join(",");
        let features: Features = text.parse().unwrap();
        prop_assert_eq!(features.to_string().parse::<Features>().unwrap(), features);
        let startup: Startup = text.parse().unwrap();
        prop_assert_eq!(startup.to_string().parse::<Startup>().unwrap(), startup);
        if let Ok(device) = format!("path=/dev/a,{text}").parse::<Device>() {
            prop_assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
        }
        if let Ok(mount) = format!("volume=a1:b,mp=/a,{text}").parse::<MountPoint>() {
            prop_assert_eq!(mount.to_string().parse::<MountPoint>().unwrap(), mount);
        }
    }

    #[test]
    fn volume_sources_round_trip(storage in "[a-z][a-z0-9]{1,6}", name in "[a-z0-9/._-]{1,12}") {
        let source: VolumeSource = format!("{storage}:{name}").parse().unwrap();
        prop_assert_eq!(source.to_string().parse::<VolumeSource>().unwrap(), source);
    }
}
