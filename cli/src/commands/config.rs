//! `config`: each value of a container and where it came from; or every key that there is.

use lxc_layers::resolve::{Explained, Origin};
use lxc_layers::spec::keys;
use serde_json::{Value, json};

use super::Outcome;
use crate::{
    args::fleet::ConfigArgs,
    exit::Code,
    fleet::{self, Fleet},
    output::Output,
    settings::Environment,
};

/// Explains a container's values, or the keys.
pub(crate) async fn config(
    args: &ConfigArgs,
    environment: &Environment,
    output: &Output,
) -> Outcome {
    let Some(name) = &args.explain else {
        if output.is_json() {
            output.json(&keys::schema(keys::File::Container))?;
        } else {
            output.data(keys::text().trim_end());
        }
        return Ok(Code::Ok);
    };
    let fleet = Fleet::read(&args.fleet, environment).await?;
    let desired = fleet.desired(output)?;
    let container = fleet::container(desired, name)?;
    if output.is_json() {
        let values: Vec<Value> = container.explained.iter().map(as_json).collect();
        output.json(&json!({"container": container.name, "values": values}))?;
        return Ok(Code::Ok);
    }
    let lines: Vec<String> = container.explained.iter().map(line).collect();
    output.words(&lines.join("\n"), ORIGIN);
    Ok(Code::Ok)
}

/// Where the column begins that says where a value came from.
const ORIGIN: usize = 51;

fn line(explained: &Explained) -> String {
    format!(
        "{:17} {:32} {}",
        explained.key.name(),
        explained.value,
        origin(&explained.origin)
    )
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Container(span) | Origin::Fleet(span) => span.to_string(),
        Origin::Derived(from) => format!("follows from {from}"),
        Origin::BuiltIn => "built in".to_owned(),
    }
}

fn as_json(explained: &Explained) -> Value {
    let place = explained
        .origin
        .span()
        .map(|span| json!({"file": &*span.file, "line": span.line, "column": span.column}));
    json!({
        "key": explained.key.name(),
        "value": explained.value,
        "origin": origin(&explained.origin),
        "place": place,
    })
}
