//! Work that is done inside the guest: a tree of files goes in over one connection, a command runs
//! on it.

use crate::{
    guest::{self, Guest, Invocation, Parcel, pack, quote},
    process::{Finished, OnLine},
};

use std::{collections::BTreeMap, time::Duration};

/// Where steps have their place in a guest.
pub(super) const PLACE: &str = "/var/lib/proxmox-ci";
/// The file by which variables reach a shell in the guest.
const ENVIRONMENT: &str = "environment";

/// What the guest does: take the step's lock, unpack, run. A run that a killed apply left behind is
/// waited for, since it works on the same files. The lock is not handed on to what the command
/// starts, and neither is the umask under which the files were unpacked.
const RECEIVE: &str = r#"
set -eu
place=$1 limit=$2
shift 2
umask 077
mkdir -p "$place"
if command -v flock >/dev/null 2>&1; then
  exec 9>"$place/lock"
  flock -w "$limit" 9 || { echo "an earlier run of this step is still at work" >&2; exit 75; }
fi
rm -rf "$place/work"
mkdir "$place/work"
cd "$place/work"
tar -xf -
umask 022
set -a
[ ! -f ./environment ] || . ./environment
set +a
rm -f ./environment
if command -v timeout >/dev/null 2>&1; then set -- timeout -k 10 "$limit" "$@"; fi
code=0
"$@" </dev/null 9>&- || code=$?
exit "$code"
"#;

/// Work inside a guest.
pub(super) struct Work<'a> {
    /// The step's place below [`PLACE`].
    pub(super) place: &'a str,
    /// The files, relative to the work folder.
    pub(super) files: Vec<Parcel>,
    /// Variables for the command's environment.
    pub(super) environment: BTreeMap<&'a str, &'a str>,
    /// The command, run in the work folder.
    pub(super) argv: Vec<String>,
    /// How long the command may take.
    pub(super) limit: Duration,
}

/// Does it.
pub(super) async fn work(
    guest: &dyn Guest,
    mut work: Work<'_>,
    on_line: OnLine<'_>,
) -> Result<Finished, guest::Error> {
    if !work.environment.is_empty() {
        work.files.push(Parcel {
            path: ENVIRONMENT.to_owned(),
            content: assignments(&work.environment).into_bytes(),
            mode: 0o600,
        });
    }
    let archive = pack(&work.files).map_err(|source| guest::Error::Local {
        what: "an archive of files".to_owned(),
        source,
    })?;
    let place = format!("{PLACE}/{}", work.place);
    let parameters = [place, work.limit.as_secs().max(1).to_string()];
    let receive = Invocation::shell(RECEIVE, parameters.into_iter().chain(work.argv))
        .input(archive)
        // The guest ends the command by itself, so that its last words still arrive.
        .limit(work.limit + Duration::from_secs(20));
    guest.run(receive, on_line).await
}

fn assignments(environment: &BTreeMap<&str, &str>) -> String {
    let lines = environment
        .iter()
        .map(|(name, value)| format!("{name}={}\n", quote::quote(value)));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_for_the_shell_that_reads_them() {
        let environment = BTreeMap::from([("PLAIN", "x"), ("TOKEN", "a'b $c")]);
        assert_eq!(assignments(&environment), "PLAIN=x\nTOKEN='a'\\''b $c'\n");
    }
}
