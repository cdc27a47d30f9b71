//! Ansible: `ansible-playbook` on this machine, over ssh into one guest.
//!
//! `ansible-core` is enough. The inventory holds one host; its `known_hosts` file is made from the
//! pin and checking is strict. Variables travel in a file that only we can read.

use std::{fs, path::Path, time::Duration};

use async_trait::async_trait;
use serde_json::json;

use super::{Error, Job, Mode, Outcome, Provisioner};
use crate::process::Program;

const TOOL: &str = "ansible-playbook";
/// How long Ansible's shared connection may outlive a killed run.
const SSH_ARGS: &str = "-C -o ControlMaster=auto -o ControlPersist=30s";

/// Runs a playbook.
#[derive(Debug, Clone)]
pub struct Ansible {
    playbook: String,
}

impl Ansible {
    /// The playbook, relative to the step's folder.
    #[must_use]
    pub fn new(playbook: &str) -> Self {
        Self {
            playbook: playbook.to_owned(),
        }
    }

    fn program(&self, job: &Job<'_>, mode: Mode, bench: &Path) -> Program {
        let program = Program::new(TOOL)
            .arg("--inventory")
            .arg(bench.join("inventory.yml"))
            .arg("--extra-vars")
            .arg(format!("@{}", bench.join("variables.json").display()))
            .args(match mode {
                Mode::Check => &["--check", "--diff"][..],
                Mode::Apply => &[],
            })
            .arg(self.playbook.as_str())
            .directory(job.folder())
            .limit(job.step.within)
            .redactor(job.redactor.clone())
            .env("ANSIBLE_LOCAL_TEMP", bench.join("tmp"))
            .env("ANSIBLE_SSH_CONTROL_PATH_DIR", bench.join("cp"));
        ENVIRONMENT
            .iter()
            .fold(program, |program, (name, value)| program.env(*name, *value))
    }
}

/// What must hold whatever the operator's own configuration says.
const ENVIRONMENT: [(&str, &str); 9] = [
    ("ANSIBLE_HOST_KEY_CHECKING", "True"),
    ("ANSIBLE_PIPELINING", "True"),
    ("ANSIBLE_SSH_ARGS", SSH_ARGS),
    ("ANSIBLE_NOCOLOR", "1"),
    ("ANSIBLE_NOCOWS", "1"),
    ("ANSIBLE_RETRY_FILES_ENABLED", "False"),
    ("ANSIBLE_PYTHON_INTERPRETER", "auto_silent"),
    ("PYTHONUNBUFFERED", "1"),
    // Ansible refuses to start where the locale is not UTF-8.
    ("LC_ALL", "C.UTF-8"),
];

#[async_trait]
impl Provisioner for Ansible {
    async fn run<'a>(&self, job: &Job<'a>, mode: Mode) -> Result<Outcome, Error> {
        job.parcels("")?;
        let bench = job
            .scratch
            .join(format!("{}.{}", job.container, job.step.id));
        prepare(job, &bench)?;
        let finished = self.program(job, mode, &bench).run(job.on_line).await;
        hang_up(&bench.join("cp")).await;
        // Secrets do not stay longer than they are needed; the whole bench goes with the run.
        let _ = fs::remove_file(bench.join("variables.json"));
        let finished = match finished {
            Ok(finished) => finished,
            Err(error) if error.is_missing_program() => {
                return Err(Error::Missing {
                    program: TOOL,
                    place: "on this machine",
                });
            }
            Err(error) => return Err(job.program_failed(TOOL, error)),
        };
        job.ended(TOOL, &finished)?;
        Ok(recap(&finished.tail).map_or(Outcome::Ran, Outcome::Changed))
    }
}

/// Writes inventory and variables, both for our eyes only.
fn prepare(job: &Job<'_>, bench: &Path) -> Result<(), Error> {
    let local = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Local { path, source }
    };
    fs::create_dir_all(bench.join("cp")).map_err(local(bench))?;
    let host = job.guest.inventory().map_err(Error::guest(TOOL))?;
    let inventory = json!({"all": {"hosts": {job.container: host}}});
    let variables = json!(job.variables());
    // JSON is YAML, and Ansible chooses its reader by the name's end.
    for (name, value) in [("inventory.yml", inventory), ("variables.json", variables)] {
        let path = bench.join(name);
        let text = value.to_string();
        crate::guest::write_private(&path, text.as_bytes()).map_err(local(&path))?;
    }
    Ok(())
}

/// Ends the connections that Ansible left open for itself.
async fn hang_up(folder: &Path) {
    let sockets = fs::read_dir(folder).into_iter().flatten().flatten();
    for socket in sockets {
        let control = format!("ControlPath={}", socket.path().display());
        let hang_up = Program::new("ssh")
            .args(["-O", "exit", "-o", &control, "guest"])
            .limit(Duration::from_secs(5));
        // One that ended by itself meanwhile is what was wanted.
        let _ = hang_up.capture().await;
    }
}

/// How many tasks changed something, from the recap.
fn recap(tail: &[String]) -> Option<u32> {
    tail.iter()
        .rev()
        .find(|line| line.contains("ok=") && line.contains("unreachable="))?
        .split_whitespace()
        .find_map(|word| word.strip_prefix("changed="))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recap_tells_how_much_changed() {
        let tail = [
            "PLAY RECAP *********",
            "web                        : ok=3    changed=2    unreachable=0    failed=0",
            "",
        ]
        .map(str::to_owned);
        assert_eq!(recap(&tail), Some(2));
        assert_eq!(recap(&["changed=7".to_owned()]), None);
    }
}
