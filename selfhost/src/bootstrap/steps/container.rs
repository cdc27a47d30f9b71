//! Container: the control plane's own, through the three layers, and no other.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use lxc_layers::{
    execute::{self, Destroyed, Doomed, Inside, Layers, Limits, Settings as Engine},
    guest::LastWords,
    observe::observe,
    plan::{self, Action, Plan},
};

use super::super::{Call, Error, Found, Ground, Site, Step, Undone, event::of_engine};

pub(super) fn steps() -> Vec<Box<dyn Step>> {
    vec![Box::new(Container::default())]
}

/// The container is what the fleet says, all three layers of it.
#[derive(Default)]
struct Container {
    /// What the last look found to be done.
    planned: Mutex<Vec<Call>>,
}

/// The plan of the control plane alone, as the world is now.
pub(super) async fn planned(site: &Site) -> Result<Plan, Error> {
    let desired = site.settings.only_control_plane()?;
    let host = &*site.settings.seams.host;
    let observed = observe(host, &desired, Limits::default().task).await;
    let observed = observed.map_err(Error::host("looking at the cluster"))?;
    let plan = plan::plan(&desired, &observed);
    let refused: Vec<&str> = plan
        .refusals()
        .map(|(_, refusal)| refusal.message.as_str())
        .collect();
    if refused.is_empty() {
        return Ok(plan);
    }
    Err(Error::refused(
        format!(
            "the plan of the control plane holds what may not be done: {}",
            refused.join("; ")
        ),
        "`proxmox-ci plan` names the ways out; nothing was changed",
    ))
}

fn engine(site: &Site) -> Engine {
    let settings = &site.settings;
    Engine {
        root: settings.root.clone(),
        state: settings.state.clone(),
        key: settings.key.clone(),
        layers: Layers::All,
        parallel: NonZeroUsize::MIN,
        inside: Inside::Enter,
        limits: Limits::default(),
        provenance: settings.provenance.clone(),
        redactor: site.redactor.clone(),
    }
}

#[async_trait]
impl Step for Container {
    fn name(&self) -> String {
        "container".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Outside
    }

    fn calls(&self, _site: &Site) -> Vec<Call> {
        let planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        planned.clone()
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let plan = planned(site).await?;
        let calls = plan.containers.iter().flat_map(|container| {
            let place = format!("/nodes/{}/lxc", container.node);
            let actions = container.default.iter().chain(&container.configuration);
            actions.map(move |action| call(&place, container.vmid.get(), action))
        });
        *self.planned.lock().unwrap_or_else(PoisonError::into_inner) = calls.collect();
        let changes = plan.containers.iter().flat_map(|it| &it.changes);
        let keys: Vec<String> = changes.map(|change| change.key.clone()).collect();
        let missing = if keys.is_empty() {
            "it is not there, or not as the fleet says".to_owned()
        } else {
            format!("these differ: {}", keys.join(", "))
        };
        Ok(Found::when(plan.is_empty(), "its plan is empty", missing))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let desired = site.settings.only_control_plane()?;
        let plan = planned(site).await?;
        let seams = site.settings.seams.clone();
        let events = of_engine(&site.events);
        let done = execute::execute(seams, &desired, &plan, engine(site), events).await;
        let report = done.map_err(Error::engine("making the container"))?;
        match report.failures().next() {
            None => Ok(()),
            Some((container, failure)) => {
                let mut words = vec![failure.error.clone()];
                words.extend(failure.because.iter().cloned());
                Err(Error::Container {
                    container: container.to_owned(),
                    layer: failure.layer.to_string(),
                    class: failure.class,
                    hint: failure.hint.clone(),
                    because: LastWords::new(&words),
                })
            }
        }
    }

    async fn undo(&self, site: &Site) -> Result<Undone, Error> {
        let settings = &site.settings;
        let host = settings.seams.host.clone();
        let doomed = Doomed::from(settings.control_plane()?);
        let events = of_engine(&site.events);
        let gone = execute::destroy(host, &settings.desired, &doomed, engine(site), events).await;
        match gone.map_err(Error::engine("taking the container away"))? {
            Destroyed::Gone => Ok(Undone::Gone),
            Destroyed::WasAbsent => Ok(Undone::Nothing),
        }
    }
}

/// What an action calls.
fn call(place: &str, vmid: u32, action: &Action) -> Call {
    let guest = format!("{place}/{vmid}");
    match action {
        Action::Create { .. } => Call::api(format!("POST {place} (vmid {vmid})")),
        Action::Configure { set, delete } => {
            let fields: Vec<&str> = set.keys().chain(delete).map(String::as_str).collect();
            Call::api(format!("PUT {guest}/config ({})", fields.join(", ")))
        }
        Action::Resize { disk, size } => Call::api(format!("PUT {guest}/resize ({disk} {size})")),
        Action::Move { disk, storage } => {
            Call::api(format!("POST {guest}/move_volume ({disk} to {storage})"))
        }
        Action::Migrate { to } => Call::api(format!("POST {guest}/migrate (to {to})")),
        Action::Pool { .. } => Call::api("PUT /pools"),
        Action::Start => Call::api(format!("POST {guest}/status/start")),
        Action::Reboot => Call::api(format!("POST {guest}/status/reboot")),
        Action::Mark { .. } => Call::api(format!("PUT {guest}/config (description)")),
        Action::Provision(step) => {
            Call::ssh(format!("provision `{}` from `{}`", step.id, step.folder))
        }
    }
}
