//! A fleet as every command wants it: read, resolved, its problems told.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use lxc_layers::{
    checkout::Checkout,
    diagnostic::{Diagnostic, Style, render},
    redact::Redactor,
    resolve::{Container, Desired, resolve},
    spec::{self, Connection, ContainerName, Tree},
};

use crate::{
    args::{FleetArgs, fleet::SelectionArgs},
    exit::{Code, Failure},
    output::Output,
    settings::Environment,
};

/// A fleet that was read.
pub(crate) struct Fleet {
    /// Its folder.
    pub(crate) root: PathBuf,
    /// Where its journal and its lock are.
    state: PathBuf,
    /// Its files.
    pub(crate) tree: Tree,
    /// What git knows of it.
    pub(crate) checkout: Checkout,
    /// What it should be; `None` while something is wrong with it.
    pub(crate) desired: Option<Desired>,
    /// What is wrong with it, or worth reading.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// How `fleet.local.toml` says that Proxmox VE is reached.
    pub(crate) connection: Connection,
}

impl Fleet {
    /// Reads the fleet that the arguments name.
    pub(crate) async fn read(args: &FleetArgs, environment: &Environment) -> Result<Self, Failure> {
        let root = environment.fleet_dir(args);
        let mut tree =
            spec::load(&root).map_err(|error| Failure::new(Code::Fleet, error).hint(NO_FLEET))?;
        let checkout = Checkout::read(&root).await;
        tree.tracked.clone_from(&checkout.tracked);
        let resolved = resolve(&tree);
        let connection = spec::connection(&tree, &mut Vec::new());
        Ok(Self {
            state: environment.state_dir(args),
            root,
            tree,
            checkout,
            desired: resolved.desired,
            diagnostics: resolved.diagnostics,
            connection,
        })
    }

    /// The diagnostics as a person reads them.
    pub(crate) fn told(&self, output: &Output) -> String {
        let style = if output.colours_talk() {
            Style::Coloured
        } else {
            Style::Plain
        };
        render(&self.diagnostics, &self.tree, style)
    }

    /// What the fleet should be, after its warnings were told.
    pub(crate) fn desired(&self, output: &Output) -> Result<&Desired, Failure> {
        let told = self.told(output);
        if let Some(desired) = &self.desired {
            if !told.is_empty() {
                output.warnings(told.trim_end());
            }
            return Ok(desired);
        }
        output.diagnostics(&format!("{}\n", told.trim_end()));
        let count = self.diagnostics.iter().filter(|it| it.is_error()).count();
        let error = anyhow::anyhow!("the fleet in `{}` has {}", self.root.display(), many(count));
        Err(Failure::new(Code::Fleet, error)
            .hint("mend what is named above; nothing was asked of any server"))
    }

    /// Where journal and lock of this fleet are.
    pub(crate) fn state(&self) -> PathBuf {
        self.state.clone()
    }

    /// A path of `fleet.local.toml`, which counts from the fleet's folder.
    pub(crate) fn path(&self, written: &Path) -> PathBuf {
        self.root.join(written)
    }

    /// What must not be seen of this fleet.
    pub(crate) fn redactor(&self) -> Redactor {
        let (fleet, _) = spec::read(&self.tree);
        Redactor::new(fleet.secrets.values().map(|secret| secret.value.reveal()))
    }
}

/// One container of a fleet.
pub(crate) fn container<'a>(desired: &'a Desired, name: &str) -> Result<&'a Container, Failure> {
    desired.container(name).ok_or_else(|| {
        let names: Vec<&str> = desired
            .containers
            .iter()
            .map(|it| it.name.as_str())
            .collect();
        let error = anyhow::anyhow!("there is no container `{name}` in the fleet");
        Failure::new(Code::Usage, error).hint(format!("there are: {}", names.join(", ")))
    })
}

/// The containers that a command is about; `None` when it is about all.
pub(crate) fn selected(
    desired: &Desired,
    args: &SelectionArgs,
) -> Result<Option<BTreeSet<ContainerName>>, Failure> {
    if args.names.is_empty() {
        return Ok(None);
    }
    let named = args.names.iter().map(|name| container(desired, name));
    let named = named
        .map(|found| found.map(|it| it.name.clone()))
        .collect::<Result<BTreeSet<_>, _>>()?;
    Ok(Some(if args.with_dependencies {
        desired.with_dependencies(&named)
    } else {
        named
    }))
}

/// What to do where there is no fleet.
const NO_FLEET: &str = "`--fleet DIR` names the fleet repository; `proxmox-ci init DIR` makes one";

fn many(count: usize) -> String {
    if count == 1 {
        "1 error".to_owned()
    } else {
        format!("{count} errors")
    }
}

/// A diagnostic as JSON.
pub(crate) fn as_json(diagnostic: &Diagnostic) -> serde_json::Value {
    let place = diagnostic.span.as_ref().map(
        |span| serde_json::json!({"file": &*span.file, "line": span.line, "column": span.column}),
    );
    serde_json::json!({
        "severity": if diagnostic.is_error() { "error" } else { "warning" },
        "code": diagnostic.code,
        "message": diagnostic.message,
        "place": place,
        "expected": diagnostic.expected,
        "help": diagnostic.help,
    })
}
