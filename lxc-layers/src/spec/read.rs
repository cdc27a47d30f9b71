//! From the tree of files to a fleet as written; every problem of every file, at once.

mod container;
mod document;
mod env;
mod fleet;
mod local;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{ContainerName, ContainerSpec, Entries, Fleet, Key, Role, Tree};
use crate::diagnostic::{Diagnostic, Located, Span};

pub use local::{Connection, connection};
pub(crate) use local::{bad_variable, is_local, is_variable_name};

/// A fleet as written, and what is wrong with it.
///
/// The fleet holds all that could be read, so that what follows can find its problems too; nobody
/// plans from it while there is an error.
#[must_use]
pub fn read(tree: &Tree) -> (Fleet, Vec<Diagnostic>) {
    let mut problems = unreadable(tree);
    let mut read = match tree.texts.get("fleet.toml") {
        Some(text) => fleet::parse(&text.content, &mut problems),
        None => {
            problems.push(no_fleet());
            Fleet::default()
        }
    };
    local::check_files(tree, &mut problems);
    connection(tree, &mut problems);
    read.secrets = local::secrets(tree, &mut problems);
    read.containers = containers(tree, &mut problems);
    (read, problems)
}

fn unreadable(tree: &Tree) -> Vec<Diagnostic> {
    let problem = |(path, why): (&String, &String)| {
        Diagnostic::error(
            "unreadable",
            Span::whole(path),
            format!("`{path}` cannot be read: {why}"),
        )
        .help("mend its permissions or encoding, or remove it")
    };
    tree.unreadable.iter().map(problem).collect()
}

fn no_fleet() -> Diagnostic {
    Diagnostic::error(
        "no-fleet",
        Span::whole("fleet.toml"),
        "there is no `fleet.toml` here",
    )
    .help("name the fleet's folder with `--fleet DIR`, or make one with `proxmox-ci init`")
}

fn containers(tree: &Tree, problems: &mut Vec<Diagnostic>) -> Vec<ContainerSpec> {
    let control = tree.texts.get("config.env").and_then(|text| {
        let entries = container::from_env("config.env", &text.content, problems);
        control_plane(entries, problems)
    });
    let mut found: Vec<ContainerSpec> = control.into_iter().collect();
    for folder in folders(tree) {
        found.extend(member(tree, &folder, problems));
    }
    found
}

/// The control plane's name is its host name: it has no folder of its own to take one from.
fn control_plane(entries: Entries, problems: &mut Vec<Diagnostic>) -> Option<ContainerSpec> {
    let written = entries
        .get(&Key::Hostname)
        .and_then(|entry| entry.items.first().cloned());
    let Some(Located { value, span }) = written else {
        let whole = Span::whole("config.env");
        problems.push(
            Diagnostic::error(
                "missing-key",
                whole,
                "the control plane needs a `HOSTNAME`: it is also its name",
            )
            .help("add a line such as `HOSTNAME=control`"),
        );
        return None;
    };
    let label = value.split('.').next().unwrap_or_default();
    match label.parse::<ContainerName>() {
        Ok(name) => Some(ContainerSpec {
            name,
            role: Role::ControlPlane,
            file: Arc::from("config.env"),
            folder: "config".to_owned(),
            entries,
        }),
        Err(error) => {
            problems.push(
                Diagnostic::error("bad-value", span, error.to_string())
                    .expected(format!("expected {}", error.wanted())),
            );
            None
        }
    }
}

/// The folders below `containers/` that hold any file.
fn folders(tree: &Tree) -> BTreeSet<String> {
    let paths = tree.texts.keys().chain(tree.inputs.keys());
    paths
        .filter_map(|path| path.strip_prefix("containers/")?.split_once('/'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn member(tree: &Tree, folder: &str, problems: &mut Vec<Diagnostic>) -> Option<ContainerSpec> {
    let env = format!("containers/{folder}/config.env");
    let rich = format!("containers/{folder}/container.toml");
    let (file, entries) = match (tree.texts.get(&env), tree.texts.get(&rich)) {
        (Some(_), Some(_)) => {
            problems.push(two_forms(&env, &rich));
            return None;
        }
        (Some(text), None) => (
            env.clone(),
            container::from_env(&env, &text.content, problems),
        ),
        (None, Some(text)) => (
            rich.clone(),
            container::from_toml(&rich, &text.content, problems),
        ),
        (None, None) => {
            problems.push(no_definition(folder, &env));
            return None;
        }
    };
    match folder.parse::<ContainerName>() {
        Ok(name) => Some(ContainerSpec {
            name,
            role: Role::Member,
            file: Arc::from(file),
            folder: format!("containers/{folder}"),
            entries,
        }),
        Err(error) => {
            let message = format!("the folder's name is the container's name, and {error}");
            problems.push(
                Diagnostic::error("bad-name", Span::whole(&file), message)
                    .help("rename the folder"),
            );
            None
        }
    }
}

fn two_forms(env: &str, rich: &str) -> Diagnostic {
    Diagnostic::error(
        "two-forms",
        Span::whole(env),
        format!("`{env}` and `{rich}` describe the same container"),
    )
    .help("keep one of the two: `container.toml` can say all that `config.env` can")
}

fn no_definition(folder: &str, env: &str) -> Diagnostic {
    let message =
        format!("`containers/{folder}/` holds files but no `config.env` and no `container.toml`");
    Diagnostic::error("no-definition", Span::whole(env), message).help(format!(
        "write `{env}` with at least `ID`, or remove the folder"
    ))
}
