//! `schema`: JSON schemas of the written form and of the plan.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use lxc_layers::{
    plan,
    spec::keys::{self, File},
};
use serde_json::json;

use super::Outcome;
use crate::{
    args::keys::SchemaArgs,
    exit::{Code, Failure},
    output::Output,
    settings::Environment,
};

/// Prints one schema, or writes those of all files into a fleet.
pub(crate) fn schema(args: &SchemaArgs, environment: &Environment, output: &Output) -> Outcome {
    let Some(subject) = args.of else {
        return write_all(&environment.fleet_dir(&args.fleet), output);
    };
    match subject.file() {
        Some(file) => output.json(&keys::schema(file))?,
        None => output.json(&plan::schema())?,
    }
    Ok(Code::Ok)
}

fn write_all(fleet: &Path, output: &Output) -> Outcome {
    let written = write(fleet).map_err(|error| Failure::new(Code::CannotWrite, error))?;
    if output.is_json() {
        output.json(&json!({ "files": written }))?;
    } else {
        let lines: Vec<String> = written.iter().map(|it| it.display().to_string()).collect();
        output.data(&lines.join("\n"));
    }
    Ok(Code::Ok)
}

/// Writes the schema of each file to where its `#:schema` line points.
pub(crate) fn write(fleet: &Path) -> Result<Vec<PathBuf>, anyhow::Error> {
    let folder = fleet.join(".proxmox-ci");
    fs::create_dir_all(&folder)
        .with_context(|| format!("making the folder `{}`", folder.display()))?;
    let mut written = Vec::new();
    for file in File::ALL {
        let path = folder.join(format!("{file}.schema.json"));
        let text = serde_json::to_string_pretty(&keys::schema(file))? + "\n";
        fs::write(&path, text).with_context(|| format!("writing `{}`", path.display()))?;
        written.push(path);
    }
    Ok(written)
}
