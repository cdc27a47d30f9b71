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

/// Every file, in the order in which a newcomer reads them.
const FILES: [Template; 11] = [
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

/// Fills a folder.
pub(crate) fn init(args: &InitArgs, environment: &Environment, output: &Output) -> Outcome {
    let chosen = args.dir.clone();
    let dir = chosen.unwrap_or_else(|| environment.fleet_dir(&args.fleet));
    if let Some(present) = FILES.iter().find(|file| dir.join(file.path).exists()) {
        let error = anyhow!(
            "`{}` is there already; nothing was written",
            dir.join(present.path).display()
        );
        return Err(Failure::new(Code::Refused, error).hint("choose an empty folder"));
    }
    let id = hex(&random::<8>()?);
    let key = hex(&random::<32>()?);
    for file in &FILES {
        let text = file
            .text
            .replace("@ID@", &format!("fleet-{id}"))
            .replace("@KEY@", &key);
        write(&dir.join(file.path), &text, file.mode)
            .map_err(|error| Failure::new(Code::CannotWrite, error))?;
    }
    super::schema::write(&dir).map_err(|error| Failure::new(Code::CannotWrite, error))?;
    if output.is_json() {
        let files: Vec<&str> = FILES.iter().map(|file| file.path).collect();
        output.json(&json!({"folder": dir, "files": files}))?;
    } else {
        output.data(&told(&dir));
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

fn told(dir: &Path) -> String {
    let files: Vec<String> = FILES
        .iter()
        .map(|file| format!("  {}", file.path))
        .collect();
    let dir = dir.display();
    format!(
        "A fleet of one container, in `{dir}`:\n{}\n\nNext, type:\n  proxmox-ci check --fleet {dir}\n  proxmox-ci plan --fleet {dir}     # after `fleet.local.toml` says where your Proxmox VE is\n  proxmox-ci apply --fleet {dir}",
        files.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use lxc_layers::{resolve::resolve, spec};

    use super::*;
    use crate::args::{Cli, Command, FleetArgs};

    #[tokio::test]
    async fn what_is_scaffolded_passes_check_without_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let args = InitArgs {
            dir: Some(folder.path().join("fleet")),
            fleet: FleetArgs::default(),
        };
        let cli: Cli = clap::Parser::try_parse_from(["proxmox-ci", "check", "--quiet"]).unwrap();
        assert!(matches!(cli.command, Command::Check(_)));
        let output = Output::new(&cli.global, &Environment::default());
        init(&args, &Environment::default(), &output).unwrap();
        let tree = spec::load(&folder.path().join("fleet")).unwrap();
        let resolved = resolve(&tree);
        assert_eq!(resolved.diagnostics, []);
        assert_eq!(resolved.desired.unwrap().containers.len(), 1);
        let again = init(&args, &Environment::default(), &output).unwrap_err();
        assert_eq!(again.code, Code::Refused);
    }
}
