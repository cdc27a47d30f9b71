//! The server's dialect: 0/1 booleans, numbers in quotes, lists, sizes, and parameters.

mod lax;
mod list;
mod params;
mod quantity;

pub(crate) use lax::{Lax, Scalar, flag, lax};
pub use list::Tags;
pub(crate) use list::split_list;
pub(crate) use params::{Params, encode};
pub use quantity::{Decimal, DiskSize, InvalidQuantity, Mib};

/// What shall happen to a setting: nothing, a new value, or removal.
///
/// Removal is not the same as a zero or an empty text: the server then falls back to its default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Give it this value.
    Set(T),
    /// Remove it; the server's default holds from then on.
    Delete,
}

impl<T> Patch<T> {
    /// The patch with its value transformed.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Keep => Patch::Keep,
            Self::Set(value) => Patch::Set(change(value)),
            Self::Delete => Patch::Delete,
        }
    }

    /// `Set` for a wanted value, `Delete` for a wanted absence.
    #[must_use]
    pub fn to_be(wanted: Option<T>) -> Self {
        wanted.map_or(Self::Delete, Self::Set)
    }
}

impl<T> From<T> for Patch<T> {
    fn from(value: T) -> Self {
        Self::Set(value)
    }
}

impl From<&str> for Patch<String> {
    fn from(text: &str) -> Self {
        Self::Set(text.to_owned())
    }
}
