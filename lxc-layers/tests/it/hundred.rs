//! A hundred containers: they take little more than their tasks do. In simulated time, so that what
//! is measured is the engine and not the machine.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use lxc_layers::{
    event::Events,
    execute::{self, Layers, Limits, Settings},
    host::{Act, Error, Fetch, Host, Place, TaskEnd, TaskId, next_look},
    plan::{GuestConfig, Observed, Status, plan},
    resolve::Desired,
    spec::Vmid,
};

use crate::{
    clock::Clock,
    fleets::{desired, tree},
    model,
    worlds::{self, World},
};

/// How long the tasks take, by what they do.
const CREATE: Duration = Duration::from_secs(8);
const START: Duration = Duration::from_secs(4);
/// How long each call takes; ours, and counted as ours.
const CALL: Duration = Duration::from_millis(15);

/// A hypervisor whose time is the clock's.
struct Slow {
    clock: Clock,
    guests: Mutex<BTreeMap<Vmid, (GuestConfig, Status)>>,
}

impl Slow {
    fn guest(&self, place: &Place) -> Option<(GuestConfig, Status)> {
        self.guests.lock().unwrap().get(&place.vmid).cloned()
    }

    fn change(&self, vmid: Vmid, change: impl FnOnce(&mut (GuestConfig, Status))) {
        let mut guests = self.guests.lock().unwrap();
        let guest = guests
            .entry(vmid)
            .or_insert_with(|| (GuestConfig::default(), Status::Stopped));
        change(guest);
        let next = guest.0.digest.as_deref().unwrap_or("0").parse::<u64>();
        guest.0.digest = Some((next.unwrap() + 1).to_string());
    }
}

#[async_trait]
impl Host for Slow {
    async fn survey(&self) -> Result<Observed, Error> {
        Ok(model::empty())
    }

    async fn config(&self, place: &Place) -> Result<Option<GuestConfig>, Error> {
        self.clock.sleep(CALL).await;
        Ok(self.guest(place).map(|(config, _)| config))
    }

    async fn status(&self, place: &Place) -> Result<Option<Status>, Error> {
        self.clock.sleep(CALL).await;
        Ok(self.guest(place).map(|(_, status)| status))
    }

    async fn address(&self, _place: &Place) -> Result<Option<Ipv4Addr>, Error> {
        Ok(None)
    }

    async fn templates(&self, _node: &str, _storage: &str) -> Result<Vec<String>, Error> {
        self.clock.sleep(CALL).await;
        Ok(vec!["local:vztmpl/debian-12.tar.zst".to_owned()])
    }

    async fn catalogue(&self, _node: &str) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    async fn fetch(&self, _node: &str, _storage: &str, _what: &Fetch) -> Result<TaskId, Error> {
        unreachable!("the template is there")
    }

    async fn act(&self, place: &Place, act: &Act) -> Result<Option<TaskId>, Error> {
        self.clock.sleep(CALL).await;
        match act {
            Act::Create(parameters) => {
                self.change(place.vmid, |(config, _)| {
                    config.values.clone_from(parameters)
                });
                Ok(Some(TaskId("create".to_owned())))
            }
            Act::Configure { set, .. } => {
                let set = set.clone();
                self.change(place.vmid, |(config, _)| config.values.extend(set));
                Ok(None)
            }
            Act::Start => {
                self.change(place.vmid, |(_, status)| *status = Status::Running);
                Ok(Some(TaskId("start".to_owned())))
            }
            other => unreachable!("{other:?}"),
        }
    }

    async fn finish(&self, task: &TaskId, _limit: Duration) -> Result<TaskEnd, Error> {
        let took = if task.0 == "create" { CREATE } else { START };
        // The end is seen at the first look after it, and each look is a call.
        let began = self.clock.now();
        loop {
            self.clock.sleep(CALL).await;
            let ran = self.clock.now() - began;
            if ran >= took {
                return Ok(TaskEnd::Ok);
            }
            self.clock.sleep(next_look(ran)).await;
        }
    }

    async fn running_tasks(&self, _place: &Place) -> Result<Vec<TaskId>, Error> {
        Ok(Vec::new())
    }
}

/// A hundred containers, each after those that `after` names for its number.
fn fleet(after: impl Fn(usize) -> Option<usize>) -> Desired {
    let texts: Vec<(String, String)> = (0..100)
        .map(|number| {
            let after = after(number).map_or_else(String::new, |it| format!("AFTER=c{it}\n"));
            (
                format!("containers/c{number}/config.env"),
                format!("ID={}\n{after}", 100 + number),
            )
        })
        .collect();
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    desired(&tree(&texts))
}

/// The length of the longest chain of `after`.
fn longest(after: &impl Fn(usize) -> Option<usize>) -> u32 {
    let chain = |number: usize| {
        let links = std::iter::successors(Some(number), |at| after(*at));
        u32::try_from(links.count()).unwrap()
    };
    (0..100).map(chain).max().unwrap()
}

/// Applies, and compares with the larger of critical path and total task time / N.
async fn check(name: &str, parallel: u32, after: impl Fn(usize) -> Option<usize>) {
    let desired = fleet(&after);
    let clock = Clock::default();
    let host = Arc::new(Slow {
        clock: clock.clone(),
        guests: Mutex::default(),
    });
    let observed = host.survey().await.unwrap();
    let plan = plan(&desired, &observed);
    let state = worlds::in_memory();
    let settings = Settings {
        parallel: NonZeroUsize::new(parallel as usize).unwrap(),
        limits: Limits {
            greeting: Duration::ZERO,
            ..Limits::default()
        },
        ..worlds::settings(state.path(), Layers::All)
    };
    let seams = worlds::seams(host, &Arc::default());
    let work = execute::execute(seams, &desired, &plan, settings, Events::unheard());
    let report = clock.run(work).await.unwrap();
    assert!(report.is_success(), "{name}: {report:#?}");
    let each = CREATE + START;
    let bound = (each * longest(&after)).max(each * 100 / parallel);
    let ratio = clock.now().as_secs_f64() / bound.as_secs_f64();
    assert!((1.0..=1.15).contains(&ratio), "{name}: {ratio}");
}

#[tokio::test]
async fn containers_that_need_nobody_keep_every_hand_busy() {
    for parallel in [1, 4, 10, 25] {
        check("no dependencies", parallel, |_| None).await;
    }
}

#[tokio::test]
async fn a_long_chain_is_begun_at_once_and_the_others_fill_the_gaps() {
    let chain = |number: usize| (1..20).contains(&number).then(|| number - 1);
    for parallel in [4, 5, 8] {
        check("a chain of twenty among a hundred", parallel, chain).await;
    }
}

#[tokio::test]
async fn a_tree_of_dependencies_takes_no_longer_than_it_must() {
    let tree = |number: usize| number.checked_sub(1).map(|it| it / 3);
    // At the root of the tree there is work for one hand alone: that is not the engine's to mend.
    for parallel in [2, 4] {
        check("a tree, three after each", parallel, tree).await;
    }
}

#[tokio::test]
async fn a_hundred_containers_are_planned_in_a_hundred_and_ten_requests() {
    let mut world = World::new().await;
    world.parallel = 8;
    let desired = fleet(|_| None);
    let report = world.apply(&desired).await.unwrap();
    assert!(report.is_success());
    let most = world
        .inside
        .most_at_once
        .load(std::sync::atomic::Ordering::SeqCst);
    assert!(most <= 8, "{most} at once");
    world.node.journal().clear();
    assert!(world.plan(&desired).await.is_empty());
    let asked = world.asked().len();
    assert!(asked <= 110, "{asked} requests");
}
