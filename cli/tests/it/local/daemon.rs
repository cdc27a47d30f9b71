//! A daemon that speaks as much of the Docker API as `local` does, over a unix socket.
//!
//! It keeps containers and images and carries nothing out: a command in a container succeeds without
//! a word, and a container listens on no port. What `local` asks for is remembered.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

/// What a daemon has, and how it behaves.
#[derive(Debug, Default)]
struct World {
    images: BTreeMap<String, Value>,
    containers: BTreeMap<String, Value>,
    made: usize,
    ssh: u16,
    /// What a container keeps of what ran in it.
    note: Option<Vec<u8>>,
    /// A file that appears when a build begins, which then goes on until it is cut off.
    endless: Option<PathBuf>,
    /// What starting a container is refused with.
    refusal: Option<String>,
}

/// A daemon, for as long as this value lives.
pub(super) struct Daemon {
    folder: tempfile::TempDir,
    world: Arc<Mutex<World>>,
}

impl Daemon {
    /// One that has the base image of a new fleet.
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let world = World {
            images: BTreeMap::from([("debian:12".to_owned(), json!({}))]),
            ssh: greeter(),
            ..World::default()
        };
        let world = Arc::new(Mutex::new(world));
        let shared = Arc::clone(&world);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, world) = (stream.unwrap(), Arc::clone(&shared));
                thread::spawn(move || serve(&stream, &world));
            }
        });
        Self { folder, world }
    }

    /// Its socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// What `DOCKER_HOST` says of it.
    pub(super) fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Builds go on until they are cut off; the file that appears when one begins.
    pub(super) fn builds_without_end(&self) -> PathBuf {
        let begun = self.folder.path().join("begun");
        self.world.lock().unwrap().endless = Some(begun.clone());
        begun
    }

    /// Builds end again.
    pub(super) fn builds(&self) {
        self.world.lock().unwrap().endless = None;
    }

    /// Starting a container is refused with these words.
    pub(super) fn refuses_to_start(&self, words: &str) {
        self.world.lock().unwrap().refusal = Some(words.to_owned());
    }

    /// Names of its containers and of its images.
    pub(super) fn has(&self) -> (Vec<String>, Vec<String>) {
        let world = self.world.lock().unwrap();
        let names = world.containers.values();
        let names = names.map(|it| it["Name"].as_str().unwrap().to_owned());
        (names.collect(), world.images.keys().cloned().collect())
    }
}

/// A port of loopback behind which an ssh server seems to be.
fn greeter() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            drop(stream.write_all(b"SSH-2.0-none\r\n"));
        }
    });
    port
}

/// A question: method, path below the version, query, body.
struct Asked {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn serve(stream: &UnixStream, world: &Mutex<World>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(asked) = read(&mut reader) {
        let parts: Vec<&str> = asked.path.split('/').collect();
        match (asked.method.as_str(), &parts[..]) {
            ("POST", ["build"]) => return build(stream, &asked, world),
            ("POST", ["exec", kind, "start"]) => return execute(stream, kind, world),
            _ => {}
        }
        let (status, body) = answer(&asked, &mut world.lock().unwrap());
        say(stream, status, &body);
    }
}

/// A command in a container: the file of what ran in it is kept and shown, nothing else is done.
fn execute(mut stream: &UnixStream, kind: &str, world: &Mutex<World>) {
    let head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut given = Vec::new();
    match kind {
        "keep" => {
            stream.read_to_end(&mut given).unwrap();
            world.lock().unwrap().note = Some(only_file(&given));
        }
        "read" => {
            let note = world.lock().unwrap().note.clone().unwrap_or_default();
            let length = u32::try_from(note.len()).unwrap().to_be_bytes();
            // A frame of standard output.
            let frame = [&[1, 0, 0, 0], &length[..], &note].concat();
            stream.write_all(&frame).unwrap();
        }
        _ => {}
    }
}

/// The content of the first file of a tar archive.
fn only_file(archive: &[u8]) -> Vec<u8> {
    let size = std::str::from_utf8(&archive[124..135]).unwrap();
    let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).unwrap();
    archive[512..512 + size].to_vec()
}

