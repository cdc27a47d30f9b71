//! `doctor`: is the control plane well, and what is to be done where it is not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use lxc_layers::{
    event::Layer,
    execute::{open, scratch, ssh_door},
    host::Host,
    plan::Plan,
    resolve::{Container, Desired},
    spec,
};
use selfhost::{
    doctor::{
        Check, Finding, ForgeExpected, InsideExpected, State, examine_forge, judge_inside,
        look_inside,
    },
    upkeep::{Layout, Pin},
};

use super::{Outcome, apply, plan, upkeep::control_plane};
use crate::{
    args::{control::DoctorArgs, fleet::SelectionArgs},
    connect::{
        self,
        service::{self, Service},
    },
    exit::{Code, Failure},
    fleet::Fleet,
    output::Output,
    settings::Environment,
};

/// How long the control plane may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The secrets that the pipeline itself needs.
const SECRETS: [&str; 2] = ["PROXMOX_TOKEN", "FLEET_SSH_KEY"];

/// Looks at everything; one thing that cannot be asked does not keep the others from being asked.
pub(crate) async fn doctor(
    args: &DoctorArgs,
    environment: &Environment,
    output: &Output,
) -> Outcome {
    let fleet = Fleet::read(&args.fleet, environment).await?;
    let desired = fleet.desired(output)?;
    let container = control_plane(desired)?;
    let mut findings = Vec::new();
    match connect::host(&args.connect, environment, &fleet) {
        Ok(host) => {
            findings.push(rights(&*host, desired).await);
            let inside = inside(args, environment, &fleet, (&*host, desired, container)).await;
            findings.extend(inside.unwrap_or_else(|failure| vec![told(Check::Addresses, failure)]));
        }
        Err(failure) => findings.push(told(Check::Rights, failure)),
    }
    match service::service(&args.service, environment, &fleet.root) {
        Ok(service) => {
            let expected = expected(&fleet, &service);
            findings.extend(examine_forge(&service.client, &service.repository, &expected).await);
        }
        Err(failure) => findings.push(told(Check::Forge, failure)),
    }
    show(&findings, output)?;
    let worst = findings.iter().map(|finding| finding.state).max();
    Ok(if worst == Some(State::Failed) {
        Code::Failed
    } else {
        Code::Ok
    })
}

/// What keeps a question from being asked is a finding too.
fn told(check: Check, failure: Failure) -> Finding {
    let because: Vec<String> = failure.error.chain().map(ToString::to_string).collect();
    let remedy = failure
        .hint
        .unwrap_or_else(|| "mend what is named here, then ask again".to_owned());
    Finding::failed(check, because.join(": "), remedy)
}

async fn rights(host: &dyn Host, desired: &Desired) -> Finding {
    match plan::made(
        host,
        desired,
        &SelectionArgs::default(),
        Layer::Configuration,
    )
    .await
    {
        Ok(plan) => judge_plan(&plan),
        Err(failure) => told(Check::Rights, failure),
    }
}

fn judge_plan(plan: &Plan) -> Finding {
    let refusals: Vec<String> = plan
        .refusals()
        .map(|(name, refusal)| format!("`{name}`: {}", refusal.message))
        .collect();
    if !refusals.is_empty() {
        let remedy = "`proxmox-ci plan` names the ways out of each";
        return Finding::failed(Check::Rights, refusals.join("; "), remedy);
    }
    if plan.is_empty() {
        return Finding::ok(
            Check::Rights,
            "nothing is to be changed, and nothing is refused",
        );
    }
    let found = "the containers are not as the fleet says";
    Finding::warning(
        Check::Rights,
        found,
        "`proxmox-ci plan` shows it, a push to `main` mends it",
    )
}

