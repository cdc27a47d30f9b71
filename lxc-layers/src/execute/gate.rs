//! Gates: what must hold on the guest itself before the next layer may begin.

use std::{net::Ipv4Addr, time::Duration};

use super::{Error, Run, settle::Subject};
use crate::{
    event::{Event, Layer},
    guest::{self, Guest, Invocation, LastWords},
    ledger::Entry,
    plan::Status,
    process::Finished,
    resolve::{Container, Health},
    wait::Patience,
};

/// First pause between two looks, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(20);

/// Says how the guest's systemd is, once it has come up; a guest without it says so.
const SYSTEMD: &str = r#"
command -v systemctl >/dev/null 2>&1 || { echo none; exit 0; }
exec systemctl is-system-running --wait
"#;

/// Asks a page of the guest's own address for a status from 200 to 399, with what is there.
const HTTP: &str = r#"
host=$1 port=$2 path=$3
if command -v curl >/dev/null 2>&1; then
  exec curl -sS -f -o /dev/null --noproxy '*' --max-time 10 "http://$host:$port$path"
elif command -v bash >/dev/null 2>&1; then
  exec timeout 10 bash -c '
    exec 3<>"/dev/tcp/$0/$1" || exit 1
    printf "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n" "$2" "$0" >&3
    IFS= read -r status <&3
    case $status in
      HTTP/*" 2"*|HTTP/*" 3"*) exit 0 ;;
      *) echo "it answers: $status" >&2; exit 1 ;;
    esac' "$host" "$port" "$path"
else
  exec wget -q -O /dev/null -T 10 "http://$host:$port$path"
fi
"#;

/// Connects to a port of the guest's own address.
const TCP: &str = r#"
if command -v bash >/dev/null 2>&1; then
  exec timeout 10 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2"
else
  exec nc -w 10 "$1" "$2" </dev/null
fi
"#;

impl Run {
    /// The gate of container-default: the guest runs, its pinned ssh answers (whoever has `guest`
    /// has seen that), its systemd is running or degraded.
    pub(super) async fn gate_of_default(
        &self,
        subject: Subject<'_>,
        guest: &dyn Guest,
    ) -> Result<(), Error> {
        let limit = self.settings.limits.boot;
        let mut patience = Patience::new(limit, PAUSES.0, PAUSES.1);
        loop {
            let look = Invocation::shell(SYSTEMD, [""; 0]).limit(limit.max(LOOK));
            let finished = guest
                .run(look, &|_, _| {})
                .await
                .map_err(Error::guest(format!("looking into `{}`", subject.name)))?;
            if self.has_come_up(subject, &finished) {
                return self.passed(subject, Layer::Default);
            }
            if !patience.again().await {
                let what = "systemd is neither running nor degraded";
                return Err(closed(subject, Layer::Default, what, &finished));
            }
        }
    }

    fn has_come_up(&self, subject: Subject<'_>, finished: &Finished) -> bool {
        let state = finished.text();
        if state == "none" {
            self.events.tell(Event::Warning {
                container: subject.name.to_string(),
                text: "there is no systemd in the guest; that it answers has to do".to_owned(),
            });
        }
        finished.is_success() || state == "degraded"
    }

    /// Verifies from outside that a guest runs.
    pub(super) async fn runs(&self, subject: Subject<'_>) -> Result<(), Error> {
        let doing = format!("asking whether `{}` runs", subject.name);
        let status = self.host.status(subject.place).await;
        match status.map_err(Error::host(doing))? {
            Some(Status::Running) => Ok(()),
            Some(Status::Stopped) => Err(Error::NotRunning {
                container: subject.name.to_string(),
            }),
            None => Err(Error::Gone {
                vmid: subject.place.vmid.get(),
                node: subject.place.node.clone(),
            }),
        }
    }

    /// The gate of container-configuration: everything that `HEALTH` asks for.
    pub(super) async fn gate_of_configuration(
        &self,
        subject: Subject<'_>,
        container: &Container,
        guest: &dyn Guest,
    ) -> Result<(), Error> {
        let address = container.address();
        for health in &container.health {
            self.healthy(subject, container, guest, health, address)
                .await?;
        }
        self.passed(subject, Layer::Configuration)
    }

    async fn healthy(
        &self,
        subject: Subject<'_>,
        container: &Container,
        guest: &dyn Guest,
        health: &Health,
        address: Option<Ipv4Addr>,
    ) -> Result<(), Error> {
        let last = until_healthy(guest, health, address, container.health_within)
            .await
            .map_err(Error::guest(format!("looking into `{}`", subject.name)))?;
        last.map_or(Ok(()), |last| {
            Err(closed(subject, Layer::Configuration, &words(health), &last))
        })
    }

    /// Notes in the journal that a gate holds.
    fn passed(&self, subject: Subject<'_>, layer: Layer) -> Result<(), Error> {
        self.journal.write(Entry::Gate {
            container: subject.name.to_string(),
            layer: layer.to_string(),
        })?;
        Ok(())
    }
}

/// Looks until it is healthy, for at most `within`; the last look where it is not.
pub(crate) async fn until_healthy(
    guest: &dyn Guest,
    health: &Health,
    address: Option<Ipv4Addr>,
    within: Duration,
) -> Result<Option<Finished>, guest::Error> {
    let mut patience = Patience::new(within, PAUSES.0, PAUSES.1);
    loop {
        let look = look(health, address).limit(LOOK);
        let finished = guest.run(look, &|_, _| {}).await?;
        if finished.is_success() {
            return Ok(None);
        }
        if !patience.again().await {
            return Ok(Some(finished));
        }
    }
}

fn look(health: &Health, address: Option<Ipv4Addr>) -> Invocation {
    let host = address.map_or_else(|| "127.0.0.1".to_owned(), |address| address.to_string());
    match health {
        Health::Http { port, path } => {
            Invocation::shell(HTTP, [host, port.to_string(), path.clone()])
        }
        Health::Tcp { port } => Invocation::shell(TCP, [host, port.to_string()]),
        Health::Unit { unit } => Invocation::new(["systemctl", "is-active", "--", unit.as_str()]),
    }
}

/// What a health asks for, when it does not hold.
pub(crate) fn words(health: &Health) -> String {
    match health {
        Health::Http { port, path } => format!("`http://…:{port}{path}` does not answer well"),
        Health::Tcp { port } => format!("nothing listens on port {port}"),
        Health::Unit { unit } => format!("the unit `{unit}` is not active"),
    }
}

fn closed(subject: Subject<'_>, layer: Layer, what: &str, finished: &Finished) -> Error {
    Error::Gate {
        layer: layer.as_str(),
        container: subject.name.to_string(),
        what: what.to_owned(),
        last: LastWords::new(&finished.tail),
    }
}
