//! The examples are the files beside this one; there is nothing to import.
