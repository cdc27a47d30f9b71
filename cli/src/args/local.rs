//! Arguments of `local`.

use std::{path::PathBuf, str::FromStr};

use clap::Args;

use super::{FleetArgs, fleet::Layer};

/// Arguments of `local`.
#[derive(Debug, Args)]
pub(crate) struct LocalArgs {
    /// The container
    pub(crate) name: String,
    /// Leave it standing at the end, with its images: the next run does only what changed
    #[arg(long, conflicts_with = "remove")]
    pub(crate) keep: bool,
    /// Take away all that was made for it, and do nothing else
    #[arg(long, conflicts_with_all = ["layer", "base_template", "ports"])]
    pub(crate) remove: bool,
    /// Only this layer; container-init says what would be left out [default: all three]
    #[arg(long, value_enum, value_name = "LAYER")]
    pub(crate) layer: Option<Layer>,
    /// A container template (`.tar.zst`, `.tar.gz`) as the base of the image; nothing is fetched
    #[arg(long, value_name = "FILE")]
    pub(crate) base_template: Option<PathBuf>,
    /// A port of this machine for one of the container's; may be repeated [default: any free port
    /// for each that HEALTH or the image names]
    #[arg(long = "port", value_name = "HOST[:GUEST]")]
    pub(crate) ports: Vec<PortPair>,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// A port of this machine and the one of the container that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PortPair {
    /// Of this machine.
    pub(crate) host: u16,
    /// Of the container.
    pub(crate) guest: u16,
}

impl FromStr for PortPair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, guest) = text.split_once(':').unwrap_or((text, text));
        let port = |text: &str| match text.parse::<u16>() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(format!(
                "`{text}` is no port, which is a number from 1 to 65535"
            )),
        };
        Ok(Self {
            host: port(host)?,
            guest: port(guest)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_port_stands_for_both() {
        let both = |host, guest| PortPair { host, guest };
        assert_eq!("8080".parse(), Ok(both(8080, 8080)));
        assert_eq!("8080:80".parse(), Ok(both(8080, 80)));
        for wrong in ["", "0", "80:", ":80", "65536", "a:b"] {
            assert!(wrong.parse::<PortPair>().is_err(), "{wrong}");
        }
    }
}
