//! The binary, as its users run it: standard output, standard error, exit code.

mod shell;
mod support;
