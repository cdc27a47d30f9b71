//! Order: containers in parallel along their dependencies, at most so many of one node at a time.
//!
//! Among those that may begin, the one with the longest chain of dependants behind it goes first: a
//! fleet takes as long as its longest chain, if it can.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _},
    stream::FuturesUnordered,
};

use super::{
    ContainerReport, Outcome, Run,
    worker::{self, Worker},
};
use crate::{
    plan::{ContainerPlan, Plan},
    resolve::Desired,
};

/// Works on every container of a plan; reports in the plan's order.
pub(super) async fn work(run: &Run, desired: &Desired, plan: &Plan) -> Vec<ContainerReport> {
    let mut agenda = Agenda::new(plan, run.settings.parallel.get());
    let mut working: FuturesUnordered<BoxFuture<'_, ContainerReport>> = FuturesUnordered::new();
    let mut reports: BTreeMap<String, ContainerReport> = BTreeMap::new();
    loop {
        for container in agenda.begin() {
            working.push(one(run, desired, container).boxed());
        }
        let Some(report) = working.next().await else {
            break;
        };
        let stands = matches!(report.outcome, Outcome::Done | Outcome::Unchanged);
        for skipped in agenda.end(&report.container, stands) {
            let report = worker::skipped(skipped, &report.container);
            reports.insert(report.container.clone(), report);
        }
        reports.insert(report.container.clone(), report);
    }
    let order = plan.containers.iter().map(|it| it.name.as_str());
    order.filter_map(|name| reports.remove(name)).collect()
}

async fn one(run: &Run, desired: &Desired, plan: &ContainerPlan) -> ContainerReport {
    match desired.container(plan.name.as_str()) {
        Some(container) => Worker::new(run, container, plan).work().await,
        None => worker::skipped(plan, "its definition, which is not there"),
    }
}

/// What is still to be begun, and who may begin.
struct Agenda<'a> {
    waiting: BTreeMap<&'a str, &'a ContainerPlan>,
    standing: BTreeSet<&'a str>,
    ranks: HashMap<&'a str, usize>,
    busy: HashMap<&'a str, usize>,
    nodes: HashMap<&'a str, &'a str>,
    parallel: usize,
}

impl<'a> Agenda<'a> {
    fn new(plan: &'a Plan, parallel: usize) -> Self {
        let waiting: BTreeMap<&str, &ContainerPlan> = plan
            .containers
            .iter()
            .map(|it| (it.name.as_str(), it))
            .collect();
        Self {
            ranks: ranks(plan),
            nodes: waiting
                .iter()
                .map(|(name, it)| (*name, it.node.as_str()))
                .collect(),
            waiting,
            standing: BTreeSet::new(),
            busy: HashMap::new(),
            parallel,
        }
    }

    /// Those that begin now.
    fn begin(&mut self) -> Vec<&'a ContainerPlan> {
        let mut ready: Vec<&ContainerPlan> = self
            .waiting
            .values()
            .filter(|it| self.may_begin(it))
            .copied()
            .collect();
        ready.sort_by_key(|it| std::cmp::Reverse(self.ranks[it.name.as_str()]));
        let mut begun = Vec::new();
        for container in ready {
            let busy = self.busy.entry(container.node.as_str()).or_default();
            if *busy < self.parallel {
                *busy += 1;
                self.waiting.remove(container.name.as_str());
                begun.push(container);
            }
        }
        begun
    }

    /// Whether all that come before it stand, or are no part of this plan.
    fn may_begin(&self, container: &ContainerPlan) -> bool {
        container.after.iter().all(|before| {
            let before = before.as_str();
            self.standing.contains(before) || !self.nodes.contains_key(before)
        })
    }

    /// Notes that one ended; those that can never begin now, when it does not stand.
    fn end(&mut self, name: &str, stands: bool) -> Vec<&'a ContainerPlan> {
        let (name, node) = match self.nodes.get_key_value(name) {
            Some((name, node)) => (*name, *node),
            None => return Vec::new(),
        };
        if let Some(busy) = self.busy.get_mut(node) {
            *busy = busy.saturating_sub(1);
        }
        if stands {
            self.standing.insert(name);
            return Vec::new();
        }
        self.lost_with(name)
    }

    /// Takes out everyone who waits for `name`, directly or through others.
    fn lost_with(&mut self, name: &'a str) -> Vec<&'a ContainerPlan> {
        let mut lost = BTreeSet::from([name]);
        let mut taken = Vec::new();
        loop {
            let next = self
                .waiting
                .values()
                .find(|it| it.after.iter().any(|before| lost.contains(before.as_str())));
            let Some(container) = next.copied() else {
                return taken;
            };
            lost.insert(container.name.as_str());
            self.waiting.remove(container.name.as_str());
            taken.push(container);
        }
    }
}

