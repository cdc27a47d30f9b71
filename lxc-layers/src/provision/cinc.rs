//! Cinc: `cinc-client --local-mode` in the guest, with the step's folder as the cookbook.
//!
//! Where there is no `cinc-client`, `chef-client` does. Attributes travel as JSON in a file that
//! only root reads and that is gone when the client is done, with what the client saved of them.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{Error, Job, Mode, Outcome, Provisioner, remote};
use crate::guest::Parcel;

const TOOL: &str = "cinc-client";
/// What a shell ends with when there is no such program.
const NOT_FOUND: i32 = 127;
/// What `timeout` ends with when the time is over.
const TIME_IS_OVER: i32 = 124;

/// Runs the client, whichever there is; attributes and saved node objects do not stay.
const CONVERGE: &str = r#"
client=$(command -v cinc-client || command -v chef-client) || exit 127
CHEF_LICENSE=accept-silent
export CHEF_LICENSE
code=0
"$client" --local-mode --config client.rb --json-attributes attributes.json --no-color "$@" || code=$?
rm -rf attributes.json nodes
exit "$code"
"#;

/// Runs a cookbook in the guest.
#[derive(Debug, Clone)]
pub struct Cinc {
    cookbook: String,
    run_list: Vec<String>,
}

impl Cinc {
    /// The cookbook's name and what is run of it.
    #[must_use]
    pub fn new(cookbook: &str, run_list: &[String]) -> Self {
        Self {
            cookbook: cookbook.to_owned(),
            run_list: run_list.to_vec(),
        }
    }

    /// What the client reads beside the cookbook.
    fn own_files(&self, job: &Job<'_>) -> Vec<Parcel> {
        let mut files = vec![
            private("client.rb", client_rb(job.step.id)),
            private("attributes.json", self.attributes(job).to_string()),
        ];
        let described = ["metadata.rb", "metadata.json"]
            .iter()
            .any(|name| job.step.inputs.contains_key(*name));
        if !described {
            let text = format!("name '{}'\nversion '0.0.0'\n", self.cookbook);
            files.push(private(
                &format!("cookbooks/{}/metadata.rb", self.cookbook),
                text,
            ));
        }
        files
    }

    fn attributes(&self, job: &Job<'_>) -> Value {
        let variables = job.variables();
        let mut attributes: Map<String, Value> = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        let run_list = self.run_list.iter().map(|item| as_recipe(item));
        attributes.insert("run_list".to_owned(), run_list.collect());
        Value::Object(attributes)
    }
}

/// `web::default` is written `recipe[web::default]`; what has brackets already stays.
fn as_recipe(item: &str) -> String {
    if item.contains('[') {
        item.to_owned()
    } else {
        format!("recipe[{item}]")
    }
}

fn client_rb(id: &str) -> String {
    let place = format!("{}/{id}", remote::PLACE);
    format!(
        "local_mode true\nchef_repo_path '{place}/work'\ncookbook_path ['{place}/work/cookbooks']\nfile_cache_path '{place}/cache'\nfile_backup_path '{place}/backup'\n"
    )
}

fn private(path: &str, text: String) -> Parcel {
    Parcel {
        path: path.to_owned(),
        content: text.into_bytes(),
        mode: 0o600,
    }
}

#[async_trait]
impl Provisioner for Cinc {
    async fn run<'a>(&self, job: &Job<'a>, mode: Mode) -> Result<Outcome, Error> {
        let mut files = job.parcels(&format!("cookbooks/{}/", self.cookbook))?;
        files.extend(self.own_files(job));
        let mut argv = ["sh", "-c", CONVERGE, "proxmox-ci"]
            .map(str::to_owned)
            .to_vec();
        argv.extend((mode == Mode::Check).then(|| "--why-run".to_owned()));
        let work = remote::Work {
            place: job.step.id,
            files,
            environment: std::collections::BTreeMap::new(),
            argv,
            limit: job.step.within,
        };
        let finished = remote::work(job.guest, work, job.on_line)
            .await
            .map_err(|error| job.guest_failed(TOOL, error))?;
        if finished.code == NOT_FOUND {
            return Err(Error::Missing {
                program: TOOL,
                place: "in the guest",
            });
        }
        job.ended_in_guest(TOOL, &finished, TIME_IS_OVER)?;
        Ok(Outcome::Ran)
    }
}
