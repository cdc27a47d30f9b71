//! What `runs`, `logs`, `doctor` and `runner` print, as a person reads it.

use std::{
    io::{BufRead as _, BufReader},
    process::Output,
};

use insta::assert_snapshot;

use super::{Control, hidden};
use crate::support::{fits, plain, program, told, visible};

impl Control {
    /// What is printed in the fleet's folder, in words and in colour, which must be the same words.
    async fn check(&self, name: &str, args: &[&str]) {
        let words = self.printed(args).await;
        assert_snapshot!(name, words);
        let coloured = self.printed(&[args, &["--color=always"]].concat()).await;
        assert_eq!(plain(&coloured), words, "{name}");
        if coloured.contains('\u{1b}') {
            assert_snapshot!(format!("{name}_coloured"), visible(&coloured));
        }
    }

    async fn printed(&self, args: &[&str]) -> String {
        let mut command = self.scene.command(args);
        let child = command.current_dir(self.scene.fleet()).spawn().unwrap();
        let output = crate::scene::end_of(child).await;
        // What jobs printed is theirs.
        if !args.contains(&"logs") {
            fits(&told(&output), 80);
        }
        self.masked(&output)
    }

    /// The words, with what differs from run to run made the same.
    fn masked(&self, output: &Output) -> String {
        let text = self.scene.told(output).replace(self.forge.url(), "FORGE");
        text.lines().map(|line| hidden(line) + "\n").collect()
    }

    /// Registers a runner in the folder `runner`.
    async fn registered(&self) {
        let token = &*self.forge.ready().runner_token;
        self.scene.write("runner.local.txt", token, 0o600);
        let url = self.forge.url();
        let register = [
            "runner",
            "register",
            "--url",
            url,
            "--token-file",
            "runner.local.txt",
            "--labels",
            "proxmox-ci",
            "--name",
            "r1",
            "--dir",
            "runner",
        ];
        self.check_once("runner_register", &register).await;
        self.check("runner_register_again", &register).await;
    }

    /// For what cannot be done twice.
    async fn check_once(&self, name: &str, args: &[&str]) {
        assert_snapshot!(name, self.printed(args).await);
    }

    /// Runs the registered runner until it says these words, then ends it as a service manager does.
    async fn carried_out(&self, last: &'static str) -> String {
        let mut command = self.scene.command(&["runner", "run", "--dir", "runner"]);
        let mut child = command.current_dir(self.scene.fleet()).spawn().unwrap();
        let said = tokio::task::spawn_blocking(move || {
            let mut said = String::new();
            for line in BufReader::new(child.stderr.take().unwrap()).lines() {
                said = said + &line.unwrap() + "\n";
                if said.ends_with(&format!("{last}\n")) {
                    let pid = child.id().to_string();
                    let ended = program("kill").args(["-TERM", &pid]).status();
                    assert!(ended.unwrap().success());
                }
            }
            assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
            said
        });
        said.await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runner_tells_what_it_takes_and_how_that_ends() {
    let control = Control::new().await;
    let nowhere = ["runner", "run", "--dir", "nowhere"];
    control.check("runner_run_unregistered", &nowhere).await;
    let bare = [
        "runner",
        "register",
        "--url",
        "http://127.0.0.1:1",
        "--dir",
        "nowhere",
    ];
    control.check("runner_register_no_token", &bare).await;
    control.registered().await;
    let said = control.carried_out("container-default: failure").await;
    fits(&said, 80);
    assert_snapshot!("runner_run", said);
    control.check("runs_ended", &["runs"]).await;
    control
        .check("runs_none", &["runs", "--branch", "other"])
        .await;
    control.check("logs", &["logs"]).await;
    control
        .check("logs_job", &["logs", "--job", "container-init"])
        .await;
    let followed = control
        .printed(&["logs", "--follow", "--within", "60"])
        .await;
    assert_snapshot!("logs_followed", followed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_tells_what_is_not_well_and_what_to_do() {
    let control = Control::new().await;
    control.check("doctor_no_control_plane", &["doctor"]).await;
    let env = "ID=110\nHOSTNAME=control\n";
    control.scene.write("config.env", env, 0o644);
    control.check("doctor", &["doctor"]).await;
}
