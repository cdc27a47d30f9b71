//! Program: a file of this machine becomes a program of the container, by rename, after it ran there.

use std::{fs, path::PathBuf, time::Duration};

use async_trait::async_trait;
use lxc_layers::{
    guest::{Invocation, LastWords},
    process::Program as Tool,
};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use super::super::{Call, Error, Found, Ground, PROGRAM, Site, Step, inside};
use crate::forge::{Binary, Source};

/// SHA-256 of a file, or nothing.
const SUM: &str = r#"[ ! -f "$1" ] || sha256sum "$1" | cut -d' ' -f1"#;

/// Takes a program from standard input, compares it, runs it once. It is in nobody's way yet.
const RECEIVE: &str = r#"
set -eu
umask 022
mkdir -p "${1%/*}"
cat >"$1.new"
chmod 0755 "$1.new"
found=$(sha256sum "$1.new" | cut -d' ' -f1)
[ "$found" = "$2" ] || { echo "what arrived has SHA-256 $found" >&2; exit 65; }
exec "$1.new" --version
"#;

/// Puts it in its place and keeps the one that stood there; what runs from it is restarted.
const INSTALL: &str = r#"
set -eu
[ ! -e "$1" ] || ln -f "$1" "$1.previous"
sync -f "$1.new" 2>/dev/null || sync
mv -f "$1.new" "$1"
shift
for unit in "$@"; do
  [ ! -e "/etc/systemd/system/$unit" ] || systemctl try-restart "$unit"
done
"#;

/// The units that run another file than the one that is installed.
const STALE: &str = r#"
path=$1
shift
for unit in "$@"; do
  pid=$(systemctl show --property MainPID --value "$unit" 2>/dev/null) || continue
  [ "${pid:-0}" -gt 0 ] || continue
  [ "$(readlink "/proc/$pid/exe")" = "$path" ] || echo "$unit"
done
"#;

/// Restarts what runs.
const RESTART: &str = r#"for unit in "$@"; do systemctl try-restart "$unit"; done"#;

/// A program of the container.
pub(super) struct Program {
    what: &'static str,
    source: Source,
    target: String,
    /// The units that run from it.
    units: Vec<&'static str>,
    content: OnceCell<Content>,
}

/// What is to be installed.
struct Content {
    bytes: Vec<u8>,
    sha256: String,
}

impl Program {
    /// Our own.
    pub(super) fn own(site: &Site, units: Vec<&'static str>) -> Self {
        Self {
            what: "program",
            source: Source::Path(site.settings.program.clone()),
            target: PROGRAM.to_owned(),
            units,
            content: OnceCell::new(),
        }
    }

    /// The Git service's.
    pub(super) fn of_forge(binary: Binary, units: Vec<&'static str>) -> Self {
        Self {
            what: "program of the Git service",
            target: binary.target.display().to_string(),
            source: binary.source,
            units,
            content: OnceCell::new(),
        }
    }

    async fn content(&self, site: &Site) -> Result<&Content, Error> {
        let read = || async {
            let path = match &self.source {
                Source::Path(path) => path.clone(),
                Source::Url { url, .. } => download(site, url).await?,
            };
            let bytes = fs::read(&path).map_err(Error::local("reading", &path))?;
            let digest = Sha256::digest(&bytes);
            let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            match &self.source {
                Source::Url {
                    url,
                    sha256: wanted,
                } if !wanted.eq_ignore_ascii_case(&sha256) => Err(Error::Checksum {
                    what: url.clone(),
                    wanted: wanted.clone(),
                    found: sha256,
                }),
                _ => Ok(Content { bytes, sha256 }),
            }
        };
        self.content.get_or_try_init(read).await
    }

    /// What is to be there, by SHA-256: the checksum of an address needs no download.
    async fn wanted(&self, site: &Site) -> Result<String, Error> {
        match &self.source {
            Source::Url { sha256, .. } => Ok(sha256.to_ascii_lowercase()),
            Source::Path(_) => Ok(self.content(site).await?.sha256.clone()),
        }
    }

    async fn installed(&self, site: &Site) -> Result<String, Error> {
        inside::ask(site, "looking at what is installed", SUM, [&self.target]).await
    }

    async fn stale(&self, site: &Site) -> Result<String, Error> {
        let parameters = [self.target.as_str()]
            .into_iter()
            .chain(self.units.iter().copied());
        let guest = site.guest().await?;
        let look = guest.run(Invocation::shell(STALE, parameters), &|_, _| {});
        let look = look.await.map_err(Error::guest("looking at what runs"))?;
        Ok(look
            .text()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(", "))
    }

    /// The build that the fleet pins stays, whoever bootstraps.
    fn is_pinned(&self, site: &Site, installed: &str) -> bool {
        let pinned = site.settings.pinned.as_deref();
        self.target == PROGRAM
            && pinned.is_some_and(|pinned| pinned.eq_ignore_ascii_case(installed))
    }

