//! `explain`: what a key means, its unit, default, change class and privilege.

use anyhow::anyhow;
use lxc_layers::spec::keys;

use super::Outcome;
use crate::{
    args::keys::ExplainArgs,
    exit::{Code, Failure},
    output::Output,
};

/// Explains one key, or names all.
pub(crate) fn explain(args: &ExplainArgs, output: &Output) -> Outcome {
    let Some(key) = &args.key else {
        if output.is_json() {
            output.json(&keys::all())?;
        } else {
            output.data(keys::list().trim_end());
            output.say("\n`proxmox-ci explain KEY` tells the rest of one of them");
        }
        return Ok(Code::Ok);
    };
    let found = keys::explain(key).map_err(|near| unknown(key, near))?;
    if output.is_json() {
        output.json(&found)?;
        return Ok(Code::Ok);
    }
    let texts: Vec<String> = found.iter().map(keys::Explanation::to_text).collect();
    output.data(texts.join("\n").trim_end());
    Ok(Code::Ok)
}

fn unknown(key: &str, near: Option<String>) -> Failure {
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`proxmox-ci explain` lists all keys".to_owned(),
    };
    Failure::new(Code::Usage, anyhow!("there is no key `{key}`")).hint(hint)
}
