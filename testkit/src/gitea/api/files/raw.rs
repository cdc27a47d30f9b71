//! Files as they are: raw, as media, in archives; and what an editor should know of them.

use serde_json::{Map, Value, json};

use super::{CODE, tidy};
use crate::gitea::api::commits::{self, Addresses, broken};
use crate::gitea::api::repos::REPO;
use crate::gitea::call::Call;
use crate::gitea::clock::http_date;
use crate::gitea::git::{EntryKind, TreeEntry};
use crate::gitea::glob;
use crate::gitea::reply::{Answer, Body, Reply, TEXT};
use crate::gitea::router::{Need, Place, Route, Run};
use crate::gitea::scene::Scene;
use crate::gitea::world::World;

const READ: &[Need] = &[Need::Reader(CODE)];

pub(crate) const ROUTES: &[Route] = &[
    read("GET", "/repos/{owner}/{repo}/raw/*", raw),
    read("GET", "/repos/{owner}/{repo}/media/*", media),
    read("GET", "/repos/{owner}/{repo}/archive/*", archive),
    read("HEAD", "/repos/{owner}/{repo}/archive/*", archive),
    read("GET", "/repos/{owner}/{repo}/editorconfig/*", editorconfig),
    read("GET", "/repos/{owner}/{repo}/languages", languages),
    read("GET", "/repos/{owner}/{repo}/licenses", licenses),
];

const fn read(
    method: &'static str,
    path: &'static str,
    run: fn(&World, &Scene<'_>) -> Answer,
) -> Route {
    Route {
        method,
        path,
        place: Place::Repo,
        scopes: REPO,
        needs: READ,
        run: Run::Read(run),
    }
}

/// The commit of `?ref=` (an unknown one means the default branch), or of the first part of the path.
fn locate(world: &World, scene: &Scene<'_>) -> Result<(String, String, TreeEntry), Reply> {
    let repo = scene.repository(world)?;
    if repo.empty {
        return Err(Reply::not_found_because("repository is empty"));
    }
    let path = tidy(scene.call.param("*"));
    let asked = scene
        .call
        .query("ref")
        .filter(|name| !name.is_empty())
        .and_then(|name| commits::named(world, scene, name));
    let default =
        commits::named(world, scene, &repo.default_branch).ok_or_else(Reply::not_found)?;
    let head = asked.unwrap_or(default);
    if let Some(entry) = file_at(scene, &head, &path)? {
        return Ok((head, path, entry));
    }
    for (at, _) in path.match_indices('/') {
        let Some(head) = commits::named(world, scene, &path[..at]) else {
            continue;
        };
        if let Some(entry) = file_at(scene, &head, &path[at + 1..])? {
            return Ok((head, path[at + 1..].to_owned(), entry));
        }
    }
    Err(Reply::not_found())
}

fn file_at(scene: &Scene<'_>, head: &str, path: &str) -> Result<Option<TreeEntry>, Reply> {
    let tree = scene
        .git
        .commit(scene.repo, head)
        .map_err(broken(scene))?
        .tree;
    let found = scene
        .git
        .entry(scene.repo, &tree, path)
        .map_err(broken(scene))?;
    Ok(found.filter(|entry| matches!(entry.kind(), EntryKind::Blob | EntryKind::Link)))
}

fn raw(world: &World, scene: &Scene<'_>) -> Answer {
    let (head, path, entry) = locate(world, scene)?;
    let data = scene
        .git
        .object(scene.repo, &entry.id)
        .map_err(broken(scene))?
        .data;
    let last = scene
        .git
        .last_change(scene.repo, &head, &path)
        .map_err(broken(scene))?;
    let modified = http_date(
        scene
            .git
            .commit(scene.repo, &last)
            .map_err(broken(scene))?
            .committer
            .seconds,
    );
    let (etag, kind) = (
        format!("\"{}\"", entry.id),
        if entry.kind() == EntryKind::Link {
            "symlink"
        } else {
            "file"
        },
    );
    if scene
        .call
        .header("if-none-match")
        .is_some_and(|have| have.contains(&etag))
    {
        return Ok(Reply::empty(304)
            .with_header("x-gitea-object-type", kind)
            .with_header("etag", etag)
            .with_header("last-modified", modified));
    }
    let reply = ranged(scene.call, &data, content_type(&data));
    Ok(reply
        .with_header("content-disposition", disposition("inline", &path))
        .with_header("x-gitea-object-type", kind)
        .with_header("accept-ranges", "bytes")
        .with_header("cache-control", "private, max-age=300")
        .with_header("etag", etag)
        .with_header("last-modified", modified))
}

fn media(world: &World, scene: &Scene<'_>) -> Answer {
    let (_, path, entry) = locate(world, scene)?;
    let data = scene
        .git
        .object(scene.repo, &entry.id)
        .map_err(broken(scene))?
        .data;
    let kind = if entry.kind() == EntryKind::Link {
        "symlink"
    } else {
        "file"
    };
    Ok(ranged(scene.call, &data, content_type(&data))
        .with_header("content-disposition", disposition("inline", &path))
        .with_header("x-gitea-object-type", kind))
}

/// `inline; filename=a.sh`, quoted only where needed.
pub(crate) fn disposition(how: &str, path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let plain = name
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || "!#$&+-.^_`|~".contains(letter));
    match (plain, name.is_ascii()) {
        (true, _) => format!("{how}; filename={name}"),
        (false, true) => format!(
            "{how}; filename=\"{}\"",
            name.replace('\\', "\\\\").replace('"', "\\\"")
        ),
        (false, false) => {
            let encoded =
                percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
            format!("{how}; filename*=utf-8''{encoded}")
        }
    }
}

