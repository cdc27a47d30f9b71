//! What a failure amounts to, by status, text and refused parameters.
//!
//! Each text is one that a real server was seen to answer, or that stands in the named Perl module;
//! the tests hold the recorded ones.

use std::collections::BTreeMap;

use crate::error::ErrorKind;

/// Texts of failures and their kind; the first that occurs decides.
const TEXTS: &[(&str, ErrorKind)] = &[
    // PVE::Tools::assert_if_modified
    ("detected modified configuration", ErrorKind::Modified),
    // PVE::AbstractConfig::check_lock
    ("CT is locked (", ErrorKind::Locked),
    ("VM is locked (", ErrorKind::Locked),
    // PVE::Cluster::check_cfs_quorum, cfs_lock
    ("no quorum", ErrorKind::NoQuorum),
    // PVE::Tools::lock_file_full, PVE::Cluster::cfs_lock
    ("got lock request timeout", ErrorKind::LockTimeout),
    ("got lock timeout", ErrorKind::LockTimeout),
    ("can't lock file '", ErrorKind::LockTimeout),
    ("can't acquire lock", ErrorKind::LockTimeout),
    // PVE::GuestHelpers, PVE::Cluster::check_vmid_unused, PVE::API2::Storage::Status
    ("already exists", ErrorKind::AlreadyExists),
    ("already defined", ErrorKind::AlreadyExists),
    (
        "refusing to override existing file",
        ErrorKind::AlreadyExists,
    ),
    // PVE::API2::LXC::Status; a reboot says `VM` for a container too.
    ("already running", ErrorKind::AlreadyRunning),
    ("container is running", ErrorKind::AlreadyRunning),
    ("running container", ErrorKind::AlreadyRunning),
    ("if the CT is running", ErrorKind::AlreadyRunning),
    ("not running", ErrorKind::NotRunning),
    // PVE::Cluster::remote_node_ip for a node that nobody knows
    ("hostname lookup '", ErrorKind::UnknownNode),
    ("failed to get address info for", ErrorKind::UnknownNode),
    // PVE::AbstractConfig::check_protection
    ("protection mode enabled", ErrorKind::Protected),
    // PVE::AbstractConfig::load_config, PVE::Storage, PVE::AccessControl
    ("does not exist", ErrorKind::NotFound),
    ("no such ", ErrorKind::NotFound),
    ("No such storage", ErrorKind::NotFound),
];

/// Reasons for refusing a parameter that say something about the world, not about the parameter.
const PARAMETER_TEXTS: &[(&str, ErrorKind)] = &[
    ("no such task", ErrorKind::NotFound),
    ("no such template", ErrorKind::NotFound),
    ("No such storage", ErrorKind::NotFound),
    ("already exists", ErrorKind::AlreadyExists),
    ("Only root may use this option", ErrorKind::RootOnly),
];

/// What a failure amounts to. Status codes alone do not tell.
pub(crate) fn classify(status: u16, message: &str, params: &BTreeMap<String, String>) -> ErrorKind {
    match status {
        401 => ErrorKind::Unauthorized,
        403 => denied(message),
        400 => parameters(message, params),
        404 => ErrorKind::NotFound,
        501 => ErrorKind::NotImplemented,
        502..=504 | 595..=599 => ErrorKind::Gateway,
        _ => by_text(TEXTS, message).unwrap_or(ErrorKind::Server),
    }
}

fn by_text(texts: &[(&str, ErrorKind)], message: &str) -> Option<ErrorKind> {
    texts
        .iter()
        .find(|(text, _)| message.contains(text))
        .map(|(_, kind)| *kind)
}

/// Refusals for want of rights (`PVE::RPCEnvironment::check_full`, `PVE::API2::LXC`).
fn denied(message: &str) -> ErrorKind {
    if message.contains("only allowed for root@pam") || message.contains("Only root") {
        ErrorKind::RootOnly
    } else if message.contains("not available with API token") {
        ErrorKind::NeedsTicket
    } else if message.contains("(pool '") && message.contains("does not exist") {
        // A missing pool is found by the check of rights on it.
        ErrorKind::NotFound
    } else {
        ErrorKind::Denied
    }
}

/// Refused parameters; a few of them say that something is or is not there.
fn parameters(message: &str, params: &BTreeMap<String, String>) -> ErrorKind {
    if params.is_empty() {
        return by_text(TEXTS, message).unwrap_or(ErrorKind::InvalidParameter);
    }
    let mut kinds = params
        .values()
        .map(|reason| by_text(PARAMETER_TEXTS, reason));
    let first = kinds.next().flatten();
    match first {
        Some(kind) if kinds.all(|other| other == first) => kind,
        _ => ErrorKind::InvalidParameter,
    }
}
