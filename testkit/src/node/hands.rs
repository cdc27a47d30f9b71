//! The world's hands: its effects become work on guests and files, outcomes go back.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex as Turn, oneshot, watch};

use super::GuestKind;
use super::error::Error;
use super::files::Files;
use crate::doors::Desk;
use crate::doors::server::Refresh;
use crate::guests::{Failure, GuestSpec, Guests, Otherwise, Secret, Shutdown, TaskLog};
use crate::pve::{Action, Effect, Job, Live, LiveInterface};

/// How often the state of real guests is read, so that one that ends by itself is noticed.
const ROUND: Duration = Duration::from_secs(5);

/// The guests of a kind; `None`: the world's own state is enough.
pub(super) fn guests(kind: GuestKind, files: &Files) -> Result<Option<Arc<dyn Guests>>, Error> {
    match kind {
        GuestKind::Memory => Ok(None),
        GuestKind::Lxc => super::real::guests(files).map(Some),
    }
}

/// Gives the desk its hands.
pub(super) fn attach(
    desk: &Arc<Desk>,
    guests: Option<Arc<dyn Guests>>,
    files: &Files,
    stop: &watch::Receiver<bool>,
) -> Option<Arc<dyn Refresh>> {
    let hands = Arc::new(Hands {
        desk: Arc::downgrade(desk),
        guests: guests.clone(),
        files: files.clone(),
        turns: Mutex::default(),
        seen: Mutex::default(),
        changing: Mutex::default(),
    });
    let own = Arc::clone(&hands);
    desk.set_hands(move |effect| own.carry_out(effect));
    guests?;
    tokio::spawn(watch_guests(Arc::clone(&hands), stop.clone()));
    Some(hands)
}

/// How long a change of a running guest may hold back its answer.
const SETTLED: Duration = Duration::from_secs(10);

/// Reads the state of all guests again and again.
async fn watch_guests(hands: Arc<Hands>, mut stop: watch::Receiver<bool>) {
    while tokio::time::timeout(ROUND, stop.changed()).await.is_err() {
        let Some(desk) = hands.desk.upgrade() else {
            return;
        };
        let running = desk.world().running_guests();
        for vmid in running {
            hands.refresh(vmid).await;
        }
    }
}

#[derive(Debug)]
struct Hands {
    desk: Weak<Desk>,
    guests: Option<Arc<dyn Guests>>,
    files: Files,
    /// One verb at a time for one guest.
    turns: Mutex<HashMap<u32, Arc<Turn<()>>>>,
    /// Processor time of a guest when it was last looked at.
    seen: Mutex<HashMap<u32, (Duration, Duration)>>,
    /// Live changes that are being made.
    changing: Mutex<HashMap<u32, Vec<oneshot::Receiver<()>>>>,
}

impl Hands {
    fn carry_out(self: &Arc<Self>, effect: Effect) {
        match effect {
            Effect::Store { volume, spool } => {
                if let Err(error) = self.files.store(&volume, &spool) {
                    self.lost(&volume, &error);
                }
            }
            Effect::Unspool { spool } => drop(std::fs::remove_file(spool)),
            Effect::Discard { volume } => self.files.discard(&volume),
            Effect::Guest(job) => {
                let own = Arc::clone(self);
                let done = self.announce(&job);
                tokio::spawn(async move {
                    own.work(job).await;
                    // Nobody may be waiting for it.
                    let _ = done.send(());
                });
            }
        }
    }

    /// Lets whoever changes a running guest wait until the change is true.
    fn announce(&self, job: &Job) -> oneshot::Sender<()> {
        let (done, wait) = oneshot::channel();
        if let Action::Apply { vmid, .. } = job.action {
            let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            changing.entry(vmid).or_default().push(wait);
        }
        done
    }

    /// A file that could not be kept is no volume.
    fn lost(&self, volume: &str, error: &std::io::Error) {
        if let Some(desk) = self.desk.upgrade() {
            desk.world().lose_volume(volume, &error.to_string());
        }
    }

    fn turn(&self, vmid: u32) -> Arc<Turn<()>> {
        Arc::clone(
            self.turns
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(vmid)
                .or_default(),
        )
    }

    async fn work(&self, job: Job) {
        let (Some(guests), Some(desk)) = (&self.guests, self.desk.upgrade()) else {
            return;
        };
        let vmid = job.action.vmid();
        let turn = self.turn(vmid);
        let _mine = turn.lock().await;
        let sink = (Weak::clone(&self.desk), job.upid.clone());
        let log = TaskLog::new(move |line| {
            if let Some(desk) = sink.0.upgrade() {
                desk.world().task_line(&sink.1, line);
            }
        });
        let outcome = self.act(guests.as_ref(), job.action, &log).await;
        let status = guests.status(vmid).await.ok();
        desk.complete(&job.upid, outcome.map_err(|failure| failure.to_string()));
        if let Some(status) = status {
            desk.world().set_live(vmid, live(&status, None, 0.0));
        }
    }

