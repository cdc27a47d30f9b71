//! The native Actions runner: one program, no Node, no Docker.

mod assignment;
mod command;
mod console;
mod env_file;
mod expression;
mod folders;
mod job;
mod lines;
mod mask;
mod progress;
mod shell;
mod surroundings;
mod workflow;
