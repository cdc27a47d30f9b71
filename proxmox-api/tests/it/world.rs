//! Whole stories with a simulated node, over TLS, for each version it knows.

use std::time::Duration;

use futures_util::TryStreamExt;
use proxmox_api::api::{
    Backup, Changed, Checksum, CloneContainer, ContainerState, ContentType, CreateContainer,
    CreateToken, CreateUser, Destroy, ListContent, ListResources, ListTasks, Resize, SetAcl,
    UpdateContainer, Upload,
};
use proxmox_api::property::{Features, Net};
use proxmox_api::wire::{DiskSize, Mib, Patch};
use proxmox_api::{Client, Delivery, ErrorKind, Poll, RetryPolicy, TaskOutcome, Tls, Vmid, Wait};
use testkit::node::{Node, NodeOptions};
use testkit::pve::{Fault, FaultKind, Phase, Setup, Timing, Version};

const TEMPLATE: &str = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst";

fn wait() -> Wait {
    Wait::up_to(Duration::from_secs(60)).polling(Poll::Every(Duration::from_millis(2)))
}

fn number(vmid: u32) -> Vmid {
    vmid.try_into().unwrap()
}

/// A simulated node with a client that trusts it by its fingerprint.
struct Play {
    node: Node,
    client: Client,
}

impl Play {
    async fn start(version: Version) -> Self {
        let setup = Setup {
            version,
            timing: Timing::Polls(2),
            ..Setup::default()
        };
        let node = Node::start(NodeOptions {
            setup,
            ..NodeOptions::default()
        })
        .await
        .unwrap();
        let client = Client::builder(node.url())
            .token(node.root_token().parse().unwrap())
            .tls(Tls::Pinned(node.fingerprint().parse().unwrap()))
            .retry(RetryPolicy {
                pause: Duration::from_millis(1),
                ..RetryPolicy::default()
            })
            .build()
            .unwrap();
        Self { node, client }
    }

    fn host(&self) -> proxmox_api::api::Node {
        self.client.node(self.node.name().parse().unwrap())
    }

    fn fault(&self, method: &str, path: &str, phase: Phase, kind: FaultKind) {
        self.node.desk().world().add_fault(Fault {
            method: Some(method.to_owned()),
            path: Some(path.to_owned()),
            nth: None,
            probability: 1.0,
            phase,
            kind,
            times: Some(1),
            seen: 0,
        });
    }

    async fn create(&self, create: &CreateContainer) -> proxmox_api::api::Container {
        let task = self.host().create_container(create).await.unwrap();
        task.wait(wait()).await.unwrap();
        self.host().container(create.vmid())
    }
}

fn plain(vmid: u32) -> CreateContainer {
    CreateContainer::new(number(vmid), TEMPLATE.parse().unwrap())
        .hostname("web")
        .memory(Mib(256))
        .rootfs("local:1".parse().unwrap())
        .net(
            0,
            Net::new("eth0")
                .bridge("vmbr0")
                .ip("10.0.0.5/24".parse().unwrap()),
        )
}

