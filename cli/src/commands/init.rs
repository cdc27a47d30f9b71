//! `init`: a fleet repository that passes `check`, every file of it explaining itself.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use anyhow::{Context as _, anyhow};
use serde_json::json;

use super::Outcome;
use crate::{
    args::fleet::InitArgs,
    exit::{Code, Failure},
    output::Output,
    settings::Environment,
};

/// A file of the scaffold.
struct Template {
    path: &'static str,
    mode: u32,
    text: &'static str,
}

const fn template(path: &'static str, mode: u32, text: &'static str) -> Template {
    Template { path, mode, text }
}

/// What every fleet has, in the order in which a newcomer reads it.
const FLEET: [Template; 15] = [
    template("fleet.toml", 0o644, include_str!("init/fleet.toml")),
    template(
        "containers/web/config.env",
        0o644,
        include_str!("init/web.env"),
    ),
    template(
        "containers/web/apply.sh",
        0o755,
        include_str!("init/apply.sh"),
    ),
    template(
        "containers/web/page.html",
        0o644,
        include_str!("init/page.html"),
    ),
    template(
        "default/default.yml",
        0o644,
        include_str!("init/default.yml"),
    ),
    template(
        "default/roles/setup/tasks/main.yml",
        0o644,
        include_str!("init/setup.yml"),
    ),
    template("local/Dockerfile", 0o644, lxc_layers::local::DOCKERFILE),
    template("local/run.sh", 0o755, lxc_layers::local::SCRIPT),
    template(
        "default/.gitea/workflows/action.yml",
        0o644,
        include_str!("init/base.yml"),
    ),
    template(
        ".gitea/workflows/pipeline.yml",
        0o644,
        include_str!("init/pipeline.yml"),
    ),
    template(
        ".gitea/workflows/drift.yml",
        0o644,
        include_str!("init/drift.yml"),
    ),
    template(
        ".gitea/actions/keys/action.yml",
        0o644,
        include_str!("init/keys.yml"),
    ),
    template(".gitignore", 0o644, include_str!("init/gitignore")),
    template(
        "fleet.local.toml",
        0o600,
        include_str!("init/fleet.local.toml"),
    ),
    template(
        "secrets.local.env",
        0o600,
        include_str!("init/secrets.local.env"),
    ),
];

/// What a fleet has that holds its own repository.
const CONTROL_PLANE: [Template; 6] = [
    template("config.env", 0o644, include_str!("init/control.env")),
    template("config/apply.sh", 0o755, include_str!("init/control.sh")),
    template(
        "config/attributes/default.rb",
        0o644,
        include_str!("init/attributes.rb"),
    ),
    template(
        "config/recipes/default.rb",
        0o644,
        include_str!("init/recipe.rb"),
    ),
    template(
        "config/templates/motd.erb",
        0o644,
        include_str!("init/motd.erb"),
    ),
    template(
        "config/templates/journald.conf.erb",
        0o644,
        include_str!("init/journald.conf.erb"),
    ),
];

/// The files that are to be written: those of the fleet unless it is there, and those of the control
/// plane where one is wanted.
fn files(dir: &Path, control_plane: bool) -> Vec<&'static Template> {
    let extended = control_plane && dir.join("fleet.toml").exists();
    let fleet = FLEET.iter().filter(|_| !extended);
    let control = CONTROL_PLANE.iter().filter(|_| control_plane);
    fleet.chain(control).collect()
}

