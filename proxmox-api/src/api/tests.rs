//! The list of calls against the schemas.
