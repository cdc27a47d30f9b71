//! The one connection to a guest, and the reservation of its inside: sessions that live on an open
//! standard input, so that both end with us, also when we are killed.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{
    CONNECT_SECS, Error, Guest as _, Invocation, OnWait, Reserved, SSH_FAILED, Ssh, Trust,
};
use crate::process::{Finished, Held, Hold};

/// Whether a connection is made for others to share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Master {
    /// It is.
    Yes,
    /// It goes through the shared one, where there is one.
    No,
}

impl Master {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
        }
    }
}

/// Says that it is there, and stays until its input ends.
const STAY: &str = "echo proxmox-ci: ready; exec cat >/dev/null";

/// Takes the lock of the guest's inside and keeps it until its input ends; who holds it is told
/// while it is waited for. What a command leaves behind does not keep the lock.
const RESERVE: &str = r#"
place=/run/proxmox-ci limit=$1 holder=$2
command -v flock >/dev/null 2>&1 && mkdir -p "$place" && exec 9>>"$place/lock" || exit 0
if ! flock -n 9; then
  echo "proxmox-ci: waiting: $(cat "$place/lock" 2>/dev/null)"
  flock -w "$limit" 9 || exit 75
fi
printf '%s\n' "$holder" >"$place/lock"
echo proxmox-ci: ready
cat >/dev/null 9>&-
"#;

/// What `RESERVE` ends with when the time is over.
const TAKEN: i32 = 75;

/// A socket's path, with what ssh adds to it for a moment, must fit into 108 bytes.
const LONGEST_PATH: usize = 85;

impl Ssh {
    /// Where the socket of the shared connection is; `none` where its path would be too long.
    pub(super) fn control_path(&self) -> String {
        let path = self
            .target
            .scratch
            .join(format!("{}.ssh", self.target.address));
        let path = path.display().to_string();
        // A percent sign would begin a word that ssh replaces.
        if path.len() <= LONGEST_PATH && !path.contains(['%', ' ']) {
            path
        } else {
            "none".to_owned()
        }
    }

    /// Makes the shared connection; what ssh said when nobody answers.
    pub(super) async fn connect(&self, trust: Trust) -> Result<Option<Finished>, Error> {
        let known_hosts = match trust {
            Trust::Pinned => self.known_hosts()?,
            Trust::FirstContact => self.scratch_file("first_contact"),
        };
        let stay = Invocation::shell(STAY, [""; 0]).limit(Duration::from_secs(CONNECT_SECS * 3));
        let program = self.program(stay, &known_hosts, trust, Master::Yes);
        let is_ready = |line: &str| line == "proxmox-ci: ready";
        // One that broke must not stand in the way.
        drop(self.keep(None));
        match program.hold(&is_ready).await {
            Ok(Hold::Held(held)) => {
                drop(self.keep(Some(*held)));
                Ok(None)
            }
            Ok(Hold::Ended(finished)) => Ok((finished.code == SSH_FAILED).then_some(finished)),
            Err(source) => Err(self.program_failed(source)),
        }
    }

    /// Keeps a connection; the one that was kept before.
    fn keep(&self, held: Option<Held>) -> Option<Held> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *shared, held)
    }

    /// Reserves the guest's inside, within `limit`.
    pub(super) async fn reserved(
        &self,
        holder: &str,
        limit: Duration,
        on_wait: OnWait<'_>,
    ) -> Result<Reserved, Error> {
        let before = Mutex::new(None);
        let listen = |line: &str| {
            if let Some(other) = line.strip_prefix("proxmox-ci: waiting: ") {
                on_wait(other);
                let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
                *before = Some(other.to_owned());
            }
            line == "proxmox-ci: ready"
        };
        let seconds = limit.as_secs().max(1).to_string();
        let reserve = Invocation::shell(RESERVE, [seconds, holder.to_owned()])
            .limit(limit + Duration::from_secs(CONNECT_SECS * 3));
        let program = self.program(reserve, &self.known_hosts()?, Trust::Pinned, Master::No);
        let hold = program.hold(&listen).await;
        let before = before.into_inner().unwrap_or_else(PoisonError::into_inner);
        match hold.map_err(|source| self.program_failed(source))? {
            Hold::Held(held) => Ok(Reserved::by(*held)),
            Hold::Ended(finished) if finished.code == TAKEN => Err(Error::Taken {
                guest: self.called(),
                holder: before.unwrap_or_else(|| "one that did not say its name".to_owned()),
            }),
            // Whatever is the matter with the connection, the next command says it.
            Hold::Ended(_) => Ok(Reserved::default()),
        }
    }
}
