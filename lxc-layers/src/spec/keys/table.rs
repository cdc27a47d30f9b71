//! The rows of the table of keys, in the order in which they are documented.

use super::{ChangeClass, Key, Kind, Row, Scope, Shape};

/// Every key there is.
pub static TABLE: [Row; 39] = [
    row(Key::Id, "ID").pve("vmid", "VM.Allocate", ChangeClass::Replace).reads("NUMBER, 100 to 999999999", "required", "The guest's number in the cluster.").takes(Kind::Number { least: 100, most: 999_999_999 }, "105"),
    row(Key::Hostname, "HOSTNAME").pve("hostname", "VM.Config.Network", ChangeClass::Live).reads("host name of lower-case letters, digits, hyphens, dots", "the container's folder", "The host name; a running guest sees a new one after its restart.").takes(Kind::Host, "web"),
    row(Key::Node, "NODE").fleet().pve("node", "VM.Migrate", ChangeClass::Migrate).reads("name of a node", "the only node there is", "The node the container belongs on.").takes(Kind::Name, "pve1"),
    row(Key::Pool, "POOL").fleet().pve("pool", "Pool.Allocate", ChangeClass::Live).reads("name of a pool", "the one it is in", "The resource pool it belongs to.").takes(Kind::Name, "lab"),
    row(Key::Template, "TEMPLATE").fleet().pve("ostemplate", "Datastore.Audit", ChangeClass::Replace).reads("STORAGE:vztmpl/FILE, NAME, or URL#sha256=HEX (also sha512)", "required", "What the root file system is unpacked from, at create only.").takes(Kind::Template, "debian-12-standard"),
    row(Key::TemplateStorage, "TEMPLATE_STORAGE").fleet().none("storage of a fetched template").reads("name of a storage", "local", "Where a template given by name or URL is kept.").takes(Kind::Name, "local"),
    row(Key::Storage, "STORAGE").fleet().pve("storage part of rootfs, mpN", "Datastore.AllocateSpace", ChangeClass::Move).reads("name of a storage", "local-lvm", "The storage of disks that name none.").takes(Kind::Name, "local-lvm"),
    row(Key::Unprivileged, "UNPRIVILEGED").fleet().pve("unprivileged", "VM.Allocate; Sys.Modify on / for no", ChangeClass::Replace).reads("yes or no", "yes", "Whether root inside is nobody outside.").takes(Kind::YesNo, "yes"),
    row(Key::Consent, "CONSENT").list().none("checked by container-init").reads("privileged", "none", "Consent, in the container's own file, to what is refused without it.").takes(Kind::Words(&["privileged"]), "privileged"),
    row(Key::Terminate, "TERMINATE").fleet().none("read by the planner").reads("true or false", "false", "Consent to replace the container when only a new one would do; false keeps it.").takes(Kind::YesNo, "true"),
    row(Key::Protection, "PROTECTION").fleet().pve("protection", "VM.Config.Options", ChangeClass::Live).reads("yes or no", "no", "Whether Proxmox VE refuses to destroy it.").takes(Kind::YesNo, "yes"),
    row(Key::Boot, "BOOT").fleet().pve("onboot", "VM.Config.Options", ChangeClass::Live).reads("yes or no", "yes", "Whether it starts with its node.").takes(Kind::YesNo, "no"),
    row(Key::Startup, "STARTUP").pve("startup", "VM.Config.Options", ChangeClass::Live).list().reads("NUMBER, or order=NUMBER, up=SECONDS, down=SECONDS", "none", "Its place in the node's start order, and the pauses after it.").unit("seconds, for the pauses").takes(Kind::Startup, "order=2,up=10"),
    row(Key::Cores, "CORES").fleet().pve("cores", "VM.Config.CPU", ChangeClass::Live).reads("NUMBER, 1 to 8192", "1", "How many cores it may use.").unit("cores").takes(Kind::Number { least: 1, most: 8192 }, "2"),
    row(Key::Cpulimit, "CPULIMIT").fleet().pve("cpulimit", "VM.Config.CPU", ChangeClass::Hotplug).reads("cores as a decimal, 0 to 8192", "0 (none)", "How much CPU time it may use.").unit("cores").takes(Kind::Decimal { least: 0, most: 8192 }, "1.5"),
    row(Key::Cpuunits, "CPUUNITS").fleet().pve("cpuunits", "VM.Config.CPU", ChangeClass::Hotplug).reads("NUMBER, 1 to 10000", "Proxmox VE's", "Its weight against other guests when CPU time is scarce.").takes(Kind::Number { least: 1, most: 10_000 }, "200"),
    row(Key::Memory, "MEMORY").fleet().pve("memory", "VM.Config.Memory", ChangeClass::Hotplug).reads("MiB, or with M, G; at least 16", "512", "How much memory it may use.").unit("MiB").takes(Kind::Size { least: 16, most: 1 << 30 }, "2G"),
    row(Key::Swap, "SWAP").fleet().pve("swap", "VM.Config.Memory", ChangeClass::Hotplug).reads("MiB, or with M, G", "512", "How much swap space it may use.").unit("MiB").takes(Kind::Size { least: 0, most: 1 << 30 }, "512M"),
    row(Key::Rootfs, "ROOTFS").fleet().pve("rootfs", "VM.Config.Disk", ChangeClass::Resize).reads("STORAGE:SIZE or SIZE, in GiB or with M, G, T", "8", "Its root disk; it grows, never shrinks, and moves when the storage changes.").unit("GiB").takes(Kind::Disk, "local-lvm:16G"),
    row(Key::Mount, "MOUNT").alias("SHARED").list().pve("mpN, devN", "VM.Config.Disk; root@pam for folders and devices", ChangeClass::NeedsReboot).reads("STORAGE:SIZE:TARGET, STORAGE:VOLUME:TARGET, /FOLDER:TARGET, each with :ro, :nobackup, :noacl, :quota, :shared; or /dev/NAME", "none", "What is mounted in it: volumes, folders of the node, devices.").unit("GiB, for the sizes").takes(Kind::Mount, "local-lvm:20G:/var/lib/data,/srv/media:/media:ro"),
    row(Key::Device, "DEVICE").list().pve("devN", "root@pam", ChangeClass::NeedsReboot).reads("/dev/NAME with :mode=0660, :uid=N, :gid=N, :ro", "none", "Devices of the node passed through.").takes(Kind::Device, "/dev/ttyUSB0:mode=0660:gid=20"),
    row(Key::Features, "FEATURES").fleet().list().pve("features", "VM.Allocate for nesting; root@pam for the others", ChangeClass::NeedsReboot).reads("nesting, keyctl, fuse, mknod, force_rw_sys with =0 or =1; mount=FS+FS", "nesting=1", "What the container may do beyond the usual.").takes(Kind::Feature, "nesting,keyctl"),
    row(Key::Ip, "IP").pve("ip of net0", "VM.Config.Network", ChangeClass::Hotplug).reads("IPv4 address, with or without /PREFIX; dhcp; manual", "the subnet's address plus ID", "The address of its first interface.").takes(Kind::Address, "10.0.0.5/24"),
    row(Key::Gateway, "GATEWAY").fleet().pve("gw of net0", "VM.Config.Network", ChangeClass::Hotplug).reads("IPv4 address, or none", "gateway of [network]", "Its gateway.").takes(Kind::Gateway, "10.0.0.1"),
    row(Key::Bridge, "BRIDGE").fleet().pve("bridge of net0", "VM.Config.Network; SDN.Use", ChangeClass::Hotplug).reads("name of a bridge", "vmbr0", "The bridge of its first interface.").takes(Kind::Name, "vmbr1"),
    row(Key::Vlan, "VLAN").fleet().pve("tag of net0", "VM.Config.Network", ChangeClass::Hotplug).reads("NUMBER, 1 to 4094", "none", "The VLAN of its first interface.").takes(Kind::Number { least: 1, most: 4094 }, "7"),
    row(Key::Nic, "NIC").list().pve("net1, net2, …", "VM.Config.Network; SDN.Use", ChangeClass::Hotplug).reads("BRIDGE:ADDRESS/PREFIX, BRIDGE:dhcp or BRIDGE:manual, with :vlan=N", "none", "Further interfaces, eth1 and on.").takes(Kind::Nic, "vmbr1:10.1.0.5/24:vlan=7"),
    row(Key::Nameserver, "NAMESERVER").fleet().list().pve("nameserver", "VM.Config.Network", ChangeClass::NeedsReboot).reads("IP address", "the node's", "Its name servers.").takes(Kind::Server, "10.0.0.2,10.0.0.3"),
    row(Key::Searchdomain, "SEARCHDOMAIN").fleet().list().pve("searchdomain", "VM.Config.Network", ChangeClass::NeedsReboot).reads("domain", "the node's", "Its search domains.").takes(Kind::Host, "lab.example"),
    row(Key::Tags, "TAGS").fleet().list().pve("tags", "VM.Config.Options", ChangeClass::Live).reads("letters, digits, - _ + .", "none", "Tags beside `proxmox-ci`, which marks what is ours.").takes(Kind::Tag, "web,public"),
    row(Key::Description, "DESCRIPTION").pve("description", "VM.Config.Options", ChangeClass::Live).reads("text", "what stands there", "The operator's part of the guest's notes.").takes(Kind::Text, "\"the shop window\""),
    row(Key::After, "AFTER").list().none("orders the run").reads("name of a container", "none", "Containers that must be whole before this one is touched.").takes(Kind::Container, "db,cache"),
    row(Key::Health, "HEALTH").list().none("gate of container-configuration").reads("http:PORT/PATH, tcp:PORT or unit:NAME", "none", "What must hold when the service layer is done.").takes(Kind::Gate, "http:80/,unit:nginx"),
    row(Key::HealthTimeout, "HEALTH_TIMEOUT").fleet().none("gate of container-configuration").reads("seconds, 1 to 3600", "60", "How long `HEALTH` may take to hold.").unit("seconds").takes(Kind::Number { least: 1, most: 3600 }, "120"),
    row(Key::Provision, "PROVISION").list().none("container-configuration").reads("ansible, cinc or script", "what the folder holds, in this order", "Which provisioners run, in which order.").takes(Kind::Words(&["ansible", "cinc", "script"]), "script"),
    row(Key::ProvisionTimeout, "PROVISION_TIMEOUT").fleet().none("container-default, container-configuration").reads("seconds, 1 to 86400", "900", "How long one provisioner may take.").unit("seconds").takes(Kind::Number { least: 1, most: 86_400 }, "1800"),
    row(Key::RunList, "RUN_LIST").list().none("cinc-client").reads("RECIPE, COOKBOOK::RECIPE or recipe[COOKBOOK::RECIPE]", "default", "What Cinc runs.").takes(Kind::Item, "web,web::tls"),
    row(Key::Vars, "VARS").list().none("provisioners").reads("NAME=VALUE", "none", "Variables for this container's provisioners, over those of the fleet.").takes(Kind::Assignment, "PORT=8080,NAME=shop"),
    row(Key::Secrets, "SECRETS").list().none("provisioners").reads("name in secrets.local.env", "none", "Secrets that this container's provisioners get.").takes(Kind::Variable, "DB_PASSWORD"),
];

const fn row(key: Key, name: &'static str) -> Row {
    Row {
        key,
        name,
        alias: None,
        shape: Shape::Scalar,
        scope: Scope::Container,
        field: "",
        grammar: "",
        unit: "",
        kind: Kind::Text,
        example: "",
        default: "",
        class: ChangeClass::Nothing,
        privilege: "",
        meaning: "",
    }
}

impl Row {
    const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    const fn list(mut self) -> Self {
        self.shape = Shape::List;
        self
    }

    const fn fleet(mut self) -> Self {
        self.scope = Scope::Fleet;
        self
    }

    const fn pve(
        mut self,
        field: &'static str,
        privilege: &'static str,
        class: ChangeClass,
    ) -> Self {
        self.field = field;
        self.privilege = privilege;
        self.class = class;
        self
    }

    const fn none(mut self, read_by: &'static str) -> Self {
        self.field = read_by;
        self
    }

    const fn reads(
        mut self,
        grammar: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        self.grammar = grammar;
        self.default = default;
        self.meaning = meaning;
        self
    }

    const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    const fn takes(mut self, kind: Kind, example: &'static str) -> Self {
        self.kind = kind;
        self.example = example;
        self
    }
}
