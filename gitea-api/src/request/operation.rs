//! One endpoint: what the coverage table, the errors and the retries know of a call.

use std::fmt;

use crate::server::Capability;

/// The methods that upstream knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Read.
    Get,
    /// Create, or do.
    Post,
    /// Set.
    Put,
    /// Change.
    Patch,
    /// Remove.
    Delete,
}

impl Verb {
    /// The method's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What sending a request twice does: it decides about retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Safety {
    /// Nothing is changed.
    Read,
    /// The second time changes nothing more.
    Idempotent,
    /// As above, but the second answer says "not found".
    Removal,
    /// The second time does it again, or fails.
    Once,
}

/// One endpoint: what the coverage table, the errors and the retries know of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) verb: Verb,
    pub(crate) template: &'static str,
    pub(crate) title: &'static str,
    pub(crate) safety: Safety,
    pub(crate) needs: Option<Capability>,
    pub(crate) scopes: &'static str,
}

impl Operation {
    const fn new(verb: Verb, safety: Safety, template: &'static str, title: &'static str) -> Self {
        Self {
            verb,
            template,
            title,
            safety,
            needs: None,
            scopes: "",
        }
    }

    pub(crate) const fn get(template: &'static str, title: &'static str) -> Self {
        Self::new(Verb::Get, Safety::Read, template, title)
    }

    pub(crate) const fn post(template: &'static str, title: &'static str) -> Self {
        Self::new(Verb::Post, Safety::Once, template, title)
    }

    pub(crate) const fn put(template: &'static str, title: &'static str) -> Self {
        Self::new(Verb::Put, Safety::Idempotent, template, title)
    }

    pub(crate) const fn patch(template: &'static str, title: &'static str) -> Self {
        Self::new(Verb::Patch, Safety::Once, template, title)
    }

    pub(crate) const fn delete(template: &'static str, title: &'static str) -> Self {
        Self::new(Verb::Delete, Safety::Removal, template, title)
    }

    /// What the server must be able to do.
    pub(crate) const fn needs(mut self, capability: Capability) -> Self {
        self.needs = Some(capability);
        self
    }

    /// Another safety than that of the verb.
    pub(crate) const fn safety(mut self, safety: Safety) -> Self {
        self.safety = safety;
        self
    }

    /// The template begins with a scope; the letters say which exist: `r`epository,
    /// `o`rganisation, `u`ser, `a`dmin.
    pub(crate) const fn scoped(mut self, scopes: &'static str) -> Self {
        self.scopes = scopes;
        self
    }
}

/// Defines operations and the list of them that the coverage test walks.
macro_rules! operations {
    ($($name:ident = $operation:expr;)*) => {
        $(pub(crate) const $name: crate::request::Operation = $operation;)*
        /// Every operation of this file, for the coverage table.
        pub(crate) const OPERATIONS: &[crate::request::Operation] = &[$($name,)*];
    };
}
pub(crate) use operations;