    async fn act(&self, guests: &dyn Guests, action: Action, log: &TaskLog) -> Result<(), Failure> {
        match action {
            Action::Create {
                vmid,
                config,
                template,
                password,
                ssh_public_keys,
            } => {
                let mut spec = self.spec(vmid, config);
                spec.template = self.files.volume(&template);
                spec.password = password.map(|password| Secret::new(password.reveal()));
                spec.ssh_public_keys = ssh_public_keys;
                guests.create(&spec, log).await
            }
            Action::Start { vmid, config } => guests.start(&self.spec(vmid, config), log).await,
            Action::Stop { vmid } => guests.stop(vmid, log).await,
            Action::Shutdown {
                vmid,
                timeout,
                force,
            } => guests.shutdown(vmid, how(timeout, force), log).await,
            Action::Reboot {
                vmid,
                timeout,
                config,
            } => {
                guests
                    .reboot(&self.spec(vmid, config), how(timeout, true), log)
                    .await
            }
            Action::Destroy { vmid } => guests.destroy(vmid, log).await,
            Action::Apply {
                vmid,
                before,
                after,
            } => {
                let applied = guests.apply(vmid, &before, &after).await?;
                self.tell_refused(vmid, &applied.refused);
                Ok(())
            }
        }
    }

    /// What could not be changed live stands in the cluster log.
    fn tell_refused(&self, vmid: u32, refused: &BTreeMap<String, String>) {
        if let Some(desk) = self.desk.upgrade() {
            for (key, why) in refused {
                desk.world()
                    .note(&format!("CT {vmid}: {key} is not changed live: {why}"));
            }
        }
    }

    fn spec(&self, vmid: u32, config: BTreeMap<String, String>) -> GuestSpec {
        let node = self
            .desk
            .upgrade()
            .map(|desk| desk.world().node_name().to_owned())
            .unwrap_or_default();
        GuestSpec {
            vmid,
            node,
            config,
            ..GuestSpec::default()
        }
    }

    /// The share of one processor that a guest used since it was last looked at.
    fn processor(&self, vmid: u32, uptime: Duration, used: Duration) -> f64 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.insert(vmid, (uptime, used));
        let Some((then, earlier)) = before.filter(|(then, _)| *then < uptime) else {
            return 0.0;
        };
        used.saturating_sub(earlier).as_secs_f64() / (uptime - then).as_secs_f64()
    }
}

fn how(timeout: u64, force: bool) -> Shutdown {
    let otherwise = if force {
        Otherwise::Stop
    } else {
        Otherwise::Fail
    };
    Shutdown {
        timeout: Duration::from_secs(timeout),
        otherwise,
    }
}

fn live(
    status: &crate::guests::GuestStatus,
    interfaces: Option<Vec<LiveInterface>>,
    cpu: f64,
) -> Live {
    let usage = status.usage.clone().unwrap_or_default();
    Live {
        running: status.running,
        pid: status.pid,
        uptime: usage.uptime,
        cpu,
        mem: usage.memory,
        swap: usage.swap,
        netin: usage.network_in,
        netout: usage.network_out,
        disk: usage.disk,
        diskread: usage.disk_read,
        diskwrite: usage.disk_written,
        interfaces,
    }
}

#[async_trait]
impl Refresh for Hands {
    async fn settle(&self, vmid: u32) {
        let waiting = {
            let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            changing.remove(&vmid).unwrap_or_default()
        };
        for wait in waiting {
            // A change that takes longer is made nevertheless.
            drop(tokio::time::timeout(SETTLED, wait).await);
        }
    }

    async fn refresh(&self, vmid: u32) {
        let (Some(guests), Some(desk)) = (&self.guests, self.desk.upgrade()) else {
            return;
        };
        // A guest that is being worked on says nothing of use.
        let turn = self.turn(vmid);
        let Ok(_mine) = turn.try_lock() else { return };
        let Ok(status) = guests.status(vmid).await else {
            return;
        };
        let interfaces = guests.interfaces(vmid).await.ok().flatten().map(|list| {
            let each = list.into_iter();
            each.map(|i| LiveInterface {
                name: i.name,
                hwaddr: i.hwaddr,
                inet: i.inet,
                inet6: i.inet6,
            })
            .collect()
        });
        let cpu = status.usage.as_ref().map_or(0.0, |usage| {
            self.processor(vmid, usage.uptime, usage.cpu_time)
        });
        desk.world().set_live(vmid, live(&status, interfaces, cpu));
    }
}