    async fn send(&self, site: &Site) -> Result<(), Error> {
        let content = self.content(site).await?;
        let receive = Invocation::shell(RECEIVE, [&self.target, &content.sha256])
            .input(content.bytes.clone())
            .limit(site.settings.limits.transfer);
        let guest = site.guest().await?;
        let doing = format!("sending the {}", self.what);
        let sent = guest.run(receive, &|_, line| site.line(line)).await;
        let sent = sent.map_err(Error::guest(doing.clone()))?;
        if sent.is_success() {
            return Ok(());
        }
        match too_new(&sent.tail) {
            Some(needed) => Err(Error::Libc {
                needed,
                here: libc_here().await,
                there: libc_there(site).await,
            }),
            None => Err(Error::Inside {
                doing,
                code: sent.code,
                last: LastWords::new(&sent.tail),
            }),
        }
    }
}

/// Fetches an address into a private folder of this run.
async fn download(site: &Site, url: &str) -> Result<PathBuf, Error> {
    let path = site.scratch.path().join("download");
    let doing = format!("fetching `{url}`");
    let fetched = Tool::new("curl")
        .args([
            "--fail",
            "--silent",
            "--show-error",
            "--location",
            "--retry",
            "2",
            "--output",
        ])
        .arg(&path)
        .arg(url)
        .limit(site.settings.limits.transfer)
        .capture()
        .await
        .map_err(Error::program(doing.clone()))?;
    if fetched.is_success() {
        return Ok(path);
    }
    let said = LastWords::new(&fetched.tail);
    Err(Error::refused(
        format!("{doing}: {said}"),
        "is the address right, and reachable from here? a path does as well",
    ))
}

/// The symbol version that the loader misses, when that is what it says.
fn too_new(tail: &[String]) -> Option<String> {
    let line = tail
        .iter()
        .find(|line| line.contains("not found") && line.contains("GLIBC_"))?;
    let (_, rest) = line.split_once("GLIBC_")?;
    let version: String = rest
        .chars()
        .take_while(|letter| letter.is_ascii_digit() || *letter == '.')
        .collect();
    Some(format!("glibc {version}"))
}

async fn libc_here() -> String {
    let asked = Tool::new("getconf").arg("GNU_LIBC_VERSION").capture().await;
    asked.map_or_else(
        |_| "an unknown C library".to_owned(),
        |it| it.text().trim().to_owned(),
    )
}

async fn libc_there(site: &Site) -> String {
    let asked = inside::ask(
        site,
        "asking for the C library",
        "getconf GNU_LIBC_VERSION",
        [],
    )
    .await;
    asked.map_or_else(
        |_| "an unknown C library".to_owned(),
        |it| it.trim().to_owned(),
    )
}

#[async_trait]
impl Step for Program {
    fn name(&self) -> String {
        self.what.to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Guest
    }

    fn calls(&self, _site: &Site) -> Vec<Call> {
        let target = &self.target;
        vec![
            Call::ssh(format!("cat >{target}.new; {target}.new --version")),
            Call::ssh(format!("mv {target}.new {target}")),
        ]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let installed = self.installed(site).await?;
        if installed.is_empty() {
            return Ok(Found::Needed("it is not installed".to_owned()));
        }
        if !self.is_pinned(site, &installed) && self.wanted(site).await? != installed {
            return Ok(Found::Needed("another build is installed".to_owned()));
        }
        let stale = self.stale(site).await?;
        Ok(Found::when(
            stale.is_empty(),
            format!("SHA-256 {}", installed.get(..12).unwrap_or(&installed)),
            format!("an earlier build still runs as {stale}"),
        ))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let installed = self.installed(site).await?;
        if self.is_pinned(site, &installed) || installed == self.wanted(site).await? {
            let restart = Invocation::shell(RESTART, self.units.iter().copied());
            let restart = restart.limit(RESTART_LIMIT);
            return inside::run(site, "restarting", restart).await.map(drop);
        }
        self.send(site).await?;
        let parameters = [self.target.as_str()]
            .into_iter()
            .chain(self.units.iter().copied());
        let install = Invocation::shell(INSTALL, parameters).limit(RESTART_LIMIT);
        let doing = format!("installing the {}", self.what);
        inside::run(site, doing, install).await.map(drop)
    }
}

/// How long units may take to stop and start.
const RESTART_LIMIT: Duration = Duration::from_secs(180);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loader_that_misses_a_symbol_is_understood() {
        let tail =
            ["/x: /lib/libc.so.6: version `GLIBC_2.39' not found (required by /x)".to_owned()];
        assert_eq!(too_new(&tail).as_deref(), Some("glibc 2.39"));
        assert_eq!(too_new(&["Exec format error".to_owned()]), None);
    }
}
