//! A call of the upstream API as data: method, path, parameters.

use crate::request::{Method, Repeat};

/// A call that this crate can make.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Endpoint {
    /// The method.
    pub method: Method,
    /// The path below `/api2/json`, with its placeholders.
    pub path: &'static str,
    /// The parameters that a typed method may send; `net[n]` stands for any number of them.
    pub parameters: &'static [&'static str],
    /// Further parameters, shared by several calls.
    pub(crate) settings: &'static [&'static str],
    /// What it does, for messages.
    pub(crate) doing: &'static str,
    /// Whether it may be sent again when nobody knows whether it arrived.
    pub(crate) repeat: Repeat,
}

impl Endpoint {
    /// Every parameter that a typed method may send, besides those in the path.
    pub fn all_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.parameters.iter().chain(self.settings).copied()
    }

    /// Names of the placeholders in the path, in order.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &'static str> {
        self.path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Whether a parameter of that name is in the list.
    pub(crate) fn takes(&self, key: &str) -> bool {
        let family = key.trim_end_matches(|c: char| c.is_ascii_digit());
        self.all_parameters()
            .any(|name| name == key || (family != key && name.strip_suffix("[n]") == Some(family)))
    }
}

/// A parameter that not all supported versions know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Since {
    /// The path of the call.
    pub path: &'static str,
    /// The parameter.
    pub parameter: &'static str,
    /// Major number of the first version that knows it.
    pub major: u32,
    /// Minor number of the first version that knows it.
    pub minor: u32,
}

/// A key of a property string that not all supported versions know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinceKey {
    /// The setting, without its index.
    pub setting: &'static str,
    /// The key.
    pub key: &'static str,
    /// Major number of the first version that knows it.
    pub major: u32,
    /// Minor number of the first version that knows it.
    pub minor: u32,
}

/// Declares the calls, one a line, and the list of them.
macro_rules! endpoints {
    ($($name:ident: $method:ident $path:literal, $doing:literal, $parameters:expr $(, $mark:ident)?;)*) => {
        $(
            pub(crate) const $name: Endpoint = Endpoint {
                method: crate::request::Method::$method,
                path: $path,
                parameters: &$parameters,
                settings: crate::api::endpoint::settings!($($mark)?),
                doing: $doing,
                repeat: crate::api::endpoint::repeat!($method $($mark)?),
            };
        )*

        /// Every call that a typed method of this crate may make.
        pub const COVERED: &[Endpoint] = &[$($name),*];
    };
}
pub(crate) use endpoints;

macro_rules! settings {
    (settings) => {
        crate::api::SETTINGS
    };
    ($($mark:ident)?) => {
        &[]
    };
}
pub(crate) use settings;

macro_rules! repeat {
    (Get) => {
        crate::request::Repeat::Safe
    };
    ($method:ident safe) => {
        crate::request::Repeat::Safe
    };
    ($method:ident $($mark:ident)?) => {
        crate::request::Repeat::Unsafe
    };
}
pub(crate) use repeat;
