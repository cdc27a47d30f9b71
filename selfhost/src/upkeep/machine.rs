//! The machine that settling runs on: systemd, the file system, the Git service.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, time::Duration};

use async_trait::async_trait;
use gitea_api::{Auth, Client, ErrorKind};
use lxc_layers::process::Program;

use super::{
    build::checksum,
    order::Order,
    settle::{Machine, Phase, Trouble},
};
use crate::wait::pause;

/// Between two looks at a runner that is to end.
const LOOKS: Duration = Duration::from_millis(50);

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

    /// Lets the runner take no job any more, and waits until it ended: a job that it took a moment
    /// ago is carried to its end. Best effort, since it is stopped afterwards in any case.
    async fn drain(&self, limit: Duration) {
        let unit = &self.order.layout.runner_unit;
        let before = main_pid(unit).await;
        let drain = ["kill", "--kill-who=main", "--signal=USR1", unit];
        if before.is_none() || systemctl(&drain).await.is_err() {
            return;
        }
        let looks = limit.as_millis() / LOOKS.as_millis();
        for _ in 0..looks {
            // The system starts it again by itself after a pause; that one has another number.
            if main_pid(unit).await != before {
                return;
            }
            pause(LOOKS).await;
        }
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

/// The process of a unit; none where it does not run.
async fn main_pid(unit: &str) -> Option<String> {
    let shown = systemctl(&["show", "--property=MainPID", "--value", unit]).await;
    shown.ok().filter(|pid| pid != "0" && !pid.is_empty())
}

/// Sees to it that a file is on the disk.
fn sync(path: &Path) -> std::io::Result<()> {
    fs::File::open(path)?.sync_all()
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

    async fn phase(&self) -> Phase {
        let layout = &self.order.layout;
        if let Some(because) = &self.order.put_back {
            return Phase::PuttingBack(because.clone());
        }
        // A build that was placed lies beside no longer.
        let placed = !layout.next().exists()
            && fs::read(&layout.program).is_ok_and(|it| checksum(&it) == self.order.pin.sha256);
        if placed {
            Phase::Swapped
        } else {
            Phase::Waiting
        }
    }

    async fn remember(&self, because: &str) -> Result<(), Trouble> {
        let order = Order {
            put_back: Some(because.to_owned()),
            ..self.order.clone()
        };
        order.keep().map_err(|error| error.to_string())
    }

    async fn stop_runner(&self, limit: Duration) -> Result<(), Trouble> {
        self.drain(limit).await;
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
        // What is placed is on the disk, and so is what takes it back.
        sync(&layout.next()).map_err(told("writing the new build"))?;
        drop(sync(&layout.order()));
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
        systemctl(&["restart", &layout.forge_unit, &layout.runner_unit])
            .await
            .map(drop)
    }

    async fn is_restarted(&self) -> bool {
        let layout = &self.order.layout;
        self.fault_of(&layout.forge_unit).await.is_none()
            && self.fault_of(&layout.runner_unit).await.is_none()
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
            put_back: None,
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
    async fn the_files_say_how_far_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut machine = here(folder.path());
        let layout = machine.order.layout.clone();
        fs::create_dir(&layout.state).unwrap();
        fs::write(&layout.program, "old").unwrap();
        fs::write(layout.next(), "new").unwrap();
        machine.order.keep().unwrap();
        assert_eq!(machine.phase().await, Phase::Waiting);
        // Killed between the two names.
        fs::hard_link(&layout.program, layout.previous()).unwrap();
        assert_eq!(machine.phase().await, Phase::Waiting);
        machine.swap().await.unwrap();
        assert_eq!(machine.phase().await, Phase::Swapped);
        machine.remember("it is dead").await.unwrap();
        machine.order = Order::read(&layout.order()).unwrap();
        let back = Phase::PuttingBack("it is dead".to_owned());
        assert_eq!(machine.phase().await, back);
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
