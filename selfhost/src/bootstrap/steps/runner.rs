//! The runner: a unit of its own under a user of its own, registered once, seen to be online.

use async_trait::async_trait;
use gitea_api::api::actions::runners::{Runner, RunnerStatus};
use lxc_layers::guest::Invocation;
use serde::Deserialize;

use super::{
    super::{
        Call, Error, Found, Ground, LABEL, PROGRAM, Site, Step, Tree, UNIT_OF_RUNNER, inside,
        site::within,
    },
    forge::UNIT,
};

/// The user of the runner in the container.
const USER: &str = "proxmox-ci-runner";
/// Where the runner keeps everything.
const HOME: &str = "/var/lib/proxmox-ci/runner";

const SCRIPT: &str = include_str!("runner.sh");
const SERVICE: &str = include_str!("runner.service");

pub(super) fn steps() -> Vec<Box<dyn Step>> {
    vec![Box::new(Installed), Box::new(Registered), Box::new(Online)]
}

/// The files that make the runner a service.
fn tree() -> Tree {
    let fill = |text: &str| {
        text.replace("@PROGRAM@", PROGRAM)
            .replace("@USER@", USER)
            .replace("@HOME@", HOME)
    };
    Tree::new("actions-runner", fill(SCRIPT)).file("proxmox-ci-runner.service", fill(SERVICE))
}

/// User, folder and unit are there.
struct Installed;

#[async_trait]
impl Step for Installed {
    fn name(&self) -> String {
        "runner".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Guest
    }

    fn calls(&self, _site: &Site) -> Vec<Call> {
        vec![
            Call::ssh("provision `actions-runner`"),
            Call::api("PUT /nodes/…/lxc/…/config (description)"),
        ]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let tree = tree();
        let stands = site.marked(tree.id()).await? == Some(tree.fingerprint());
        Ok(Found::when(
            stands,
            "its files stand",
            "its files are not these",
        ))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        inside::provision(site, &tree()).await
    }
}

/// What a registration in the container says, without its token.
#[derive(Debug, Deserialize)]
struct Registration {
    url: String,
    fingerprint: Option<String>,
    labels: Vec<String>,
}

/// The runner is known to the service.
struct Registered;

/// Registers as the runner's own user; the token comes on standard input and reaches the program by
/// its environment.
const REGISTER: &str = r#"
set -eu
IFS= read -r PROXMOX_CI_RUNNER_TOKEN
home=$1 user=$2 program=$3
shift 3
export PROXMOX_CI_RUNNER_TOKEN HOME="$home"
rm -f "$home/registration.json"
cd "$home"
exec runuser -u "$user" -- "$program" runner register --dir "$home" "$@"
"#;

fn name(site: &Site) -> Result<String, Error> {
    Ok(site.settings.control_plane()?.name.to_string())
}

async fn registration(site: &Site) -> Result<Option<Registration>, Error> {
    let guest = site.guest().await?;
    let file = guest.fetch(&format!("{HOME}/registration.json")).await;
    let file = file.map_err(Error::guest("reading the runner's registration"))?;
    Ok(file.and_then(|file| serde_json::from_slice(&file).ok()))
}

async fn known(site: &Site) -> Result<Vec<Runner>, Error> {
    let admin = site.service().await?.client.admin();
    let found = admin.actions().find_runners(&name(site)?).await;
    found.map_err(Error::forge("listing the runners"))
}

#[async_trait]
impl Step for Registered {
    fn name(&self) -> String {
        "registration".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Service
    }

