//! The three provisioners, with what runs inside the guest run on this machine.

use std::{collections::BTreeMap, fs, path::Path, sync::Mutex, time::Duration};

use lxc_layers::{
    guest::Guest as _,
    provision::{Error, Job, Mode, Outcome, provisioner},
    redact::Redactor,
    resolve::{Fingerprint, Provisioner, Step, Variable},
    spec::{Input, Secret},
};
use tempfile::TempDir;

use crate::support::{LocalGuest, write_executable};

/// A secret that must turn up nowhere.
const CANARY: &str = "canary-5e7d-secret";

struct Bench {
    root: TempDir,
    scratch: TempDir,
    guest: LocalGuest,
    step: Step,
    told: Mutex<Vec<String>>,
}

impl Bench {
    fn new(id: &'static str, tool: Provisioner) -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            scratch: tempfile::tempdir().unwrap(),
            guest: LocalGuest::new(Redactor::new([CANARY])),
            told: Mutex::default(),
            step: Step {
                id,
                provisioner: tool,
                folder: "containers/web".to_owned(),
                inputs: BTreeMap::new(),
                variables: BTreeMap::from([
                    (
                        "GREETING".to_owned(),
                        Variable::Plain("it's $me".to_owned()),
                    ),
                    ("TOKEN".to_owned(), Variable::Secret(Secret::new(CANARY))),
                ]),
                fingerprint: Fingerprint::from("f".repeat(64)),
                within: Duration::from_secs(120),
            },
        }
    }

    fn script(text: &str) -> Self {
        let tool = Provisioner::Script {
            script: "apply.sh".to_owned(),
        };
        Self::new("script", tool).with("apply.sh", text)
    }

    fn with(mut self, path: &str, content: &str) -> Self {
        let full = self.folder().join(path);
        write_executable(&full, content);
        let input = Input::of(content.as_bytes(), true);
        self.step.inputs.insert(path.to_owned(), input);
        self
    }

    fn folder(&self) -> std::path::PathBuf {
        self.root.path().join(&self.step.folder)
    }

    async fn run(&self, mode: Mode) -> Result<Outcome, Error> {
        let redactor = Redactor::new([CANARY]);
        let job = Job {
            step: &self.step,
            container: "web",
            root: self.root.path(),
            guest: &self.guest,
            scratch: self.scratch.path(),
            redactor: &redactor,
            on_line: &|_, line| self.told.lock().unwrap().push(line.to_owned()),
        };
        provisioner(&self.step.provisioner).run(&job, mode).await
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    /// No argument that was given to the guest holds the secret.
    fn assert_no_secret_in_arguments(&self) {
        for invocation in self.guest.invocations.lock().unwrap().iter() {
            let line = invocation.argv.join(" ");
            assert!(!line.contains(CANARY), "{line}");
        }
    }
}

fn holds(folder: &Path, needle: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.any(|path| {
        if path.is_dir() {
            holds(&path, needle)
        } else {
            String::from_utf8_lossy(&fs::read(path).unwrap()).contains(needle)
        }
    })
}

#[tokio::test]
async fn a_script_gets_its_folder_and_its_variables() {
    let bench =
        Bench::script("#!/bin/sh\ncat \"$(dirname \"$0\")/page\"; echo \"$GREETING ${#TOKEN}\"\n")
            .with("page", "hello\n");
    let outcome = bench.run(Mode::Apply).await.unwrap();
    assert_eq!(outcome, Outcome::Ran);
    assert_eq!(bench.told(), ["hello", "it's $me 18"]);
    bench.assert_no_secret_in_arguments();
    assert!(
        !holds(&bench.guest.place(), CANARY),
        "the environment stays"
    );
}

#[tokio::test]
async fn a_script_that_fails_gives_its_last_words() {
    let bench = Bench::script("#!/bin/sh\necho before\necho \"no such package\" >&2\nexit 3\n");
    let error = bench.run(Mode::Apply).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`script` ended with 3 in `containers/web`"
    );
    let last = std::error::Error::source(&error).unwrap().to_string();
    assert!(last.contains("no such package"), "{last}");
}

#[tokio::test]
async fn a_script_without_an_end_is_stopped() {
    // On a busy machine a script needs its time to begin.
    for seconds in [1, 5, 30] {
        let mut bench = Bench::script("#!/bin/sh\necho begun\nsleep 300\n");
        bench.step.within = Duration::from_secs(seconds);
        let error = bench.run(Mode::Apply).await.unwrap_err();
        assert!(
            matches!(error, Error::TimedOut { tool: "script", .. }),
            "{error:?}"
        );
        if bench.told() == ["begun"] {
            return;
        }
    }
    panic!("the script did not even begin");
}

