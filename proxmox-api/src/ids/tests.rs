//! What identifiers accept and refuse, and that they print as they were read.

use proptest::prelude::*;

use super::{Digest, NodeName, PoolId, StorageId, TokenId, Upid, UserId, Vmid, VolumeId};

#[track_caller]
fn check<T: std::str::FromStr + std::fmt::Display>(good: &[&str], bad: &[&str]) {
    for text in good {
        let parsed = text
            .parse::<T>()
            .ok()
            .unwrap_or_else(|| panic!("`{text}` was refused"));
        assert_eq!(parsed.to_string(), *text);
    }
    for text in bad {
        assert!(text.parse::<T>().is_err(), "`{text}` was accepted");
    }
}

#[test]
fn vmids_lie_between_100_and_999999999() {
    check::<Vmid>(
        &["100", "9122", "999999999"],
        &["99", "0", "1000000000", "", "+100", "0100", "1e3"],
    );
}

#[test]
fn node_names_are_dns_labels() {
    check::<NodeName>(
        &["pve1", "a", "A-1"],
        &["", "-a", "a-", "a.b", "a/b", "a b", "../x"],
    );
}

#[test]
fn storage_names_have_two_characters_at_least() {
    check::<StorageId>(
        &["local", "local-zfs", "a1"],
        &["a", "9bad", "a-", "a b", "a/b", "a:b"],
    );
}

#[test]
fn pools_nest_three_deep() {
    check::<PoolId>(&["gold", "a/b/c"], &["", "/a", "a/", "a/b/c/d", "a b"]);
}

#[test]
fn users_have_a_realm_and_tokens_a_name() {
    check::<UserId>(
        &["root@pam", "a@b@pve"],
        &["root", "@pam", "root@", "a b@pam", "root@pam!ci"],
    );
    check::<TokenId>(
        &["root@pam!ci"],
        &["root@pam", "root@pam!", "root@pam!1x", "root!ci"],
    );
}

#[test]
fn digests_have_forty_digits() {
    check::<Digest>(
        &["0123456789abcdef0123456789abcdef01234567"],
        &["", "0123", "zz"],
    );
}

#[test]
fn volumes_split_at_the_first_colon() {
    check::<VolumeId>(
        &[
            "local:vztmpl/a.tar.zst",
            "local:100/vm-100-disk-0.raw",
            "cifs:a:b",
        ],
        &["local", "local:", ":a", "x:a", "local:a\nb"],
    );
    let volume: VolumeId = "local:vztmpl/a.tar.zst".parse().unwrap();
    assert_eq!(volume.storage().as_str(), "local");
    assert_eq!(
        (volume.name(), volume.file_name()),
        ("vztmpl/a.tar.zst", "a.tar.zst")
    );
}

#[test]
fn task_identifiers_may_have_odd_or_empty_ids() {
    check::<Upid>(
        &[
            "UPID:pve1:000063DD:0002E881:6B034DF4:vzcreate:100:root@pam!ci:",
            "UPID:pve1:000063DD:0002E8811:6B034DF4:imgcopy::root@pam:",
            "UPID:pve1:000063DD:0002E881:6B034DF4:move_volume:100-mp0>101-mp0:root@pam:",
            "UPID:pve1:000063DD:0002E881:6B034DF4:imgdel:120@local:root@pam:",
        ],
        &[
            "",
            "OK",
            "UPID:pve1:000063DD:0002E881:6B034DF4:vzcreate:100:root@pam",
            "UPID:pve1:63DD:0002E881:6B034DF4:vzcreate:100:root@pam:",
            "UPID::000063DD:0002E881:6B034DF4:vzcreate:100:root@pam:",
            "UPID:pve1:000063DD:0002E881:6B034DF4::100:root@pam:",
        ],
    );
    let upid: Upid = "UPID:pve1:000063DD:0002E881:6B034DF4:vzcreate:100:root@pam!ci:"
        .parse()
        .unwrap();
    assert_eq!(
        (upid.kind(), upid.id(), upid.user()),
        ("vzcreate", "100", "root@pam!ci")
    );
    assert_eq!(upid.node().as_str(), "pve1");
    assert_eq!(
        upid.started()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs(),
        0x6B03_4DF4
    );
}

proptest! {
    #[test]
    fn every_number_in_range_is_a_vmid(number in 100_u32..=999_999_999) {
        let vmid: Vmid = number.to_string().parse().unwrap();
        prop_assert_eq!(vmid.get(), number);
        prop_assert_eq!(vmid.to_string(), number.to_string());
    }

    #[test]
    fn upids_print_as_they_were_read(
        node in "[a-z][a-z0-9]{0,8}", pid in "[0-9A-F]{8}", pstart in "[0-9A-F]{8,9}",
        start in "[0-9A-F]{8}", kind in "[a-z_]{1,12}", id in "[a-z0-9/>@.-]{0,12}", user in "[a-z]{1,8}@pam(![a-z]{1,5})?",
    ) {
        let text = format!("UPID:{node}:{pid}:{pstart}:{start}:{kind}:{id}:{user}:");
        let upid: Upid = text.parse().unwrap();
        prop_assert_eq!(upid.to_string(), text);
        prop_assert_eq!(upid.id(), id);
    }
}
