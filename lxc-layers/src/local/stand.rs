//! The container itself: found as it was left, or made anew, with the best first process that this
//! machine allows.

use std::{fs, io, time::Duration};

use super::{
    CONTAINER, Error, MADE_OF, SYSTEMD, Trial, definition, folder, image::Image, labels, name,
};
use crate::{
    event::{Kind, Layer},
    guest::{
        Guest, HostKey, Invocation, OperatorKey, Parcel,
        docker::{self, Docker, Entrance, First, Publish, Standing, Wanted},
    },
    wait::Patience,
};

/// How long systemd may take to come up: it does in a second, or not at all.
const BOOT: Duration = Duration::from_secs(20);
/// First pause while it comes up, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

/// Says how systemd is; `--wait` alone fails while nobody listens yet.
const STATE: &str = "exec systemctl is-system-running --wait";

/// Starts the ssh server by hand, where no systemd does.
const SERVE: &str = r#"
mkdir -p /run/sshd
if command -v sshd >/dev/null 2>&1 && ! pidof sshd >/dev/null 2>&1; then "$(command -v sshd)"; fi
"#;

/// A container that stands.
pub(super) struct Stood {
    /// As Docker sees it.
    pub(super) standing: Standing,
    /// The way in.
    pub(super) guest: Docker,
    /// Whether systemd runs in it.
    pub(super) systemd: bool,
}

/// The keys of a container.
struct Keys {
    /// By which we come in.
    ours: OperatorKey,
    /// Which it shows.
    host: OperatorKey,
}

/// What a container is to be.
struct Plan<'a> {
    /// Its image.
    image: &'a Image,
    /// Its ports.
    ports: &'a [Publish],
    /// All of it in one value.
    made_of: &'a str,
    /// Its keys.
    keys: &'a Keys,
}

