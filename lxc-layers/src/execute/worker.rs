//! One container: its actions in order, layer by layer, each layer behind the gate before it.

use std::sync::Arc;

use super::{
    ContainerReport, Error, Inside, Layers, Outcome, Run,
    enter::Entered,
    notes::Rewritten,
    report::{Failure, Steps},
    settle::Subject,
};
use crate::{
    event::{Event, Kind, Layer, Step},
    guest::Guest,
    host::{Act, Place},
    plan::{Action, ContainerPlan},
    provision::{Job, Mode},
    resolve::{Container, Step as Provisioning, Template},
};

/// Why what happens inside a guest is left out.
const NOT_ENTERED: &str = "guests are not entered in this run";

/// Works on one container.
pub(super) struct Worker<'a> {
    run: &'a Run,
    container: &'a Container,
    plan: &'a ContainerPlan,
    place: Place,
    layer: Layer,
    /// The digest of the configuration that all decisions rest on.
    digest: Option<String>,
    /// The guest, once it was entered.
    entered: Option<Entered>,
    steps: Steps,
}

impl<'a> Worker<'a> {
    pub(super) fn new(run: &'a Run, container: &'a Container, plan: &'a ContainerPlan) -> Self {
        Self {
            run,
            container,
            plan,
            place: Place::new(plan.node.clone(), plan.vmid),
            layer: Layer::Default,
            digest: plan.digest.clone(),
            entered: None,
            steps: Steps::new(&run.events, run.began),
        }
    }

