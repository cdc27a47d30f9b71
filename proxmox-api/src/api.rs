//! The calls this crate knows, and the handles that make them.
//!
//! [`COVERED`] lists every call with every parameter it may carry; a typed method can make no
//! other one, and a test compares the list with the schemas of the supported versions. What is
//! not in the list is reached with [`Client::call`](crate::Client::call): virtual machines, Ceph,
//! the firewall, software-defined networking, high availability, replication, notifications,
//! certificates, disks and updates of a node, consoles, and the index calls.

mod access;
mod cluster;
mod endpoint;
mod lxc;
mod nodes;
mod pools;
mod storage;
mod version;

pub use access::{
    Access, AclEntry, CreateToken, CreateUser, NewToken, Permissions, SetAcl, TokenInfo, User,
};
pub use cluster::{Cluster, ClusterMember, ListResources, Resource, ResourceKind};
pub use endpoint::{Endpoint, Since, SinceKey};
pub use lxc::{
    Changed, CloneContainer, Container, ContainerConfig, ContainerEntry, ContainerState,
    ContainerStatus, CreateContainer, Destroy, GuestAddress, GuestInterface, LockKind, Migrate,
    MoveVolume, PendingSetting, Privilege, Resize, Shutdown, Snapshot, UpdateContainer,
};
pub use nodes::{Backup, BackupMode, ListTasks, Node, NodeEntry, NodeStatus, TaskEntry, Usage};
pub use pools::{Pool, PoolMember};
pub use storage::{
    Checksum, ContentType, DownloadUrl, ListContent, ListStorages, Storage, StorageStatus,
    Template, Upload, VolumeEntry,
};
pub use version::{Capabilities, Version};

use endpoint::endpoints;

/// Settings that creating and changing a container have in common.
const SETTINGS: &[&str] = &[
    "arch",
    "cmode",
    "console",
    "cores",
    "cpulimit",
    "cpuunits",
    "debug",
    "description",
    "dev[n]",
    "entrypoint",
    "env",
    "features",
    "hookscript",
    "hostname",
    "memory",
    "mp[n]",
    "nameserver",
    "net[n]",
    "onboot",
    "ostype",
    "protection",
    "rootfs",
    "searchdomain",
    "startup",
    "swap",
    "tags",
    "template",
    "timezone",
    "tty",
    "unprivileged",
];

