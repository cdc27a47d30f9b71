//! Real containers on this machine, from the template to the last trace.
//!
//! They need root and the LXC tools. Where these are missing the tests say so on stderr and end;
//! nothing but the machine itself decides about that.

use std::time::Duration;

use testkit::guests::{Guests, LxcGuests, Otherwise, Shutdown};

use self::stage::Stage;

mod stage;
mod template;

const PATIENT: Shutdown = Shutdown {
    timeout: Duration::from_secs(60),
    otherwise: Otherwise::Fail,
};

#[tokio::test]
async fn a_container_lives_as_its_configuration_says_and_leaves_nothing() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let mut spec = stage.guest(
        101,
        &[
            ("memory", "64"),
            ("swap", "0"),
            ("cores", "1"),
            ("cpulimit", "0.5"),
        ],
    );
    stage.guests.create(&spec, &stage.log).await.unwrap();
    assert_eq!(stage.guests.list().await.unwrap(), [101]);
    assert!(!stage.guests.status(101).await.unwrap().running);

    stage.guests.start(&spec, &stage.log).await.unwrap();
    let status = stage.guests.status(101).await.unwrap();
    let usage = status.usage.unwrap();
    assert_eq!(usage.memory_limit, Some(64 << 20));
    assert!(
        usage.memory > 0 && usage.memory < 64 << 20,
        "{}",
        usage.memory
    );
    stage.answers(&stage.address(101)).await;

    let before = spec.config.clone();
    spec.config.extend([
        ("memory".to_owned(), "96".to_owned()),
        ("tags".to_owned(), "a".to_owned()),
    ]);
    spec.config.insert(
        "mp0".to_owned(),
        "local:101/vm-101-disk-1.raw,mp=/srv".to_owned(),
    );
    let applied = stage
        .guests
        .apply(101, &before, &spec.config)
        .await
        .unwrap();
    assert_eq!(applied.live, ["tags", "memory"]);
    assert_eq!(applied.pending, ["mp0"]);
    assert!(applied.refused.is_empty(), "{applied:?}");
    let usage = stage.guests.status(101).await.unwrap().usage.unwrap();
    assert_eq!(usage.memory_limit, Some(96 << 20));

    stage
        .guests
        .shutdown(101, PATIENT, &stage.log)
        .await
        .unwrap();
    assert!(!stage.guests.status(101).await.unwrap().running);
    let again = stage
        .guests
        .shutdown(101, PATIENT, &stage.log)
        .await
        .unwrap_err();
    assert_eq!(again.to_string(), "CT 101 not running");

    stage.guests.start(&spec, &stage.log).await.unwrap();
    stage.guests.stop(101, &stage.log).await.unwrap();
    stage.guests.destroy(101, &stage.log).await.unwrap();
    assert!(stage.guests.list().await.unwrap().is_empty());
    stage.clear().await;
}

#[tokio::test]
async fn a_guest_has_the_addresses_it_was_given() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let mut spec = stage.guest(
        102,
        &[
            ("hostname", "web.example.org"),
            ("nameserver", "192.0.2.53"),
        ],
    );
    let second = "name=eth1,bridge=vmbr0,hwaddr=BC:24:11:00:00:02,ip=dhcp".to_owned();
    spec.config.insert("net1".to_owned(), second);
    stage.guests.create(&spec, &stage.log).await.unwrap();
    stage.guests.start(&spec, &stage.log).await.unwrap();
    let found = stage.guests.interfaces(102).await.unwrap().unwrap();
    let named = |name: &str| found.iter().find(|one| one.name == name).unwrap();
    assert_eq!(named("eth0").inet, [format!("{}/24", stage.address(102))]);
    assert_eq!(named("eth1").hwaddr, "bc:24:11:00:00:02");
    let leased = named("eth1").inet[0].split('/').next().unwrap();
    stage.answers(leased).await;
    assert!(
        stage
            .lines()
            .iter()
            .any(|line| line == &format!("net1: given address {leased}"))
    );
    assert_eq!(stage.read(102, "etc/hostname"), "web\n");
    assert_eq!(
        stage.read(102, "etc/resolv.conf"),
        "nameserver 192.0.2.53\n"
    );
    let hosts = stage.read(102, "etc/hosts");
    let line = format!("{} web.example.org web\n", stage.address(102));
    assert!(hosts.contains(&line), "{hosts}");

    let before = spec.config.clone();
    let moved = before["net0"].replace(&stage.address(102), &stage.address(103));
    spec.config.extend([
        ("net0".to_owned(), moved),
        ("hostname".to_owned(), "shop".to_owned()),
    ]);
    spec.config.remove("net1");
    spec.config.insert(
        "net2".to_owned(),
        "name=eth2,bridge=vmbr0,ip=dhcp".to_owned(),
    );
    let applied = stage
        .guests
        .apply(102, &before, &spec.config)
        .await
        .unwrap();
    assert_eq!(applied.live, ["hostname", "net0", "net1", "net2"]);
    stage.answers(&stage.address(103)).await;
    let found = stage.guests.interfaces(102).await.unwrap().unwrap();
    let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["lo", "eth0", "eth2"]);
    assert_eq!(
        stage.inside(102, "cat /proc/sys/kernel/hostname").await,
        "shop"
    );
    stage.clear().await;
}