/// Text is text; everything else is bytes, or what its first bytes say.
pub(crate) fn content_type(data: &[u8]) -> &'static str {
    let head = &data[..data.len().min(1024)];
    match head {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
        _ if head.contains(&0) => "application/octet-stream",
        _ => TEXT,
    }
}

/// The whole, or the one range that was asked for.
fn ranged(call: &Call, data: &bytes::Bytes, kind: &'static str) -> Reply {
    let whole = || Reply::bytes(200, kind, data.clone());
    let Some(range) = call
        .header("range")
        .and_then(|range| range.strip_prefix("bytes="))
        .filter(|range| !range.contains(','))
    else {
        return whole();
    };
    let Some((from, to)) = range.split_once('-') else {
        return whole();
    };
    let size = data.len();
    let (start, end) = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) => (from, to.saturating_add(1).min(size)),
        (Ok(from), Err(_)) => (from, size),
        (Err(_), Ok(last)) => (size.saturating_sub(last), size),
        (Err(_), Err(_)) => return whole(),
    };
    if start >= end {
        return Reply::empty(416).with_header("content-range", format!("bytes */{size}"));
    }
    Reply::bytes(206, kind, data.slice(start..end))
        .with_header("content-range", format!("bytes {start}-{}/{size}", end - 1))
}

fn archive(world: &World, scene: &Scene<'_>) -> Answer {
    let asked = scene.call.param("*");
    let endings = [
        (".zip", "zip"),
        (".tar.gz", "tar.gz"),
        (".tgz", "tar.gz"),
        (".bundle", "bundle"),
    ];
    let Some((name, ending, format)) = endings.iter().find_map(|(ending, format)| {
        asked
            .strip_suffix(ending)
            .map(|name| (name, *ending, *format))
    }) else {
        return Err(Reply::error(400, format!("unknown format: {asked}")));
    };
    let Some(id) = commits::named_or_short(world, scene, name) else {
        return Err(Reply::error(
            404,
            format!("unrecognized repository reference: {name}"),
        ));
    };
    let repo = scene.repository(world)?;
    let prefix = format!("--prefix={}/", repo.name.to_lowercase());
    let mut arguments = match format {
        "bundle" => vec!["bundle", "create", "-q", "-", "HEAD"],
        format => vec![
            "archive",
            "--format",
            format,
            prefix.as_str(),
            "--end-of-options",
            id.as_str(),
        ],
    };
    let paths = archived_paths(scene, format)?;
    arguments.extend(paths.iter().map(String::as_str));
    let done = scene
        .git
        .run(scene.repo, &arguments)
        .map_err(broken(scene))?;
    if done.status != 0 && done.stderr.starts_with("fatal: pathspec") {
        return Err(Reply::error(400, "path doesn't exist or is invalid"));
    }
    if done.status != 0 {
        return Err(scene.internal(done.stderr.trim()));
    }
    let data = done.stdout;
    let addresses = Addresses::of(world, scene)?;
    let file = format!("{}-{}{ending}", repo.name, name.replace('/', "-"));
    let body = Body::Bytes("application/octet-stream", data.into());
    Ok(Reply {
        status: 200,
        headers: Vec::new(),
        body,
    }
    .with_header("content-disposition", disposition("attachment", &file))
    .with_header(
        "link",
        format!(
            "<{}/archive/{id}.{format}?rev={id}>; rel=\"immutable\"",
            addresses.api
        ),
    ))
}

