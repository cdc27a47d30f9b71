//! What the Git service tells: that it is there, that a runner takes the fleet's jobs, and that jobs
//! find what they need.

use std::collections::{BTreeMap, BTreeSet};

use gitea_api::{
    Client, Error, ErrorKind, RepoPath,
    api::actions::runners::{Runner, RunnerStatus},
};

use super::{Check, Finding, named};

/// How many runners, secrets and variables are looked at.
const LIST_MAX: usize = 1_000;

/// What should be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForgeExpected {
    /// The labels that the fleet's workflows ask for.
    pub labels: BTreeSet<String>,
    /// The names of the secrets that jobs need.
    pub secrets: BTreeSet<String>,
    /// The variables that jobs need, with their values where they are known here.
    pub variables: BTreeMap<String, Option<String>>,
}

/// Asks the Git service, and judges.
pub async fn examine_forge(
    client: &Client,
    repository: &RepoPath,
    expected: &ForgeExpected,
) -> Vec<Finding> {
    let version = match client.version().await {
        Ok(version) => version,
        Err(error) => return vec![unanswered(&error)],
    };
    let mut findings = vec![Finding::ok(
        Check::Forge,
        format!("{} answers, version {version}", client.base()),
    )];
    findings.push(labels(client, repository, &expected.labels).await);
    findings.push(secrets(client, repository, &expected.secrets).await);
    findings.push(variables(client, repository, &expected.variables).await);
    findings
}

fn unanswered(error: &Error) -> Finding {
    if *error.kind() == ErrorKind::CertificateRefused {
        return Finding::failed(
            Check::Certificate,
            format!("{error}"),
            "find out who answers at this address; if the certificate was made anew on purpose, write its fingerprint into forge.local.toml",
        );
    }
    let remedy = "is the control plane up? `proxmox-ci status`, then `systemctl status proxmox-ci-forge` there";
    Finding::failed(Check::Forge, format!("{error}"), remedy)
}

/// A question that the token may not ask, or that went wrong.
fn unasked(check: Check, error: &Error) -> Finding {
    let remedy = "is the token in forge.local.toml one of an owner of the organisation?";
    Finding::failed(check, format!("{error}"), remedy)
}

/// Runners of the repository, of its owner and of the whole service, as far as the token sees them.
async fn runners(client: &Client, repository: &RepoPath) -> Result<Vec<Runner>, Error> {
    let mut found = Vec::new();
    let scopes = [
        client.repo_at(repository.clone()).actions(),
        client.org(repository.owner()).actions(),
        client.admin().actions(),
    ];
    let mut failure = None;
    for scope in scopes {
        match scope.runners().collect(LIST_MAX).await {
            Ok(runners) => found.extend(runners),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

async fn labels(client: &Client, repository: &RepoPath, wanted: &BTreeSet<String>) -> Finding {
    match runners(client, repository).await {
        Ok(runners) => judge_labels(&runners, wanted),
        Err(error) => unasked(Check::Labels, &error),
    }
}

fn judge_labels(runners: &[Runner], wanted: &BTreeSet<String>) -> Finding {
    let up = runners
        .iter()
        .filter(|runner| runner.status == RunnerStatus::Online && !runner.disabled);
    let carried: BTreeSet<&str> = up
        .flat_map(|runner| &runner.labels)
        .map(|label| label.name.split(':').next().unwrap_or_default())
        .collect();
    let lacking: Vec<&str> = wanted
        .iter()
        .map(String::as_str)
        .filter(|label| !carried.contains(label))
        .collect();
    if lacking.is_empty() {
        let labels = named(wanted.iter().map(String::as_str));
        return Finding::ok(Check::Labels, format!("a runner is online for {labels}"));
    }
    Finding::failed(
        Check::Labels,
        format!("no runner is online for {}", named(lacking)),
        "`systemctl restart proxmox-ci-runner` on the control plane, or give a runner this label",
    )
}

async fn secrets(client: &Client, repository: &RepoPath, wanted: &BTreeSet<String>) -> Finding {
    let owner = client.org(repository.owner()).actions();
    let own = client.repo_at(repository.clone()).actions();
    let mut there = BTreeSet::new();
    for scope in [owner, own] {
        match scope.secrets().collect(LIST_MAX).await {
            Ok(secrets) => there.extend(secrets.into_iter().map(|secret| secret.name)),
            Err(error) => return unasked(Check::Secrets, &error),
        }
    }
    let lacking = wanted.iter().filter(|name| !there.contains(*name));
    let lacking: Vec<&str> = lacking.map(String::as_str).collect();
    if lacking.is_empty() {
        return Finding::ok(Check::Secrets, format!("all {} are there", wanted.len()));
    }
    Finding::failed(
        Check::Secrets,
        format!("missing: {}", named(lacking)),
        "bootstrap again: it sets what is missing",
    )
}

async fn variables(
    client: &Client,
    repository: &RepoPath,
    wanted: &BTreeMap<String, Option<String>>,
) -> Finding {
    let owner = client.org(repository.owner()).actions();
    let own = client.repo_at(repository.clone()).actions();
    let mut there = BTreeMap::new();
    // What the repository says wins over what its owner says.
    for scope in [owner, own] {
        match scope.variables().collect(LIST_MAX).await {
            Ok(found) => there.extend(found.into_iter().map(|it| (it.name, it.data))),
            Err(error) => return unasked(Check::Variables, &error),
        }
    }
    judge_variables(&there, wanted)
}

fn judge_variables(
    there: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, Option<String>>,
) -> Finding {
    let wrong = wanted
        .iter()
        .filter_map(|(name, value)| match (there.get(name), value) {
            (None, _) => Some(format!("`{name}` is missing")),
            (Some(there), Some(value)) if there != value => {
                Some(format!("`{name}` is `{there}`, here it is `{value}`"))
            }
            _ => None,
        });
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() {
        return Finding::ok(Check::Variables, format!("all {} are there", wanted.len()));
    }
    let remedy =
        "bootstrap again: it sets what is missing; a value that differs is yours to decide";
    Finding::failed(Check::Variables, wrong.join("; "), remedy)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn runner(status: &str, label: &str) -> Runner {
        let text = format!(
            r#"{{"id":1,"name":"r","status":"{status}","busy":false,"disabled":false,"ephemeral":false,"labels":[{{"id":0,"name":"{label}","type":"custom"}}]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_label_counts_when_a_runner_that_is_online_carries_it() {
        let wanted = set(&["proxmox-ci"]);
        let state = |runners: &[Runner]| judge_labels(runners, &wanted).state;
        assert_eq!(state(&[runner("online", "proxmox-ci:host")]), State::Ok);
        assert_eq!(state(&[runner("offline", "proxmox-ci")]), State::Failed);
        assert_eq!(state(&[runner("online", "build")]), State::Failed);
    }

    #[test]
    fn variables_are_compared_where_their_value_is_known() {
        let pairs = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            pairs.collect::<BTreeMap<_, _>>()
        };
        let wanted = BTreeMap::from([
            ("A".to_owned(), Some("1".to_owned())),
            ("B".to_owned(), None),
        ]);
        assert_eq!(
            judge_variables(&pairs(&[("A", "1"), ("B", "x")]), &wanted).state,
            State::Ok
        );
        let wrong = judge_variables(&pairs(&[("A", "2")]), &wanted);
        assert_eq!(wrong.found, "`A` is `2`, here it is `1`; `B` is missing");
    }
}