#[tokio::test]
async fn every_guest_has_host_keys_of_its_own() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    for vmid in [103, 104] {
        stage
            .guests
            .create(&stage.guest(vmid, &[]), &stage.log)
            .await
            .unwrap();
        assert_eq!(stage.read(vmid, "etc/machine-id"), "");
        assert_eq!(
            stage.read(vmid, "root/.ssh/authorized_keys"),
            "ssh-ed25519 AAAA test\n"
        );
        let shadow = stage.read(vmid, "etc/shadow");
        assert!(shadow.starts_with("root:$6$"), "{shadow}");
    }
    let key = |vmid| stage.read(vmid, "etc/ssh/ssh_host_ed25519_key.pub");
    assert_ne!(key(103), key(104));
    assert!(!key(103).contains("baked"));
    let lines = stage.lines();
    assert!(
        lines.iter().any(|line| line.starts_with("done: SHA256:")),
        "{lines:?}"
    );
    assert!(!lines.iter().any(|line| line.contains(stage::PASSWORD)));
    stage.clear().await;
}

#[tokio::test]
async fn volumes_bind_mounts_and_devices_are_seen_inside() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let shared = stage.folder("shared files");
    std::fs::write(shared.join("note"), "from the host").unwrap();
    let bind = format!("{},mp=/mnt/shared,ro=1", shared.display());
    let spec = stage.guest(
        105,
        &[
            ("mp0", "local:105/vm-105-disk-1.raw,mp=/srv/data,size=1G"),
            ("mp1", &bind),
            ("dev0", "/dev/null,uid=3,mode=0640"),
        ],
    );
    stage.guests.create(&spec, &stage.log).await.unwrap();
    stage.guests.start(&spec, &stage.log).await.unwrap();
    let inside = |script: &'static str| stage.inside(105, script);
    assert_eq!(inside("cat /mnt/shared/note").await, "from the host");
    assert_eq!(
        inside("echo x >/mnt/shared/new || echo refused").await,
        "refused"
    );
    assert_eq!(
        inside("echo kept >/srv/data/file; cat /srv/data/file").await,
        "kept"
    );
    assert_eq!(inside("test -c /dev/null && echo device").await, "device");
    stage.guests.stop(105, &stage.log).await.unwrap();
    stage.guests.start(&spec, &stage.log).await.unwrap();
    assert_eq!(inside("cat /srv/data/file").await, "kept");
    stage.guests.destroy(105, &stage.log).await.unwrap();
    assert!(shared.join("note").exists());
    stage.clear().await;
}

#[tokio::test]
async fn a_guest_that_ignores_a_shutdown_is_stopped_when_that_is_asked_for() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let spec = stage.deaf_guest(106).await;
    stage.guests.create(&spec, &stage.log).await.unwrap();
    stage.guests.start(&spec, &stage.log).await.unwrap();
    let timeout = Duration::from_secs(1);
    let gently = Shutdown {
        timeout,
        otherwise: Otherwise::Fail,
    };
    let failed = stage
        .guests
        .shutdown(106, gently, &stage.log)
        .await
        .unwrap_err();
    assert_eq!(failed.to_string(), "CT 106 did not shut down within 1 s");
    assert!(stage.guests.status(106).await.unwrap().running);
    let firmly = Shutdown {
        timeout,
        otherwise: Otherwise::Stop,
    };
    stage
        .guests
        .shutdown(106, firmly, &stage.log)
        .await
        .unwrap();
    assert!(!stage.guests.status(106).await.unwrap().running);
    stage.clear().await;
}

#[tokio::test]
async fn a_start_that_fails_says_why_in_the_log() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let spec = stage.lifeless_guest(107).await;
    stage.guests.create(&spec, &stage.log).await.unwrap();
    let failed = stage.guests.start(&spec, &stage.log).await.unwrap_err();
    assert_eq!(failed.to_string(), "startup for container '107' failed");
    let lines = stage.lines();
    assert!(
        lines
            .iter()
            .any(|line| line.contains("ERROR") && line.contains("/sbin/init")),
        "{lines:#?}"
    );
    stage.clear().await;
}

#[tokio::test]
async fn a_failed_create_leaves_nothing_of_the_guest() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let mut spec = stage.guest(108, &[]);
    let broken = stage.folder("broken").join("broken.tar.zst");
    std::fs::write(&broken, "no archive").unwrap();
    spec.template = Some(broken);
    let failed = stage.guests.create(&spec, &stage.log).await.unwrap_err();
    assert!(failed.to_string().starts_with("unpacking `"), "{failed}");
    assert!(stage.guests.list().await.unwrap().is_empty());
    stage
        .guests
        .create(&stage.guest(108, &[]), &stage.log)
        .await
        .unwrap();
    stage.clear().await;
}

#[tokio::test]
async fn a_killed_run_is_cleaned_up_by_the_next_with_the_same_folder() {
    let Some(mut stage) = Stage::set().await else {
        return;
    };
    let spec = stage.guest(109, &[]);
    stage.guests.create(&spec, &stage.log).await.unwrap();
    stage.guests.start(&spec, &stage.log).await.unwrap();
    let refused = LxcGuests::new(stage.data()).prepare().await.unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("another node uses the data folder"),
        "{refused}"
    );

    let pid = stage.guests.status(109).await.unwrap().pid.unwrap();
    let old = stage.network.bridge.clone();
    stage.kill_and_restart().await;
    assert_ne!(stage.network.bridge, old);
    assert!(stage.guests.list().await.unwrap().is_empty());
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(stage::traces(&old), Vec::<String>::new());
    stage.clear().await;
}

#[tokio::test]
async fn two_runs_at_once_do_not_meet() {
    let Some(one) = Stage::set().await else {
        return;
    };
    let Some(two) = Stage::set().await else {
        return;
    };
    assert_ne!(one.network.subnet, two.network.subnet);
    for stage in [&one, &two] {
        let spec = stage.guest(110, &[]);
        stage.guests.create(&spec, &stage.log).await.unwrap();
        stage.guests.start(&spec, &stage.log).await.unwrap();
    }
    one.clear().await;
    assert_eq!(
        std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap(),
        "1\n"
    );
    two.answers(&two.address(110)).await;
    two.clear().await;
}
