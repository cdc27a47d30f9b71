//! Gitea, from a stand-in that checks what it is given: steps, files, modes, commands.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::{
    bootstrap::{succeeded, text},
    control_plane::{World, run},
    scene::end_of,
};

/// Puts the stand-in into a world and gives its path.
fn stand_in(world: &World) -> String {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/container/gitea");
    let script = fs::read_to_string(template).unwrap();
    let script = script.replace("@PROXMOX_CI@", env!("CARGO_BIN_EXE_proxmox-ci"));
    let path = world.folder.path().join("gitea");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

async fn bootstrapped(world: &World, gitea: &str) -> std::process::Output {
    let arguments = ["--forge", "gitea", "--gitea", gitea];
    end_of(world.command(&arguments).spawn().unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gitea_is_installed_as_its_recipe_says() {
    let world = World::new().await;
    let gitea = stand_in(&world);
    let first = bootstrapped(&world, &gitea).await;
    succeeded(&first);
    assert!(text(&first.stderr).contains("password  "));
    let second = bootstrapped(&world, &gitea).await;
    succeeded(&second);
    assert!(
        text(&second.stdout).contains("nothing to do"),
        "{}",
        text(&second.stdout)
    );

    // Everything but `--version` and the making of secrets runs as the service's own user.
    let ran = fs::read_to_string(world.root().join("log/runuser")).unwrap();
    for verb in ["migrate", "admin user list", "admin user create"] {
        assert!(ran.contains(verb), "{verb}: {ran}");
    }
    assert!(!ran.contains("--password "), "{ran}");
    let mode = |name: &str| {
        let path = world.root().join("etc/proxmox-ci/gitea").join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    for name in [
        "app.ini",
        "secret_key",
        "internal_token",
        "jwt_secret",
        "runner_token",
    ] {
        assert_eq!(mode(name), 0o640, "{name}");
    }
    assert_eq!(mode("administrator.json"), 0o600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_whose_password_was_lost_gets_a_new_one() {
    let world = World::new().await;
    let gitea = stand_in(&world);
    succeeded(&bootstrapped(&world, &gitea).await);
    // As if the installation was killed after the user was made and before that was kept.
    let kept = world.root().join("etc/proxmox-ci/gitea/administrator.json");
    fs::remove_file(&kept).unwrap();
    let pid = world.root().join("units/proxmox-ci-forge.service.pid");
    let pid = fs::read_to_string(pid).unwrap().trim().to_owned();
    let script = "kill \"$1\"; for _ in $(seq 1200); do kill -0 \"$1\" 2>/dev/null || exit 0; sleep 0.05; done; exit 1";
    let arguments = ["-c", script, "sh", &pid].map(str::to_owned);
    assert!(run("sh", &arguments, Path::new("/")).status.success());
    succeeded(&bootstrapped(&world, &gitea).await);
    let line: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&kept).unwrap()).unwrap();
    assert_eq!(line["password"].as_str().unwrap().len(), 24);
    let service = world.service();
    let password = gitea_api::Secret::new(line["password"].as_str().unwrap());
    let own = service.with_auth(gitea_api::Auth::basic("operator", password));
    assert_eq!(own.me().get().await.unwrap().login, "operator");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_holds_the_keys_that_open_it() {
    let world = World::new().await;
    let gitea = stand_in(&world);
    succeeded(&bootstrapped(&world, &gitea).await);
    let out = world.folder.path().join("backup.tar");
    let root = world.root();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/container/inside");
    let script = format!(
        "PATH={}:$PATH INSIDE={} ROOT={} {} {}",
        here.display(),
        here.display(),
        root.display(),
        root.join("usr/local/sbin/proxmox-ci-forge-backup")
            .display(),
        out.display()
    );
    let done = run("sh", &["-c".to_owned(), script], Path::new("/"));
    assert!(done.status.success(), "{}", text(&done.stderr));
    let listed = run(
        "tar",
        &["-tf".to_owned(), out.display().to_string()],
        Path::new("/"),
    );
    let listed = text(&listed.stdout);
    for file in [
        "dump.tar",
        "./gitea/secret_key",
        "./gitea/internal_token",
        "./gitea/app.ini",
        "./forge.key",
    ] {
        assert!(listed.lines().any(|line| line == file), "{file}: {listed}");
    }
    let mode = fs::metadata(&out).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
}