endpoints! {
    GET_VERSION: Get "/version", "reading the server's version", [];

    CREATE_TICKET: Post "/access/ticket", "logging in as `{username}`",
        ["username", "password", "tfa-challenge"], safe;
    GET_PERMISSIONS: Get "/access/permissions", "reading permissions", ["path", "userid"];
    LIST_USERS: Get "/access/users", "listing users", ["enabled", "full"];
    CREATE_USER: Post "/access/users", "creating user `{userid}`",
        ["userid", "password", "comment", "email", "firstname", "lastname", "enable", "expire", "groups"];
    GET_USER: Get "/access/users/{userid}", "reading user `{userid}`", [];
    DELETE_USER: Delete "/access/users/{userid}", "deleting user `{userid}`", [];
    LIST_TOKENS: Get "/access/users/{userid}/token", "listing tokens of `{userid}`", [];
    GET_TOKEN: Get "/access/users/{userid}/token/{tokenid}",
        "reading token `{tokenid}` of `{userid}`", [];
    CREATE_TOKEN: Post "/access/users/{userid}/token/{tokenid}",
        "creating token `{tokenid}` of `{userid}`", ["privsep", "expire", "comment"];
    DELETE_TOKEN: Delete "/access/users/{userid}/token/{tokenid}",
        "deleting token `{tokenid}` of `{userid}`", [];
    LIST_ACL: Get "/access/acl", "listing the access control list", [];
    SET_ACL: Put "/access/acl", "changing the access control list at `{path}`",
        ["path", "roles", "users", "groups", "tokens", "propagate", "delete"], safe;

    LIST_RESOURCES: Get "/cluster/resources", "listing the cluster's resources", ["type"];
    NEXT_VMID: Get "/cluster/nextid", "asking for a free vmid", ["vmid"];
    CLUSTER_STATUS: Get "/cluster/status", "reading the cluster's status", [];

    LIST_POOLS: Get "/pools", "listing pools", ["poolid"];
    CREATE_POOL: Post "/pools", "creating pool `{poolid}`", ["poolid", "comment"];
    DELETE_POOL: Delete "/pools", "deleting pool `{poolid}`", ["poolid"];

    LIST_NODES: Get "/nodes", "listing nodes", [];
    NODE_STATUS: Get "/nodes/{node}/status", "reading the status of node `{node}`", [];
    LIST_TASKS: Get "/nodes/{node}/tasks", "listing tasks of node `{node}`",
        ["source", "vmid", "typefilter", "userfilter", "statusfilter", "since", "until", "start",
         "limit", "errors"];
    TASK_STATUS: Get "/nodes/{node}/tasks/{upid}/status",
        "reading the status of a task on node `{node}`", [];
    TASK_LOG: Get "/nodes/{node}/tasks/{upid}/log", "reading the log of a task on node `{node}`",
        ["start", "limit"];
    STOP_TASK: Delete "/nodes/{node}/tasks/{upid}", "stopping a task on node `{node}`", [], safe;
    LIST_TEMPLATES: Get "/nodes/{node}/aplinfo", "listing templates known to node `{node}`", [];
    DOWNLOAD_TEMPLATE: Post "/nodes/{node}/aplinfo",
        "downloading template `{template}` to `{storage}` on node `{node}`", ["storage", "template"];

    LIST_STORAGES: Get "/nodes/{node}/storage", "listing storages of node `{node}`",
        ["content", "enabled", "storage", "target"];
    STORAGE_STATUS: Get "/nodes/{node}/storage/{storage}/status",
        "reading the status of storage `{storage}` on node `{node}`", [];
    LIST_CONTENT: Get "/nodes/{node}/storage/{storage}/content",
        "listing storage `{storage}` on node `{node}`", ["content", "vmid"];
    DELETE_VOLUME: Delete "/nodes/{node}/storage/{storage}/content/{volume}",
        "deleting volume `{volume}` of storage `{storage}` on node `{node}`", ["delay"];
    UPLOAD: Post "/nodes/{node}/storage/{storage}/upload",
        "uploading to storage `{storage}` on node `{node}`",
        ["content", "checksum-algorithm", "checksum"];
    DOWNLOAD_URL: Post "/nodes/{node}/storage/{storage}/download-url",
        "downloading `{filename}` to storage `{storage}` on node `{node}`",
        ["content", "filename", "url", "checksum", "checksum-algorithm", "compression",
         "verify-certificates"];

    LIST_CONTAINERS: Get "/nodes/{node}/lxc", "listing containers of node `{node}`", [];
    CREATE_CONTAINER: Post "/nodes/{node}/lxc", "creating container `{vmid}` on node `{node}`",
        ["vmid", "ostemplate", "password", "ssh-public-keys", "storage", "pool", "start", "force",
         "bwlimit", "ignore-unpack-errors", "restore", "unique", "ha-managed"], settings;
    DESTROY_CONTAINER: Delete "/nodes/{node}/lxc/{vmid}",
        "destroying container `{vmid}` on node `{node}`",
        ["force", "purge", "destroy-unreferenced-disks"];
    GET_CONFIG: Get "/nodes/{node}/lxc/{vmid}/config",
        "reading the configuration of container `{vmid}` on node `{node}`", ["current", "snapshot"];
    SET_CONFIG: Put "/nodes/{node}/lxc/{vmid}/config",
        "changing the configuration of container `{vmid}` on node `{node}`",
        ["digest", "delete", "revert", "unused[n]"], settings;
    GET_PENDING: Get "/nodes/{node}/lxc/{vmid}/pending",
        "reading pending changes of container `{vmid}` on node `{node}`", [];
    CONTAINER_STATUS: Get "/nodes/{node}/lxc/{vmid}/status/current",
        "reading the status of container `{vmid}` on node `{node}`", [];
    START_CONTAINER: Post "/nodes/{node}/lxc/{vmid}/status/start",
        "starting container `{vmid}` on node `{node}`", [];
    SHUTDOWN_CONTAINER: Post "/nodes/{node}/lxc/{vmid}/status/shutdown",
        "shutting down container `{vmid}` on node `{node}`", ["forceStop", "timeout"];
    STOP_CONTAINER: Post "/nodes/{node}/lxc/{vmid}/status/stop",
        "stopping container `{vmid}` on node `{node}`", ["overrule-shutdown"];
    REBOOT_CONTAINER: Post "/nodes/{node}/lxc/{vmid}/status/reboot",
        "rebooting container `{vmid}` on node `{node}`", ["timeout"];
    RESIZE_DISK: Put "/nodes/{node}/lxc/{vmid}/resize",
        "resizing `{disk}` of container `{vmid}` on node `{node}`", ["disk", "size", "digest"];
    LIST_SNAPSHOTS: Get "/nodes/{node}/lxc/{vmid}/snapshot",
        "listing snapshots of container `{vmid}` on node `{node}`", [];
    CREATE_SNAPSHOT: Post "/nodes/{node}/lxc/{vmid}/snapshot",
        "making snapshot `{snapname}` of container `{vmid}` on node `{node}`",
        ["snapname", "description"];
    DELETE_SNAPSHOT: Delete "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}",
        "deleting snapshot `{snapname}` of container `{vmid}` on node `{node}`", [];
    ROLL_BACK: Post "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/rollback",
        "putting container `{vmid}` on node `{node}` back to snapshot `{snapname}`", [];
    CLONE_CONTAINER: Post "/nodes/{node}/lxc/{vmid}/clone",
        "cloning container `{vmid}` on node `{node}` to `{newid}`",
        ["newid", "full", "hostname", "description", "pool", "storage", "target", "snapname"];
    MIGRATE_CONTAINER: Post "/nodes/{node}/lxc/{vmid}/migrate",
        "moving container `{vmid}` from node `{node}` to `{target}`",
        ["target", "target-storage", "restart"];
    MOVE_VOLUME: Post "/nodes/{node}/lxc/{vmid}/move_volume",
        "moving `{volume}` of container `{vmid}` on node `{node}` to `{storage}`",
        ["volume", "storage", "delete", "digest"];
    MAKE_TEMPLATE: Post "/nodes/{node}/lxc/{vmid}/template",
        "making a template of container `{vmid}` on node `{node}`", [];
    BACK_UP: Post "/nodes/{node}/vzdump",
        "backing up guest `{vmid}` of node `{node}` to `{storage}`",
        ["vmid", "storage", "mode", "compress", "remove", "notes-template", "protected"];
    EXTRACT_CONFIG: Get "/nodes/{node}/vzdump/extractconfig",
        "reading the configuration in backup `{volume}` on node `{node}`", ["volume"];
    LIST_INTERFACES: Get "/nodes/{node}/lxc/{vmid}/interfaces",
        "reading addresses of container `{vmid}` on node `{node}`", [];
}

