//! Entering: a guest is found, met for the first time and pinned, or recognised by its pin.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;

use super::{Error, Run, notes::Rewritten, settle::Subject};
use crate::{
    event::Event,
    guest::{Guest, HostKey, Reserved},
    resolve::Container,
    wait::Patience,
};

/// First pause while a guest has no address yet, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// The port of ssh.
pub(super) const SSH: u16 = 22;

/// A guest that was entered.
pub(super) struct Entered {
    /// The way in, strict about the pin.
    pub(super) guest: Arc<dyn Guest>,
    /// Its inside is ours alone for as long as this lives.
    pub(super) _reserved: Reserved,
    /// The one who met it first, whose connection is used on.
    pub(super) _met: Option<Arc<dyn Guest>>,
    /// What pinning did to the configuration, when this was the first contact.
    pub(super) pinned: Option<Rewritten>,
}

impl Run {
    /// Reaches a running guest: by the key that stands in its notes, which the API gave us over a
    /// verified connection, or, right after create, by whatever key it shows, which is pinned.
    pub(super) async fn enter(
        &self,
        subject: Subject<'_>,
        container: &Container,
    ) -> Result<Entered, Error> {
        let key = self.settings.key.as_ref().ok_or_else(|| Error::NoKey {
            container: subject.name.to_string(),
        })?;
        let address = self.address(subject, container).await?;
        let config = self.config_of(subject).await?;
        let marker = self.marker_of(subject, &config)?;
        let name = subject.name.as_str();
        let limit = self.settings.limits.reach;
        let reaching = || Error::guest(format!("entering `{name}`"));
        let pinned: Option<HostKey> = marker.host_key.and_then(|key| key.parse().ok());
        if let Some(pinned) = pinned {
            let guest = self.guest(name, address, key, Some(pinned));
            guest.wait_reachable(limit).await.map_err(reaching())?;
            let reserved = self.reserve(subject, &*guest).await?;
            return Ok(Entered {
                guest,
                _reserved: reserved,
                _met: None,
                pinned: None,
            });
        }
        let stranger = self.guest(name, address, key, None);
        let shown = stranger.first_contact(limit).await.map_err(reaching())?;
        let Some(shown) = shown else {
            self.events.tell(Event::Warning {
                container: name.to_owned(),
                text: "it showed no ssh host key, so that none is pinned".to_owned(),
            });
            return Ok(Entered {
                _reserved: self.reserve(subject, &*stranger).await?,
                guest: stranger,
                _met: None,
                pinned: None,
            });
        };
        let rewritten = self
            .rewrite(subject, None, |marker| {
                marker.host_key = Some(shown.to_string());
            })
            .await?;
        let guest = self.guest(name, address, key, Some(shown));
        Ok(Entered {
            _reserved: self.reserve(subject, &*guest).await?,
            guest,
            _met: Some(stranger),
            pinned: Some(rewritten),
        })
    }

    /// Reserves the inside of a guest: a run of another folder or machine is waited for.
    async fn reserve(&self, subject: Subject<'_>, guest: &dyn Guest) -> Result<Reserved, Error> {
        let on_wait = |holder: &str| {
            self.events.tell(Event::Retry {
                container: subject.name.to_string(),
                reason: format!("another run works on it: {holder}"),
            });
        };
        let limit = self.settings.limits.busy;
        let reserved = guest.reserve(&self.holder, limit, &on_wait).await;
        reserved.map_err(Error::guest(format!("reserving `{}`", subject.name)))
    }

    /// The address at which a guest is reached: the one it was given, else the one it got.
    async fn address(
        &self,
        subject: Subject<'_>,
        container: &Container,
    ) -> Result<Ipv4Addr, Error> {
        if let Some(address) = container.address() {
            return Ok(address);
        }
        let limit = self.settings.limits.reach;
        let mut patience = Patience::new(limit, PAUSES.0, PAUSES.1);
        loop {
            let doing = format!("asking for the address of `{}`", subject.name);
            let got = self.host.address(subject.place).await;
            if let Some(address) = got.map_err(Error::host(doing))? {
                return Ok(address);
            }
            if !patience.again().await {
                return Err(Error::NoAddress {
                    container: subject.name.to_string(),
                    waited: limit,
                });
            }
        }
    }

