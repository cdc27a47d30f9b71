//! Backups: dumping containers, their schedule, and looking into an archive.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::World;
use super::guest::section;
use super::property::split_list;
use super::reply::Fail;
use super::route::{Answer, Call, Handler};
use super::storage::Volume;
use super::work::Work;

/// A backup to be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Dump {
    vmids: Vec<u32>,
    storage: String,
    mode: String,
    ending: String,
    owner: String,
    notes: Option<String>,
    protected: bool,
}

pub(crate) fn handler(method: &str, path: &str) -> Option<Handler> {
    Some(match (method, path) {
        ("POST", "/nodes/{node}/vzdump") => start,
        ("GET", "/nodes/{node}/vzdump/extractconfig") => extract,
        ("GET", "/nodes/{node}/vzdump/defaults") => defaults,
        ("GET", "/cluster/backup") => jobs,
        ("POST", "/cluster/backup") => create_job,
        ("GET", "/cluster/backup/{id}") => read_job,
        ("PUT", "/cluster/backup/{id}") => update_job,
        ("DELETE", "/cluster/backup/{id}") => delete_job,
        ("GET", "/cluster/backup-info/not-backed-up") => not_backed_up,
        _ => return None,
    })
}

fn start(world: &mut World, call: &mut Call<'_>) -> Answer {
    let storage = call
        .optional("storage")
        .unwrap_or_else(|| "local".to_owned());
    let vmids: Vec<u32> = match call.optional("vmid") {
        Some(list) => split_list(&list)
            .filter_map(|vmid| vmid.parse().ok())
            .collect(),
        None if call.flag("all") => world.guests.keys().copied().collect(),
        None => match call
            .optional("pool")
            .and_then(|pool| world.pools.get(&pool))
        {
            Some(pool) => pool.guests.iter().copied().collect(),
            None => return Err(Fail::param("vmid", "property is missing")),
        },
    };
    let path = format!("/storage/{storage}");
    world.check(&call.identity, &path, &["Datastore.AllocateSpace"])?;
    let ending = match call.optional("compress").as_deref() {
        Some("zstd") => "tar.zst",
        Some("gzip" | "1") => "tar.gz",
        Some("lzo") => "tar.lzo",
        _ => "tar",
    };
    let id = if vmids.len() == 1 {
        vmids[0].to_string()
    } else {
        String::new()
    };
    let dump = Dump {
        vmids,
        storage,
        mode: call
            .optional("mode")
            .unwrap_or_else(|| "snapshot".to_owned()),
        ending: ending.to_owned(),
        owner: call.identity.clone(),
        notes: call.optional("notes-template"),
        protected: call.flag("protected"),
    };
    if dump.vmids.is_empty() {
        return Ok(json!("OK"));
    }
    Ok(json!(world.spawn(
        call,
        "vzdump",
        &id,
        Work::Backup(Box::new(dump))
    )))
}

pub(crate) fn begin(world: &World, dump: &Dump, log: &mut Vec<String>) -> Result<(), Fail> {
    let list: Vec<String> = dump.vmids.iter().map(ToString::to_string).collect();
    log.push(format!(
        "INFO: starting new backup job: vzdump {} --storage {} --mode {}",
        list.join(" "),
        dump.storage,
        dump.mode
    ));
    if let Err(fail) = world.usable_storage(&dump.storage) {
        let name = &dump.storage;
        let text = fail.text();
        return Err(Fail::die(format!(
            "could not activate storage '{name}': {text} could not get storage information for '{name}': {text}"
        )));
    }
    Ok(())
}

pub(crate) fn finish(world: &mut World, dump: &Dump, log: &mut Vec<String>) -> Result<(), Fail> {
    let mut errors = 0;
    for vmid in &dump.vmids {
        if let Err(fail) = one(world, dump, *vmid, log) {
            log.push(format!(
                "ERROR: Backup of VM {vmid} failed - {}",
                fail.text()
            ));
            errors += 1;
        }
    }
    if errors > 0 {
        log.push("INFO: Backup job finished with errors".to_owned());
        return Err(Fail::die("job errors"));
    }
    log.push("INFO: Backup job finished successfully".to_owned());
    Ok(())
}

fn one(world: &mut World, dump: &Dump, vmid: u32, log: &mut Vec<String>) -> Result<(), Fail> {
    world.check(&dump.owner, &format!("/vms/{vmid}"), &["VM.Backup"])?;
    let Some(guest) = world.guests.get(&vmid).cloned() else {
        return Err(Fail::die(format!("unable to find VM '{vmid}'")));
    };
    log.push(format!("INFO: Starting Backup of VM {vmid} (lxc)"));
    log.push(format!(
        "INFO: Backup started at {}",
        written(world.now().secs(), "%Y-%m-%d %H:%M:%S")
    ));
    log.push(format!(
        "INFO: status = {}",
        if guest.running.is_some() {
            "running"
        } else {
            "stopped"
        }
    ));
    log.push(format!(
        "INFO: backup mode: {}",
        if guest.running.is_some() {
            dump.mode.as_str()
        } else {
            "stop"
        }
    ));
    log.push("INFO: ionice priority: 7".to_owned());
    log.push(format!("INFO: CT Name: {}", guest.name(vmid)));
    world.check_lock(vmid)?;
    let volume = name(world, dump, vmid);
    log.push(format!(
        "INFO: creating vzdump archive '{}'",
        world.file_of(&volume)
    ));
    let notes = dump.notes.as_ref().map(|text| {
        let node = world.node_name().to_owned();
        text.replace("{{guestname}}", &guest.name(vmid))
            .replace("{{vmid}}", &vmid.to_string())
            .replace("{{node}}", &node)
            .replace("\\n", "\n")
    });
    world.volumes.insert(
        volume,
        Volume {
            content: "backup".to_owned(),
            format: dump.ending.clone(),
            size: 50 << 20,
            ctime: world.now().secs(),
            vmid: Some(vmid),
            notes,
            protected: dump.protected,
            config: Some(section(&guest.config)),
        },
    );
    log.push("INFO: archive file size: 50MB".to_owned());
    log.push(format!("INFO: Finished Backup of VM {vmid} (00:00:01)"));
    Ok(())
}

