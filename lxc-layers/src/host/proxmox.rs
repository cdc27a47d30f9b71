//! The host that is a Proxmox VE, through its API.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use proxmox_api::{
    Client, Delivery, Error as ApiError, ErrorKind, Method, NodeName, Task, TaskOutcome, Upid,
    task::TaskState,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Act, Error, Fetch, Host, Kind, Place, TaskEnd, TaskId};
use crate::{
    plan::{Access, Guest, GuestConfig, GuestKind, Identity, Observed, Status},
    spec::Vmid,
    wait,
};

/// A Proxmox VE cluster, reached through any of its nodes.
#[derive(Debug, Clone)]
pub struct ProxmoxHost {
    client: Client,
    identity: Identity,
}

impl ProxmoxHost {
    /// The cluster that `client` speaks to, as `identity`.
    #[must_use]
    pub fn new(client: Client, identity: Identity) -> Self {
        Self { client, identity }
    }

    async fn get<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: &Value,
    ) -> Result<T, Error> {
        let called = self.client.call(Method::Get, path, query).await;
        called.map_err(wrap)
    }

    /// A call whose answer is the name of a task, or nothing.
    async fn change(
        &self,
        method: Method,
        path: &str,
        parameters: &Value,
    ) -> Result<Option<TaskId>, Error> {
        let answer: Value = self
            .client
            .call(method, path, parameters)
            .await
            .map_err(wrap)?;
        Ok(answer.as_str().map(|upid| TaskId(upid.to_owned())))
    }
}

/// The shortest and the longest pause between two looks at a task.
const LOOKS: (Duration, Duration) = (Duration::from_millis(25), Duration::from_secs(1));

/// Looks at a task while it runs, at pauses of a sixteenth of the time it has run: what is lost by
/// looking late stays small against the task itself. Gives what is left of the limit.
async fn until_it_ends(task: &Task, limit: Duration) -> Duration {
    let began = Instant::now();
    loop {
        let runs = matches!(task.status().await, Ok(status) if status.state == TaskState::Running);
        let left = limit.saturating_sub(began.elapsed());
        if !runs || left.is_zero() {
            return left;
        }
        wait::pause(next_look(began.elapsed()).min(left)).await;
    }
}

/// How long to wait before the next look at a task that has run for so long.
#[must_use]
pub fn next_look(ran: Duration) -> Duration {
    (ran / 16).clamp(LOOKS.0, LOOKS.1)
}

/// The path of a node; its name is checked first, so that it cannot reach beyond its place.
fn node_path(node: &str) -> Result<String, Error> {
    let name: NodeName = node
        .parse()
        .map_err(|error| Error::new(Kind::Refused, error))?;
    Ok(format!("/nodes/{name}"))
}

fn guest_path(place: &Place) -> Result<String, Error> {
    Ok(format!("{}/lxc/{}", node_path(&place.node)?, place.vmid))
}

fn storage_path(node: &str, storage: &str) -> Result<String, Error> {
    let name: proxmox_api::StorageId = storage
        .parse()
        .map_err(|error| Error::new(Kind::Refused, error))?;
    Ok(format!("{}/storage/{name}", node_path(node)?))
}

/// A row of `/cluster/resources`, as far as it is of use.
#[derive(Debug, Deserialize)]
struct Row {
    #[serde(rename = "type")]
    kind: String,
    node: Option<String>,
    storage: Option<String>,
    status: Option<String>,
    vmid: Option<u32>,
    name: Option<String>,
    pool: Option<String>,
    tags: Option<String>,
    mem: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Volume {
    volid: String,
}

#[derive(Debug, Deserialize)]
struct Appliance {
    template: String,
}

#[derive(Debug, Deserialize)]
struct ActiveTask {
    upid: String,
    endtime: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Current {
    status: String,
}

/// A line of `…/pending`.
#[derive(Debug, Deserialize)]
struct Line {
    key: String,
    value: Option<Value>,
    pending: Option<Value>,
    delete: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Interface {
    name: String,
    inet: Option<String>,
}

#[async_trait]
impl Host for ProxmoxHost {
    async fn survey(&self) -> Result<Observed, Error> {
        let rows: Vec<Row> = self.get("/cluster/resources", &json!({})).await?;
        let mut world = Observed {
            access: self.access().await?,
            ..Observed::default()
        };
        for row in rows {
            enter(&mut world, row);
        }
        Ok(world)
    }