/// Fills a folder.
pub(crate) fn init(args: &InitArgs, environment: &Environment, output: &Output) -> Outcome {
    let chosen = args.dir.clone();
    let dir = chosen.unwrap_or_else(|| environment.fleet_dir(&args.fleet));
    let files = files(&dir, args.control_plane);
    if let Some(present) = files.iter().find(|file| dir.join(file.path).exists()) {
        let error = anyhow!(
            "`{}` is there already; nothing was written",
            dir.join(present.path).display()
        );
        return Err(Failure::new(Code::Refused, error).hint("choose an empty folder"));
    }
    let id = hex(&random::<8>()?);
    let key = hex(&random::<32>()?);
    for file in &files {
        let text = file
            .text
            .replace("@ID@", &format!("fleet-{id}"))
            .replace("@KEY@", &key);
        write(&dir.join(file.path), &text, file.mode)
            .map_err(|error| Failure::new(Code::CannotWrite, error))?;
    }
    super::schema::write(&dir).map_err(|error| Failure::new(Code::CannotWrite, error))?;
    if output.is_json() {
        let files: Vec<&str> = files.iter().map(|file| file.path).collect();
        output.json(&json!({"folder": dir, "files": files}))?;
    } else {
        output.data(&told(&dir, &files, args.control_plane));
    }
    Ok(Code::Ok)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), anyhow::Error> {
    let writing = || format!("writing `{}`", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(writing)?;
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(writing)?;
    file.write_all(text.as_bytes()).with_context(writing)?;
    // Whatever the umask made of it.
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).with_context(writing)
}

/// Bytes from the system's own source.
fn random<const N: usize>() -> Result<[u8; N], anyhow::Error> {
    use std::io::Read as _;
    let mut bytes = [0; N];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("asking the system for random bytes")?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn told(dir: &Path, files: &[&Template], control_plane: bool) -> String {
    let fleet = if control_plane {
        "A fleet with a control plane"
    } else {
        "A fleet of one container"
    };
    let files: Vec<String> = files
        .iter()
        .map(|file| format!("  {}", file.path))
        .collect();
    let dir = dir.display();
    format!(
        "{fleet}, in `{dir}`:\n{}\n\nNext, type:\n  proxmox-ci check --fleet {dir}\n  proxmox-ci plan --fleet {dir}\n  proxmox-ci apply --fleet {dir}\n\nThe first asks no server; for the others, `fleet.local.toml` says where your\nProxmox VE is.",
        files.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use lxc_layers::{resolve::resolve, spec};

    use super::*;
    use crate::args::{Cli, FleetArgs};

    #[test]
    fn what_is_scaffolded_passes_check_without_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let fleet = folder.path().join("fleet");
        let refused = |control_plane| scaffold(&fleet, control_plane).unwrap_err().code;
        scaffold(&fleet, false).unwrap();
        assert_eq!(containers(&fleet), ["web"]);
        assert_eq!(refused(false), Code::Refused);
        scaffold(&fleet, true).unwrap();
        assert_eq!(containers(&fleet), ["control", "web"]);
        assert_eq!(refused(true), Code::Refused);
        let both = folder.path().join("both");
        scaffold(&both, true).unwrap();
        assert_eq!(containers(&both), ["control", "web"]);
    }

    #[test]
    fn the_example_is_what_is_scaffolded() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/control-plane");
        let shared = FLEET
            .iter()
            .chain(&CONTROL_PLANE)
            .filter(|file| file.path.contains(".gitea/") || file.path.starts_with("config/"));
        for file in shared {
            let text = fs::read_to_string(example.join(file.path)).unwrap();
            assert_eq!(text, file.text, "{}", file.path);
        }
    }

    fn scaffold(dir: &Path, control_plane: bool) -> Outcome {
        let args = InitArgs {
            dir: Some(dir.to_owned()),
            control_plane,
            fleet: FleetArgs::default(),
        };
        let cli: Cli = clap::Parser::try_parse_from(["proxmox-ci", "check", "--quiet"]).unwrap();
        let output = Output::new(&cli.global, &Environment::default());
        init(&args, &Environment::default(), &output)
    }

    #[track_caller]
    fn containers(dir: &Path) -> Vec<String> {
        let resolved = resolve(&spec::load(dir).unwrap());
        assert_eq!(resolved.diagnostics, []);
        let containers = resolved.desired.unwrap().containers;
        containers.iter().map(|it| it.name.to_string()).collect()
    }
}
