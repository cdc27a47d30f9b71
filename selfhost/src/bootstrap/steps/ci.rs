//! Ci: what the fleet's workflows are told, and the runner that carries them out.

use std::{collections::BTreeMap, fs};

use async_trait::async_trait;
use gitea_api::{Secret, api::actions::Actions};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{
    super::{Call, Error, Found, Ground, Service, Site, Step},
    repository::organisation,
    runner,
};

pub(super) fn steps() -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = vec![Box::new(Secrets), Box::new(Variables)];
    steps.extend(runner::steps());
    steps
}

/// The secret that opens the Proxmox VE API.
const TOKEN: &str = "PROXMOX_TOKEN";
/// The secret by which guests are entered.
const KEY: &str = "FLEET_SSH_KEY";
/// What the description of a secret of ours begins with.
const MARK: &str = "proxmox-ci ";
/// More than this many are not looked through.
const ALL: usize = 10_000;

fn scope(site: &Site, service: &Service) -> Actions {
    organisation(site, service).actions()
}

/// Every secret by name: the operator's, and those that the control plane needs.
fn secrets(site: &Site) -> Result<BTreeMap<String, Secret>, Error> {
    let settings = &site.settings;
    let mut secrets = settings.secrets.clone();
    secrets.insert(TOKEN.to_owned(), settings.access.token.clone());
    if let Some(key) = &settings.key {
        let text = fs::read_to_string(&key.path);
        let text = text.map_err(Error::local("reading the ssh key", &key.path))?;
        secrets.insert(KEY.to_owned(), Secret::new(text));
    }
    Ok(secrets)
}

/// What the description of a secret says of its value: a service never shows the value again, and
/// this tells whether it is still the one that is wished. It is keyed with the fleet's ssh key.
fn mark(name: &str, value: &Secret, key: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length is a key");
    mac.update(name.as_bytes());
    mac.update(&[0]);
    mac.update(value.reveal().as_bytes());
    let digest = mac.finalize().into_bytes();
    let hex: String = digest[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{MARK}{hex}")
}

/// The secrets that are not there, or not with this value, each with its mark.
async fn missing(site: &Site) -> Result<Vec<(String, Secret, String)>, Error> {
    let wished = secrets(site)?;
    let key = wished.get(KEY).map_or("", Secret::reveal).to_owned();
    let listed = scope(site, &site.service().await?)
        .secrets()
        .collect(ALL)
        .await;
    let listed = listed.map_err(Error::forge("listing the secrets"))?;
    let there: BTreeMap<String, String> = listed
        .into_iter()
        .map(|secret| (secret.name.to_ascii_uppercase(), secret.description))
        .collect();
    let marked = wished.into_iter().map(|(name, value)| {
        let mark = mark(&name, &value, &key);
        (name, value, mark)
    });
    Ok(marked
        .filter(|(name, _, mark)| there.get(&name.to_ascii_uppercase()) != Some(mark))
        .collect())
}

/// Every secret is there.
struct Secrets;

#[async_trait]
impl Step for Secrets {
    fn name(&self) -> String {
        "secrets".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Service
    }

    fn calls(&self, site: &Site) -> Vec<Call> {
        let organisation = &site.settings.names.organisation;
        let own = [TOKEN, KEY].into_iter();
        let names = own.chain(site.settings.secrets.keys().map(String::as_str));
        names
            .map(|name| {
                Call::forge(format!(
                    "PUT /api/v1/orgs/{organisation}/actions/secrets/{name}"
                ))
            })
            .collect()
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let missing = missing(site).await?;
        let names: Vec<&str> = missing.iter().map(|(name, ..)| name.as_str()).collect();
        Ok(Found::when(
            names.is_empty(),
            format!("{} are there", secrets(site)?.len()),
            format!("missing or of another value: {}", names.join(", ")),
        ))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let scope = scope(site, &site.service().await?);
        for (name, value, mark) in missing(site).await? {
            let set = scope.set_described_secret(&name, &value, &mark).await;
            set.map_err(Error::forge(format!("setting the secret `{name}`")))?;
        }
        Ok(())
    }
}

/// The variables by name; an empty value stands for one that should not be there.
fn variables(site: &Site, service: &Service) -> BTreeMap<&'static str, String> {
    let access = &site.settings.access;
    let names = &site.settings.names;
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    BTreeMap::from([
        ("PROXMOX_ENDPOINT", access.endpoint.clone()),
        ("PROXMOX_FINGERPRINT", optional(&access.fingerprint)),
        ("PROXMOX_CA", optional(&access.authority)),
        ("FORGE_URL", service.url.clone()),
        ("FORGE_FINGERPRINT", service.fingerprint.clone()),
        ("FORGE_CA", service.certificate.clone()),
        ("FORGE_ORGANISATION", names.organisation.clone()),
    ])
}

/// The variables that differ from what is there.
async fn differing(site: &Site) -> Result<Vec<(&'static str, String)>, Error> {
    let service = site.service().await?;
    let listed = scope(site, &service).variables().collect(ALL).await;
    let listed = listed.map_err(Error::forge("listing the variables"))?;
    let there: BTreeMap<String, String> = listed
        .into_iter()
        .map(|variable| (variable.name.to_ascii_uppercase(), variable.data))
        .collect();
    let wished = variables(site, &service).into_iter();
    Ok(wished
        .filter(|(name, value)| there.get(*name).map_or("", String::as_str) != value)
        .collect())
}

/// Every variable has its value.
struct Variables;

#[async_trait]
impl Step for Variables {
    fn name(&self) -> String {
        "variables".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Service
    }

    fn calls(&self, site: &Site) -> Vec<Call> {
        let organisation = &site.settings.names.organisation;
        let names = [
            "PROXMOX_ENDPOINT",
            "PROXMOX_FINGERPRINT",
            "PROXMOX_CA",
            "FORGE_URL",
            "FORGE_FINGERPRINT",
            "FORGE_CA",
            "FORGE_ORGANISATION",
        ];
        let call = |name| {
            Call::forge(format!(
                "POST /api/v1/orgs/{organisation}/actions/variables/{name}"
            ))
        };
        names.map(call).into()
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let differing = differing(site).await?;
        let names: Vec<&str> = differing.iter().map(|(name, _)| *name).collect();
        Ok(Found::when(
            names.is_empty(),
            "all have their values",
            format!("missing or of another value: {}", names.join(", ")),
        ))
    }

    async fn apply(&self, site: &Site) -> Result<(), Error> {
        let scope = scope(site, &site.service().await?);
        for (name, value) in differing(site).await? {
            let doing = format!("setting the variable `{name}`");
            if value.is_empty() {
                scope
                    .delete_variable(name)
                    .await
                    .map_err(Error::forge(doing))?;
            } else {
                let set = scope.ensure_variable(name, &value).await;
                set.map_err(Error::forge(doing))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_values_apart_and_gives_none_away() {
        let value = Secret::new("canary-value");
        let one = mark("A", &value, "key");
        assert_eq!(one, mark("A", &value, "key"));
        assert_ne!(one, mark("B", &value, "key"));
        assert_ne!(one, mark("A", &value, "other key"));
        assert!(one.starts_with(MARK) && !one.contains("canary"));
    }
}