    async fn config(&self, place: &Place) -> Result<Option<GuestConfig>, Error> {
        let path = format!("{}/pending", guest_path(place)?);
        let lines: Vec<Line> = match self.get(&path, &json!({})).await {
            Ok(lines) => lines,
            Err(error) if error.kind() == Kind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(configuration(lines)))
    }

    async fn status(&self, place: &Place) -> Result<Option<Status>, Error> {
        let path = format!("{}/status/current", guest_path(place)?);
        match self.get::<Current>(&path, &json!({})).await {
            Ok(current) if current.status == "running" => Ok(Some(Status::Running)),
            Ok(_) => Ok(Some(Status::Stopped)),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn address(&self, place: &Place) -> Result<Option<Ipv4Addr>, Error> {
        let path = format!("{}/interfaces", guest_path(place)?);
        let interfaces: Option<Vec<Interface>> = self.get(&path, &json!({})).await?;
        let found = interfaces
            .into_iter()
            .flatten()
            .filter(|it| it.name != "lo");
        let addresses = found.filter_map(|it| it.inet?.split('/').next()?.parse().ok());
        Ok(addresses.into_iter().next())
    }

    async fn templates(&self, node: &str, storage: &str) -> Result<Vec<String>, Error> {
        let path = format!("{}/content", storage_path(node, storage)?);
        let volumes: Vec<Volume> = self.get(&path, &json!({"content": "vztmpl"})).await?;
        Ok(volumes.into_iter().map(|it| it.volid).collect())
    }

    async fn catalogue(&self, node: &str) -> Result<Vec<String>, Error> {
        let path = format!("{}/aplinfo", node_path(node)?);
        let appliances: Vec<Appliance> = self.get(&path, &json!({})).await?;
        Ok(appliances.into_iter().map(|it| it.template).collect())
    }

    async fn fetch(&self, node: &str, storage: &str, what: &Fetch) -> Result<TaskId, Error> {
        let task = match what {
            Fetch::Appliance { template } => {
                let path = format!("{}/aplinfo", node_path(node)?);
                let parameters = json!({"storage": storage, "template": template});
                self.change(Method::Post, &path, &parameters).await?
            }
            Fetch::Url {
                url,
                file,
                algorithm,
                checksum,
            } => {
                let path = format!("{}/download-url", storage_path(node, storage)?);
                let parameters = json!({
                    "content": "vztmpl",
                    "filename": file,
                    "url": url,
                    "checksum": checksum,
                    "checksum-algorithm": algorithm,
                });
                self.change(Method::Post, &path, &parameters).await?
            }
        };
        task.ok_or_else(|| Error::new(Kind::Refused, "the server made no task of it"))
    }

    async fn act(&self, place: &Place, act: &Act) -> Result<Option<TaskId>, Error> {
        let guest = guest_path(place)?;
        let (method, path, parameters) = match act {
            Act::Create(parameters) => (
                Method::Post,
                format!("{}/lxc", node_path(&place.node)?),
                json!(parameters),
            ),
            Act::Configure {
                set,
                delete,
                digest,
            } => (
                Method::Put,
                format!("{guest}/config"),
                configure(set, delete, digest.as_deref()),
            ),
            Act::Resize { disk, size, digest } => (
                Method::Put,
                format!("{guest}/resize"),
                some(json!({"disk": disk, "size": size, "digest": digest})),
            ),
            Act::Move {
                disk,
                storage,
                digest,
            } => (
                Method::Post,
                format!("{guest}/move_volume"),
                some(json!({"volume": disk, "storage": storage, "delete": 1, "digest": digest})),
            ),
            Act::Migrate { to } => (
                Method::Post,
                format!("{guest}/migrate"),
                json!({"target": to, "restart": 1}),
            ),
            Act::Pool { from, to } => {
                return self
                    .repool(place.vmid, from.as_deref(), to.as_deref())
                    .await;
            }
            Act::Start => (Method::Post, format!("{guest}/status/start"), json!({})),
            Act::Shutdown { limit } => (
                Method::Post,
                format!("{guest}/status/shutdown"),
                json!({"forceStop": 1, "timeout": limit.as_secs().max(1)}),
            ),
            Act::Reboot => (Method::Post, format!("{guest}/status/reboot"), json!({})),
            Act::Destroy => (Method::Delete, guest, json!({"purge": 1})),
        };
        self.change(method, &path, &parameters).await
    }

    async fn finish(&self, task: &TaskId, limit: Duration) -> Result<TaskEnd, Error> {
        let upid: Upid = task
            .0
            .parse()
            .map_err(|error| Error::new(Kind::Refused, error))?;
        let task = self.client.task(upid.clone());
        let left = until_it_ends(&task, limit).await;
        match task.wait(left).await {
            Ok(TaskOutcome::Warnings(_, lines)) => Ok(TaskEnd::Warnings(lines)),
            Ok(_) => Ok(TaskEnd::Ok),
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                let words = format!("the task {upid} still runs after {limit:?}, and goes on");
                Err(Error::new(Kind::Overdue, words))
            }
            Err(error) => Err(wrap(error)),
        }
    }

    async fn running_tasks(&self, place: &Place) -> Result<Vec<TaskId>, Error> {
        let path = format!("{}/tasks", node_path(&place.node)?);
        let query = json!({"source": "active", "vmid": place.vmid.get()});
        let tasks: Vec<ActiveTask> = self.get(&path, &query).await?;
        let running = tasks.into_iter().filter(|it| it.endtime.is_none());
        Ok(running.map(|it| TaskId(it.upid)).collect())
    }
}

impl ProxmoxHost {
    /// What the one who speaks may do; nothing is known when even asking is denied.
    async fn access(&self) -> Result<Access, Error> {
        let asked = self
            .get::<BTreeMap<String, Map<String, Value>>>("/access/permissions", &json!({}))
            .await;
        let answered = match asked {
            Ok(answered) => answered,
            Err(error) if error.kind() == Kind::Denied => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        let privileges = answered.into_iter().map(|(path, privileges)| {
            let below = privileges
                .into_iter()
                .map(|(name, propagates)| (name, truth(&propagates)));
            (path, below.collect())
        });
        Ok(Access {
            identity: self.identity.clone(),
            privileges: privileges.collect(),
        })
    }

    /// A guest is in one pool at most; joining the next needs no leaving first.
    async fn repool(
        &self,
        vmid: Vmid,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Option<TaskId>, Error> {
        let parameters = match (from, to) {
            (_, Some(to)) => json!({"poolid": to, "vms": vmid.get(), "allow-move": 1}),
            (Some(from), None) => json!({"poolid": from, "vms": vmid.get(), "delete": 1}),
            (None, None) => return Ok(None),
        };
        self.change(Method::Put, "/pools", &parameters).await
    }
}

fn enter(world: &mut Observed, row: Row) {
    match (row.kind.as_str(), row.node) {
        ("node", Some(node)) if row.status.as_deref() == Some("online") => {
            world.nodes.insert(node);
        }
        ("storage", Some(node)) if row.status.as_deref() == Some("available") => {
            let storages = world.storages.entry(node).or_default();
            storages.extend(row.storage);
        }
        ("lxc" | "qemu", Some(node)) => {
            let Some(vmid) = row.vmid.and_then(|vmid| Vmid::try_from(vmid).ok()) else {
                return;
            };
            let runs = row.status.as_deref() == Some("running");
            let guest = Guest {
                kind: if row.kind == "lxc" {
                    GuestKind::Lxc
                } else {
                    GuestKind::Qemu
                },
                node,
                name: row.name,
                status: if runs {
                    Status::Running
                } else {
                    Status::Stopped
                },
                pool: row.pool,
                tags: row.tags,
                memory_used: row.mem.filter(|_| runs),
                config: None,
            };
            world.guests.insert(vmid, guest);
        }
        _ => {}
    }
}

fn configuration(lines: Vec<Line>) -> GuestConfig {
    let mut config = GuestConfig::default();
    for line in lines {
        let value = line.value.as_ref().and_then(text);
        match (line.key.as_str(), value) {
            ("digest", value) => config.digest = value,
            ("lock", value) => config.lock = value,
            (_, Some(value)) => {
                config.values.insert(line.key.clone(), value);
            }
            (_, None) => {}
        }
        if line.delete.as_ref().is_some_and(truth) {
            config.pending.insert(line.key, None);
        } else if let Some(pending) = line.pending.as_ref().and_then(text) {
            config.pending.insert(line.key, Some(pending));
        }
    }
    config
}

/// A scalar as text; lists, such as the raw `lxc` lines, are none.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(u8::from(*truth).to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a flag, however it is written, is set.
fn truth(value: &Value) -> bool {
    !matches!(text(value).as_deref(), None | Some("" | "0"))
}

fn configure(set: &BTreeMap<String, String>, delete: &[String], digest: Option<&str>) -> Value {
    let mut parameters: Map<String, Value> = set
        .iter()
        .map(|(field, value)| (field.clone(), json!(value)))
        .collect();
    if !delete.is_empty() {
        parameters.insert("delete".to_owned(), json!(delete.join(",")));
    }
    if let Some(digest) = digest {
        parameters.insert("digest".to_owned(), json!(digest));
    }
    Value::Object(parameters)
}

/// Without what is not there: a `null` on the wire would be stored as a blank.
fn some(mut parameters: Value) -> Value {
    if let Value::Object(fields) = &mut parameters {
        fields.retain(|_, value| !value.is_null());
    }
    parameters
}

/// What the engine makes of an error of the client.
fn wrap(error: ApiError) -> Error {
    let kind = match error.kind() {
        ErrorKind::NotFound => Kind::NotFound,
        ErrorKind::AlreadyExists => Kind::AlreadyExists,
        ErrorKind::Locked | ErrorKind::LockTimeout | ErrorKind::NoQuorum => Kind::Busy,
        ErrorKind::Modified => Kind::Changed,
        ErrorKind::Denied | ErrorKind::RootOnly | ErrorKind::NeedsTicket => Kind::Denied,
        ErrorKind::Unauthorized | ErrorKind::SecondFactor => Kind::Unauthorized,
        ErrorKind::NotRunning | ErrorKind::AlreadyRunning => Kind::AlreadySo,
        ErrorKind::Untrusted => Kind::Untrusted,
        _ if is_full(&error.to_string()) => Kind::Full,
        // Two started it at the same time, and one of their tasks came late.
        ErrorKind::TaskFailed if error.to_string().ends_with("already running") => Kind::AlreadySo,
        ErrorKind::TaskFailed if is_lock(&error.to_string()) => Kind::Busy,
        ErrorKind::TaskFailed => Kind::TaskFailed,
        _ if is_same_size(&error.to_string()) => Kind::AlreadySo,
        _ => match error.delivery() {
            Delivery::NotSent if error.kind() == ErrorKind::Unusable => Kind::Refused,
            Delivery::NotSent => Kind::Unreachable,
            Delivery::Unknown => Kind::Lost,
            Delivery::Answered => Kind::Refused,
        },
    };
    Error::new(kind, error)
}

/// Whether a task failed because something else held a lock, as `PVE::AbstractConfig` and
/// `PVE::Tools::lock_file` say it.
fn is_lock(message: &str) -> bool {
    message.contains("got timeout") || message.contains(" is locked (")
}

/// Whether a storage has no room left, as the tools below Proxmox VE's storages say it.
fn is_full(message: &str) -> bool {
    let signs = [
        "not enough free space",
        "insufficient free space",
        "out of space",
        "No space left on device",
        "Disk quota exceeded",
    ];
    signs.iter().any(|sign| message.contains(sign))
}

/// Whether a resize found nothing to do, as `PVE::API2::LXC` says it.
fn is_same_size(message: &str) -> bool {
    message.contains("disk is already at specified size")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn one_answer_tells_what_is_and_what_waits() {
        let config = configuration(vec![
            line(r#"{"key":"cores","value":2}"#),
            line(r#"{"key":"features","value":"nesting=1","pending":"nesting=0"}"#),
            line(r#"{"key":"swap","value":512,"delete":1}"#),
            line(r#"{"key":"tty","pending":4}"#),
            line(r#"{"key":"digest","value":"abc"}"#),
            line(r#"{"key":"lock","value":"backup"}"#),
            line(r#"{"key":"lxc","value":[["lxc.idmap","u 0 100000 65536"]]}"#),
        ]);
        assert_eq!(config.values["cores"], "2");
        assert_eq!(config.pending["features"], Some("nesting=0".to_owned()));
        assert_eq!(config.pending["swap"], None);
        assert_eq!(config.pending["tty"], Some("4".to_owned()));
        assert_eq!(config.digest.as_deref(), Some("abc"));
        assert_eq!(config.lock.as_deref(), Some("backup"));
        assert!(!config.values.contains_key("lxc") && !config.values.contains_key("tty"));
    }

    #[test]
    fn a_node_name_cannot_reach_beyond_its_place() {
        let error = node_path("pve1/../..").unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        assert_eq!(node_path("pve1").unwrap(), "/nodes/pve1");
    }

    #[test]
    fn what_is_absent_is_not_sent() {
        let sent = some(json!({"disk": "rootfs", "digest": null}));
        assert_eq!(sent, json!({"disk": "rootfs"}));
    }
}
