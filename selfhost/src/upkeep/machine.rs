//! The machine that settling runs on: systemd, the file system, the Git service.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use async_trait::async_trait;
use gitea_api::{Auth, Client, ErrorKind};
use lxc_layers::process::Program;

use super::{
    build::checksum,
    order::Order,
    settle::{Machine, Trouble},
};

/// This very machine.
pub(super) struct Here {
    order: Order,
    forge: Client,
}

impl Here {
    /// The machine of `order`; `forge` is its Git service, asked as anybody.
    pub(super) fn new(order: Order, forge: Client) -> Self {
        Self { order, forge }
    }

    /// Whether the Git service has heard of the job's end: it takes the token no longer.
    async fn job_is_over(&self) -> bool {
        let Some(token) = &self.order.job_token else {
            return true;
        };
        let asked = self.forge.with_auth(Auth::Token(token.clone()));
        let answer = asked.me().get().await;
        matches!(answer, Err(error) if *error.kind() == ErrorKind::Unauthorized)
    }

    fn runner_is_idle(&self) -> bool {
        let entries = fs::read_dir(&self.order.layout.jobs).into_iter().flatten();
        !entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("job-"))
    }

    /// What is wrong with a unit: it does not run, or runs another build than the one in place.
    async fn fault_of(&self, unit: &str) -> Option<Trouble> {
        let shown = systemctl(&["show", "--property=ActiveState,MainPID", unit]).await;
        let shown = match shown {
            Ok(shown) => shown,
            Err(trouble) => return Some(trouble),
        };
        let said = |name: &str| {
            let mut lines = shown.lines().filter_map(|line| line.split_once('='));
            lines
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.to_owned())
        };
        if said("ActiveState").as_deref() != Some("active") {
            return Some(format!(
                "{unit} is {}",
                said("ActiveState").unwrap_or_default()
            ));
        }
        let running = format!("/proc/{}/exe", said("MainPID").unwrap_or_default());
        // A Git service that is another program is not ours to compare.
        let ours = fs::read_link(&running)
            .is_ok_and(|path| is_called_like(&path, &self.order.layout.program));
        (ours && !is_same_file(Path::new(&running), &self.order.layout.program))
            .then(|| format!("{unit} runs another build than the one that is installed"))
    }
}

fn is_called_like(path: &Path, program: &Path) -> bool {
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    match (name(path), name(program)) {
        (Some(name), Some(program)) => name.starts_with(&program),
        _ => false,
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|about| (about.dev(), about.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// Asks systemd.
async fn systemctl(arguments: &[&str]) -> Result<String, Trouble> {
    let asked = Program::new("systemctl").args(arguments.iter().copied());
    let finished = asked.capture().await.map_err(|error| error.to_string())?;
    if finished.is_success() {
        return Ok(finished.text());
    }
    Err(format!(
        "systemctl {}: {}",
        arguments.join(" "),
        finished.tail.join("; ")
    ))
}

/// What a step on a file says when it fails.
fn told(what: &'static str) -> impl Fn(std::io::Error) -> Trouble {
    move |error| format!("{what}: {error}")
}

#[async_trait]
impl Machine for Here {
    async fn is_free(&self) -> bool {
        self.job_is_over().await && self.runner_is_idle()
    }

    async fn stop_runner(&self) -> Result<(), Trouble> {
        systemctl(&["stop", &self.order.layout.runner_unit])
            .await
            .map(drop)
    }

    async fn swap(&self) -> Result<(), Trouble> {
        let layout = &self.order.layout;
        let next = fs::read(layout.next()).map_err(told("reading the new build"))?;
        if checksum(&next) != self.order.pin.sha256 {
            return Err("the new build changed since it was put beside".to_owned());
        }
        drop(fs::remove_file(layout.previous()));
        // A second name for the old build: at no moment is there none in its place.
        fs::hard_link(&layout.program, layout.previous()).map_err(told("keeping the old build"))?;
        fs::rename(layout.next(), &layout.program).map_err(told("placing the new build"))
    }

    async fn swap_back(&self) -> Result<(), Trouble> {
        let layout = &self.order.layout;
        let stopped = systemctl(&["stop", &layout.runner_unit]).await;
        let name = layout.next();
        drop(fs::remove_file(&name));
        fs::hard_link(layout.previous(), &name).map_err(told("finding the old build"))?;
        fs::rename(name, &layout.program).map_err(told("placing the old build"))?;
        stopped.map(drop)
    }

    async fn restart(&self) -> Result<(), Trouble> {
        let layout = &self.order.layout;
        // Both may have failed often enough for systemd to give them up.
        drop(systemctl(&["reset-failed", &layout.forge_unit, &layout.runner_unit]).await);
        systemctl(&["restart", &layout.forge_unit]).await?;
        systemctl(&["restart", &layout.runner_unit]).await.map(drop)
    }

    async fn fault(&self) -> Option<Trouble> {
        let layout = &self.order.layout;
        for unit in [&layout.forge_unit, &layout.runner_unit] {
            let fault = self.fault_of(unit).await;
            if fault.is_some() {
                return fault;
            }
        }
        // One that shows nothing to strangers answers, and that is what counts.
        match self.forge.version().await {
            Ok(_) => None,
            Err(error) if *error.kind() == ErrorKind::Unauthorized => None,
            Err(error) => Some(format!("the Git service does not answer: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upkeep::{Layout, Pin, Service};

    fn here(folder: &Path) -> Here {
        let layout = Layout {
            program: folder.join("proxmox-ci"),
            state: folder.join("state"),
            jobs: folder.join("work"),
            ..Layout::default()
        };
        let order = Order {
            pin: Pin {
                version: "1".to_owned(),
                sha256: checksum(b"new"),
            },
            service: Service {
                url: "http://127.0.0.1:1".to_owned(),
                fingerprint: None,
            },
            job_token: None,
            layout,
        };
        let forge = Client::builder("http://127.0.0.1:1").build().unwrap();
        Here::new(order, forge)
    }

    #[tokio::test]
    async fn the_old_build_stays_beside_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let machine = here(folder.path());
        let layout = &machine.order.layout;
        fs::write(&layout.program, "old").unwrap();
        fs::write(layout.next(), "new").unwrap();
        machine.swap().await.unwrap();
        assert_eq!(fs::read(&layout.program).unwrap(), b"new");
        assert_eq!(fs::read(layout.previous()).unwrap(), b"old");
        assert!(!layout.next().exists());
    }

    #[tokio::test]
    async fn a_build_that_changed_meanwhile_is_not_placed() {
        let folder = tempfile::tempdir().unwrap();
        let machine = here(folder.path());
        let layout = &machine.order.layout;
        fs::write(&layout.program, "old").unwrap();
        fs::write(layout.next(), "bad").unwrap();
        assert!(machine.swap().await.unwrap_err().contains("changed"));
        assert_eq!(fs::read(&layout.program).unwrap(), b"old");
    }

    #[tokio::test]
    async fn a_folder_of_a_job_keeps_the_machine_busy() {
        let folder = tempfile::tempdir().unwrap();
        let machine = here(folder.path());
        assert!(machine.is_free().await);
        fs::create_dir_all(folder.path().join("work/job-abc")).unwrap();
        assert!(!machine.is_free().await);
    }
}