    /// Works, and reports.
    pub(super) async fn work(mut self) -> ContainerReport {
        let outcome = match self.layers().await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(Failure::new(self.layer, &error)),
        };
        ContainerReport {
            container: self.plan.name.to_string(),
            vmid: self.plan.vmid.get(),
            node: self.place.node,
            outcome,
            steps: self.steps.into_report(),
        }
    }

    async fn layers(&mut self) -> Result<Outcome, Error> {
        let layers = self.run.settings.layers;
        let default = layers.include(Layer::Default);
        let configuration = layers.include(Layer::Configuration);
        let something = (default && !self.plan.default.is_empty())
            || (configuration && !self.plan.configuration.is_empty());
        if !something && layers == Layers::All {
            return Ok(Outcome::Unchanged);
        }
        if default {
            self.actions(&self.plan.default).await?;
        }
        if default || configuration {
            self.gate_of_default().await?;
        }
        if configuration {
            self.layer = Layer::Configuration;
            self.actions(&self.plan.configuration).await?;
            self.gate_of_configuration().await?;
        }
        Ok(if something {
            Outcome::Done
        } else {
            Outcome::Unchanged
        })
    }

    async fn actions(&mut self, actions: &'a [Action]) -> Result<(), Error> {
        for action in actions {
            self.action(action).await?;
        }
        Ok(())
    }

    async fn action(&mut self, action: &'a Action) -> Result<(), Error> {
        match action {
            Action::Create {
                template,
                parameters,
            } => self.create(template, parameters.clone()).await,
            Action::Provision(step) => self.provision(step).await,
            Action::Mark { marker, words } => {
                let rewritten = self
                    .run
                    .rewrite(self.subject(), words.as_deref(), |present| {
                        present.fields.clone_from(&marker.fields);
                    })
                    .await?;
                self.rewritten(rewritten);
                Ok(())
            }
            Action::Move { .. } => {
                let limit = self.run.settings.limits.boot;
                self.effect("stop", Kind::Api, Act::Shutdown { limit })
                    .await?;
                self.simple(action).await
            }
            _ => self.simple(action).await,
        }
    }

    /// An action that is one effect on the hypervisor.
    async fn simple(&mut self, action: &Action) -> Result<(), Error> {
        let digest = self.digest.clone();
        let (name, kind, act) = match action {
            Action::Configure { set, delete } => (
                "configure".to_owned(),
                Kind::Api,
                Act::Configure {
                    set: set.clone(),
                    delete: delete.clone(),
                    digest,
                },
            ),
            Action::Resize { disk, size } => (
                format!("resize {disk} to {size}"),
                Kind::Api,
                Act::Resize {
                    disk: disk.clone(),
                    size: size.clone(),
                    digest,
                },
            ),
            Action::Move { disk, storage } => (
                format!("move {disk} to {storage}"),
                Kind::Unpack,
                Act::Move {
                    disk: disk.clone(),
                    storage: storage.clone(),
                    digest,
                },
            ),
            Action::Migrate { to } => (
                format!("migrate to {to}"),
                Kind::Unpack,
                Act::Migrate { to: to.clone() },
            ),
            Action::Pool { from, to } => (
                "change the pool".to_owned(),
                Kind::Api,
                Act::Pool {
                    from: from.clone(),
                    to: to.clone(),
                },
            ),
            Action::Start => ("start".to_owned(), Kind::Boot, Act::Start),
            Action::Reboot => ("restart".to_owned(), Kind::Boot, Act::Reboot),
            Action::Create { .. } | Action::Provision(_) | Action::Mark { .. } => return Ok(()),
        };
        self.effect(&name, kind, act).await
    }

    /// One effect as a step; afterwards the digest is the one that it left behind.
    async fn effect(&mut self, name: &str, kind: Kind, act: Act) -> Result<(), Error> {
        let step = self.step(name, kind);
        let cause = self.run.cause(self.subject(), &act);
        self.steps.step(step, cause).await?;
        if let Act::Migrate { to } = &act {
            self.place.node.clone_from(to);
        }
        let writes = !matches!(act, Act::Start | Act::Pool { .. });
        if writes {
            self.digest = self.run.config_of(self.subject()).await?.digest;
        }
        Ok(())
    }

    async fn create(
        &mut self,
        template: &Template,
        mut parameters: std::collections::BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let run = self.run;
        let node = self.place.node.clone();
        let finding = self.step("find the template", Kind::Unpack);
        let found = self.steps.step(finding, run.template(&node, template));
        let (volume, ()) = tokio::try_join!(found, run.nobody_answers(self.container))?;
        parameters.insert("ostemplate".to_owned(), volume);
        if let Some(key) = &run.settings.key {
            parameters.insert("ssh-public-keys".to_owned(), key.public.clone());
        }
        self.effect("create", Kind::Unpack, Act::Create(parameters))
            .await
    }

    /// Runs a provisioner, then writes its fingerprint into the guest's marker.
    async fn provision(&mut self, step: &Provisioning) -> Result<(), Error> {
        let name = format!("provision {}", step.id);
        let told = self.step(&name, Kind::Provisioner);
        if self.run.settings.inside == Inside::Skip {
            self.steps.skip(told, NOT_ENTERED);
            return Ok(());
        }
        let guest = self.guest().await?;
        if self.is_done_meanwhile(step).await? {
            self.steps.skip(told, "another run did it meanwhile");
            return Ok(());
        }
        let ran = self.provisioner(step, &*guest);
        self.steps.step(told, ran).await?;
        let fingerprint = step.fingerprint.clone();
        let rewritten = self
            .run
            .rewrite(self.subject(), None, |marker| {
                marker
                    .layers
                    .insert(step.id.to_owned(), fingerprint.clone());
            })
            .await?;
        self.rewritten(rewritten);
        Ok(())
    }

    /// Whether another run brought about what this step would, after the plan was made and before the
    /// guest was reserved.
    async fn is_done_meanwhile(&self, step: &Provisioning) -> Result<bool, Error> {
        let config = self.run.config_of(self.subject()).await?;
        let marker = self.run.marker_of(self.subject(), &config)?;
        Ok(marker.layers.get(step.id) == Some(&step.fingerprint))
    }

    async fn provisioner(&self, step: &Provisioning, guest: &dyn Guest) -> Result<(), Error> {
        let run = self.run;
        let container = self.plan.name.as_str();
        let on_line = |stream, text: &str| {
            run.events.tell(Event::Line {
                container: container.to_owned(),
                stream,
                text: text.to_owned(),
            });
        };
        let job = Job {
            step,
            container,
            root: &run.settings.root,
            guest,
            scratch: run.scratch.path(),
            redactor: &run.settings.redactor,
            on_line: &on_line,
        };
        let provisioner = (run.tools)(&step.provisioner);
        self.journalled(step, async {
            let ran = provisioner.run(&job, Mode::Apply).await;
            ran.map(drop).map_err(|source| Error::Provision {
                container: container.to_owned(),
                step: step.id.to_owned(),
                source: Box::new(source),
            })
        })
        .await
    }

    /// The guest, entered once for this container.
    async fn guest(&mut self) -> Result<Arc<dyn Guest>, Error> {
        if let Some(entered) = &self.entered {
            return Ok(Arc::clone(&entered.guest));
        }
        let step = self.step("wait for ssh", Kind::Boot);
        let enter = self.run.enter(self.subject(), self.container);
        let mut entered = self.steps.step(step, enter).await?;
        if let Some(rewritten) = entered.pinned.take() {
            self.rewritten(rewritten);
        }
        let guest = Arc::clone(&entered.guest);
        self.entered = Some(entered);
        Ok(guest)
    }

    async fn gate_of_default(&mut self) -> Result<(), Error> {
        self.run.runs(self.subject()).await?;
        let told = self.step("gate", Kind::Boot);
        if self.run.settings.inside == Inside::Skip {
            self.steps.skip(told, NOT_ENTERED);
            return Ok(());
        }
        let guest = self.guest().await?;
        let gate = self.run.gate_of_default(self.subject(), &*guest);
        self.steps.step(told, gate).await
    }

    async fn gate_of_configuration(&mut self) -> Result<(), Error> {
        let told = self.step("health", Kind::Gate);
        if self.run.settings.inside == Inside::Skip {
            self.steps.skip(told, NOT_ENTERED);
            return Ok(());
        }
        let guest = self.guest().await?;
        let gate = self
            .run
            .gate_of_configuration(self.subject(), self.container, &*guest);
        self.steps.step(told, gate).await
    }

    /// Takes over the digest that our own writing left behind; what another hand wrote in between
    /// stays unseen on purpose, so that the next write that rests on the plan is refused.
    fn rewritten(&mut self, rewritten: Rewritten) {
        if rewritten.before == self.digest {
            self.digest = rewritten.after;
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            name: &self.plan.name,
            place: &self.place,
            layer: self.layer,
        }
    }

    fn step(&self, name: &str, kind: Kind) -> Step {
        Step {
            container: self.plan.name.to_string(),
            layer: self.layer,
            name: name.to_owned(),
            kind,
        }
    }

    /// Writes a provisioner's run into the journal, around it.
    async fn journalled(
        &self,
        step: &Provisioning,
        work: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        let action = format!("provision {}", step.id);
        self.run.journalled(self.subject(), action, work).await
    }
}

/// The report of a container that was not begun because `cause` does not stand.
pub(super) fn skipped(plan: &ContainerPlan, cause: &str) -> ContainerReport {
    ContainerReport {
        container: plan.name.to_string(),
        vmid: plan.vmid.get(),
        node: plan.node.clone(),
        outcome: Outcome::Skipped {
            because: format!("it comes after {cause}, which does not stand"),
        },
        steps: Vec::new(),
    }
}
