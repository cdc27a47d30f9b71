//! The runner and its forge, whatever happens to either of them.

mod bad_luck;
mod ends;
mod proxy;
mod stage;
mod work;