/// The parts of the tree that were asked for; none are all of it.
fn archived_paths(scene: &Scene<'_>, format: &str) -> Result<Vec<String>, Reply> {
    let paths: Vec<String> = scene
        .call
        .query_all("path")
        .map(|path| match tidy(path) {
            tidy if tidy.is_empty() => ".".to_owned(),
            // Without magic: a file may have a colon at its beginning.
            tidy => format!(":(literal){tidy}"),
        })
        .collect();
    if format == "bundle" && !paths.is_empty() {
        let text = "cannot specify paths when requesting a bundle";
        return Err(Reply::error(400, text));
    }
    Ok(paths)
}

fn editorconfig(world: &World, scene: &Scene<'_>) -> Answer {
    let repo = scene.repository(world)?;
    if repo.empty {
        return Err(Reply::not_found_because("repository is empty"));
    }
    let asked = scene
        .call
        .query("ref")
        .filter(|name| !name.is_empty())
        .and_then(|name| commits::named(world, scene, name));
    let head = asked
        .or_else(|| commits::named(world, scene, &repo.default_branch))
        .ok_or_else(Reply::not_found)?;
    let text = scene
        .git
        .file(scene.repo, &head, ".editorconfig")
        .map_err(broken(scene))?
        .ok_or_else(Reply::not_found)?;
    let path = scene.call.param("*");
    let (mut applies, mut known) = (false, Map::new());
    for line in String::from_utf8_lossy(&text).lines().map(str::trim) {
        if let Some(pattern) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            let name = path.rsplit('/').next().unwrap_or_default();
            applies =
                glob::fits(pattern, path) || !pattern.contains('/') && glob::fits(pattern, name);
        } else if let Some((key, value)) = line
            .split_once('=')
            .filter(|_| applies && !line.starts_with(['#', ';']))
        {
            known.insert(
                key.trim().to_lowercase(),
                json!(value.trim().to_lowercase()),
            );
        }
    }
    Ok(Reply::ok(Value::Object(known)))
}

const LANGUAGES: [(&str, &str); 16] = [
    ("rs", "Rust"),
    ("go", "Go"),
    ("py", "Python"),
    ("js", "JavaScript"),
    ("ts", "TypeScript"),
    ("c", "C"),
    ("h", "C"),
    ("cpp", "C++"),
    ("java", "Java"),
    ("rb", "Ruby"),
    ("sh", "Shell"),
    ("html", "HTML"),
    ("css", "CSS"),
    ("php", "PHP"),
    ("lua", "Lua"),
    ("pl", "Perl"),
];

/// Bytes by language, told by the endings of names.
fn languages(world: &World, scene: &Scene<'_>) -> Answer {
    let repo = scene.repository(world)?;
    let mut sizes: Map<String, Value> = Map::new();
    if let Some(head) = commits::named(world, scene, &repo.default_branch) {
        let tree = scene
            .git
            .commit(scene.repo, &head)
            .map_err(broken(scene))?
            .tree;
        for path in scene
            .git
            .files_below(scene.repo, &head, "")
            .map_err(broken(scene))?
        {
            let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
            let Some((_, language)) = LANGUAGES.iter().find(|(have, _)| *have == ending) else {
                continue;
            };
            let Some(entry) = scene
                .git
                .entry(scene.repo, &tree, &path)
                .map_err(broken(scene))?
            else {
                continue;
            };
            let size = scene
                .git
                .object(scene.repo, &entry.id)
                .map_err(broken(scene))?
                .data
                .len() as u64;
            let sum = sizes
                .get(*language)
                .and_then(Value::as_u64)
                .unwrap_or_default()
                + size;
            sizes.insert((*language).to_owned(), json!(sum));
        }
    }
    Ok(Reply::ok(Value::Object(sizes)))
}

fn licenses(world: &World, scene: &Scene<'_>) -> Answer {
    Ok(Reply::ok(json!(scene.repository(world)?.licenses)))
}