/// The next free archive name: two backups of one second differ in their second.
fn name(world: &World, dump: &Dump, vmid: u32) -> String {
    (0..)
        .map(|late| {
            let time = written(world.now().secs() + late, "%Y_%m_%d-%H_%M_%S");
            format!(
                "{}:backup/vzdump-lxc-{vmid}-{time}.{}",
                dump.storage, dump.ending
            )
        })
        .find(|name| !world.volumes.contains_key(name))
        .unwrap_or_default()
}

fn written(secs: i64, format: &str) -> String {
    let time = jiff::Timestamp::from_second(secs).unwrap_or_default();
    time.strftime(format).to_string()
}

fn extract(world: &mut World, call: &mut Call<'_>) -> Answer {
    let volume = call.text("volume");
    world.check_volume(&call.identity, &volume, None, Some("backup"))?;
    let known = world
        .volumes
        .get(&volume)
        .and_then(|volume| volume.config.clone());
    known
        .map(Value::from)
        .ok_or_else(|| Fail::die(format!("volume '{volume}' does not exist")))
}

fn defaults(_: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(json!({
        "all": 0, "bwlimit": 0, "compress": "0", "ionice": 7, "lockwait": 180, "mode": "snapshot", "protected": 0,
        "prune-backups": {"keep-all": "1"}, "remove": 1, "storage": "local", "zstd": 1,
    }))
}

/// Takes a destroyed guest out of all jobs.
pub(crate) fn forget(world: &mut World, vmid: u32) {
    let id = vmid.to_string();
    for job in world.jobs.values_mut() {
        if let Some(list) = job.get_mut("vmid") {
            *list = split_list(&list.clone())
                .filter(|word| *word != id)
                .collect::<Vec<_>>()
                .join(",");
        }
    }
    world
        .jobs
        .retain(|_, job| job.get("vmid").is_none_or(|list| !list.is_empty()));
}

fn row(id: &str, job: &std::collections::BTreeMap<String, String>) -> Value {
    let mut row = Map::new();
    row.insert("id".into(), json!(id));
    row.insert("type".into(), json!("vzdump"));
    for (key, value) in job {
        let number = matches!(
            key.as_str(),
            "enabled" | "all" | "protected" | "quiet" | "repeat-missed" | "remove" | "bwlimit"
        );
        row.insert(
            key.clone(),
            value
                .parse::<i64>()
                .ok()
                .filter(|_| number)
                .map_or_else(|| json!(value), |number| json!(number)),
        );
    }
    Value::Object(row)
}

fn jobs(world: &mut World, _: &mut Call<'_>) -> Answer {
    Ok(world.jobs.iter().map(|(id, job)| row(id, job)).collect())
}

fn settings(call: &Call<'_>) -> std::collections::BTreeMap<String, String> {
    let own = call
        .params
        .keys()
        .filter(|key| !matches!(key.as_str(), "id" | "delete" | "node"));
    own.filter_map(|key| Some((key.clone(), call.optional(key)?)))
        .collect()
}

fn create_job(world: &mut World, call: &mut Call<'_>) -> Answer {
    let id = call
        .optional("id")
        .unwrap_or_else(|| format!("backup-{}", &world.chance.uuid()[..13]));
    if world.jobs.contains_key(&id) {
        return Err(Fail::die(format!("Job '{id}' already exists")));
    }
    let mut job = settings(call);
    if !["vmid", "all", "pool"]
        .iter()
        .any(|key| job.contains_key(*key))
    {
        return Err(Fail::param("vmid", "property is missing"));
    }
    job.entry("enabled".to_owned())
        .or_insert_with(|| "1".to_owned());
    world.jobs.insert(id, job);
    Ok(Value::Null)
}

fn known(world: &World, id: &str) -> Result<(), Fail> {
    if world.jobs.contains_key(id) {
        Ok(())
    } else {
        Err(Fail::param("id", format!("No such job '{id}'")))
    }
}

fn read_job(world: &mut World, call: &mut Call<'_>) -> Answer {
    let id = call.text("id");
    known(world, &id)?;
    Ok(row(&id, &world.jobs[&id]))
}

fn update_job(world: &mut World, call: &mut Call<'_>) -> Answer {
    let id = call.text("id");
    known(world, &id)?;
    let changes = settings(call);
    let job = world.jobs.entry(id).or_default();
    split_list(&call.text("delete")).for_each(|key| drop(job.remove(key)));
    job.extend(changes);
    Ok(Value::Null)
}

fn delete_job(world: &mut World, call: &mut Call<'_>) -> Answer {
    let id = call.text("id");
    known(world, &id)?;
    world.jobs.remove(&id);
    Ok(Value::Null)
}

fn not_backed_up(world: &mut World, _: &mut Call<'_>) -> Answer {
    let covered = |vmid: u32| {
        world.jobs.values().any(|job| {
            job.get("all").is_some_and(|all| all == "1")
                || job
                    .get("vmid")
                    .is_some_and(|list| split_list(list).any(|word| word == vmid.to_string()))
        })
    };
    let guests = world.guests.iter().filter(|(vmid, _)| !covered(**vmid));
    Ok(guests
        .map(|(vmid, guest)| json!({"vmid": vmid, "type": "lxc", "name": guest.name(*vmid)}))
        .collect())
}
