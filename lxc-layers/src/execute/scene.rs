//! A run in front of a host that a test makes up.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use tempfile::TempDir;

use super::{Error, Inside, Layers, Limits, Run, Seams, Settings, settle::Subject};
use crate::{
    event::{Event, Events, Layer},
    host::{Act, MockHost, Place},
    ledger::{Journal, journal::unfinished},
    resolve::Desired,
};

/// The run, its journal's folder, and what it told.
pub(super) struct Scene {
    pub(super) run: Run,
    pub(super) state: TempDir,
    pub(super) told: Arc<Mutex<Vec<Event>>>,
}

/// A run in front of this host.
pub(super) fn scene(host: MockHost) -> Scene {
    let state = tempfile::tempdir().unwrap();
    let told: Arc<Mutex<Vec<Event>>> = Arc::default();
    let listener = Arc::clone(&told);
    let events = Events::to(move |event| listener.lock().unwrap().push(event));
    let settings = Settings {
        root: state.path().to_owned(),
        state: state.path().to_owned(),
        key: None,
        layers: Layers::All,
        parallel: NonZeroUsize::MIN,
        inside: Inside::Enter,
        limits: Limits {
            busy: Duration::from_secs(2),
            ..Limits::default()
        },
        provenance: crate::ledger::Provenance::default(),
        redactor: crate::redact::Redactor::default(),
    };
    let desired = Desired {
        fleet: "fleet-0001".parse().unwrap(),
        policies: crate::spec::Policies::default(),
        program: None,
        containers: Vec::new(),
    };
    let run = Run::begin(
        Seams::real(Arc::new(host)),
        &desired,
        "apply",
        settings,
        events,
    );
    Scene {
        run: run.unwrap(),
        state,
        told,
    }
}

impl Scene {
    /// Causes an effect on `web`.
    pub(super) async fn cause(&self, act: &Act) -> Result<(), Error> {
        let name = "web".parse().unwrap();
        let place = Place::new("pve1", 101.try_into().unwrap());
        let subject = Subject {
            name: &name,
            place: &place,
            layer: Layer::Default,
        };
        self.run.cause(subject, act).await
    }

    /// How many effects on `web` have no end in the journal.
    pub(super) fn unfinished(&self) -> usize {
        unfinished(&Journal::read(self.state.path()).unwrap(), 101).len()
    }
}
