//! The site: what the steps of one run share, each way in opened once.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use gitea_api::{Auth, Client, tls::Trust};
use lxc_layers::{
    execute,
    guest::{Guest, Reserved},
    host::{Act, Kind, Place},
    plan::{GuestConfig, Marker},
    redact::Redactor,
    resolve::Fingerprint,
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{Content, Error, Event, Events, Proof, Reading, Settings, inside};
use crate::forge::{Administrator, Forge, Seat};

/// So often the notes are read again when another hand wrote in between.
const AGAIN: u32 = 4;

/// What the steps of one run share.
pub struct Site {
    /// What was known beforehand.
    pub settings: Settings,
    pub(super) forge: Arc<dyn Forge>,
    pub(super) events: Events,
    pub(super) redactor: Redactor,
    pub(super) scratch: TempDir,
    pub(super) proofs: Mutex<Vec<Proof>>,
    program: Reading,
    guest: OnceCell<Inside>,
    service: Mutex<Option<Service>>,
}

/// The container, entered and reserved: two bootstraps of two machines meet here.
struct Inside {
    guest: Arc<dyn Guest>,
    _reserved: Reserved,
}

/// The Git service, entered as its administrator.
#[derive(Debug, Clone)]
pub struct Service {
    /// The client.
    pub client: Client,
    /// The address.
    pub url: String,
    /// SHA-256 of its certificate.
    pub fingerprint: String,
    /// Its certificate, PEM.
    pub certificate: String,
    /// Who the client is.
    pub administrator: Administrator,
    /// The version it tells.
    pub version: String,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Site {
    pub(super) fn new(
        settings: Settings,
        forge: Arc<dyn Forge>,
        events: Events,
    ) -> Result<Self, Error> {
        let scratch = execute::scratch().map_err(Error::local("making", std::env::temp_dir()))?;
        Ok(Self {
            redactor: settings.redactor(),
            program: Reading::begin(settings.program.clone()),
            settings,
            forge,
            events,
            scratch,
            proofs: Mutex::default(),
            guest: OnceCell::new(),
            service: Mutex::default(),
        })
    }

    /// Our own program, as it is on this machine.
    pub(super) async fn program(&self) -> Result<&Content, Error> {
        self.program.content().await
    }

    /// The container, over the pinned way in.
    pub(super) async fn guest(&self) -> Result<&Arc<dyn Guest>, Error> {
        let inside = self.guest.get_or_try_init(|| self.open()).await?;
        Ok(&inside.guest)
    }

    async fn open(&self) -> Result<Inside, Error> {
        let settings = &self.settings;
        let key = settings.key.as_ref().ok_or_else(|| {
            Error::refused(
                "there is no ssh key for the container",
                "name one by --ssh-key",
            )
        })?;
        let guest = execute::open(
            &*settings.seams.host,
            &settings.seams.door,
            (&settings.desired, settings.control_plane()?),
            key,
            self.scratch.path(),
            self.redactor.clone(),
        );
        let guest = guest
            .await
            .map_err(Error::engine("opening the container"))?;
        let reaching = Error::guest("entering the container");
        guest
            .wait_reachable(settings.limits.answer)
            .await
            .map_err(reaching)?;
        let holder = format!("`bootstrap`, process {}", std::process::id());
        let waiting = |holder: &str| self.warn(format!("the container is reserved by {holder}"));
        let reserved = guest.reserve(&holder, settings.limits.packages, &waiting);
        let reserved = reserved
            .await
            .map_err(Error::guest("reserving the container"))?;
        Ok(Inside {
            guest,
            _reserved: reserved,
        })
    }

    /// Where the Git service has its seat; its certificate must be there.
    pub(super) async fn seat(&self) -> Result<Seat, Error> {
        let shown = inside::certificate(self).await?;
        let fingerprint = shown.map(|shown| shown.fingerprint.to_string());
        Ok(Seat {
            address: self.settings.address()?,
            port: self.settings.names.port,
            administrator: self.settings.names.administrator.clone(),
            fingerprint: fingerprint.unwrap_or_default(),
        })
    }

    /// The Git service; one attempt.
    pub(super) async fn service(&self) -> Result<Service, Error> {
        if let Some(service) = self.remembered().clone() {
            return Ok(service);
        }
        let service = self.connect().await?;
        *self.remembered() = Some(service.clone());
        Ok(service)
    }

    /// The next one who asks for the service enters it anew.
    pub(super) fn forget_service(&self) {
        *self.remembered() = None;
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Option<Service>> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Service, Error> {
        let shown = inside::certificate(self).await?.ok_or_else(|| {
            Error::refused("the Git service has no certificate", "bootstrap again")
        })?;
        let guest = self.guest().await?;
        let administrator = self.forge.administrator(&**guest).await?;
        let administrator = administrator.ok_or_else(|| {
            Error::refused(
                "the Git service has no administrator yet",
                "bootstrap again",
            )
        })?;
        let url = self.settings.url()?;
        let client = Client::builder(&url)
            .auth(Auth::Token(administrator.token.clone()))
            .trust(Trust::Pin(shown.fingerprint))
            .build()
            .map_err(Error::forge("preparing for the Git service"))?;
        let version = client.version().await;
        let version = version.map_err(Error::forge(format!("asking {url} for its version")))?;
        Ok(Service {
            client,
            url,
            fingerprint: shown.fingerprint.to_string(),
            certificate: shown.pem,
            administrator,
            version,
        })
    }

    /// Where the container is.
    pub(super) async fn place(&self) -> Result<Place, Error> {
        let container = self.settings.control_plane()?;
        let survey = self.settings.seams.host.survey().await;
        let world = survey.map_err(Error::host("looking at the cluster"))?;
        let node = world.guests.get(&container.vmid).map(|it| it.node.clone());
        let node = node.or_else(|| container.node.clone());
        Ok(Place::new(node.unwrap_or_default(), container.vmid))
    }

    async fn config(&self, place: &Place) -> Result<GuestConfig, Error> {
        let config = self.settings.seams.host.config(place).await;
        let config = config.map_err(Error::host("reading the container"))?;
        config.ok_or_else(|| Error::refused("the container is gone", "bootstrap again"))
    }

    /// What the container's notes say of a tree.
    pub(super) async fn marked(&self, id: &str) -> Result<Option<Fingerprint>, Error> {
        let config = self.config(&self.place().await?).await?;
        let marker = self.marker(&config)?;
        Ok(marker.layers.get(id).cloned())
    }

    fn marker(&self, config: &GuestConfig) -> Result<Marker, Error> {
        let name = &self.settings.control_plane()?.name;
        let notes = config.values.get("description").map_or("", String::as_str);
        let found = Marker::find(notes).ok().flatten();
        found
            .filter(|marker| {
                marker.fleet == self.settings.desired.fleet && marker.container == *name
            })
            .ok_or_else(|| {
                Error::refused(
                    format!("the container `{name}` does not bear this fleet's marker"),
                    "it may be someone else's; nothing was changed",
                )
            })
    }

    /// Writes the fingerprint of a tree into the container's notes.
    pub(super) async fn mark(&self, id: &str, fingerprint: &Fingerprint) -> Result<(), Error> {
        let place = self.place().await?;
        let mut tries = 0;
        loop {
            let config = self.config(&place).await?;
            let mut marker = self.marker(&config)?;
            marker.layers.insert(id.to_owned(), fingerprint.clone());
            let notes = config.values.get("description").map_or("", String::as_str);
            let write = Act::Configure {
                set: BTreeMap::from([("description".to_owned(), marker.write_into(notes))]),
                delete: Vec::new(),
                digest: config.digest.clone(),
            };
            match self.settings.seams.host.act(&place, &write).await {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == Kind::Changed && tries < AGAIN => tries += 1,
                Err(error) => return Err(Error::host("writing the container's notes")(error)),
            }
        }
    }

    /// Tells a line of a program.
    pub(super) fn line(&self, text: &str) {
        self.events.tell(Event::Line {
            text: text.to_owned(),
        });
    }

    pub(super) fn warn(&self, text: impl Into<String>) {
        self.events.tell(Event::Warning { text: text.into() });
    }

    /// Keeps what was proven.
    pub(super) fn prove(&self, proofs: Vec<Proof>) {
        *self.proofs.lock().unwrap_or_else(PoisonError::into_inner) = proofs;
    }

    pub(super) fn proven(&self) -> Vec<Proof> {
        let proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        proofs.clone()
    }
}

/// Tries until it succeeds or `limit` is over; the last failure is what is told.
pub(super) async fn within<T, F: Future<Output = Result<T, Error>>>(
    limit: std::time::Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Error> {
    let deadline = tokio::time::Instant::now() + limit;
    let mut pause = std::time::Duration::from_millis(50);
    loop {
        match attempt().await {
            Err(error) if tokio::time::Instant::now() >= deadline => return Err(error),
            Err(_) => crate::wait::pause(pause).await,
            done => return done,
        }
        pause = (pause * 2).min(std::time::Duration::from_secs(1));
    }
}
