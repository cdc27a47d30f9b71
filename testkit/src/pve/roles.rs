//! Privileges, and the roles that a new node has.

use std::collections::BTreeSet;

use super::Version;

const DATASTORE: &[&str] = &[
    "Datastore.Allocate",
    "Datastore.AllocateSpace",
    "Datastore.AllocateTemplate",
    "Datastore.Audit",
];
const AUDIT: &[&str] = &[
    "Datastore.Audit",
    "Mapping.Audit",
    "Pool.Audit",
    "SDN.Audit",
    "Sys.Audit",
    "VM.Audit",
];
const ROOT_ONLY: &[&str] = &[
    "Mapping.Modify",
    "Permissions.Modify",
    "Realm.Allocate",
    "Sys.AccessNetwork",
    "Sys.Incoming",
    "Sys.Modify",
    "Sys.PowerMgmt",
];
const ADMIN: &[&str] = &[
    "Group.Allocate",
    "Mapping.Audit",
    "Mapping.Use",
    "Pool.Allocate",
    "Pool.Audit",
    "Realm.AllocateUser",
    "SDN.Allocate",
    "SDN.Audit",
    "SDN.Use",
    "Sys.Audit",
    "Sys.Console",
    "Sys.Syslog",
    "User.Modify",
];
const VM_USER: &[&str] = &[
    "VM.Audit",
    "VM.Backup",
    "VM.Config.CDROM",
    "VM.Config.Cloudinit",
    "VM.Console",
    "VM.PowerMgmt",
];
const VM_ADMIN: &[&str] = &[
    "VM.Allocate",
    "VM.Clone",
    "VM.Config.CPU",
    "VM.Config.Disk",
    "VM.Config.HWType",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.Options",
    "VM.Migrate",
    "VM.Snapshot",
    "VM.Snapshot.Rollback",
];
const AGENT_USER: &[&str] = &[
    "VM.GuestAgent.Audit",
    "VM.GuestAgent.FileRead",
    "VM.GuestAgent.FileSystemMgmt",
    "VM.GuestAgent.FileWrite",
];
const AGENT_ADMIN: &[&str] = &["VM.GuestAgent.Unrestricted", "VM.Replicate"];

/// The roles that cannot be changed.
pub(crate) const BUILT_IN: &[&str] = &[
    "Administrator",
    "NoAccess",
    "PVEAdmin",
    "PVEAuditor",
    "PVEDatastoreAdmin",
    "PVEDatastoreUser",
    "PVEMappingAdmin",
    "PVEMappingAuditor",
    "PVEMappingUser",
    "PVEPoolAdmin",
    "PVEPoolUser",
    "PVESDNAdmin",
    "PVESDNUser",
    "PVESysAdmin",
    "PVETemplateUser",
    "PVEUserAdmin",
    "PVEVMAdmin",
    "PVEVMUser",
];

/// Whether any version knows the privilege.
pub(crate) fn is_privilege(name: &str) -> bool {
    [
        DATASTORE,
        AUDIT,
        ROOT_ONLY,
        ADMIN,
        VM_USER,
        VM_ADMIN,
        AGENT_USER,
        AGENT_ADMIN,
    ]
    .iter()
    .any(|set| set.contains(&name))
        || name == "VM.Monitor"
}

/// The privileges of a built-in role.
pub(crate) fn built_in(version: Version, role: &str) -> Option<BTreeSet<&'static str>> {
    let (agent_user, agent_admin): (&[&str], &[&str]) = match version {
        Version::V8_4 => (&[], &["VM.Monitor"]),
        Version::V9_2 => (AGENT_USER, AGENT_ADMIN),
    };
    let agent_audit: &[&str] = if version == Version::V9_2 {
        &["VM.GuestAgent.Audit"]
    } else {
        &[]
    };
    let sets: Vec<&[&'static str]> = match role {
        "NoAccess" => vec![],
        "Administrator" => vec![
            DATASTORE,
            AUDIT,
            ROOT_ONLY,
            ADMIN,
            VM_USER,
            VM_ADMIN,
            agent_user,
            agent_admin,
        ],
        "PVEAdmin" => vec![
            DATASTORE,
            AUDIT,
            ADMIN,
            VM_USER,
            VM_ADMIN,
            agent_user,
            agent_admin,
        ],
        "PVEAuditor" => vec![AUDIT, agent_audit],
        "PVEVMAdmin" => vec![VM_USER, VM_ADMIN, agent_user, agent_admin],
        "PVEVMUser" => vec![VM_USER, agent_user],
        "PVEDatastoreAdmin" => vec![DATASTORE],
        "PVEDatastoreUser" => vec![&["Datastore.AllocateSpace", "Datastore.Audit"]],
        "PVEMappingAdmin" => vec![&["Mapping.Audit", "Mapping.Modify", "Mapping.Use"]],
        "PVEMappingAuditor" => vec![&["Mapping.Audit"]],
        "PVEMappingUser" => vec![&["Mapping.Audit", "Mapping.Use"]],
        "PVEPoolAdmin" => vec![&["Pool.Allocate", "Pool.Audit"]],
        "PVEPoolUser" => vec![&["Pool.Audit"]],
        "PVESDNAdmin" => vec![&["SDN.Allocate", "SDN.Audit", "SDN.Use"]],
        "PVESDNUser" => vec![&["SDN.Audit", "SDN.Use"]],
        "PVESysAdmin" => vec![&["Sys.Audit", "Sys.Console", "Sys.Syslog"]],
        "PVETemplateUser" => vec![&["VM.Audit", "VM.Clone"]],
        "PVEUserAdmin" => vec![&["Group.Allocate", "Realm.AllocateUser", "User.Modify"]],
        _ => return None,
    };
    Some(sets.into_iter().flatten().copied().collect())
}

/// Every privilege of a version.
pub(crate) fn all(version: Version) -> BTreeSet<&'static str> {
    built_in(version, "Administrator").unwrap_or_default()
}
