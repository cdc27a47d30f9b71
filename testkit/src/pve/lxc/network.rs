//! Network interfaces of a container: how `netN` is read, completed and written.

use indexmap::IndexMap;

use crate::pve::World;
use crate::pve::property;
use crate::pve::reply::Fail;
use crate::pve::route::Call;
use crate::pve::schema::{Format, Property};

/// The keys of a property string parameter.
pub(crate) fn keys<'a>(call: &'a Call<'_>, name: &str) -> Option<&'a IndexMap<String, Property>> {
    match call.endpoint.property(name)?.format.as_ref()? {
        Format::Keys(keys) => Some(keys),
        Format::Name(_) => None,
    }
}

/// `netN` as the server stores it: a MAC address and the type filled in, keys sorted.
pub(crate) fn complete(
    world: &mut World,
    call: &Call<'_>,
    name: &str,
    value: &str,
) -> Result<String, Fail> {
    let keys = keys(call, name).ok_or_else(|| Fail::die(format!("unknown option '{name}'")))?;
    let mut net = property::parse(keys, value).map_err(|error| Fail::die(error.trim_end()))?;
    if !net.contains_key("hwaddr") {
        net.insert("hwaddr".to_owned(), world.chance.mac());
    }
    net.insert("type".to_owned(), "veth".to_owned());
    Ok(property::print(keys, &net))
}

/// The bridge an interface is on.
pub(crate) fn bridge(value: &str) -> Option<String> {
    property::loose(value, "name").get("bridge").cloned()
}

/// The bridge's own MTU is the most that an interface on it can have.
pub(crate) fn check_mtu(name: &str, value: &str) -> Result<(), Fail> {
    const BRIDGE: u32 = 1500;
    let net = property::loose(value, "name");
    match net.get("mtu").and_then(|mtu| mtu.parse::<u32>().ok()) {
        Some(mtu) if mtu > BRIDGE => Err(Fail::die(format!(
            "{name}: MTU size '{mtu}' is bigger than bridge MTU '{BRIDGE}'"
        ))),
        _ => Ok(()),
    }
}
