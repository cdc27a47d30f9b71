//! Handover: the proofs that the control plane stands, seen on the world itself.

use async_trait::async_trait;
use futures_util::future::try_join_all;

use super::{
    super::{Call, Error, Found, Ground, PROGRAM, Proof, Site, Step, inside},
    container::planned,
    operator::Kept,
    repository::same_tree,
    runner::is_online,
};

pub(super) fn steps() -> Vec<Box<dyn Step>> {
    vec![Box::new(Kept), Box::new(Proven)]
}

/// Everything that was promised holds.
struct Proven;

/// All proofs; the looks that they need go side by side.
async fn look(site: &Site) -> Result<Vec<Proof>, Error> {
    let looked = tokio::try_join!(versions(site), runner(site), trees(site), plan(site))?;
    Ok(<[Proof; 4]>::from(looked).into())
}

async fn versions(site: &Site) -> Result<Proof, Error> {
    let service = site.service().await?;
    let version = inside::ask(site, "asking the program", r#""$1" --version"#, [PROGRAM]).await?;
    Ok(Proof {
        name: "versions",
        holds: !version.trim().is_empty() && !service.version.is_empty(),
        seen: format!("{}, Git service {}", version.trim(), service.version),
    })
}

async fn runner(site: &Site) -> Result<Proof, Error> {
    let (holds, seen) = is_online(site).await?;
    Ok(Proof {
        name: "runner_online",
        holds,
        seen,
    })
}

async fn trees(site: &Site) -> Result<Proof, Error> {
    let imports = site.settings.imports.iter();
    let looked = try_join_all(imports.map(|import| same_tree(site, import))).await?;
    let (equal, seen): (Vec<bool>, Vec<String>) = looked.into_iter().unzip();
    Ok(Proof {
        name: "trees_equal",
        holds: equal.into_iter().all(|equal| equal),
        seen: seen.join(" "),
    })
}

async fn plan(site: &Site) -> Result<Proof, Error> {
    let plan = planned(site).await?;
    Ok(Proof {
        name: "plan_empty",
        holds: plan.is_empty(),
        seen: format!("{} containers", plan.containers.len()),
    })
}

#[async_trait]
impl Step for Proven {
    fn name(&self) -> String {
        "proofs".to_owned()
    }

    fn ground(&self) -> Ground {
        Ground::Service
    }

    fn calls(&self, _site: &Site) -> Vec<Call> {
        vec![
            Call::ssh(format!("{PROGRAM} --version")),
            Call::forge("GET /api/v1/version, GET /api/v1/admin/actions/runners"),
            Call::git("git fetch --depth=1 (each repository, its tree compared)"),
            Call::api("GET /cluster/resources (the plan is empty)"),
        ]
    }

    async fn check(&self, site: &Site) -> Result<Found, Error> {
        let proofs = look(site).await?;
        site.prove(proofs.clone());
        let open: Vec<String> = proofs
            .iter()
            .filter(|proof| !proof.holds)
            .map(|proof| format!("{} ({})", proof.name, proof.seen))
            .collect();
        if open.is_empty() {
            return Ok(Found::Settled("all hold".to_owned()));
        }
        Err(Error::Unproven(open))
    }

    async fn apply(&self, _site: &Site) -> Result<(), Error> {
        Ok(())
    }
}
