//! The layers of a tried container: only what changed, and then its health.

use std::{collections::BTreeMap, time::Duration};

use super::{Error, Trial, listener, stand::Stood};
use crate::{
    event::{Kind, Layer},
    execute::gate,
    guest::{Guest, LastWords, Parcel},
    provision::{self, Job, Mode},
    resolve::{Fingerprint, Provisioner as Tool, Step},
};

/// The folder of the file in which a container keeps what ran in it.
const FOLDER: &str = "/var/lib/proxmox-ci";
/// The file.
const FILE: &str = "local.json";

/// How long ssh may take to greet.
const REACH: Duration = Duration::from_secs(15);

/// What ran in a container: fingerprints by step, as a node keeps them in a guest's notes.
type Ran = BTreeMap<String, Fingerprint>;

impl Trial<'_> {
    /// Runs the layers that are asked for.
    pub(super) async fn layers(&self, stood: &Stood) -> Result<(), Error> {
        let layers = self.settings.layers;
        let container = &self.settings.container;
        let mut ran = read(&stood.guest).await?;
        if layers.include(Layer::Default) {
            self.provision(Layer::Default, &container.base, stood, &mut ran)
                .await?;
        }
        if !layers.include(Layer::Configuration) {
            return Ok(());
        }
        if !ran.contains_key(container.base.id) {
            return Err(Error::NoBaseLayer {
                container: container.name.to_string(),
            });
        }
        for step in &container.service {
            self.provision(Layer::Configuration, step, stood, &mut ran)
                .await?;
        }
        let health = self.healthy(stood);
        let what = (Layer::Configuration, "health", Kind::Gate);
        self.step(what, health).await
    }

    /// Runs a step whose fingerprint is another than the one that ran, and keeps the new one.
    async fn provision(
        &self,
        layer: Layer,
        step: &Step,
        stood: &Stood,
        ran: &mut Ran,
    ) -> Result<(), Error> {
        let name = format!("provision {}", step.id);
        if ran.get(step.id) == Some(&step.fingerprint) {
            self.unchanged(layer, &name, Kind::Provisioner);
            return Ok(());
        }
        // A run that is cut off has left neither the one nor the other.
        ran.remove(step.id);
        write(&stood.guest, ran).await?;
        let work = self.worked(step, stood);
        self.step((layer, &name, Kind::Provisioner), work).await?;
        ran.insert(step.id.to_owned(), step.fingerprint.clone());
        write(&stood.guest, ran).await
    }

    async fn worked(&self, step: &Step, stood: &Stood) -> Result<(), Error> {
        let settings = self.settings;
        let container = settings.container.name.as_str();
        if matches!(step.provisioner, Tool::Ansible { .. }) {
            let reached = stood.guest.wait_reachable(REACH).await;
            reached.map_err(Error::guest(format!("entering `{container}` by ssh")))?;
        }
        let on_line = listener(&self.events, container);
        let job = Job {
            step,
            container,
            root: &settings.root,
            guest: &stood.guest,
            scratch: self.scratch.path(),
            redactor: &settings.redactor,
            on_line: &on_line,
        };
        let tool = provision::provisioner(&step.provisioner);
        let ran = tool.run(&job, Mode::Apply).await;
        ran.map(drop).map_err(|source| Error::Provision {
            container: container.to_owned(),
            step: step.id.to_owned(),
            source: Box::new(source),
        })
    }

    /// The same health as on a node, asked of the container's own address.
    async fn healthy(&self, stood: &Stood) -> Result<(), Error> {
        let container = &self.settings.container;
        let (address, within) = (stood.standing.address, container.health_within);
        for health in &container.health {
            let last = gate::until_healthy(&stood.guest, health, address, within)
                .await
                .map_err(Error::guest(format!("looking into `{}`", container.name)))?;
            if let Some(last) = last {
                return Err(Error::Gate {
                    container: container.name.to_string(),
                    what: gate::words(health),
                    last: LastWords::new(&last.tail),
                });
            }
        }
        Ok(())
    }
}

async fn read(guest: &dyn Guest) -> Result<Ran, Error> {
    let read = guest.fetch(&format!("{FOLDER}/{FILE}")).await;
    let text = read.map_err(Error::guest("asking what ran in it"))?;
    // A file that is damaged says that nothing ran: everything runs again.
    Ok(text
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default())
}

async fn write(guest: &dyn Guest, ran: &Ran) -> Result<(), Error> {
    let file = Parcel {
        path: FILE.to_owned(),
        content: serde_json::to_vec(ran).expect("names and digests are always JSON"),
        mode: 0o644,
    };
    let sent = guest.send(vec![file], FOLDER).await;
    sent.map_err(Error::guest("noting what ran in it"))
}
