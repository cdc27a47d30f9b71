//! A change of the control plane's program that is killed on its way, and goes on when it is started
//! again. What belongs to a system is a stand-in; files, processes and the Git service are real.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::forge::Forge;

use crate::{
    control_plane::run,
    scene::end_of,
    support::{proxmox_ci, visible},
};

/// Where `killed` lies, it kills who asks for a restart.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >>"$FOLDER/asked"
case $1 in
  show)
    case "$*" in
      *ActiveState*) echo ActiveState=active; echo "MainPID=$(cat "$FOLDER/pid")" ;;
      *) cat "$FOLDER/pid" ;;
    esac ;;
  kill | stop) echo 0 >"$FOLDER/pid" ;;
  restart)
    [ ! -e "$FOLDER/killed" ] || { rm "$FOLDER/killed"; kill -KILL "$PPID"; exit 1; }
    echo 1 >"$FOLDER/pid" ;;
esac
"#;

/// A control plane that was told to change its program.
struct Told {
    folder: TempDir,
    forge: Forge,
}

impl Told {
    async fn new(put_back: Option<&str>) -> Self {
        let (folder, forge) = (tempfile::tempdir().unwrap(), Forge::start().await.unwrap());
        let told = Self { folder, forge };
        told.write("bin/systemctl", SYSTEMCTL, 0o755);
        told.write("pid", "1\n", 0o644);
        told.write("program", "old", 0o755);
        told.write("program.next", "new", 0o755);
        let sum = run("sha256sum", &[told.path("program.next")], Path::new("/"));
        let sum = String::from_utf8(sum.stdout).unwrap();
        let order = json!({
            "pin": {"version": "0.0.0", "sha256": sum.split_whitespace().next()},
            "service": {"url": told.forge.url()},
            "put_back": put_back,
            "layout": {
                "program": told.path("program"),
                "state": told.path("state"),
                "jobs": told.path("jobs"),
                "forge_unit": "forge.service",
                "runner_unit": "runner.service",
            },
        });
        told.write("state/order.json", &order.to_string(), 0o600);
        told
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = PathBuf::from(self.path(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    async fn settle(&self) -> Output {
        let mut command = proxmox_ci(&["upkeep", "--settle", &self.path("state/order.json")]);
        command
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin")))
            .env("FOLDER", self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        end_of(command.spawn().unwrap()).await
    }

    fn verdict(&self) -> String {
        let record: Value = serde_json::from_str(&self.read("state/last.json").unwrap()).unwrap();
        record["verdict"].as_str().unwrap().to_owned()
    }
}

#[track_caller]
fn ended(output: &Output, code: Option<i32>) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), code, "{}", visible(&said));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_was_killed_after_the_swap_is_judged_when_it_is_started_again() {
    let told = Told::new(None).await;
    told.write("killed", "", 0o644);
    ended(&told.settle().await, None);
    assert_eq!(told.read("program").unwrap(), "new", "it was swapped");
    assert!(told.read("state/order.json").is_some(), "the order stays");
    assert!(told.read("state/last.json").is_none(), "nothing was judged");

    ended(&told.settle().await, Some(0));
    assert_eq!(told.verdict(), "installed");
    assert_eq!(told.read("program").unwrap(), "new");
    assert_eq!(told.read("program.previous").unwrap(), "old");
    assert!(told.read("state/order.json").is_none());
    let asked = told.read("asked").unwrap();
    let drained = asked.find("kill --kill-who=main --signal=USR1 runner.service");
    assert!(
        drained.unwrap() < asked.find("stop runner.service").unwrap(),
        "{asked}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_was_being_put_back_is_put_back() {
    let told = Told::new(Some("it does not answer")).await;
    fs::hard_link(told.path("program"), told.path("program.previous")).unwrap();
    fs::rename(told.path("program.next"), told.path("program")).unwrap();
    told.write("killed", "", 0o644);
    ended(&told.settle().await, None);
    assert_eq!(told.read("program").unwrap(), "old");
    assert!(told.read("state/last.json").is_none(), "nothing was judged");

    ended(&told.settle().await, Some(3));
    assert_eq!(told.verdict(), "put-back");
    assert!(
        told.read("state/last.json")
            .unwrap()
            .contains("it does not answer")
    );
    assert_eq!(told.read("program").unwrap(), "old");
    assert!(told.read("state/order.json").is_none());
}
