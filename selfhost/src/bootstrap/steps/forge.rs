//! Forge: packages, programs, certificate, the service itself, its first administrator.

use async_trait::async_trait;
use gitea_api::{Secret, api::admin::EditUser};
use lxc_layers::guest::{Invocation, Parcel};
use rand::{RngExt as _, distr::Alphanumeric};

use super::{
    super::{
        Call, Certificate, Error, Found, Ground, Site, Step, UNIT_OF_FORGE, UNIT_OF_RUNNER, inside,
        site::within,
    },
    program::Program,
};

pub(super) fn steps(site: &Site) -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = vec![Box::new(Packages)];
    match site.forge.binary() {
        None => {
            let units = vec![UNIT_OF_FORGE, UNIT_OF_RUNNER];
            steps.push(Box::new(Program::own(site, units)));
        }
        Some(binary) => {
            steps.push(Box::new(Program::own(site, vec![UNIT_OF_RUNNER])));
            steps.push(Box::new(Program::of_forge(binary, vec![UNIT_OF_FORGE])));
        }
    }
    steps.push(Box::new(Certified));
    steps.push(Box::new(Service));
    steps.push(Box::new(Administered));
    steps
}

/// Programs that the control plane needs, and the packages that hold them.
const NEEDED: [(&str, &str); 3] = [
    ("git", "git"),
    ("ssh", "openssh-client"),
    ("ansible-playbook", "ansible-core"),
];

