//! Handover: the proofs that the control plane stands, seen on the world itself.

use async_trait::async_trait;

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

async fn look(site: &Site) -> Result<Vec<Proof>, Error> {
    let service = site.service().await?;
    let version = inside::ask(site, "asking the program", r#""$1" --version"#, [PROGRAM]).await?;
    let versions = Proof {
        name: "versions",
        holds: !version.trim().is_empty() && !service.version.is_empty(),
        seen: format!("{}, Git service {}", version.trim(), service.version),
    };
    let mut trees = Proof {
        name: "trees_equal",
        holds: true,
        seen: String::new(),
    };
    for import in &site.settings.imports {
        let (equal, seen) = same_tree(site, import).await?;
        trees.holds &= equal;
        trees.seen = format!("{} {seen}", trees.seen).trim().to_owned();
    }
    let (holds, seen) = is_online(site).await?;
    let runner = Proof {
        name: "runner_online",
        holds,
        seen,
    };
    let plan = planned(site).await?;
    let empty = Proof {
        name: "plan_empty",
        holds: plan.is_empty(),
        seen: format!("{} containers", plan.containers.len()),
    };
    Ok(vec![versions, runner, trees, empty])
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
