//! The named parts of an item of `MOUNT`, `DEVICE` and `NIC`: how each stands in a table of
//! `container.toml`, and how in the text form.

use super::Key;

/// A named part of an item, in the order in which the text form has it.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Its name in a table of `container.toml`.
    pub name: &'static str,
    /// How it stands in the text form.
    pub form: Form,
    /// What stands for it in descriptions of the text form: `STORAGE`.
    pub written: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
}

/// How a part stands in the text form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The value stands for itself.
    Bare,
    /// `name=value`.
    Named(&'static str),
    /// The word, when true.
    WhenTrue(&'static str),
    /// The word, when false.
    WhenFalse(&'static str),
}

/// The parts of an item of this key; none for a key whose items have no table form.
#[must_use]
pub fn parts(key: Key) -> &'static [Part] {
    match key {
        Key::Mount => &MOUNT,
        Key::Device => &DEVICE,
        Key::Nic => &NIC,
        _ => &[],
    }
}

const fn bare(name: &'static str, written: &'static str, meaning: &'static str) -> Part {
    let form = Form::Bare;
    Part {
        name,
        form,
        written,
        meaning,
    }
}

const fn part(name: &'static str, form: Form, meaning: &'static str) -> Part {
    let written = "";
    Part {
        name,
        form,
        written,
        meaning,
    }
}

static MOUNT: [Part; 10] = [
    bare("folder", "/FOLDER", "A folder of the node; root@pam only."),
    bare(
        "storage",
        "STORAGE",
        "The storage of a volume; without it that of `STORAGE`.",
    ),
    bare(
        "size",
        "SIZE",
        "Size of a volume of the container's own, in GiB or with M, G, T: made when first seen, grown when it grows.",
    ),
    bare(
        "volume",
        "VOLUME",
        "A volume that exists, such as `vm-105-disk-1`.",
    ),
    bare(
        "target",
        "/TARGET",
        "Where it is in the container; a mount is known by it.",
    ),
    part(
        "readonly",
        Form::WhenTrue("ro"),
        "Nothing is written through it.",
    ),
    part(
        "backup",
        Form::WhenFalse("nobackup"),
        "Left out of backups; without it a volume is part of them.",
    ),
    part(
        "acl",
        Form::WhenFalse("noacl"),
        "Without access control lists.",
    ),
    part("quota", Form::WhenTrue("quota"), "With disk quotas."),
    part(
        "shared",
        Form::WhenTrue("shared"),
        "The folder or volume is the same on every node.",
    ),
];

static DEVICE: [Part; 5] = [
    bare("path", "/dev/NAME", "The device of the node."),
    part(
        "mode",
        Form::Named("mode"),
        "Its permissions in the container, four octal digits: `0660`.",
    ),
    part(
        "uid",
        Form::Named("uid"),
        "Number of its owner in the container.",
    ),
    part(
        "gid",
        Form::Named("gid"),
        "Number of its group in the container.",
    ),
    part(
        "readonly",
        Form::WhenTrue("ro"),
        "Nothing may be written to it.",
    ),
];

static NIC: [Part; 3] = [
    bare("bridge", "BRIDGE", "The bridge it is plugged into."),
    bare(
        "address",
        "ADDRESS/PREFIX",
        "Its address, or `dhcp`, or `manual`.",
    ),
    part("vlan", Form::Named("vlan"), "Its VLAN, 1 to 4094."),
];
