//! Program: a file of this machine becomes a program of the container, by rename, after it ran there.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use lxc_layers::{
    guest::{Invocation, LastWords},
    process::Program as Tool,
};
use tokio::sync::OnceCell;

use super::super::{Call, Content, Error, Found, Ground, PROGRAM, Site, Step, inside};
use crate::forge::{Binary, Source};

/// Takes a program from standard input, compares it, runs it once. It is in nobody's way yet. The sum
/// is made of what comes while it comes; that the file is whole is `tee`'s to say.
const RECEIVE: &str = r#"
set -eu
umask 022
mkdir -p "${1%/*}"
rm -f "$1.new" "$1.whole"
found=$({ tee "$1.new" && : >"$1.whole"; } | sha256sum)
found=${found%% *}
[ -e "$1.whole" ] || { echo "it could not be written" >&2; exit 74; }
rm "$1.whole"
chmod 0755 "$1.new"
[ "$found" = "$2" ] || { echo "what arrived has SHA-256 $found" >&2; exit 65; }
exec "$1.new" --version
"#;

/// Puts it in its place and keeps the one that stood there; what runs from it is restarted. Nothing
/// but the file is waited for: the container was unpacked a moment ago, and all of that is not ours
/// to write.
const INSTALL: &str = r#"
set -eu
[ ! -e "$1" ] || ln -f "$1" "$1.previous"
sync "$1.new" 2>/dev/null || sync
mv -f "$1.new" "$1"
sync "${1%/*}" 2>/dev/null || sync
shift
for unit in "$@"; do
  [ ! -e "/etc/systemd/system/$unit" ] || systemctl try-restart "$unit"
done
"#;

/// SHA-256 of what is installed, or an empty line; then the units that run another file.
const LOOK: &str = r#"
path=$1
shift
sum=
[ ! -f "$path" ] || sum=$(sha256sum "$path")
echo "${sum%% *}"
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

/// What is installed in the container.
struct Installed {
    /// SHA-256; empty where nothing is.
    sha256: String,
    /// The units that run something else, in words.
    stale: String,
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

    async fn content<'a>(&'a self, site: &'a Site) -> Result<&'a Content, Error> {
        match &self.source {
            // Our own is read and summed already, or is being so.
            Source::Path(_) if self.is_own() => site.program().await,
            source => {
                let read = || async {
                    match source {
                        Source::Path(path) => Content::read(path.clone()).await,
                        Source::Url { url, sha256 } => {
                            let content = Content::read(download(site, url).await?).await?;
                            content.being(url, sha256)
                        }
                    }
                };
                self.content.get_or_try_init(read).await
            }
        }
    }

    fn is_own(&self) -> bool {
        self.target == PROGRAM
    }

    /// What is to be there, by SHA-256: the checksum of an address needs no download.
    async fn wanted(&self, site: &Site) -> Result<String, Error> {
        match &self.source {
            Source::Url { sha256, .. } => Ok(sha256.to_ascii_lowercase()),
            Source::Path(_) => Ok(self.content(site).await?.sha256.clone()),
        }
    }

    async fn installed(&self, site: &Site) -> Result<Installed, Error> {
        let parameters = [self.target.as_str()]
            .into_iter()
            .chain(self.units.iter().copied());
        let guest = site.guest().await?;
        let look = guest.run(Invocation::shell(LOOK, parameters), &|_, _| {});
        let look = look
            .await
            .map_err(Error::guest("looking at what is installed and runs"))?;
        let text = String::from_utf8_lossy(&look.stdout);
        let mut lines = text.lines();
        Ok(Installed {
            sha256: lines.next().unwrap_or_default().trim().to_owned(),
            stale: lines.collect::<Vec<_>>().join(", "),
        })
    }

    /// The build that the fleet pins stays, whoever bootstraps.
    fn is_pinned(&self, site: &Site, installed: &str) -> bool {
        let pinned = site.settings.pinned.as_deref();
        self.is_own() && pinned.is_some_and(|pinned| pinned.eq_ignore_ascii_case(installed))
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
        let (installed, wanted) = tokio::join!(self.installed(site), self.wanted(site));
        let Installed {
            sha256: installed,
            stale,
        } = installed?;
        if installed.is_empty() {
            return Ok(Found::Needed("it is not installed".to_owned()));
        }
        if !self.is_pinned(site, &installed) && wanted? != installed {
            return Ok(Found::Needed("another build is installed".to_owned()));
        }
        Ok(Found::when(
            stale.is_empty(),
            format!("SHA-256 {}", installed.get(..12).unwrap_or(&installed)),
            format!("an earlier build still runs as {stale}"),
        ))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let installed = self.installed(site).await?.sha256;
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