/// Parameters that older supported versions refuse, and the version that brought them.
///
/// A server refuses a whole request for one parameter it does not know.
pub const SINCE: &[Since] = &[
    Since {
        path: "/nodes/{node}/lxc",
        parameter: "entrypoint",
        major: 9,
        minor: 1,
    },
    Since {
        path: "/nodes/{node}/lxc",
        parameter: "env",
        major: 9,
        minor: 1,
    },
    Since {
        path: "/nodes/{node}/lxc",
        parameter: "ha-managed",
        major: 9,
        minor: 1,
    },
    Since {
        path: "/nodes/{node}/lxc/{vmid}/config",
        parameter: "entrypoint",
        major: 9,
        minor: 1,
    },
    Since {
        path: "/nodes/{node}/lxc/{vmid}/config",
        parameter: "env",
        major: 9,
        minor: 1,
    },
];

/// Keys of property strings that older supported versions refuse.
pub const SINCE_KEYS: &[SinceKey] = &[
    SinceKey {
        setting: "net",
        key: "host-managed",
        major: 9,
        minor: 1,
    },
    SinceKey {
        setting: "mp",
        key: "idmap",
        major: 9,
        minor: 2,
    },
    SinceKey {
        setting: "mp",
        key: "keepattrs",
        major: 9,
        minor: 1,
    },
    SinceKey {
        setting: "rootfs",
        key: "idmap",
        major: 9,
        minor: 2,
    },
];

#[cfg(test)]
mod tests;
