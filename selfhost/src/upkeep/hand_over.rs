//! The half that runs in the job: the build onto the control plane, tried there, and an order for the
//! unit that goes on after the job.

use std::path::Path;

use bytes::Bytes;
use gitea_api::{ErrorKind, Secret};
use lxc_layers::{
    guest::{Invocation, Parcel},
    process::Finished,
};

use super::{Because, Error, Order, Record, Upkeep, Verdict};

/// The unit that carries out an order.
const UNIT: &str = "proxmox-ci-upkeep.service";

/// What it says.
const UNIT_TEXT: &str = include_str!("upkeep.service");

/// The account behind the tokens of jobs.
const JOB_ACCOUNT: &str = "gitea-actions";

/// Fails with 41 while an earlier change is under way, or about to go on.
const BUSY: &str = r#"
case $(systemctl show --property=ActiveState --value "$1" 2>/dev/null) in
  active | activating | deactivating | reloading) exit 41 ;;
esac
"#;

/// Sets the build aside that serves, makes the unit where it is not there or another, and starts it:
/// it runs when this is over.
const START: &str = r#"
set -eu
program=$1 keeper=$2 folder=$3 unit=$4 text=$5
ln -f "$program" "$keeper"
if [ "$(cat "$folder/$unit" 2>/dev/null)" != "$text" ]; then
  printf '%s\n' "$text" >"$folder/$unit.new"
  mv "$folder/$unit.new" "$folder/$unit"
  systemctl daemon-reload
  systemctl enable --quiet "$unit"
fi
systemctl reset-failed "$unit" 2>/dev/null || :
exec systemctl start "$unit"
"#;

impl Upkeep<'_> {
    /// The checksum of what is installed; `None` when nothing is.
    pub(super) async fn installed(&self) -> Result<Option<String>, Error> {
        let look = Invocation::shell(
            r#"[ -e "$1" ] || exit 44; sha256sum -- "$1""#,
            [text(&self.layout.program)],
        );
        let finished = self.ask(look).await?;
        match finished.code {
            0 => Ok(finished.text().split_whitespace().next().map(str::to_owned)),
            44 => Ok(None),
            _ => Err(refused("read its own program", &finished)),
        }
    }

    /// Refuses while another change is not over: what lies beside and its order are that one's.
    pub(super) async fn not_busy(&self) -> Result<(), Error> {
        match self.ask(Invocation::shell(BUSY, [UNIT])).await?.code {
            41 => Err(Error::Busy),
            _ => Ok(()),
        }
    }

    /// Refuses a build that was tried before and did not serve.
    pub(super) async fn not_put_back(&self) -> Result<(), Error> {
        if self.retry == super::Retry::Again {
            return Ok(());
        }
        let kept = self.guest.fetch(&text(&self.layout.record())).await;
        let kept = kept.map_err(Error::Guest)?.unwrap_or_default();
        let Ok(record) = serde_json::from_slice::<Record>(&kept) else {
            return Ok(());
        };
        match record.verdict {
            Verdict::PutBack { because } | Verdict::Sick { because, .. }
                if record.pin == self.pin =>
            {
                Err(Error::PutBack {
                    at: record.at,
                    because: Because(because),
                })
            }
            _ => Ok(()),
        }
    }

    /// Sends the build to lie beside the one that serves.
    pub(super) async fn put_beside(&self, build: Bytes) -> Result<(), Error> {
        let next = self.layout.next();
        let folder = next.parent().unwrap_or(Path::new("/"));
        let name = next.file_name().unwrap_or_default().to_string_lossy();
        let parcel = Parcel {
            path: name.into_owned(),
            content: build.into(),
            mode: 0o755,
        };
        let sent = self.guest.send(vec![parcel], &text(folder)).await;
        sent.map_err(Error::Guest)
    }

    /// Runs it there, which also shows that the control plane's libc is new enough.
    pub(super) async fn runs_there(&self) -> Result<(), Error> {
        let program = text(&self.layout.next());
        let finished = self.ask(Invocation::new([&*program, "--version"])).await?;
        let expected = format!("proxmox-ci {}", self.pin.version);
        if finished.is_success() && finished.text() == expected {
            return Ok(());
        }
        let said = match finished.is_success() {
            true => finished.text(),
            false => finished.tail.join("; "),
        };
        Err(Error::Stranger { said, expected })
    }

    /// Leaves the order, and starts the unit that carries it out. Where that was killed before its
    /// end, it is started again, at boot too.
    pub(super) async fn hand_over(&self) -> Result<(), Error> {
        let order = Order {
            pin: self.pin.clone(),
            service: self.service.clone(),
            job_token: self.job_token().await?,
            put_back: None,
            layout: self.layout.clone(),
        };
        let content = serde_json::to_vec(&order).map_err(|error| Error::Refused {
            what: "be told what to do",
            said: Because(error.to_string()),
        })?;
        let parcel = Parcel {
            path: "order.json".to_owned(),
            content,
            mode: 0o600,
        };
        let sent = self
            .guest
            .send(vec![parcel], &text(&self.layout.state))
            .await;
        sent.map_err(Error::Guest)?;
        let parameters = [
            text(&self.layout.program),
            text(&self.layout.keeper()),
            text(&self.layout.units),
            UNIT.to_owned(),
            self.unit(),
        ];
        let finished = self.ask(Invocation::shell(START, parameters)).await?;
        match finished.code {
            0 => Ok(()),
            _ => Err(refused("start the unit that goes on", &finished)),
        }
    }

    /// The unit's text, without the end of its last line.
    fn unit(&self) -> String {
        let layout = &self.layout;
        UNIT_TEXT
            .replace("@KEEPER@", &text(&layout.keeper()))
            .replace("@ORDER@", &text(&layout.order()))
            .replace("@FORGE@", &layout.forge_unit)
            .replace("@RUNNER@", &layout.runner_unit)
            .trim_end()
            .to_owned()
    }

    /// The token that we ask with, when it is the one of a job: its end is the job's end.
    async fn job_token(&self) -> Result<Option<Secret>, Error> {
        let Some(token) = &self.token else {
            return Ok(None);
        };
        match self.forge.me().get().await {
            Ok(account) if account.login == JOB_ACCOUNT => Ok(Some(token.clone())),
            Ok(_) => Ok(None),
            // Some services show the account of a job to nobody; the token is a job's then.
            Err(error) if *error.kind() == ErrorKind::Forbidden => Ok(Some(token.clone())),
            Err(error) => Err(Error::Forge(error)),
        }
    }

    async fn ask(&self, invocation: Invocation) -> Result<Finished, Error> {
        let finished = self.guest.run(invocation, &|_, _| {}).await;
        finished.map_err(Error::Guest)
    }
}

fn refused(what: &'static str, finished: &Finished) -> Error {
    let said = Because(finished.tail.join("; "));
    Error::Refused { what, said }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
