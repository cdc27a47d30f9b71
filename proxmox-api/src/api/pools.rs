//! Resource pools: names under which guests and storages are grouped.

use serde::Deserialize;

use crate::ids::{NodeName, PoolId, StorageId, Vmid};

/// A pool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Pool {
    /// Its name.
    pub poolid: PoolId,
    /// What it is for.
    #[serde(default)]
    pub comment: Option<String>,
    /// What is in it; told only when one pool is asked for.
    #[serde(default)]
    pub members: Vec<PoolMember>,
}

/// Something in a pool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PoolMember {
    /// Its identifier, e.g. `lxc/105`.
    pub id: String,
    /// The node it is on.
    pub node: NodeName,
    /// Its number, if it is a guest.
    #[serde(default)]
    pub vmid: Option<Vmid>,
    /// Its name, if it is a storage.
    #[serde(default)]
    pub storage: Option<StorageId>,
}