    /// Makes sure that nobody answers at the address that a new container is to have.
    ///
    /// All addresses of the run are looked at together, once: looking takes as long as a silence is
    /// listened to.
    pub(super) async fn nobody_answers(&self, container: &Container) -> Result<(), Error> {
        let taken = self.taken.get_or_init(|| self.greeted()).await;
        match container.address() {
            Some(address) if taken.contains(&address) => Err(Error::AddressTaken {
                container: container.name.to_string(),
                address,
            }),
            _ => Ok(()),
        }
    }

    /// The addresses of new containers at which somebody is already.
    async fn greeted(&self) -> BTreeSet<Ipv4Addr> {
        let limit = self.settings.limits.greeting;
        let looks = self.addresses.iter().map(|address| async move {
            let greets = greets((*address, self.greeter).into(), limit).await;
            greets.then_some(*address)
        });
        join_all(looks).await.into_iter().flatten().collect()
    }
}

/// Whether an ssh server greets at `address`. A connection alone proves nothing: some networks
/// accept any.
async fn greets(address: SocketAddr, limit: Duration) -> bool {
    let greeting = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let mut first = [0_u8; 4];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut first).await?;
        Ok::<_, std::io::Error>(&first == b"SSH-")
    };
    matches!(tokio::time::timeout(limit, greeting).await, Ok(Ok(true)))
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt as _, net::TcpListener};

    use super::*;
    use crate::{execute::scene::scene, host::MockHost, resolve::resolve, spec::Tree};

    /// Longer than a busy machine needs for an answer.
    const MINUTE: Duration = Duration::from_secs(60);

    async fn greeted_by(words: &'static [u8], within: Duration) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(words).await.unwrap();
            // Held open, as a server would.
            let mut rest = Vec::new();
            drop(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await);
        });
        let greeted = greets(address, within).await;
        served.abort();
        greeted
    }

    #[tokio::test]
    async fn a_machine_is_known_by_its_greeting_and_not_by_its_silence() {
        assert!(greeted_by(b"SSH-2.0-OpenSSH_9.2\r\n", MINUTE).await);
        assert!(!greeted_by(b"", Duration::from_millis(400)).await);
        assert!(!greeted_by(b"HTTP/1.1 400\r\n", MINUTE).await);
    }

    #[tokio::test]
    async fn a_container_is_not_created_at_an_address_that_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"SSH-2.0-Somebody\r\n").await.unwrap();
            stream
        });
        let mut scene = scene(MockHost::new());
        scene.run.addresses = vec![Ipv4Addr::LOCALHOST];
        scene.run.greeter = port;
        scene.run.settings.limits.greeting = MINUTE;
        let fleet = "id = \"fleet-0001\"\n[network]\nsubnet = \"127.0.0.0/24\"\n";
        let web = "ID=101\nIP=127.0.0.1\nTEMPLATE=debian-12\nSTORAGE=local\n";
        let texts = [("fleet.toml", fleet), ("containers/web/config.env", web)];
        let tree = Tree::of_texts(texts).with_input("default/default.yml", "", false);
        let desired = resolve(&tree).desired.unwrap();
        let error = scene.run.nobody_answers(&desired.containers[0]).await;
        let error = error.unwrap_err();
        insta::assert_snapshot!(error, @"the address 127.0.0.1 of `web` is taken: something answers there already");
        insta::assert_snapshot!(error.hint().unwrap(), @"give the container another IP, or free the address; nothing was created");
        served.abort();
    }

    #[tokio::test]
    async fn nobody_is_there_where_nobody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(!greets(address, Duration::from_millis(400)).await);
    }
}
