//! The Gitea side as its users meet it: a forge with git, tokens and a folder that survives.

mod breadth;
mod conversation;
mod durability;
mod golden;
mod limits;
mod pages;
mod stage;
mod webhooks;
