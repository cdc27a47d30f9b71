//! What each layer runs, found from its folder, and the fingerprint of all that enters it.

use std::collections::BTreeMap;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::draft::Draft;
use super::{Fingerprint, Provisioner, Step, Variable};
use crate::diagnostic::{Diagnostic, Located, Span};
use crate::spec::{Fleet, Input, Key, Secret, Tree};

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
        variables.extend(secrets);
        check_key(draft, &variables, key.as_ref(), problems);
        let own = &facts[draft.container.name.as_str()];
        variables.extend(
            own.iter()
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
                key.as_ref(),
            )
        };
        draft.container.service = provisioners.into_iter().map(step).collect();
        draft.container.base = finish(base(tree, fleet, within), key.as_ref());
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

fn provisioners(
    draft: &Draft,
    tree: &Tree,
    problems: &mut Vec<Diagnostic>,
) -> Vec<(&'static str, Provisioner)> {
    let folder = &draft.folder;
    let there = |file: &str| tree.inputs.contains_key(&format!("{folder}/{file}"));
    let has_recipes = tree
        .inputs
        .keys()
        .any(|path| path.starts_with(&format!("{folder}/recipes/")));
    let found = [
        ("ansible", there(SERVICE_PLAYBOOK)),
        ("cinc", has_recipes),
        ("script", there(SCRIPT)),
    ];
    let wanted: Vec<(&'static str, Option<Span>)> = match &draft.provision {
        None => found
            .iter()
            .filter(|(_, there)| *there)
            .map(|(tool, _)| (*tool, None))
            .collect(),
        Some(list) => list
            .iter()
            .filter_map(|item| {
                Some((
                    found.iter().find(|(tool, _)| *tool == item.value)?.0,
                    Some(item.span.clone()),
                ))
            })
            .collect(),
    };
    if let (Some(list), false) = (
        &draft.run_list,
        wanted.iter().any(|(tool, _)| *tool == "cinc"),
    ) {
        let place = list
            .first()
            .map_or_else(|| draft.file.clone(), |item| item.span.clone());
        problems.push(missing(
            "missing-recipe",
            Some(place),
            draft,
            "recipes/default.rb",
            "a run list",
        ));
    }
    wanted
        .into_iter()
        .filter_map(|(tool, place)| provisioner(tool, place, draft, tree, problems))
        .collect()
}

fn provisioner(
    tool: &'static str,
    place: Option<Span>,
    draft: &Draft,
    tree: &Tree,
    problems: &mut Vec<Diagnostic>,
) -> Option<(&'static str, Provisioner)> {
    let folder = &draft.folder;
    let there = |file: &str| tree.inputs.get(&format!("{folder}/{file}"));
    let provisioner = match tool {
        "ansible" => {
            if there(SERVICE_PLAYBOOK).is_none() {
                problems.push(missing(
                    "missing-playbook",
                    place,
                    draft,
                    SERVICE_PLAYBOOK,
                    "`ansible`",
                ));
            }
            Provisioner::Ansible {
                playbook: SERVICE_PLAYBOOK.to_owned(),
            }
        }
        "script" => {
            match there(SCRIPT) {
                None => problems.push(missing("missing-script", place, draft, SCRIPT, "`script`")),
                Some(script) if !script.executable => problems.push(not_executable(folder)),
                Some(_) => {}
            }
            Provisioner::Script {
                script: SCRIPT.to_owned(),
            }
        }
        _ => cinc(place, draft, tree, problems),
    };
    Some((tool, provisioner))
}

fn not_executable(folder: &str) -> Diagnostic {
    let path = format!("{folder}/{SCRIPT}");
    Diagnostic::error(
        "not-executable",
        Span::whole(&path),
        format!("`{path}` is not executable"),
    )
    .help(format!(
        "run `chmod +x {path}`, and `git update-index --chmod=+x {path}` where git does not see it"
    ))
}

fn missing(
    code: &'static str,
    place: Option<Span>,
    draft: &Draft,
    file: &str,
    asked_by: &str,
) -> Diagnostic {
    let path = format!("{}/{file}", draft.folder);
    let place = place
        .or_else(|| draft.container.place(Key::RunList).cloned())
        .unwrap_or_else(|| draft.file.clone());
    Diagnostic::error(
        code,
        place,
        format!("{asked_by} asks for `{path}`, and there is no such file"),
    )
    .help(format!("write `{path}`, or leave the key away"))
}

/// The cookbook is the folder, its name the container's; every recipe of the run list must be in it.
fn cinc(
    place: Option<Span>,
    draft: &Draft,
    tree: &Tree,
    problems: &mut Vec<Diagnostic>,
) -> Provisioner {
    let cookbook = match draft.container.role {
        crate::spec::Role::ControlPlane => "config".to_owned(),
        crate::spec::Role::Member => draft.container.name.to_string(),
    };
    let written = draft.run_list.clone().filter(|list| !list.is_empty());
    let default = || {
        vec![Located::new(
            "default".to_owned(),
            place.clone().unwrap_or_else(|| draft.file.clone()),
        )]
    };
    let mut run_list = Vec::new();
    for item in written.unwrap_or_else(default) {
        let name = item
            .value
            .strip_prefix("recipe[")
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(&item.value);
        let (book, recipe) = match name.split_once("::") {
            Some((book, recipe)) => (book, recipe),
            None if name == cookbook => (cookbook.as_str(), "default"),
            None => (cookbook.as_str(), name),
        };
        if book == cookbook
            && tree
                .inputs
                .contains_key(&format!("{}/recipes/{recipe}.rb", draft.folder))
        {
            run_list.push(format!("{book}::{recipe}"));
        } else {
            let message = format!("there is no recipe `{recipe}` in the cookbook `{book}`");
            problems.push(
                Diagnostic::error("missing-recipe", item.span, message)
                    .expected(format!("expected a file of `{}/recipes/`", draft.folder))
                    .help(format!(
                        "write `{}/recipes/{recipe}.rb`: the folder is the cookbook `{cookbook}`",
                        draft.folder
                    )),
            );
        }
    }
    Provisioner::Cinc { cookbook, run_list }
}

fn finish(mut step: Step, key: Option<&Secret>) -> Step {
    step.fingerprint = fingerprint(&step, key);
    step
}

/// Every part is preceded by its length, so that no two steps share a text.
fn fingerprint(step: &Step, key: Option<&Secret>) -> Fingerprint {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    part("proxmox-ci step 1");
    part(step.id);
    part(&serde_json::to_string(&step.provisioner).expect("a provisioner is always JSON"));
    for (path, input) in &step.inputs {
        part(path);
        part(if input.executable { "x" } else { "-" });
        part(&input.digest);
    }
    for (name, variable) in &step.variables {
        part(name);
        match variable {
            Variable::Plain(value) => part(value),
            Variable::Secret(secret) => part(&keyed(secret, key)),
        }
    }
    Fingerprint(hex::encode(hash.finalize()))
}

/// A secret by its keyed hash. Without a key nothing of it enters: that is an error elsewhere.
fn keyed(secret: &Secret, key: Option<&Secret>) -> String {
    let Some(key) = key else { return String::new() };
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).expect("any length is a key");
    mac.update(secret.reveal().as_bytes());
    hex::encode(mac.finalize().into_bytes())
}
