//! The half that runs in the job, told by a Git service with a real release and by a control plane
//! whose systemd is a stand-in.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use gitea_api::{
    Auth,
    api::{
        orgs::CreateOrg,
        repos::{CreateRepo, contents::CommitOptions, releases::CreateRelease},
    },
};
use lxc_layers::{
    guest::{HostKey, Invocation, Parcel},
    process::{Finished, OnLine, Program},
};
use tempfile::TempDir;
use testkit::forge::Forge;

use super::{build::checksum, *};

const BUILD: &[u8] = b"#!/bin/sh\necho proxmox-ci 0.3.1\n";

/// A control plane that is a folder of this machine.
struct Local {
    folder: PathBuf,
}

#[async_trait]
impl Guest for Local {
    fn called(&self) -> String {
        "local".to_owned()
    }

    async fn first_contact(&self, _: Duration) -> Result<Option<HostKey>, guest::Error> {
        Ok(None)
    }

    async fn wait_reachable(&self, _: Duration) -> Result<(), guest::Error> {
        Ok(())
    }

    async fn run<'a>(
        &self,
        asked: Invocation,
        on_line: OnLine<'a>,
    ) -> Result<Finished, guest::Error> {
        let path = format!("{}/bin:/usr/bin:/bin", self.folder.display());
        let program = Program::new(&asked.argv[0]).args(asked.argv[1..].iter().cloned());
        let ran = program
            .env("PATH", path)
            .env("FOLDER", &self.folder)
            .run(on_line);
        ran.await.map_err(|source| guest::Error::Program {
            guest: "local".to_owned(),
            source,
        })
    }

    async fn send(&self, files: Vec<Parcel>, directory: &str) -> Result<(), guest::Error> {
        fs::create_dir_all(directory).unwrap();
        for file in files {
            put(
                &Path::new(directory).join(file.path),
                &file.content,
                file.mode,
            );
        }
        Ok(())
    }

    async fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, guest::Error> {
        Ok(fs::read(path).ok())
    }

    fn inventory(&self) -> Result<BTreeMap<String, String>, guest::Error> {
        Ok(BTreeMap::new())
    }
}

fn put(path: &Path, content: &[u8], mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A control plane with a build that serves, and a Git service with a release of another one.
struct Scene {
    folder: TempDir,
    forge: Forge,
    client: Client,
    guest: Local,
}

impl Scene {
    async fn new(build: &[u8]) -> Self {
        let (folder, forge) = (tempfile::tempdir().unwrap(), Forge::start().await.unwrap());
        let token = Auth::token(&*forge.ready().root_token);
        let client = Client::builder(forge.url()).auth(token).build().unwrap();
        client
            .ensure_org(&CreateOrg::new("proxmox-ci"))
            .await
            .unwrap();
        let org = client.org("proxmox-ci");
        org.ensure_repo(&CreateRepo::new("proxmox-ci"))
            .await
            .unwrap();
        let repo = client.repo("proxmox-ci", "proxmox-ci");
        let options = CommitOptions::new().message("code");
        repo.commit(&options)
            .put("README.md", b"code\n")
            .send()
            .await
            .unwrap();
        let releases = repo.releases();
        let release = releases
            .create(&CreateRelease::new("v0.3.1"))
            .await
            .unwrap();
        let name = asset_name(&checksum(BUILD));
        releases.attach(release.id, &name, build).await.unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        // Nothing runs, and what would be started is written down.
        put(
            &bin.join("systemctl"),
            b"#!/bin/sh\necho \"$*\" >>\"$FOLDER/systemctl\"\ncase $1 in show) cat \"$FOLDER/running\" ;; esac\n",
            0o755,
        );
        put(&folder.path().join("running"), b"inactive\n", 0o644);
        put(&folder.path().join("proxmox-ci"), b"old", 0o755);
        let guest = Local {
            folder: folder.path().to_owned(),
        };
        Self {
            folder,
            forge,
            client,
            guest,
        }
    }

    fn upkeep(&self, sha256: String) -> Upkeep<'_> {
        Upkeep {
            guest: &self.guest,
            forge: &self.client,
            token: Some(Secret::new(&*self.forge.ready().root_token)),
            service: Service {
                url: self.forge.url().to_owned(),
                fingerprint: None,
            },
            repository: RepoPath::new("proxmox-ci", "proxmox-ci"),
            pin: Pin {
                version: "0.3.1".to_owned(),
                sha256,
            },
            layout: self.layout(),
            retry: Retry::Never,
        }
    }

    fn layout(&self) -> Layout {
        Layout {
            program: self.folder.path().join("proxmox-ci"),
            state: self.folder.path().join("state"),
            units: self.folder.path().to_owned(),
            ..Layout::default()
        }
    }

    fn started(&self) -> Option<String> {
        let asked = fs::read_to_string(self.folder.path().join("systemctl")).ok()?;
        asked
            .contains("start proxmox-ci-upkeep.service")
            .then_some(asked)
    }
}