fn say(mut stream: &UnixStream, status: u16, body: &Value) {
    let body = if status == 204 || body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    drop(stream.write_all((head + &body).as_bytes()));
}

fn read(reader: &mut BufReader<UnixStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else {
            break;
        };
        assert_ne!(name.to_ascii_lowercase(), "transfer-encoding", "{target}");
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let path = path.trim_start_matches('/');
    // `/v1.41/containers/json`
    let path = match path.split_once('/') {
        Some((version, rest)) if version.starts_with("v1.") => rest,
        _ => path,
    };
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(name, value)| (name.to_owned(), decoded(value)));
    Some(Asked {
        method,
        path: decoded(path),
        query: query.collect(),
        body,
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                let digits = std::str::from_utf8(&digits).unwrap();
                u8::from_str_radix(digits, 16).unwrap()
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// The labels that a filter asks for.
fn wanted(asked: &Asked) -> Vec<String> {
    let filters = asked.query.get("filters").map_or("{}", String::as_str);
    let filters: Value = serde_json::from_str(filters).unwrap();
    let labels = filters["label"].as_array().cloned().unwrap_or_default();
    labels
        .iter()
        .map(|it| it.as_str().unwrap().to_owned())
        .collect()
}

fn bears(labels: &Value, wanted: &[String]) -> bool {
    wanted.iter().all(|pair| match pair.split_once('=') {
        Some((name, value)) => labels[name] == value,
        None => labels[pair].is_string(),
    })
}

fn build(mut stream: &UnixStream, asked: &Asked, world: &Mutex<World>) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
    let step = json!({"stream": "Step 1/2 : FROM ${BASE}\n"}).to_string() + "\n";
    stream
        .write_all((head.to_owned() + &step).as_bytes())
        .unwrap();
    let endless = world.lock().unwrap().endless.clone();
    if let Some(begun) = endless {
        fs::write(begun, "").unwrap();
        // Until the other side goes away.
        return drop(stream.read(&mut [0]));
    }
    let labels: Value = serde_json::from_str(&asked.query["labels"]).unwrap();
    let name = asked.query["t"].clone();
    world.lock().unwrap().images.insert(name, labels);
    let end = json!({"stream": "Successfully built 0123456789ab\n"}).to_string();
    stream.write_all(end.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Both).unwrap();
}

fn missing() -> (u16, Value) {
    (404, json!({"message": "no such thing"}))
}

fn answer(asked: &Asked, world: &mut World) -> (u16, Value) {
    let parts: Vec<&str> = asked.path.split('/').collect();
    match (asked.method.as_str(), &parts[..]) {
        ("GET", ["version"]) => (200, json!({"ApiVersion": "1.41", "Components": []})),
        ("GET", ["info"]) => (200, json!({"CgroupVersion": "1"})),
        (_, ["images", ..]) => image(asked, world),
        (_, ["containers", ..]) => container(asked, &parts, world),
        ("GET", ["exec", id, "json"]) => {
            let is_missing = *id == "read" && world.note.is_none();
            (
                200,
                json!({"ExitCode": if is_missing { 44 } else { 0 }, "Running": false}),
            )
        }
        other => panic!("nobody answers {other:?}"),
    }
}

fn image(asked: &Asked, world: &mut World) -> (u16, Value) {
    let rest = asked.path.trim_start_matches("images/");
    match (asked.method.as_str(), rest.strip_suffix("/json")) {
        ("GET", None) if rest == "json" => {
            let wanted = wanted(asked);
            let all = world
                .images
                .iter()
                .filter(|(_, labels)| bears(labels, &wanted));
            let listed = all.map(|(name, labels)| {
                json!({"Id": name, "ParentId": "", "RepoTags": [name], "RepoDigests": [], "Created": 0,
                       "Size": 0, "SharedSize": 0, "Labels": labels, "Containers": 0})
            });
            (200, listed.collect())
        }
        ("GET", Some(name)) => match world.images.get(name) {
            Some(labels) => (200, json!({"Id": name, "Config": {"Labels": labels}})),
            None => missing(),
        },
        ("DELETE", _) => match world.images.remove(rest) {
            Some(_) => (200, json!([])),
            None => missing(),
        },
        other => panic!("nobody answers {other:?}"),
    }
}

fn container(asked: &Asked, parts: &[&str], world: &mut World) -> (u16, Value) {
    match (asked.method.as_str(), parts) {
        ("GET", ["containers", "json"]) => {
            let wanted = wanted(asked);
            let all = world.containers.iter();
            let ours = all.filter(|(_, it)| bears(&it["Config"]["Labels"], &wanted));
            let listed = ours.map(|(id, it)| json!({"Id": id, "Labels": it["Config"]["Labels"]}));
            (200, listed.collect())
        }
        ("POST", ["containers", "create"]) => {
            let config: Value = serde_json::from_slice(&asked.body).unwrap();
            let id = format!("{:012x}", world.made);
            world.made += 1;
            let made = made(&asked.query["name"], &config, world.ssh);
            world.containers.insert(id.clone(), made);
            (201, json!({"Id": id, "Warnings": []}))
        }
        ("DELETE", ["containers", id]) => {
            world.containers.remove(*id);
            world.note = None;
            (204, Value::Null)
        }
        // There is no systemd in it.
        ("HEAD", ["containers", _, "archive"]) => (404, Value::Null),
        ("PUT", ["containers", _, "archive"]) => (200, Value::Null),
        ("GET", ["containers", id, "json"]) => match world.containers.get(*id) {
            Some(it) => (200, it.clone()),
            None => missing(),
        },
        ("POST", ["containers", id, "start"]) => {
            if let Some(words) = &world.refusal {
                return (500, json!({"message": words}));
            }
            world.containers.get_mut(*id).unwrap()["State"]["Running"] = true.into();
            (204, Value::Null)
        }
        ("POST", ["containers", _, "exec"]) => {
            let body = String::from_utf8_lossy(&asked.body);
            let is_note = body.contains("/var/lib/proxmox-ci");
            let kind = match is_note {
                true if body.contains("exit 44") => "read",
                true => "keep",
                false => "run",
            };
            (201, json!({"Id": kind}))
        }
        other => panic!("nobody answers {other:?}"),
    }
}

/// A container as it is looked at: every port of it leads to the one that greets.
fn made(name: &str, config: &Value, ssh: u16) -> Value {
    let ports = config["ExposedPorts"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let bound = ports.keys().map(|port| {
        let to = json!([{"HostIp": "127.0.0.1", "HostPort": ssh.to_string()}]);
        (port.clone(), to)
    });
    json!({
        "Name": name,
        "Config": {"Labels": config["Labels"]},
        "State": {"Running": false},
        "NetworkSettings": {
            "Ports": Value::Object(bound.collect()),
            "Networks": {"bridge": {"IPAddress": "127.0.0.1"}},
        },
    })
}

/// A fleet of one container that needs no more than this daemon has.
pub(super) fn fleet(folder: &Path) {
    let write = |path: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        let full = folder.join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(&full, text).unwrap();
        fs::set_permissions(&full, fs::Permissions::from_mode(mode)).unwrap();
    };
    let text = "id = \"fleet-0123456789\"\n\n[defaults]\nnode = \"pve\"\nstorage = \"local\"\ntemplate = \"local:vztmpl/debian-12.tar.zst\"\n\n[network]\nsubnet = \"10.77.0.0/24\"\ngateway = \"10.77.0.1\"\nvmids = \"100-199\"\n";
    write("fleet.toml", text, 0o644);
    write("default/default.yml", "- hosts: all\n", 0o644);
    let web = "ID=111\nHEALTH=unit:web.service\nMOUNT=/srv/data:/data\nAFTER=db\n";
    write("containers/web/config.env", web, 0o644);
    write("containers/web/apply.sh", "#!/bin/sh\necho web\n", 0o755);
    write("containers/db/config.env", "ID=112\n", 0o644);
    write(
        "secrets.local.env",
        "FINGERPRINT_KEY=0123456789abcdef\n",
        0o600,
    );
}