#[tokio::test]
async fn a_container_lives_and_goes() {
    for version in [Version::V8_4, Version::V9_2] {
        let play = Play::start(version).await;
        let release = play.client.version().await.unwrap().release;
        assert_eq!(release, version.release());
        let container = play.create(&plain(105)).await;
        let config = container.config().await.unwrap();
        assert_eq!(
            (config.hostname.as_deref(), config.memory),
            (Some("web"), Some(Mib(256)))
        );
        assert!(
            config.unprivileged && config.nets[&0].hwaddr.is_some(),
            "{config:?}"
        );
        container.start().await.unwrap().wait(wait()).await.unwrap();
        let status = container
            .wait_until(ContainerState::Running, wait())
            .await
            .unwrap();
        assert!(status.is_running());
        let refused = container.destroy(&Destroy::new()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyRunning);
        container.stop().await.unwrap().wait(wait()).await.unwrap();
        container
            .destroy(&Destroy::new().purging())
            .await
            .unwrap()
            .wait(wait())
            .await
            .unwrap();
        assert!(container.find_config().await.unwrap().is_none());
        play.node.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_change_is_made_once_and_keeps_what_it_does_not_name() {
    let play = Play::start(Version::V8_4).await;
    let container = play.create(&plain(105)).await;
    let before = container.config().await.unwrap().nets[&0].clone();
    let tagged = |config: &proxmox_api::api::ContainerConfig| {
        let present = &config.nets[&0];
        let wanted = Net::new("eth0")
            .bridge("vmbr0")
            .ip("10.0.0.6/24".parse().unwrap());
        let wanted = wanted.with_hwaddr_of(present);
        if *present == wanted {
            UpdateContainer::new()
        } else {
            UpdateContainer::new().net(0, wanted)
        }
    };
    assert_eq!(container.change(3, tagged).await.unwrap(), Changed::Applied);
    assert_eq!(container.change(3, tagged).await.unwrap(), Changed::Nothing);
    assert_eq!(
        container.config().await.unwrap().nets[&0].hwaddr,
        before.hwaddr
    );
}

#[tokio::test]
async fn what_a_running_container_cannot_take_over_waits() {
    let play = Play::start(Version::V8_4).await;
    let container = play
        .create(&plain(105).features(Features::default().nesting()))
        .await;
    container.start().await.unwrap().wait(wait()).await.unwrap();
    let without = |_: &proxmox_api::api::ContainerConfig| {
        UpdateContainer::new().features(Patch::Delete).onboot(true)
    };
    let changed = container.change(1, without).await.unwrap();
    let Changed::Pending(waiting) = changed else {
        panic!("{changed:?}")
    };
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (waiting[0].key.as_str(), waiting[0].change()),
        ("features", Patch::Delete)
    );
    container
        .update(&UpdateContainer::new().revert("features"))
        .await
        .unwrap();
    assert!(
        container
            .pending()
            .await
            .unwrap()
            .iter()
            .all(|setting| !setting.is_pending())
    );
    assert!(
        container
            .current_config()
            .await
            .unwrap()
            .features
            .unwrap()
            .nesting
    );
}

#[tokio::test]
async fn a_lost_answer_to_a_change_is_looked_into_before_anything_is_repeated() {
    let play = Play::start(Version::V8_4).await;
    let container = play.create(&plain(105)).await;
    play.fault("PUT", ".*/config", Phase::After, FaultKind::Reset);
    let more = |config: &proxmox_api::api::ContainerConfig| match config.memory {
        Some(Mib(512)) => UpdateContainer::new(),
        _ => UpdateContainer::new().memory(Mib(512)),
    };
    assert_eq!(container.change(3, more).await.unwrap(), Changed::Applied);
    let lines = play.node.journal().lines();
    let puts = lines.iter().filter(|line| line.contains("PUT")).count();
    assert_eq!(puts, 1, "{lines:#?}");
}

#[tokio::test]
async fn a_lost_answer_to_a_create_is_not_followed_by_another_create() {
    let play = Play::start(Version::V8_4).await;
    play.fault("POST", ".*/lxc", Phase::After, FaultKind::Reset);
    let error = play.host().create_container(&plain(105)).await.unwrap_err();
    assert_eq!(error.delivery(), Delivery::Unknown);
    let asked = ListTasks::new().running_too().about(number(105));
    assert_eq!(play.host().list_tasks(&asked).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_never_arrived_is_sent_again() {
    let play = Play::start(Version::V8_4).await;
    let refused = FaultKind::Status {
        status: 595,
        message: "Connection refused".to_owned(),
    };
    play.fault("POST", ".*/lxc", Phase::Before, refused);
    play.create(&plain(105)).await;
}

#[tokio::test]
async fn a_missing_template_fails_the_task_and_says_so() {
    let play = Play::start(Version::V8_4).await;
    let create = CreateContainer::new(number(105), "local:vztmpl/nope.tar.zst".parse().unwrap());
    let task = play
        .host()
        .create_container(&create.rootfs("local:1".parse().unwrap()))
        .await
        .unwrap();
    let error = task.wait(wait()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TaskFailed);
    assert_eq!(error.task_failure().unwrap().reason(), ErrorKind::NotFound);
    assert!(error.to_string().contains("nope.tar.zst"), "{error}");
}

#[tokio::test]
async fn the_log_of_a_task_is_followed_to_its_end() {
    let play = Play::start(Version::V8_4).await;
    let task = play.host().create_container(&plain(105)).await.unwrap();
    let lines: Vec<String> = task
        .follow(wait())
        .map_ok(|line| line.text)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        lines.last().map(String::as_str),
        Some("TASK OK"),
        "{lines:?}"
    );
    assert_eq!(task.wait(wait()).await.unwrap(), TaskOutcome::Ok);
}

#[tokio::test]
async fn bad_parameters_are_all_named() {
    let play = Play::start(Version::V9_2).await;
    let create = plain(105).memory(Mib(1)).cores(0).nameserver("nowhere");
    let error = play.host().create_container(&create).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidParameter);
    let named: Vec<&String> = error.parameters().keys().collect();
    assert_eq!(named, ["cores", "memory", "nameserver"]);
}

#[tokio::test]
async fn a_number_is_found_though_others_take_some() {
    let play = Play::start(Version::V8_4).await;
    play.create(&plain(200)).await;
    let (vmid, task) = play
        .host()
        .create_numbered(&plain(100), number(200)..=number(210))
        .await
        .unwrap();
    task.wait(wait()).await.unwrap();
    assert_eq!(vmid.get(), 201);
    let full = play
        .host()
        .create_numbered(&plain(100), number(200)..=number(201))
        .await;
    assert_eq!(full.unwrap_err().kind(), ErrorKind::Unusable);
}

#[tokio::test]
async fn disks_grow_and_are_copied_and_backed_up() {
    let play = Play::start(Version::V8_4).await;
    let container = play.create(&plain(105)).await;
    let grown = Resize::to("rootfs", DiskSize::from_gib(2));
    container
        .resize(&grown)
        .await
        .unwrap()
        .wait(wait())
        .await
        .unwrap();
    let size = container
        .config()
        .await
        .unwrap()
        .rootfs
        .unwrap()
        .options
        .size;
    assert_eq!(size, Some(DiskSize::from_gib(2)));
    let clone = CloneContainer::to(number(106)).full().hostname("copy");
    container
        .clone_to(&clone)
        .await
        .unwrap()
        .wait(wait())
        .await
        .unwrap();
    let copy = play.host().container(number(106)).config().await.unwrap();
    assert_eq!(copy.hostname.as_deref(), Some("copy"));
    let local = "local".parse().unwrap();
    let backup = Backup::new(number(105), local).notes("{{guestname}}");
    play.host()
        .back_up(&backup)
        .await
        .unwrap()
        .wait(wait())
        .await
        .unwrap();
    let storage = play.host().storage("local".parse().unwrap());
    let backups = storage
        .list_content(&ListContent::of(ContentType::Backup))
        .await
        .unwrap();
    let text = play
        .host()
        .backed_up_config(&backups[0].volid)
        .await
        .unwrap();
    assert!(text.contains("hostname: web"), "{text}");
    let restore = CreateContainer::new(number(107), backups[0].volid.clone()).restored();
    let restored = play.create(&restore).await.config().await.unwrap();
    assert_eq!(restored.hostname.as_deref(), Some("web"));
}

#[tokio::test]
async fn a_template_is_uploaded_used_and_deleted() {
    let play = Play::start(Version::V8_4).await;
    let storage = play.host().storage("local".parse().unwrap());
    let upload = Upload::bytes(ContentType::Template, "mine.tar.zst", "golden\n").checksum(
        Checksum::Sha256(
            "5ac03da17d7d5241b49a9a94f86b08a431d7052c8585ca997b373f0bc7da0dcc".to_owned(),
        ),
    );
    storage
        .upload(upload)
        .await
        .unwrap()
        .wait(wait())
        .await
        .unwrap();
    let volume = "local:vztmpl/mine.tar.zst".parse().unwrap();
    assert_eq!(
        storage.find_volume(&volume).await.unwrap().unwrap().size,
        Some(7)
    );
    let wrong = Upload::bytes(ContentType::Iso, "other.iso", "golden\n")
        .checksum(Checksum::Sha256("00".repeat(32)));
    let error = storage
        .upload(wrong)
        .await
        .unwrap()
        .wait(wait())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("checksum mismatch"), "{error}");
    if let Some(task) = storage.delete_volume(&volume).await.unwrap() {
        task.wait(wait()).await.unwrap();
    }
    assert!(storage.find_volume(&volume).await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_may_do_what_it_was_given() {
    let play = Play::start(Version::V8_4).await;
    play.create(&plain(105)).await;
    let access = play.client.access();
    let (user, token) = ("ci@pve".parse().unwrap(), "ci@pve!t1".parse().unwrap());
    access
        .create_user(&CreateUser::new("ci@pve".parse().unwrap()))
        .await
        .unwrap();
    let made = access
        .create_token(&token, &CreateToken::new().with_full_rights())
        .await
        .unwrap();
    let client = Client::builder(play.node.url())
        .token(made)
        .tls(Tls::CaPem(play.node.ca_pem().to_owned()))
        .build()
        .unwrap();
    let node = client.node(play.node.name().parse().unwrap());
    let container = node.container(number(105));
    let denied = container.config().await.unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Denied);
    assert_eq!(
        denied.missing_privileges(),
        Some(("/vms/105", vec!["VM.Audit"]))
    );
    access
        .set_acl(&SetAcl::new("/vms/105", "PVEVMAdmin").user(&user))
        .await
        .unwrap();
    container.config().await.unwrap();
    let permissions = client.access().permissions_on("/vms/105").await.unwrap();
    assert!(permissions.has("/vms/105", "VM.Audit"));
    let root_only = UpdateContainer::new().features(Features::default().keyctl());
    assert_eq!(
        container.update(&root_only).await.unwrap_err().kind(),
        ErrorKind::RootOnly
    );
    access.delete_user(&user).await.unwrap();
    assert_eq!(
        container.config().await.unwrap_err().kind(),
        ErrorKind::Unauthorized
    );
}

#[tokio::test]
async fn a_password_works_like_a_token() {
    let play = Play::start(Version::V8_4).await;
    let client = Client::builder(play.node.url())
        .password("root@pam".parse().unwrap(), play.node.root_password())
        .tls(Tls::Pinned(play.node.fingerprint().parse().unwrap()))
        .build()
        .unwrap();
    let pool = "gold".parse().unwrap();
    client.cluster().create_pool(&pool, None).await.unwrap();
    client.cluster().delete_pool(&pool).await.unwrap();
    let wrong = Client::builder(play.node.url())
        .password("root@pam".parse().unwrap(), "wrong")
        .tls(Tls::Pinned(play.node.fingerprint().parse().unwrap()))
        .build()
        .unwrap();
    assert_eq!(
        wrong.version().await.unwrap_err().kind(),
        ErrorKind::Unauthorized
    );
}

#[tokio::test]
async fn the_cluster_is_seen_from_above() {
    let play = Play::start(Version::V9_2).await;
    play.create(&plain(105)).await;
    let cluster = play.client.cluster();
    let guest = cluster.find_guest(number(105)).await.unwrap().unwrap();
    assert_eq!(guest.name.as_deref(), Some("web"));
    assert!(
        !cluster
            .list_resources(ListResources::All)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(!cluster.is_free(number(105)).await.unwrap());
    assert_eq!(cluster.next_vmid().await.unwrap().get(), 100);
    assert!(cluster.list_nodes().await.unwrap()[0].is_online());
    assert!(!cluster.status().await.unwrap().is_empty());
    assert!(play.host().status().await.unwrap().memory.total > 0);
    assert_eq!(play.host().list_containers().await.unwrap().len(), 1);
    assert!(!play.host().list_templates().await.unwrap().is_empty());
    assert!(
        play.host()
            .container(number(105))
            .list_snapshots()
            .await
            .unwrap()
            .is_empty()
    );
    let elsewhere = play.client.node("nosuch".parse().unwrap());
    let error = elsewhere
        .container(number(105))
        .find_config()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownNode);
}
