//! Preflight: what must be known and right before anything is touched. Its steps only look.

use async_trait::async_trait;

use super::super::{Call, Clone, Error, Found, Ground, Site, Step};

/// Names that the Git service keeps for itself.
const RESERVED: [&str; 2] = ["GITEA_", "GITHUB_"];
/// The longest secret that a Git service keeps, bytes.
const SECRET_MAX: usize = 65_536;

pub(super) fn steps() -> Vec<Box<dyn Step>> {
    vec![Box::new(Fleet), Box::new(Imports), Box::new(Endpoint)]
}

/// A step that found something missing has no way to bring it about.
fn only_looks() -> Error {
    Error::refused("preflight only looks", "mend what it names")
}

/// The fleet has a control plane with a fixed address, and secrets that a Git service takes.
struct Fleet;

#[async_trait]
impl Step for Fleet {
    fn name(&self) -> String {
        "fleet".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Outside
    }

    fn calls(&self, _site: &Site) -> Vec<Call> {
        Vec::new()
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let settings = &site.settings;
        let container = settings.control_plane()?;
        if !container.after.is_empty() {
            return Err(Error::refused(
                format!("the control plane `{}` comes after others", container.name),
                "take `AFTER` out of its `config.env`: it must stand alone",
            ));
        }
        for (name, value) in &settings.secrets {
            secret(name, value.reveal().len())?;
        }
        Ok(Found::Settled(format!(
            "`{}` becomes {}",
            container.name,
            settings.url()?
        )))
    }

    async fn apply(&self, _site: &Site) -> Result<(), Error> {
        Err(only_looks())
    }
}

fn secret(name: &str, length: usize) -> Result<(), Error> {
    let reserved = RESERVED.iter().any(|prefix| name.starts_with(prefix)) || name == "CI";
    if reserved {
        return Err(Error::refused(
            format!("a Git service takes no secret named `{name}`"),
            "rename it in `secrets.local.env`: `CI`, `GITEA_…` and `GITHUB_…` are reserved",
        ));
    }
    if length > SECRET_MAX {
        return Err(Error::refused(
            format!("the secret `{name}` is longer than {SECRET_MAX} bytes"),
            "a Git service keeps no longer ones",
        ));
    }
    Ok(())
}

/// What is imported is committed, and whole.
struct Imports;

#[async_trait]
impl Step for Imports {
    fn name(&self) -> String {
        "clones".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Outside
    }

    fn calls(&self, _site: &Site) -> Vec<Call> {
        Vec::new()
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let mut seen = Vec::new();
        for import in &site.settings.imports {
            let clone = Clone::read(&import.folder).await?;
            let changed = clone.changed().await?;
            let is_fleet = import.folder == site.settings.root;
            if is_fleet && !changed.is_empty() {
                return Err(uncommitted(&changed));
            }
            if !changed.is_empty() {
                site.warn(format!(
                    "`{}` holds changes that are not committed; they stay here",
                    import.folder.display()
                ));
            }
            seen.push(format!("{} at {}", import.name, short(&clone.head)));
        }
        Ok(Found::Settled(seen.join(", ")))
    }

    async fn apply(&self, _site: &Site) -> Result<(), Error> {
        Err(only_looks())
    }
}

fn uncommitted(changed: &[String]) -> Error {
    let some: Vec<&str> = changed.iter().take(5).map(String::as_str).collect();
    Error::refused(
        format!(
            "the fleet holds changes that are not committed: {}",
            some.join(", ")
        ),
        "commit them: the container is made from what the repository holds, or the two would differ at once",
    )
}

/// A commit as people read it.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// The API's address means the same machine inside and out.
struct Endpoint;

#[async_trait]
impl Step for Endpoint {
    fn name(&self) -> String {
        "endpoint".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Outside
    }

    fn calls(&self, _site: &Site) -> Vec<Call> {
        vec![Call::api("GET /cluster/resources")]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let endpoint = &site.settings.access.endpoint;
        let own = ["127.", "localhost", "[::1]"];
        let host = endpoint.split("://").nth(1).unwrap_or(endpoint);
        let inside = site.settings.address()?.is_loopback();
        if own.iter().any(|prefix| host.starts_with(prefix)) && !inside {
            return Err(Error::refused(
                format!(
                    "{endpoint} is this machine itself; from inside the control plane it is another"
                ),
                "give --endpoint URL: the address of the Proxmox VE API as a container reaches it",
            ));
        }
        let world = site.settings.seams.host.survey().await;
        let world = world.map_err(Error::host("looking at the cluster"))?;
        let there = match world.guests.len() {
            1 => "1 guest".to_owned(),
            count => format!("{count} guests"),
        };
        Ok(Found::Settled(format!("{endpoint}, {there} there")))
    }

    async fn apply(&self, _site: &Site) -> Result<(), Error> {
        Err(only_looks())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_a_service_would_refuse_is_refused_here() {
        for (name, length) in [
            ("CI", 1),
            ("GITEA_X", 1),
            ("GITHUB_TOKEN", 1),
            ("A", 65_537),
        ] {
            assert!(
                matches!(secret(name, length), Err(Error::Refused { .. })),
                "{name}"
            );
        }
        secret("A", 65_536).unwrap();
    }
}
