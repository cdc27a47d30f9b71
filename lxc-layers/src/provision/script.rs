//! Script: an executable, sent with the folder beside it and run in the guest.

use async_trait::async_trait;

use super::{Error, Job, Mode, Outcome, Provisioner, remote};

const TOOL: &str = "script";
/// What `timeout` ends with when the time is over.
const TIME_IS_OVER: i32 = 124;

/// Runs a script in the guest.
#[derive(Debug, Clone)]
pub struct Script {
    script: String,
}

impl Script {
    /// The executable, relative to the step's folder.
    #[must_use]
    pub fn new(script: &str) -> Self {
        Self {
            script: script.to_owned(),
        }
    }
}

#[async_trait]
impl Provisioner for Script {
    async fn run<'a>(&self, job: &Job<'a>, mode: Mode) -> Result<Outcome, Error> {
        if mode == Mode::Check {
            return Ok(Outcome::CannotCheck);
        }
        let environment = job.variables();
        let odd = environment.keys().find(|name| !is_variable(name));
        if let Some(name) = odd {
            return Err(Error::VariableName {
                name: (*name).to_owned(),
            });
        }
        let mut files = job.parcels("files/")?;
        let script = format!("files/{}", self.script);
        for file in files.iter_mut().filter(|file| file.path == script) {
            file.mode = 0o755;
        }
        let start = r#"cd files && exec "./$1""#;
        let argv = ["sh", "-c", start, "proxmox-ci", &self.script].map(str::to_owned);
        let work = remote::Work {
            place: job.step.id,
            files,
            environment,
            argv: argv.into(),
            limit: job.step.within,
        };
        let finished = remote::work(job.guest, work, job.on_line)
            .await
            .map_err(|error| job.guest_failed(TOOL, error))?;
        job.ended_in_guest(TOOL, &finished, TIME_IS_OVER)?;
        Ok(Outcome::Ran)
    }
}

/// Whether a shell takes it for the name of a variable.
fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_code_is_no_variable() {
        for name in ["", "1A", "A-B", "A;rm", "A=B", "a b"] {
            assert!(!is_variable(name), "{name}");
        }
        assert!(is_variable("_A1"));
    }
}