#[tokio::test]
async fn the_pinned_build_lies_beside_and_a_unit_goes_on() {
    let scene = Scene::new(BUILD).await;
    let layout = scene.layout();
    let done = scene.upkeep(checksum(BUILD)).keep().await.unwrap();
    assert_eq!(done, Outcome::HandedOver);
    assert_eq!(fs::read(&layout.program).unwrap(), b"old");
    assert_eq!(fs::read(layout.next()).unwrap(), BUILD);
    let order = Order::read(&layout.order()).unwrap();
    // A person's token is nobody's job: there is none to wait for.
    assert_eq!(
        (order.pin.version.as_str(), order.job_token),
        ("0.3.1", None)
    );
    // What goes on is the build that serves now, and it comes back with the machine.
    assert_eq!(fs::read(layout.keeper()).unwrap(), b"old");
    let asked = scene.started().unwrap();
    assert!(
        asked.contains("enable --quiet proxmox-ci-upkeep.service"),
        "{asked}"
    );
    let unit = fs::read_to_string(layout.units.join("proxmox-ci-upkeep.service")).unwrap();
    let runs = format!(
        "ExecStart={} upkeep --settle {}\n",
        layout.keeper().display(),
        layout.order().display()
    );
    assert!(unit.contains(&runs) && !unit.contains('@'), "{unit}");
    let condition = format!("ConditionPathExists={}\n", layout.order().display());
    assert!(unit.contains(&condition), "{unit}");
    assert!(!(asked + &unit).contains(&*scene.forge.ready().root_token));
}

#[tokio::test]
async fn what_is_installed_already_is_left_alone() {
    let scene = Scene::new(BUILD).await;
    put(&scene.layout().program, BUILD, 0o755);
    let done = scene.upkeep(checksum(BUILD)).keep().await.unwrap();
    assert_eq!((done, scene.started()), (Outcome::Current, None));
}

#[tokio::test]
async fn an_attachment_with_other_bytes_goes_nowhere() {
    let scene = Scene::new(b"something else").await;
    let error = scene.upkeep(checksum(BUILD)).keep().await.unwrap_err();
    assert!(matches!(error, Error::Checksum { .. }), "{error}");
    assert!(!scene.layout().next().exists() && scene.started().is_none());
}

#[tokio::test]
async fn a_pin_without_a_release_or_a_build_is_told_by_name() {
    let scene = Scene::new(BUILD).await;
    let mut upkeep = scene.upkeep("ab".repeat(32));
    let error = upkeep.keep().await.unwrap_err();
    assert!(matches!(error, Error::NoBuild { name, .. } if name == "proxmox-ci-abababababab"));
    upkeep.pin.version = "9.9.9".to_owned();
    let error = upkeep.keep().await.unwrap_err();
    assert!(matches!(error, Error::NoRelease { tag, .. } if tag == "v9.9.9"));
}

#[tokio::test]
async fn a_build_that_says_another_version_there_is_not_handed_over() {
    let scene = Scene::new(BUILD).await;
    let mut upkeep = scene.upkeep(checksum(BUILD));
    let releases = scene.client.repo("proxmox-ci", "proxmox-ci").releases();
    let release = releases
        .create(&CreateRelease::new("v0.4.0"))
        .await
        .unwrap();
    let name = asset_name(&checksum(BUILD));
    releases.attach(release.id, &name, BUILD).await.unwrap();
    upkeep.pin.version = "0.4.0".to_owned();
    let error = upkeep.keep().await.unwrap_err();
    assert!(matches!(error, Error::Stranger { said, .. } if said == "proxmox-ci 0.3.1"));
    assert!(scene.started().is_none());
}

#[tokio::test]
async fn a_build_that_was_put_back_is_tried_again_only_when_told() {
    let scene = Scene::new(BUILD).await;
    let mut upkeep = scene.upkeep(checksum(BUILD));
    let record = Record {
        at: "2026-01-01T00:00:00Z".to_owned(),
        pin: upkeep.pin.clone(),
        verdict: Verdict::PutBack {
            because: "it does not answer".to_owned(),
        },
    };
    fs::create_dir(&upkeep.layout.state).unwrap();
    fs::write(upkeep.layout.record(), serde_json::to_vec(&record).unwrap()).unwrap();
    let error = upkeep.keep().await.unwrap_err();
    let because = std::error::Error::source(&error).unwrap().to_string();
    assert!(matches!(error, Error::PutBack { .. }) && because == "it does not answer");
    upkeep.retry = Retry::Again;
    assert_eq!(upkeep.keep().await.unwrap(), Outcome::HandedOver);
}

#[tokio::test]
async fn two_changes_at_once_do_not_meet() {
    let scene = Scene::new(BUILD).await;
    for state in ["active", "activating"] {
        fs::write(scene.folder.path().join("running"), format!("{state}\n")).unwrap();
        let error = scene.upkeep(checksum(BUILD)).keep().await.unwrap_err();
        assert!(matches!(error, Error::Busy), "{error}");
        assert!(!scene.layout().next().exists() && !scene.layout().order().exists());
    }
}
