//! Files that come in: uploads and downloads from an address.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Volume;
use crate::pve::World;
use crate::pve::reply::{Effect, Fail};
use crate::pve::route::{Answer, Call, Handler};
use crate::pve::work::Work;

/// A file on its way to its place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Copy {
    pub(crate) volume: String,
    pub(crate) content: String,
    pub(crate) size: u64,
    pub(crate) spool: Option<PathBuf>,
    /// Algorithm, digest that was promised, digest that was found.
    pub(crate) checksum: Option<(String, String, Option<String>)>,
    /// The address a download comes from.
    pub(crate) url: Option<String>,
}

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("POST", "/nodes/{node}/storage/{storage}/upload") => upload,
        ("POST", "/nodes/{node}/storage/{storage}/download-url") => download,
        _ => return None,
    })
}

/// The name under which a file is stored: everything odd becomes an underscore.
fn tidy(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
    base.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
                c
            } else {
                '_'
            }
        })
        .collect()
}

/// Where a file of this content type belongs.
fn target(call: &Call<'_>, world: &World, download: bool) -> Result<(String, String), Fail> {
    let (storage, content) = (call.text("storage"), call.text("content"));
    let name = tidy(&call.text("filename"));
    let known = world.usable_storage(&storage)?;
    if !known.is_folder() {
        let why = if download {
            ", not a file based storage!"
        } else {
            ""
        };
        return Err(Fail::die(format!(
            "can't upload to storage type '{}'{why}",
            known.kind
        )));
    }
    let offered = known.offers(&content);
    if download && !offered {
        let text = format!("storage '{storage}' is not configured for content-type '{content}'");
        return Err(Fail::die(text));
    }
    let (endings, refusal): (&[&str], _) = match content.as_str() {
        "iso" => (&[".iso", ".img"], "wrong file extension"),
        "vztmpl" => (
            &[".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2", ".tgz"],
            "wrong file extension",
        ),
        _ => (
            &[".ova", ".qcow2", ".raw", ".vmdk"],
            "invalid filename or wrong extension",
        ),
    };
    if !endings
        .iter()
        .any(|ending| name.to_lowercase().ends_with(ending))
    {
        return Err(Fail::param("filename", refusal));
    }
    if !offered {
        return Err(Fail::die(format!(
            "storage '{storage}' does not support '{content}' content"
        )));
    }
    Ok((format!("{storage}:{content}/{name}"), content))
}

/// What the caller says of the file's digest.
fn checksum(
    call: &Call<'_>,
    found: Option<String>,
) -> Result<Option<(String, String, Option<String>)>, Fail> {
    match (
        call.optional("checksum"),
        call.optional("checksum-algorithm"),
    ) {
        (Some(wanted), Some(algorithm)) => Ok(Some((algorithm, wanted, found))),
        (Some(_), None) => Err(Fail::param(
            "checksum-algorithm",
            "property is missing and it is not optional",
        )),
        _ => Ok(None),
    }
}

fn upload(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (volume, content) = target(call, world, false)?;
    let Some(upload) = call.upload else {
        return Err(Fail::die("temporary file not found!"));
    };
    let copy = Copy {
        volume,
        content,
        size: upload.size,
        spool: upload.spool.clone(),
        checksum: checksum(call, upload.digest.clone())?,
        url: None,
    };
    Ok(json!(world.spawn(call, "imgcopy", "", Work::Copy(copy))))
}

/// Nothing is fetched: the file is there afterwards, empty, as if the address had served it.
fn download(world: &mut World, call: &mut Call<'_>) -> Answer {
    let (volume, content) = target(call, world, true)?;
    let name = volume.rsplit('/').next().unwrap_or_default().to_owned();
    let copy = Copy {
        volume,
        content,
        size: 0,
        spool: None,
        checksum: checksum(call, None)?,
        url: call.optional("url"),
    };
    Ok(json!(world.spawn(
        call,
        "download",
        &name,
        Work::Copy(copy)
    )))
}

/// The worker that puts a file in its place.
pub(crate) fn finish(world: &mut World, copy: &Copy, log: &mut Vec<String>) -> Result<(), Fail> {
    let place = world.file_of(&copy.volume);
    match &copy.url {
        Some(url) if world.setup.real_guests => {
            return Err(Fail::die(format!(
                "download failed: this node does not fetch '{url}', upload the file instead"
            )));
        }
        Some(_) if world.volumes.contains_key(&copy.volume) => {
            let text = format!("refusing to override existing file '{place}'");
            return Err(Fail::die(text));
        }
        Some(url) => log.push(format!("downloading {url} to {place}")),
        None => {
            log.push(
                "starting file import from: /var/tmp/pveupload-00000000000000000000000000000000"
                    .to_owned(),
            );
        }
    }
    if let Some((algorithm, wanted, Some(found))) = &copy.checksum {
        log.push(format!("calculating checksum...{algorithm}"));
        if !wanted.eq_ignore_ascii_case(found) {
            world
                .effects
                .extend(copy.spool.clone().map(|spool| Effect::Unspool { spool }));
            return Err(Fail::die(format!(
                "checksum mismatch: got '{found}' != expect '{wanted}'"
            )));
        }
        log.push("OK, checksum verified".to_owned());
    }
    if copy.url.is_none() {
        log.push(format!("target node: {}", world.node_name()));
        log.push(format!("target file: {place}"));
        log.push(format!("file size is: {}", copy.size));
    }
    let name = copy.volume.rsplit('/').next().unwrap_or_default();
    let volume = Volume::file(&copy.content, name, copy.size, world.now().secs());
    world.volumes.insert(copy.volume.clone(), volume);
    if let Some(spool) = &copy.spool {
        world.effects.push(Effect::Store {
            volume: copy.volume.clone(),
            spool: spool.clone(),
        });
    }
    log.push("finished file import successfully".to_owned());
    Ok(())
}
