//! The index of container templates that can be downloaded.

use serde_json::json;

use super::upload::Copy;
use crate::pve::World;
use crate::pve::reply::Fail;
use crate::pve::route::{Answer, Call, Handler};
use crate::pve::work::Work;

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("GET", "/nodes/{node}/aplinfo") => list,
        ("POST", "/nodes/{node}/aplinfo") => fetch,
        _ => return None,
    })
}

const KNOWN: [(&str, &str, &str); 4] = [
    ("debian-12-standard", "12.7-1", "debian-12"),
    ("debian-13-standard", "13.1-1", "debian-13"),
    ("ubuntu-24.04-standard", "24.04-2", "ubuntu-24.04"),
    ("alpine-3.22-default", "20250617", "alpine"),
];

fn file(package: &str, version: &str) -> String {
    let ending = if package.starts_with("alpine") {
        "tar.xz"
    } else {
        "tar.zst"
    };
    format!("{package}_{version}_amd64.{ending}")
}

/// The files of the index: what is on the storage already, or else the known ones.
fn files(world: &World) -> Vec<(String, String, String, String)> {
    let own: Vec<_> = world
        .volumes
        .keys()
        .filter_map(|volume| volume.strip_prefix("local:vztmpl/"))
        .map(|file| {
            let mut parts = file.splitn(3, '_');
            let package = parts.next().unwrap_or(file).to_owned();
            let version = parts.next().unwrap_or("1").to_owned();
            let os = package.trim_end_matches("-standard").to_owned();
            (file.to_owned(), package, version, os)
        })
        .collect();
    if !own.is_empty() {
        return own;
    }
    let known = KNOWN.iter().map(|(package, version, os)| {
        (
            file(package, version),
            (*package).to_owned(),
            (*version).to_owned(),
            (*os).to_owned(),
        )
    });
    known.collect()
}

fn list(world: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(files(world)
        .into_iter()
        .map(|(file, package, version, os)| {
            json!({
                "architecture": "amd64",
                "description": format!("{package} {version}\n A small system, made for tests.\n"),
                "headline": format!("{package} {version}"),
                "infopage": "https://pve.proxmox.com/wiki/Linux_Container#pct_supported_distributions",
                "location": format!("system/{file}"),
                "maintainer": "Proxmox Support Team <support@proxmox.com>",
                "md5sum": "0".repeat(32),
                "os": os,
                "package": package,
                "section": "system",
                "sha512sum": "0".repeat(128),
                "source": "http://download.proxmox.com/images",
                "template": file,
                "type": "lxc",
                "version": version,
            })
        })
        .collect())
}

fn fetch(world: &mut World, call: &mut Call<'_>) -> Answer {
    let template = call.text("template");
    if !files(world).iter().any(|(file, ..)| *file == template) {
        return Err(Fail::param("template", "no such template"));
    }
    let storage = call.text("storage");
    if !world.usable_storage(&storage)?.offers("vztmpl") {
        return Err(Fail::die(format!(
            "storage '{storage}' does not support templates"
        )));
    }
    let url = format!("http://download.proxmox.com/images/system/{template}");
    let work = Work::Copy(Copy::template(&storage, &template, url));
    Ok(json!(world.spawn(call, "download", &template, work)))
}

impl Copy {
    fn template(storage: &str, file: &str, url: String) -> Self {
        Self {
            volume: format!("{storage}:vztmpl/{file}"),
            content: "vztmpl".to_owned(),
            size: 126_515_062,
            spool: None,
            checksum: None,
            url: Some(url),
        }
    }
}
