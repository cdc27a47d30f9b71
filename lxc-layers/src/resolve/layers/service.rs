//! The provisioners of a service layer, found from its folder or named by `PROVISION`.

use super::super::Provisioner;
use super::super::draft::Draft;
use super::{SCRIPT, SERVICE_PLAYBOOK};
use crate::diagnostic::{Diagnostic, Located, Span};
use crate::spec::{Key, Role, Tree};

/// What runs in a container's service layer, in this order.
pub(super) fn provisioners(
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
            Some(&place),
            draft,
            "recipes/default.rb",
            "a run list",
        ));
    }
    wanted
        .into_iter()
        .filter_map(|(tool, place)| provisioner(tool, place.as_ref(), draft, tree, problems))
        .collect()
}

fn provisioner(
    tool: &'static str,
    place: Option<&Span>,
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
    place: Option<&Span>,
    draft: &Draft,
    file: &str,
    asked_by: &str,
) -> Diagnostic {
    let path = format!("{}/{file}", draft.folder);
    let place = place
        .or_else(|| draft.container.place(Key::RunList))
        .unwrap_or(&draft.file)
        .clone();
    Diagnostic::error(
        code,
        place,
        format!("{asked_by} asks for `{path}`, and there is no such file"),
    )
    .help(format!("write `{path}`, or leave the key away"))
}

/// The cookbook is the folder, its name the container's; every recipe of the run list must be in it.
fn cinc(
    place: Option<&Span>,
    draft: &Draft,
    tree: &Tree,
    problems: &mut Vec<Diagnostic>,
) -> Provisioner {
    let cookbook = match draft.container.role {
        Role::ControlPlane => "config".to_owned(),
        Role::Member => draft.container.name.to_string(),
    };
    let written = draft.run_list.clone().filter(|list| !list.is_empty());
    let default = || {
        vec![Located::new(
            "default".to_owned(),
            place.unwrap_or(&draft.file).clone(),
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