impl Trial<'_> {
    /// Whether the ports that were asked for can be had, before anything is made or removed: they are
    /// free, or the container has them already.
    pub(super) async fn ports_are_free(&self) -> Result<(), Error> {
        let asked = self.settings.ports.iter().map(|port| port.host);
        let asked: Vec<u16> = asked.filter(|port| *port != 0).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let standing = self.engine.find(&labels(self.settings)).await?;
        let own = standing.filter(|it| it.running).map(|it| it.ports);
        let own = own.unwrap_or_default();
        for port in asked {
            let taken = std::net::TcpListener::bind(("127.0.0.1", port)).map(drop);
            match taken {
                Err(source)
                    if source.kind() == io::ErrorKind::AddrInUse
                        && !own.iter().any(|it| it.host == port) =>
                {
                    return Err(docker::Error::in_use(port, &source).into());
                }
                // Whatever else there is to say of it, the daemon says.
                _ => {}
            }
        }
        Ok(())
    }

    /// The container, standing.
    pub(super) async fn stand(&self, image: &Image) -> Result<Stood, Error> {
        let settings = self.settings;
        let ports = definition::ports(&settings.container, &image.exposed, &settings.ports);
        let keys = self.keys().await?;
        let made_of = definition::made_of(
            &image.name,
            &settings.container.hostname,
            [&keys.ours.public, &keys.host.public],
            &ports,
        );
        let found = self.engine.find(&labels(settings)).await?;
        let found = match found {
            Some(found) if found.labels.get(MADE_OF) == Some(&made_of) => Some(found),
            Some(other) => {
                self.warn("what it is made of changed, so that it is made anew");
                self.engine.remove(&other.id).await?;
                None
            }
            None => None,
        };
        let plan = Plan {
            image,
            ports: &ports,
            made_of: &made_of,
            keys: &keys,
        };
        if let Some(found) = found {
            return self.found(found, &plan).await;
        }
        let made = self.made(&plan);
        let stood = self
            .step((Layer::Default, "create", Kind::Boot), made)
            .await?;
        self.forget_others(image).await?;
        Ok(stood)
    }

    /// One that was left standing, started where it was stopped meanwhile.
    async fn found(&self, found: Standing, plan: &Plan<'_>) -> Result<Stood, Error> {
        let systemd = found.labels.get(SYSTEMD).is_some_and(|it| it == "yes");
        if found.running {
            self.unchanged(Layer::Default, "create", Kind::Boot);
            return self.entered(&found.id, systemd, plan.keys).await;
        }
        // A run that was killed may have made it, and nothing more.
        self.engine.place(&found.id, &placed(plan.keys)?).await?;
        self.engine.start(&found.id, plan.ports).await?;
        let stood = self.entered(&found.id, systemd, plan.keys).await?;
        if !systemd || self.comes_up(&stood).await? {
            self.ready(&stood).await?;
            return Ok(stood);
        }
        Err(Error::Down {
            container: self.settings.container.name.to_string(),
        })
    }

    /// A new one, with the best first process that comes up here.
    async fn made(&self, plan: &Plan<'_>) -> Result<Stood, Error> {
        for first in self.engine.firsts() {
            if let Some(stood) = self.attempt(plan, first).await? {
                return Ok(stood);
            }
        }
        Err(Error::Down {
            container: self.settings.container.name.to_string(),
        })
    }

    /// One attempt; `None`, and nothing left of it, when this first process does not come up.
    async fn attempt(&self, plan: &Plan<'_>, first: First) -> Result<Option<Stood>, Error> {
        let systemd = first != First::Nothing;
        let mut labels = labels(self.settings);
        let answer = if systemd { "yes" } else { "no" };
        labels.extend([
            (MADE_OF.to_owned(), plan.made_of.to_owned()),
            (SYSTEMD.to_owned(), answer.to_owned()),
        ]);
        let wanted = Wanted {
            name: &name(self.settings),
            image: &plan.image.name,
            hostname: &self.settings.container.hostname,
            first,
            ports: plan.ports,
            labels,
        };
        let id = self.engine.make(&wanted).await?;
        if systemd && !self.engine.has(&id, "/sbin/init").await? {
            self.warn("there is no systemd in its image: services are not started in it");
            self.engine.remove(&id).await?;
            return Ok(None);
        }
        self.engine.place(&id, &placed(plan.keys)?).await?;
        match self.engine.start(&id, plan.ports).await {
            Ok(()) => {}
            Err(docker::Error::Refused { said, .. }) if systemd => {
                self.warn(format!("systemd cannot be started this way here: {said}"));
                self.engine.remove(&id).await?;
                return Ok(None);
            }
            Err(error) => {
                self.engine.remove(&id).await?;
                return Err(error.into());
            }
        }
        let stood = self.entered(&id, systemd, plan.keys).await?;
        if systemd && !self.comes_up(&stood).await? {
            self.warn("systemd does not come up in it on this machine");
            self.engine.remove(&id).await?;
            return Ok(None);
        }
        self.ready(&stood).await?;
        Ok(Some(stood))
    }

    /// What a container without systemd needs to be entered.
    async fn ready(&self, stood: &Stood) -> Result<(), Error> {
        if stood.systemd {
            return Ok(());
        }
        let serve = Invocation::shell(SERVE, [""; 0]);
        let served = stood.guest.run(serve, &|_, _| {}).await;
        served.map(drop).map_err(Error::guest("starting its ssh"))
    }

    /// Whether systemd comes up, which it does soon or never.
    async fn comes_up(&self, stood: &Stood) -> Result<bool, Error> {
        let mut patience = Patience::new(BOOT, PAUSES.0, PAUSES.1);
        loop {
            let look = Invocation::shell(STATE, [""; 0]).limit(BOOT);
            if let Ok(seen) = stood.guest.run(look, &|_, _| {}).await
                && ["running", "degraded"].contains(&seen.text().as_str())
            {
                return Ok(true);
            }
            let standing = self.engine.standing(&stood.standing.id).await?;
            let runs = standing.is_some_and(|it| it.running);
            if !runs || !patience.again().await {
                return Ok(false);
            }
        }
    }

    /// The way into a running container.
    async fn entered(&self, id: &str, systemd: bool, keys: &Keys) -> Result<Stood, Error> {
        let down = || Error::Down {
            container: self.settings.container.name.to_string(),
        };
        let standing = self.engine.standing(id).await?.ok_or_else(down)?;
        let ssh = standing.ports.iter().find(|it| it.guest == definition::SSH);
        let host_key: Option<HostKey> = keys.host.public.parse().ok();
        let (Some(ssh), Some(host_key)) = (ssh, host_key) else {
            return Err(down());
        };
        let entrance = Entrance {
            port: ssh.host,
            key: keys.ours.path.clone(),
            host_key,
            scratch: self.scratch.path().to_owned(),
        };
        let called = standing.labels.get(CONTAINER).map_or(id, String::as_str);
        let redactor = self.settings.redactor.clone();
        let guest = Docker::new(self.engine.clone(), (id, called), entrance, redactor);
        Ok(Stood {
            standing,
            guest,
            systemd,
        })
    }

    /// Removes the images of this container that it is not made of any more.
    async fn forget_others(&self, image: &Image) -> Result<(), Error> {
        for other in self.engine.images(&labels(self.settings)).await? {
            if other != image.name {
                self.engine.remove_image(&other).await?;
            }
        }
        Ok(())
    }

    /// The keys of the container, made once and kept beside its lock.
    async fn keys(&self) -> Result<Keys, Error> {
        let ours = folder(self.settings).join("key");
        let host = folder(self.settings).join("host_key");
        let making = || Error::guest("making the keys of the container");
        Ok(Keys {
            ours: OperatorKey::ensure(&ours, "proxmox-ci-local")
                .await
                .map_err(making())?,
            host: OperatorKey::ensure(&host, "proxmox-ci-local")
                .await
                .map_err(making())?,
        })
    }
}

/// The files that a container has before it starts: who may enter, and by what it is known.
fn placed(keys: &Keys) -> Result<Vec<Parcel>, Error> {
    let private = fs::read(&keys.host.path).map_err(Error::file(&keys.host.path))?;
    let file = |path: &str, mode, content| Parcel {
        path: path.to_owned(),
        content,
        mode,
    };
    let line = |key: &OperatorKey| format!("{}\n", key.public).into_bytes();
    Ok(vec![
        file("root/.ssh/authorized_keys", 0o600, line(&keys.ours)),
        file("etc/ssh/ssh_host_ed25519_key", 0o600, private),
        file("etc/ssh/ssh_host_ed25519_key.pub", 0o644, line(&keys.host)),
    ])
}
