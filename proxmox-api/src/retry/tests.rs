//! The table of what is tried again.
