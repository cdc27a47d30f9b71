//! Property strings: the `k=v,k=v` values of `netN`, `mpN`, `rootfs`, `features`, `devN`, `startup`.
//!
//! Each is a structure whose equality means what the server means: order does not matter, sizes
//! and addresses compare by value, and a default that is spelled out equals one that is not.
//! A key that this crate does not know, or whose value it cannot read, is kept as it was written
//! and written back, so that reading and writing a setting never loses part of it.
//!
//! # Quirks
//! There is no quoting and no escaping: a comma can never be part of a value, blanks are not
//! trimmed, an empty value and a repeated key are refused, an empty item is ignored
//! (`PVE::JSONSchema::parse_property_string`).

mod device;
mod features;
mod items;
mod mac;
mod mount;
mod net;
mod startup;

pub use device::Device;
pub use features::Features;
pub use items::InvalidProperty;
pub(crate) use items::{Items, Property};
pub use mac::MacAddr;
pub use mount::{MountOptions, MountPoint, RootFs, VolumeSource};
pub use net::{Ipv4Config, Ipv6Config, Net};
pub use startup::Startup;

/// Gives a property its written form: `FromStr` and `Display` over its items.
macro_rules! property_text {
    ($name:ident) => {
        impl std::str::FromStr for $name {
            type Err = crate::property::InvalidProperty;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                crate::property::items::read(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&crate::property::items::write(self))
            }
        }
    };
}
use property_text;

#[cfg(test)]
mod tests;