/// Names the packages whose programs are missing.
const MISSING: &str = r#"
while [ $# -gt 0 ]; do
  command -v "$1" >/dev/null 2>&1 || echo "$2"
  shift 2
done
"#;

/// Installs packages without what they recommend; an installation that was killed is repaired first.
const INSTALL: &str = r#"
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
command -v apt-get >/dev/null 2>&1 || { echo "there is no apt-get here: let the template bring $*" >&2; exit 69; }
dpkg --configure -a
apt-get update -q
apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
"#;

/// Programs of the container's own system that the control plane needs.
struct Packages;

impl Packages {
    async fn missing(site: &Site) -> Result<Vec<String>, Error> {
        let pairs = NEEDED
            .iter()
            .flat_map(|(program, package)| [*program, *package]);
        let guest = site.guest().await?;
        let look = guest.run(Invocation::shell(MISSING, pairs), &|_, _| {});
        let look = look.await.map_err(Error::guest("looking for programs"))?;
        Ok(look.text().split_whitespace().map(str::to_owned).collect())
    }
}

#[async_trait]
impl Step for Packages {
    fn name(&self) -> String {
        "packages".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Guest
    }

    fn calls(&self, _site: &Site) -> Vec<Call> {
        let all: Vec<&str> = NEEDED.iter().map(|(_, package)| *package).collect();
        vec![Call::ssh(format!(
            "apt-get install --no-install-recommends {}",
            all.join(" ")
        ))]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let missing = Self::missing(site).await?;
        Ok(Found::when(
            missing.is_empty(),
            "git, ssh and Ansible are there",
            format!("missing: {}", missing.join(", ")),
        ))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let missing = Self::missing(site).await?;
        let install = Invocation::shell(INSTALL, missing).limit(site.settings.limits.packages);
        inside::run(site, "installing packages", install)
            .await
            .map(drop)
    }
}

/// The certificate of the Git service, for the address that the container has.
struct Certified;

#[async_trait]
impl Step for Certified {
    fn name(&self) -> String {
        "certificate".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Guest
    }

    fn calls(&self, _site: &Site) -> Vec<Call> {
        let files = ["forge.key", "forge.crt", "forge.json"];
        let paths = files.map(|file| format!("{}/{file}", inside::PLACE));
        vec![Call::ssh(format!("write {}", paths.join(", ")))]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let shown = inside::certificate(site).await?;
        Ok(match shown {
            Some(shown) => Found::Settled(format!("SHA-256 {}", shown.fingerprint)),
            None => Found::Needed("there is none for this address".to_owned()),
        })
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let made = Certificate::make(site.settings.address()?)?;
        inside::send_certificate(site, &made).await
    }
}

/// The Git service as a unit of the container.
struct Service;

/// Whether a unit runs, and will after a restart of the container.
pub(super) const UNIT: &str = r#"
systemctl is-active --quiet "$1" || { echo "it does not run"; exit 0; }
systemctl is-enabled --quiet "$1" || { echo "it would not come back"; exit 0; }
"#;

#[async_trait]
impl Step for Service {
    fn name(&self) -> String {
        "service".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Guest
    }

    fn calls(&self, site: &Site) -> Vec<Call> {
        let kind = site.forge.kind();
        vec![
            Call::ssh(format!("provision `git-service` ({kind})")),
            Call::ssh(format!("systemctl enable, restart {UNIT_OF_FORGE}")),
            Call::api("PUT /nodes/…/lxc/…/config (description)"),
        ]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let tree = site.forge.tree(&site.seat().await?);
        if site.marked(tree.id()).await? != Some(tree.fingerprint()) {
            return Ok(Found::Needed("its files are not these".to_owned()));
        }
        let wrong = inside::ask(site, "looking at the unit", UNIT, [UNIT_OF_FORGE]).await?;
        Ok(Found::when(
            wrong.is_empty(),
            format!("{UNIT_OF_FORGE} runs, and comes back"),
            wrong.trim(),
        ))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let tree = site.forge.tree(&site.seat().await?);
        inside::provision(site, &tree).await
    }
}

/// The Git service answers its first administrator.
struct Administered;

#[async_trait]
impl Step for Administered {
    fn name(&self) -> String {
        "administrator".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Guest
    }

    fn calls(&self, site: &Site) -> Vec<Call> {
        let name = &site.settings.names.administrator;
        vec![Call::forge(format!("GET /api/v1/version (as `{name}`)"))]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let service = match site.service().await {
            Ok(service) => service,
            Err(Error::Forge { source, .. })
                if *source.kind() == gitea_api::ErrorKind::CertificateRefused =>
            {
                return Err(Error::forge("asking the Git service")(*source));
            }
            Err(_) => return Ok(Found::Needed("it does not answer yet".to_owned())),
        };
        let has_password = service.administrator.password.is_some();
        Ok(Found::when(
            has_password,
            format!(
                "{} answers `{}`",
                service.version, service.administrator.user
            ),
            "its password was lost with a killed installation",
        ))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let answered = within(site.settings.limits.answer, || site.service()).await;
        let service = answered.map_err(|last| silent(site, last))?;
        if service.administrator.password.is_none() {
            renew(site, &service).await?;
        }
        Ok(())
    }
}

fn silent(site: &Site, last: Error) -> Error {
    match last {
        Error::Forge { .. } | Error::Refused { .. } => Error::Silent {
            url: site.settings.url().unwrap_or_default(),
            seconds: site.settings.limits.answer.as_secs(),
            last: super::super::run::last_words(&last),
        },
        other => other,
    }
}

/// Gives the administrator a new password and keeps it where the installation would have.
async fn renew(site: &Site, service: &super::super::Service) -> Result<(), Error> {
    let letters = rand::rng().sample_iter(Alphanumeric).take(24);
    let password: String = letters.map(char::from).collect();
    let user = &service.administrator.user;
    let edit = EditUser::new(user, 0)
        .password(Secret::new(&password))
        .must_change_password(false);
    let edited = service.client.admin().edit_user(user, &edit).await;
    edited.map_err(Error::forge("setting the administrator's password"))?;
    let line = serde_json::json!({
        "user": user,
        "password": password,
        "token": service.administrator.token.reveal(),
    });
    let file = Parcel {
        path: "administrator.json".to_owned(),
        content: format!("{line}\n").into_bytes(),
        mode: 0o600,
    };
    let guest = site.guest().await?;
    let kept = guest.send(vec![file], "/etc/proxmox-ci/gitea").await;
    kept.map_err(Error::guest("keeping the administrator's password"))?;
    site.forget_service();
    Ok(())
}
