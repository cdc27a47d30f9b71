//! Opening a forge's folder: records, repositories, what makes both agree again, and the administrator.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ready::{Ready, write_private};
use super::storage::{Closer, Rows};
use super::{Error, ForgeOptions, file_error};
use crate::gitea::clock::Clock;
use crate::gitea::random::Random;
use crate::gitea::{Git, Gitea, Settings, World};

/// A forge that can be served.
pub(super) struct Opened {
    pub(super) gitea: Arc<Gitea>,
    pub(super) ready: Ready,
    pub(super) closer: Option<Closer>,
    pub(super) scratch: Option<tempfile::TempDir>,
}

/// What the administrator was given when the folder was made.
#[derive(Serialize, Deserialize)]
struct Credentials {
    user: String,
    password: String,
    token: String,
}

/// Opens the folder of the options, or a temporary one.
pub(super) fn open(options: &ForgeOptions, url: &str) -> Result<Opened, Error> {
    let scratch = match options.data {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(|source| file_error(Path::new("/tmp"), source))?),
    };
    let folder: PathBuf = options
        .data
        .clone()
        .or_else(|| scratch.as_ref().map(|scratch| scratch.path().to_owned()))
        .unwrap_or_default();
    make_private(&folder).map_err(|source| file_error(&folder, source))?;
    let mut world = World::new(
        settings(options, url)?,
        Clock::default(),
        Random::from_system(),
    );
    let rows = if options.data.is_some() {
        Some(Rows::open(&folder)?)
    } else {
        None
    };
    if let Some(rows) = &rows {
        rows.load(&folder, &mut world)?;
    }
    let key = key_of(&folder).map_err(|source| file_error(&folder, source))?;
    crate::gitea::set_key(&mut world, key);
    let writer = rows
        .map(Rows::into_writer)
        .transpose()
        .map_err(|source| file_error(&folder, source))?;
    let (storage, closer) = writer.map_or((None, None), |(storage, closer)| {
        (Some(storage), Some(closer))
    });
    let journal = options
        .journal
        .as_deref()
        .map(crate::journal::Journal::only_to_file)
        .transpose();
    let journal = journal
        .map_err(|source| file_error(options.journal.as_deref().unwrap_or(&folder), source))?;
    let gitea = Gitea::with_journal(
        world,
        Git::new(folder.join("repositories")),
        storage,
        journal,
    );
    gitea.recover();
    let ready = administrator(&gitea, options, &folder, url)?;
    Ok(Opened {
        gitea,
        ready,
        closer,
        scratch,
    })
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    for inner in ["repositories", "attachments"] {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder.join(inner))?;
    }
    Ok(())
}

/// Whether a whole version is one of a release that is played.
fn is_played(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    let (first, second, third) = (numbers.next(), numbers.next(), numbers.next());
    matches!((first, second), (Some(Ok(1)), Some(Ok(24..=27))))
        && matches!(third, Some(Ok(_)))
        && numbers.next().is_none()
}

fn settings(options: &ForgeOptions, url: &str) -> Result<Settings, Error> {
    let version = match options.version.as_str() {
        "1.27" => "1.27.3",
        "1.26" => "1.26.3",
        "1.25" => "1.25.4",
        "1.24" => "1.24.7",
        exact if is_played(exact) => exact,
        other => return Err(Error::Version(other.to_owned())),
    };
    Ok(Settings {
        version: version.to_owned(),
        root_url: url.to_owned(),
        domain: options.listen.ip().to_string(),
        ..Settings::default()
    })
}

/// The key with which secrets are encrypted at rest; made once.
fn key_of(folder: &Path) -> std::io::Result<[u8; 32]> {
    let path = folder.join("key");
    if let Ok(bytes) = fs::read(&path)
        && let Ok(key) = bytes.try_into()
    {
        return Ok(key);
    }
    let key = Random::from_system().block();
    write_private(&path, &key)?;
    Ok(key)
}

/// The administrator of a new folder, or what an old one's was given.
fn administrator(
    gitea: &Gitea,
    options: &ForgeOptions,
    folder: &Path,
    url: &str,
) -> Result<Ready, Error> {
    let path = folder.join("administrator.json");
    let kept = fs::read(&path)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Credentials>(&bytes).ok());
    let credentials = match kept {
        Some(kept) => kept,
        None => {
            let (password, token) = gitea.install(&options.root_user, &options.root_email);
            let made = Credentials {
                user: options.root_user.clone(),
                password,
                token,
            };
            let text =
                serde_json::to_vec(&made).map_err(|source| file_error(&path, source.into()))?;
            write_private(&path, &text).map_err(|source| file_error(&path, source))?;
            made
        }
    };
    Ok(Ready {
        url: url.to_owned(),
        root_user: credentials.user,
        root_password: credentials.password,
        root_token: credentials.token,
        runner_token: gitea.runner_token(),
        pid: std::process::id(),
        sim_url: None,
        sim_token: None,
    })
}