/// For each container, the length of the longest chain of those that wait for it.
fn ranks(plan: &Plan) -> HashMap<&str, usize> {
    let mut ranks: HashMap<&str, usize> = plan
        .containers
        .iter()
        .map(|it| (it.name.as_str(), 0))
        .collect();
    // The plan is in dependency order, so that backwards every dependant is ranked before.
    for container in plan.containers.iter().rev() {
        let behind = ranks[container.name.as_str()] + 1;
        for before in &container.after {
            if let Some(rank) = ranks.get_mut(before.as_str()) {
                *rank = (*rank).max(behind);
            }
        }
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Standing;

    fn container(name: &str, after: &[&str]) -> ContainerPlan {
        ContainerPlan {
            name: name.parse().unwrap(),
            vmid: 101.try_into().unwrap(),
            node: "pve1".to_owned(),
            standing: Standing::Absent,
            changes: Vec::new(),
            refusals: Vec::new(),
            default: Vec::new(),
            configuration: Vec::new(),
            after: after.iter().map(|name| name.parse().unwrap()).collect(),
            digest: None,
        }
    }

    fn plan(containers: &[(&str, &[&str])]) -> Plan {
        Plan {
            fleet: "fleet-0001".parse().unwrap(),
            containers: containers
                .iter()
                .map(|(name, after)| container(name, after))
                .collect(),
            notices: Vec::new(),
        }
    }

    fn names(containers: &[&ContainerPlan]) -> Vec<String> {
        containers.iter().map(|it| it.name.to_string()).collect()
    }

    #[test]
    fn the_longest_chain_goes_first() {
        let plan = plan(&[("a", &[]), ("b", &[]), ("c", &["b"]), ("d", &["c"])]);
        let mut agenda = Agenda::new(&plan, 1);
        assert_eq!(names(&agenda.begin()), ["b"]);
        assert_eq!(names(&agenda.end("b", true)), [""; 0]);
        assert_eq!(names(&agenda.begin()), ["c"]);
    }

    #[test]
    fn no_node_gets_more_than_its_share() {
        let plan = plan(&[("a", &[]), ("b", &[]), ("c", &[])]);
        let mut agenda = Agenda::new(&plan, 2);
        assert_eq!(names(&agenda.begin()), ["a", "b"]);
        assert!(agenda.begin().is_empty());
        agenda.end("a", true);
        assert_eq!(names(&agenda.begin()), ["c"]);
    }

    #[test]
    fn a_failure_takes_out_those_behind_it_and_nobody_else() {
        let plan = plan(&[("a", &[]), ("b", &["a"]), ("c", &["b"]), ("d", &[])]);
        let mut agenda = Agenda::new(&plan, 9);
        assert_eq!(names(&agenda.begin()), ["a", "d"]);
        assert_eq!(names(&agenda.end("a", false)), ["b", "c"]);
        agenda.end("d", true);
        assert!(agenda.begin().is_empty());
    }

    #[test]
    fn one_that_is_no_part_of_the_plan_is_not_waited_for() {
        let plan = plan(&[("b", &["elsewhere"])]);
        assert_eq!(names(&Agenda::new(&plan, 1).begin()), ["b"]);
    }
}