    fn calls(&self, site: &Site) -> Vec<Call> {
        let url = site.settings.url().unwrap_or_default();
        vec![
            Call::forge("POST /api/v1/admin/actions/runners/registration-token"),
            Call::ssh(format!(
                "{PROGRAM} runner register --url {url} --labels {LABEL} --dir {HOME} (as {USER}, the token by environment)"
            )),
        ]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let service = site.service().await?;
        let Some(own) = registration(site).await? else {
            return Ok(Found::Needed("it is not registered".to_owned()));
        };
        let fits = own.url == service.url
            && own.fingerprint.as_ref() == Some(&service.fingerprint)
            && own.labels == [LABEL];
        if !fits {
            return Ok(Found::Needed(
                "it is registered with another service, or with other labels".to_owned(),
            ));
        }
        let count = known(site).await?.len();
        Ok(Found::when(
            count == 1,
            format!("`{}` is registered, label `{LABEL}`", name(site)?),
            format!("the service knows {count} runners of its name"),
        ))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let service = site.service().await?;
        let admin = service.client.admin().actions();
        // Rows of this name that nobody can hold any more: their credentials were lost with a
        // registration that was killed.
        for stale in known(site).await? {
            let deleted = admin.delete_runner(stale.id).await;
            deleted.map_err(Error::forge("deleting a runner that nobody is"))?;
        }
        let guest = site.guest().await?;
        let token = site.forge.runner_token(&**guest, &service.client).await?;
        let name = name(site)?;
        let arguments = [
            HOME,
            USER,
            PROGRAM,
            "--url",
            &service.url,
            "--fingerprint",
            &service.fingerprint,
            "--name",
            &name,
            "--labels",
            LABEL,
        ];
        let register = Invocation::shell(REGISTER, arguments);
        let register = register.input(format!("{}\n", token.reveal()).into_bytes());
        inside::run(site, "registering the runner", register).await?;
        let restart = Invocation::new(["systemctl", "try-restart", UNIT_OF_RUNNER]);
        inside::run(
            site,
            "restarting the runner",
            restart.limit(site.settings.limits.packages),
        )
        .await
        .map(drop)
    }
}

/// The runner runs, comes back, and is seen by the service.
struct Online;

impl Online {
    async fn look(site: &Site) -> Result<Found, Error> {
        let wrong = inside::ask(site, "looking at the unit", UNIT, [UNIT_OF_RUNNER]).await?;
        if !wrong.is_empty() {
            return Ok(Found::Needed(wrong.trim().to_owned()));
        }
        let seen = known(site).await?;
        let online = seen.iter().any(|runner| {
            let mut labels = runner.labels.iter();
            runner.status == RunnerStatus::Online && labels.any(|label| label.name == LABEL)
        });
        Ok(Found::when(
            online,
            format!("online, with the label `{LABEL}`"),
            "the service does not see it",
        ))
    }
}

#[async_trait]
impl Step for Online {
    fn name(&self) -> String {
        "runner online".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Service
    }

    fn calls(&self, _site: &Site) -> Vec<Call> {
        vec![Call::ssh(format!(
            "systemctl enable --now {UNIT_OF_RUNNER}"
        ))]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        Self::look(site).await
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let start = Invocation::new(["systemctl", "enable", "--quiet", "--now", UNIT_OF_RUNNER]);
        inside::run(site, "starting the runner", start).await?;
        within(site.settings.limits.answer, || async {
            match Self::look(site).await? {
                Found::Settled(_) => Ok(()),
                Found::Needed(why) => Err(Error::refused(
                    format!("the runner is not online: {why}"),
                    format!("`journalctl -u {UNIT_OF_RUNNER}` in the container says why"),
                )),
            }
        })
        .await
    }
}

/// Whether the runner is online with its label, and what was seen.
pub(super) async fn is_online(site: &Site) -> Result<(bool, String), Error> {
    Ok(match Online::look(site).await? {
        Found::Settled(seen) => (true, seen),
        Found::Needed(seen) => (false, seen),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_files_are_these() {
        let tree = tree();
        let files: Vec<String> = tree
            .files()
            .iter()
            .map(|file| format!("--- {}\n{}", file.path, file.content))
            .collect();
        insta::assert_snapshot!(files.join(""));
    }
}
