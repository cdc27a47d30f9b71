//! When a container starts and stops with its node: `startup`.

use std::collections::BTreeMap;

use super::{Items, Property, property_text};

/// Place in the node's start order, and pauses.
///
/// # Quirks
/// The server stores this text as it was sent, in whatever order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Startup {
    /// Lower numbers start first and stop last.
    pub order: Option<u32>,
    /// Seconds to wait after its start before the next one starts.
    pub up_secs: Option<u32>,
    /// Seconds to wait for its shutdown.
    pub down_secs: Option<u32>,
    /// What this crate does not know, by key.
    pub other: BTreeMap<String, String>,
}

impl Startup {
    /// At that place in the order.
    #[must_use]
    pub fn order(order: u32) -> Self {
        Self {
            order: Some(order),
            ..Self::default()
        }
    }

    /// With that pause in seconds after its start.
    #[must_use]
    pub fn up_secs(mut self, seconds: u32) -> Self {
        self.up_secs = Some(seconds);
        self
    }

    /// With that many seconds for its shutdown.
    #[must_use]
    pub fn down_secs(mut self, seconds: u32) -> Self {
        self.down_secs = Some(seconds);
        self
    }
}

impl Property for Startup {
    const DEFAULT_KEY: Option<&'static str> = Some("order");
    const FIRST: &'static [&'static str] = &[];

    fn from_items(mut items: Items) -> Result<Self, String> {
        Ok(Self {
            order: items.take("order"),
            up_secs: items.take("up"),
            down_secs: items.take("down"),
            other: items.rest(),
        })
    }

    fn to_items(&self) -> Items {
        let mut items = Items::from_rest(&self.other);
        items.put_some("order", self.order);
        items.put_some("up", self.up_secs);
        items.put_some("down", self.down_secs);
        items
    }
}

property_text!(Startup);