#[tokio::test]
async fn a_script_cannot_be_tried_without_running() {
    let bench = Bench::script("#!/bin/sh\nexit 1\n");
    let outcome = bench.run(Mode::Check).await.unwrap();
    assert_eq!(outcome, Outcome::CannotCheck);
    assert!(bench.guest.invocations.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_file_that_changed_since_the_plan_is_not_sent() {
    let bench = Bench::script("#!/bin/sh\n");
    fs::write(bench.folder().join("apply.sh"), "#!/bin/sh\nrm -rf /\n").unwrap();
    let error = bench.run(Mode::Apply).await.unwrap_err();
    assert!(matches!(error, Error::InputChanged { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_of_yesterday_is_not_there_today() {
    let bench = Bench::script("#!/bin/sh\nls\n").with("old", "");
    bench.run(Mode::Apply).await.unwrap();
    let mut bench = bench;
    bench.step.inputs.remove("old");
    bench.told.lock().unwrap().clear();
    bench.run(Mode::Apply).await.unwrap();
    assert_eq!(bench.told(), ["apply.sh"]);
}

#[tokio::test]
async fn secrets_are_masked_in_what_a_script_says() {
    let bench = Bench::script("#!/bin/sh\necho \"token is $TOKEN\"\n");
    bench.run(Mode::Apply).await.unwrap();
    assert_eq!(bench.told(), ["token is [redacted]"]);
}

/// Verifies what it is given, and says what it was.
const CINC_CLIENT: &str = r#"#!/bin/sh
set -eu
echo "$0 $*" >>"$LOG"
[ "$1" = --local-mode ] && [ "$2" = --config ] && [ "$3" = client.rb ]
[ "$4" = --json-attributes ] && [ "$5" = attributes.json ] && [ "$6" = --no-color ]
[ "$(stat -c %a attributes.json)" = 600 ]
cp attributes.json "$LOG.attributes"
cp client.rb "$LOG.client"
find cookbooks -type f | sort >"$LOG.files"
mkdir nodes
cp attributes.json nodes/web.json
echo "Converging 1 resources"
"#;

fn cinc() -> Bench {
    let tool = Provisioner::Cinc {
        cookbook: "web".to_owned(),
        run_list: vec!["web::default".to_owned(), "recipe[web::tls]".to_owned()],
    };
    let bench = Bench::new("cinc", tool)
        .with("recipes/default.rb", "file '/tmp/x'\n")
        .with("attributes/default.rb", "default['a'] = 1\n");
    bench.guest.install("cinc-client", CINC_CLIENT);
    bench
}

#[tokio::test]
async fn cinc_gets_a_cookbook_attributes_and_a_run_list() {
    let bench = cinc();
    let outcome = bench.run(Mode::Apply).await.unwrap();
    assert_eq!(outcome, Outcome::Ran);
    assert_eq!(bench.told(), ["Converging 1 resources"]);
    let log = bench.guest.folder.path().join("log");
    let read = |suffix: &str| fs::read_to_string(format!("{}{suffix}", log.display())).unwrap();
    let attributes: serde_json::Value = serde_json::from_str(&read(".attributes")).unwrap();
    assert_eq!(
        attributes["run_list"],
        serde_json::json!(["recipe[web::default]", "recipe[web::tls]"])
    );
    assert_eq!(attributes["TOKEN"], CANARY);
    assert_eq!(
        read(".files"),
        "cookbooks/web/attributes/default.rb\ncookbooks/web/metadata.rb\ncookbooks/web/recipes/default.rb\n"
    );
    assert!(read(".client").contains("cookbook_path ['/var/lib/proxmox-ci/cinc/work/cookbooks']"));
    bench.assert_no_secret_in_arguments();
    assert!(!holds(&bench.guest.place(), CANARY), "a secret stays");
}

#[tokio::test]
async fn cinc_in_check_mode_asks_why() {
    let bench = cinc();
    bench.run(Mode::Check).await.unwrap();
    let log = fs::read_to_string(bench.guest.folder.path().join("log")).unwrap();
    assert!(log.trim().ends_with("--no-color --why-run"), "{log}");
}

#[tokio::test]
async fn chef_does_where_there_is_no_cinc() {
    let bench = cinc();
    let bin = bench.guest.folder.path().join("bin");
    fs::rename(bin.join("cinc-client"), bin.join("chef-client")).unwrap();
    bench.run(Mode::Apply).await.unwrap();
    let log = fs::read_to_string(bench.guest.folder.path().join("log")).unwrap();
    assert!(log.contains("/chef-client --local-mode"), "{log}");
}

#[tokio::test]
async fn a_guest_without_a_client_says_so() {
    let bench = cinc();
    fs::remove_file(bench.guest.folder.path().join("bin/cinc-client")).unwrap();
    let error = bench.run(Mode::Apply).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`cinc-client` is not installed in the guest"
    );
}

#[tokio::test]
async fn ansible_gets_one_host_and_its_variables_in_a_private_file() {
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: say\n      ansible.builtin.command: \"printf %s {{ TOKEN }}-{{ GREETING | length }}\"\n";
    let tool = Provisioner::Ansible {
        playbook: "play.yml".to_owned(),
    };
    let mut bench = Bench::new("ansible", tool).with("play.yml", playbook);
    bench.step.within = Duration::from_secs(180);
    let outcome = bench.run(Mode::Apply).await.unwrap();
    assert_eq!(outcome, Outcome::Changed(1));
    let told = bench.told();
    assert!(
        told.iter().any(|line| line.contains("TASK [say]")),
        "{told:?}"
    );
    assert!(
        !holds(bench.scratch.path(), CANARY),
        "variables stay on disk"
    );
    assert!(bench.guest.fetch("/nonexistent").await.unwrap().is_none());
    let checked = bench.run(Mode::Check).await.unwrap();
    assert_eq!(checked, Outcome::Changed(0));
}

#[tokio::test]
async fn a_playbook_that_fails_gives_the_task_that_failed() {
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: break\n      ansible.builtin.fail:\n        msg: the disk is round\n";
    let tool = Provisioner::Ansible {
        playbook: "play.yml".to_owned(),
    };
    let mut bench = Bench::new("ansible", tool).with("play.yml", playbook);
    bench.step.within = Duration::from_secs(180);
    let error = bench.run(Mode::Apply).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Failed {
                tool: "ansible-playbook",
                code: 2,
                ..
            }
        ),
        "{error:?}"
    );
    let last = std::error::Error::source(&error).unwrap().to_string();
    assert!(last.contains("the disk is round"), "{last}");
}
