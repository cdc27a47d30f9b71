//! `proxmox-ci`: arguments in, one library call, words out.

fn main() {}
