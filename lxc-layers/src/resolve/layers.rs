//! What each layer runs, found from its folder, and the fingerprint of all that enters it.

mod fingerprint;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fingerprint::finish;
use service::provisioners;

use super::draft::Draft;
use super::{Fingerprint, Provisioner, Step, Variable};
use crate::diagnostic::{Diagnostic, Located, Span};
use crate::spec::{Fleet, Input, Secret, Tree};

/// The secret that keys the fingerprint of all others; `init` writes a random one.
pub const FINGERPRINT_KEY: &str = "FINGERPRINT_KEY";

const BASE: &str = "default";
const BASE_PLAYBOOK: &str = "default.yml";
const SERVICE_PLAYBOOK: &str = "playbook.yml";
const SCRIPT: &str = "apply.sh";

/// A step that is filled in later.
pub(super) const fn nothing(within: Duration) -> Step {
    Step {
        id: BASE,
        provisioner: Provisioner::Ansible {
            playbook: String::new(),
        },
        folder: String::new(),
        inputs: BTreeMap::new(),
        variables: BTreeMap::new(),
        fingerprint: Fingerprint(String::new()),
        within,
    }
}

/// Gives every container its layers; `facts` are the names under which they know each other.
pub(super) fn fill(
    drafts: &mut [Draft],
    fleet: &Fleet,
    tree: &Tree,
    problems: &mut Vec<Diagnostic>,
) {
    base_is_there(tree, drafts.is_empty(), problems);
    let facts: BTreeMap<String, BTreeMap<String, Variable>> = drafts
        .iter()
        .map(|draft| (draft.container.name.as_str().to_owned(), facts(draft)))
        .collect();
    let key = fleet
        .secrets
        .get(FINGERPRINT_KEY)
        .map(|key| key.value.clone());
    for draft in drafts {
        let secrets = secrets(draft, fleet, problems);
        let mut variables = draft.variables.clone();
        let own: BTreeSet<String> = draft.own.iter().chain(secrets.keys()).cloned().collect();
        variables.extend(secrets);
        check_key(draft, &variables, key.as_ref(), problems);
        let known = &facts[draft.container.name.as_str()];
        variables.extend(
            known
                .iter()
                .map(|(name, value)| (format!("CONTAINER_{name}"), value.clone())),
        );
        for name in &draft.container.after {
            let prefix = name.as_str().to_ascii_uppercase().replace('-', "_");
            let others = facts.get(name.as_str()).into_iter().flatten();
            variables
                .extend(others.map(|(fact, value)| (format!("{prefix}_{fact}"), value.clone())));
        }
        let folder = draft.folder.clone();
        let within = draft.container.base.within;
        let provisioners = provisioners(draft, tree, problems);
        let step = |(id, provisioner)| {
            finish(
                Step {
                    id,
                    provisioner,
                    folder: folder.clone(),
                    inputs: inputs(tree, &folder),
                    variables: variables.clone(),
                    ..nothing(within)
                },
                &own,
                key.as_ref(),
            )
        };
        draft.container.service = provisioners.into_iter().map(step).collect();
        draft.container.base = finish(base(tree, fleet, within), &BTreeSet::new(), key.as_ref());
    }
}

fn base_is_there(tree: &Tree, unused: bool, problems: &mut Vec<Diagnostic>) {
    let playbook = format!("{BASE}/{BASE_PLAYBOOK}");
    if !unused && !tree.inputs.contains_key(&playbook) {
        problems.push(
            Diagnostic::error(
                "missing-playbook",
                Span::whole(&playbook),
                format!("the base layer's playbook `{playbook}` is missing"),
            )
            .help("`proxmox-ci init` writes one with a role `setup`; an empty play will do"),
        );
    }
}

/// The base layer: the same for all, so it knows no container's own values.
fn base(tree: &Tree, fleet: &Fleet, within: Duration) -> Step {
    let plain = |(name, value): (&String, &Located<String>)| {
        (!value.value.contains("${")).then(|| (name.clone(), Variable::Plain(value.value.clone())))
    };
    Step {
        provisioner: Provisioner::Ansible {
            playbook: BASE_PLAYBOOK.to_owned(),
        },
        folder: BASE.to_owned(),
        inputs: inputs(tree, BASE),
        variables: fleet.vars.iter().filter_map(plain).collect(),
        ..nothing(within)
    }
}

fn inputs(tree: &Tree, folder: &str) -> BTreeMap<String, Input> {
    let below = |(path, input): (&String, &Input)| {
        let path = path.strip_prefix(folder)?.strip_prefix('/')?;
        // Workflows of the base layer are the forge's to run: no container gets them.
        (!path.starts_with(".gitea/")).then(|| (path.to_owned(), input.clone()))
    };
    tree.inputs.iter().filter_map(below).collect()
}

/// What others may know of a container.
fn facts(draft: &Draft) -> BTreeMap<String, Variable> {
    let container = &draft.container;
    let mut facts = BTreeMap::from([
        (
            "NAME".to_owned(),
            Variable::Plain(container.name.to_string()),
        ),
        ("ID".to_owned(), Variable::Plain(container.vmid.to_string())),
        (
            "HOSTNAME".to_owned(),
            Variable::Plain(container.hostname.clone()),
        ),
    ]);
    if let Some(address) = container.address() {
        facts.insert("IP".to_owned(), Variable::Plain(address.to_string()));
    }
    facts
}

fn secrets(
    draft: &Draft,
    fleet: &Fleet,
    problems: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Variable> {
    let mut found = BTreeMap::new();
    for name in &draft.secrets {
        match fleet.secrets.get(&name.value) {
            Some(secret) if name.value != FINGERPRINT_KEY => {
                found.insert(name.value.clone(), Variable::Secret(secret.value.clone()));
            }
            _ => problems.push(
                Diagnostic::error(
                    "unknown-secret",
                    name.span.clone(),
                    format!("there is no secret `{}`", name.value),
                )
                .expected("expected a name in `secrets.local.env`")
                .help(format!(
                    "add a line `{}=…` to `secrets.local.env`, mode 0600",
                    name.value
                )),
            ),
        }
    }
    found
}

fn check_key(
    draft: &Draft,
    variables: &BTreeMap<String, Variable>,
    key: Option<&Secret>,
    problems: &mut Vec<Diagnostic>,
) {
    let any = variables
        .values()
        .any(|variable| matches!(variable, Variable::Secret(_)));
    if any && key.is_none() {
        let place = draft
            .secrets
            .first()
            .map_or_else(|| draft.file.clone(), |secret| secret.span.clone());
        problems.push(
            Diagnostic::error("no-fingerprint-key", place, format!("secrets are used, and `{FINGERPRINT_KEY}` is missing"))
                .help(format!("add `{FINGERPRINT_KEY}=` with 32 random characters to `secrets.local.env`: it keys what the guests' notes say of secrets")),
        );
    }
}