async fn inside(
    args: &DoctorArgs,
    environment: &Environment,
    fleet: &Fleet,
    (host, desired, container): (&dyn Host, &Desired, &Container),
) -> Result<Vec<Finding>, Failure> {
    let key = apply::key(&args.key, environment, fleet).await?;
    let scratch = scratch().context("making a private folder")?;
    let found = (desired, container);
    let guest = open(
        host,
        &ssh_door(),
        found,
        &key,
        scratch.path(),
        fleet.redactor(),
    )
    .await?;
    guest.wait_reachable(PATIENCE).await?;
    let inside = look_inside(&*guest, &Layout::default()).await?;
    let address = container.address().map(|it| it.to_string());
    let address = address.unwrap_or_else(|| "the address it was given".to_owned());
    let pin = desired.program.as_ref().map(|program| Pin {
        version: program.version.clone(),
        sha256: program.sha256.clone(),
    });
    let answers = format!(
        "`{}` answers at {address} with its pinned key",
        container.name
    );
    let mut findings = vec![Finding::ok(Check::Addresses, answers)];
    let now = jiff::Timestamp::now();
    findings.extend(judge_inside(&inside, &InsideExpected { pin }, now));
    Ok(findings)
}

/// What the Git service should have, as the fleet and this machine's settings tell it.
fn expected(fleet: &Fleet, service: &Service) -> ForgeExpected {
    let (written, _) = spec::read(&fleet.tree);
    let own = written.secrets.keys().cloned();
    let reached = &service.reached;
    ForgeExpected {
        labels: labels(&fleet.root.join(".gitea/workflows")),
        secrets: SECRETS.map(str::to_owned).into_iter().chain(own).collect(),
        variables: BTreeMap::from([
            (
                "FORGE_URL".to_owned(),
                Some(reached.url.trim_end_matches('/').to_owned()),
            ),
            ("FORGE_FINGERPRINT".to_owned(), reached.fingerprint.clone()),
            ("PROXMOX_ENDPOINT".to_owned(), None),
            ("PROXMOX_FINGERPRINT".to_owned(), None),
        ]),
    }
}

/// The labels that workflows ask for: the words after `runs-on:`, expressions left out.
fn labels(workflows: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(workflows).into_iter().flatten().flatten();
    let texts = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let mut labels = BTreeSet::new();
    for text in texts {
        let asked = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("runs-on:"));
        let words = asked
            .filter(|asked| !asked.contains("${{"))
            .flat_map(|asked| {
                asked
                    .split(['[', ']', ',', ' ', '"', '\''])
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            });
        labels.extend(words.filter(|word| !word.is_empty()));
    }
    labels
}

fn show(findings: &[Finding], output: &Output) -> Result<(), anyhow::Error> {
    if output.is_json() {
        return output.json(&findings);
    }
    for finding in findings {
        let check = serde_json::to_value(finding.check).context("naming a check")?;
        let check = check.as_str().unwrap_or_default();
        let state = state(finding.state, output.colours_data());
        output.words(&format!("{state} {check:12} {}", finding.found), FOUND);
        if let Some(remedy) = &finding.remedy {
            output.words(&format!("{:FOUND$}→ {remedy}", ""), FOUND + 2);
        }
    }
    Ok(())
}

/// Where the words of a finding begin.
const FOUND: usize = 22;

/// A state in its column, in the colour that it deserves.
fn state(state: State, coloured: bool) -> String {
    let (word, colour) = match state {
        State::Ok => ("ok", "32"),
        State::Warning => ("warning", "33"),
        State::Failed => ("FAILED", "1;31"),
    };
    let padding = " ".repeat(8 - word.len());
    match coloured {
        true => format!("\u{1b}[{colour}m{word}\u{1b}[0m{padding}"),
        false => format!("{word}{padding}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labels_of_workflows_are_found_in_each_form() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "a.yml",
            "jobs:\n  a:\n    runs-on: proxmox-ci\n  b:\n    runs-on: [lxc, \"big\"]\n",
        );
        write("b.yml", "jobs:\n  a:\n    runs-on: ${{ vars.X }}\n");
        let found: Vec<String> = labels(folder.path()).into_iter().collect();
        assert_eq!(found, ["big", "lxc", "proxmox-ci"]);
    }
}
