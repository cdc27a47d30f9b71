//! The protocol over a world: no job twice, no line twice, no line lost.

use std::collections::BTreeSet;
use std::thread;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, proptest};
use proptest::{collection, prop_oneof};
use serde_json::{Value, json};

use super::log::append;
use crate::gitea::actions::stage::Stage;
use crate::gitea::actions::{Status, Task};
use crate::gitea::clock::Clock;
use crate::gitea::connect::{LogRow, UpdateLogRequest};
use crate::gitea::random::Random;
use crate::gitea::{Settings, World};

const UNREGISTERED: &str = "rpc error: code = Unauthenticated desc = unregistered runner";

fn one_job(more: &str) -> String {
    format!("  a:\n{more}    runs-on: x\n    steps: [{{run: echo}}, {{name: two, run: x}}]\n")
}

#[test]
fn who_is_not_known_is_told_so_in_the_words_of_the_real_server() {
    let stage = Stage::new();
    let runner = stage.runner(&["x"]);
    let wrong = super::super::actions::stage::Known {
        token: "0".repeat(40),
        ..runner.clone()
    };
    let cases = [
        ("Register", None, json!({}), "missing runner token, name"),
        (
            "Register",
            None,
            json!({"name": "n"}),
            "missing runner token, name",
        ),
        (
            "Register",
            None,
            json!({"name": "n", "token": "no"}),
            "runner registration token not found",
        ),
        ("Declare", None, json!({}), UNREGISTERED),
        ("FetchTask", Some(&wrong), json!({}), UNREGISTERED),
        (
            "UpdateTask",
            Some(&runner),
            json!({"state": {"id": "9"}}),
            "rpc error: code = Internal desc = update task: resource does not exist",
        ),
        (
            "UpdateLog",
            Some(&runner),
            json!({"taskId": "9"}),
            "rpc error: code = Internal desc = get task: task with id 9: resource does not exist",
        ),
        ("UpdateTask", Some(&runner), json!({}), "state is missing"),
    ];
    for (method, runner, message, expected) in cases {
        let told = stage.rpc(method, runner, &message);
        assert_eq!(told, Err(expected.to_owned()), "{method} {message}");
    }
}

#[test]
fn a_runner_declares_what_it_is_and_nothing_else_is_kept() {
    let stage = Stage::new();
    let runner = stage.runner(&["x", "linux:host"]);
    let message = json!({"version": "v9", "labels": ["a"]});
    let told = stage
        .rpc("Declare", Some(&runner), &message)
        .expect("an answer");
    let expected =
        json!({"id": "1", "uuid": runner.uuid, "name": "n", "version": "v9", "labels": ["a"]});
    assert_eq!(told["runner"], expected);
    let told = stage
        .rpc("Declare", Some(&runner), &json!({}))
        .expect("an answer");
    assert_eq!(
        told["runner"],
        json!({"id": "1", "uuid": runner.uuid, "name": "n"})
    );
}

#[test]
fn work_is_looked_for_when_the_version_is_not_the_current_one() {
    let stage = Stage::new();
    let runner = stage.runner(&["x"]);
    let fetch = |version: i64| {
        let message = json!({"tasksVersion": version.to_string()});
        stage
            .rpc("FetchTask", Some(&runner), &message)
            .expect("an answer")
    };
    assert_eq!(fetch(0), json!({"tasksVersion": "1"}));
    stage.workflow(&one_job(""));
    assert_eq!(fetch(2), json!({"tasksVersion": "2"}));
    assert_eq!(fetch(1)["task"]["id"], "1");
    assert_eq!(fetch(0), json!({"tasksVersion": "2"}));
    let path = "/repos/root1/r/actions/runners/1";
    assert_eq!(
        stage.told("PATCH", path, Some(json!({"disabled": true}))).0,
        200
    );
    assert_eq!(fetch(0), json!({"tasksVersion": "3"}));
}

#[test]
fn a_job_goes_to_a_runner_with_all_its_labels_in_its_scope() {
    let stage = Stage::new();
    let job = "  a:\n    runs-on: [x, y]\n    steps: [{run: echo}]\n";
    let one = stage.workflow(job);
    assert_eq!(stage.fetch(&one), None);
    let both = stage.runner(&["y", "x", "z"]);
    assert!(stage.fetch(&both).is_some());
}

#[test]
fn runners_that_race_never_get_the_same_job() {
    let stage = Stage::new();
    let numbers: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    let job = format!(
        "  m:\n    strategy: {{matrix: {{n: [{}]}}}}\n    runs-on: x\n    steps: [{{run: echo}}]\n",
        numbers.join(", ")
    );
    stage.workflow(&job);
    let runners: Vec<_> = (0..8).map(|_| stage.runner(&["x"])).collect();
    let taken: Vec<String> = thread::scope(|scope| {
        let take = |runner| {
            let stage = &stage;
            move || {
                std::iter::from_fn(|| stage.fetch(runner))
                    .map(|(task, _)| task)
                    .collect::<Vec<_>>()
            }
        };
        let threads: Vec<_> = runners
            .iter()
            .map(|runner| scope.spawn(take(runner)))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a thread"))
            .collect()
    });
    let once: BTreeSet<&String> = taken.iter().collect();
    assert_eq!((taken.len(), once.len()), (40, 40));
    let jobs = stage.gitea.read(|world, _| {
        world
            .actions
            .tasks
            .iter()
            .map(|(_, task)| task.job)
            .collect::<BTreeSet<_>>()
    });
    assert_eq!(jobs.len(), 40);
}

#[test]
fn a_task_whose_answer_was_lost_is_given_to_its_place_again_and_to_no_other() {
    let stage = Stage::new();
    let runner = stage.workflow(&one_job(""));
    let fetch = |headers: &[(&str, &str)]| {
        let told = stage.rpc_with("FetchTask", Some(&runner), &json!({}), headers);
        told.expect("an answer")["task"].clone()
    };
    let here = ("x-runner-place", "here");
    let first = fetch(&[here]);
    assert_eq!(first["id"], "1");
    assert_eq!(fetch(&[]), Value::Null, "nobody in particular");
    assert_eq!(
        fetch(&[("x-runner-place", "there")]),
        Value::Null,
        "another"
    );
    let holds = [here, ("x-runner-held", "3,1")];
    assert_eq!(fetch(&holds), Value::Null, "it has arrived");
    let again = fetch(&[here]);
    assert_eq!(again["id"], "1");
    assert_ne!(
        again["secrets"], first["secrets"],
        "the token is another one"
    );
    let message = json!({"state": {"id": "1"}});
    let heard = stage.rpc("UpdateTask", Some(&runner), &message);
    heard.expect("an answer");
    assert_eq!(fetch(&[here]), Value::Null, "it is being carried out");
    assert_eq!(stage.get("/repos/root1/r/actions/jobs/1")["run_attempt"], 1);
}

#[test]
fn a_terminal_state_is_taken_once_and_steps_with_it() {
    let stage = Stage::new();
    let runner = stage.workflow(&one_job(""));
    let (task, _) = stage.fetch(&runner).expect("a task");
    let update = |state: Value| {
        stage
            .rpc(
                "UpdateTask",
                Some(&runner),
                &json!({"state": state, "outputs": {}}),
            )
            .expect("an answer")
    };
    let step = json!([{"id": "0", "startedAt": "2026-01-01T00:00:01Z"}, {"id": "7", "result": 1}]);
    assert_eq!(
        update(json!({"id": task, "steps": step})),
        json!({"state": {"id": task}})
    );
    let job = stage.get("/repos/root1/r/actions/jobs/1");
    assert_eq!(job["steps"][0]["status"], "in_progress");
    let end = json!({"id": task, "result": "RESULT_SUCCESS", "stoppedAt": "2026-01-01T00:00:09Z"});
    let ended = json!({"state": {"id": task, "result": "RESULT_SUCCESS"}});
    assert_eq!(update(end), ended);
    assert_eq!(
        update(json!({"id": task, "result": "RESULT_FAILURE"})),
        ended
    );
    assert_eq!(
        update(json!({"id": task, "steps": [{"id": "1", "result": 2}]})),
        ended
    );
    let job = stage.get("/repos/root1/r/actions/jobs/1");
    assert_eq!(
        (&job["conclusion"], &job["completed_at"]),
        (&json!("success"), &json!("2026-01-01T00:00:09Z"))
    );
    assert_eq!(
        (&job["steps"][1]["status"], &job["steps"][1]["name"]),
        (&json!("queued"), &json!("two"))
    );
}

#[test]
fn the_first_value_of_an_output_stays_and_long_ones_are_dropped() {
    let stage = Stage::new();
    let runner = stage.workflow(&one_job(""));
    let (task, _) = stage.fetch(&runner).expect("a task");
    let send = |outputs: Value| {
        let message = json!({"state": {"id": task}, "outputs": outputs});
        stage
            .rpc("UpdateTask", Some(&runner), &message)
            .expect("an answer")["sentOutputs"]
            .clone()
    };
    assert_eq!(send(json!({"b": "1", "a": ""})), json!(["a", "b"]));
    let (long, fits) = ("k".repeat(256), "k".repeat(255));
    assert_eq!(send(json!({"b": "2", long: "v"})), json!(["a", "b"]));
    assert_eq!(
        send(json!({ &fits: "v", "big": "v".repeat((1 << 20) + 1)})),
        json!(["a", "b", fits])
    );
    stage.end(&runner, &task, "RESULT_SUCCESS");
    assert_eq!(send(json!({"late": "x"})), json!(["a", "b", fits, "late"]));
    let kept = stage
        .gitea
        .read(|world, _| world.actions.outputs.find("1/b").cloned());
    assert_eq!(kept.map(|output| output.value).as_deref(), Some("1"));
}

#[test]
fn an_ephemeral_runner_takes_one_task_and_is_gone() {
    let stage = Stage::new();
    stage.workflow(&format!(
        "{}{}",
        one_job(""),
        one_job("").replace("  a:", "  b:")
    ));
    let token = stage.gitea.write(|world, _, _| {
        super::registration_token(world, crate::gitea::actions::Scope::Repo(stage.repo))
    });
    let asked = json!({"name": "e", "token": token.0, "labels": ["x"], "ephemeral": true});
    let told = stage.rpc("Register", None, &asked).expect("a runner");
    let text = |name: &str| told["runner"][name].as_str().unwrap_or_default().to_owned();
    let runner = super::super::actions::stage::Known {
        uuid: text("uuid"),
        token: text("token"),
    };
    let (task, _) = stage.fetch(&runner).expect("a task");
    assert_eq!(stage.fetch(&runner), None);
    stage.end(&runner, &task, "RESULT_SUCCESS");
    let gone = stage.rpc("UpdateLog", Some(&runner), &json!({"taskId": task}));
    assert_eq!(gone, Err(UNREGISTERED.to_owned()));
    assert_eq!(
        stage.get("/repos/root1/r/actions/jobs/1")["runner_name"],
        "e"
    );
}

#[test]
fn a_log_is_read_line_by_line_with_seven_decimals() {
    let stage = Stage::new();
    let runner = stage.workflow(&one_job(""));
    let log = "/repos/root1/r/actions/jobs/1/logs";
    assert_eq!(stage.told("GET", log, None).0, 404);
    let (task, _) = stage.fetch(&runner).expect("a task");
    let rows = json!([
        {"time": "2026-01-01T00:00:01.5Z", "content": "two\nlines"},
        {"content": "x".repeat(70_000)},
    ]);
    let message = json!({"taskId": task, "rows": rows, "noMore": true});
    let told = stage
        .rpc("UpdateLog", Some(&runner), &message)
        .expect("an answer");
    assert_eq!(told, json!({"ackIndex": "2"}));
    let more = json!({"taskId": task, "index": "2", "rows": [{"content": "late"}]});
    let archived = "rpc error: code = AlreadyExists desc = log file has been archived";
    assert_eq!(
        stage.rpc("UpdateLog", Some(&runner), &more),
        Err(archived.to_owned())
    );
    assert_eq!(
        stage.rpc("UpdateLog", Some(&runner), &message),
        Ok(json!({"ackIndex": "2"}))
    );
    let crate::gitea::reply::Body::Bytes(_, text) = stage.call("GET", log, None).body else {
        panic!("a log is text")
    };
    let text = String::from_utf8(text.to_vec()).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "2026-01-01T00:00:01.5000000Z two\\nlines");
    assert_eq!(
        lines[1].len(),
        "1970-01-01T00:00:00.0000000Z ".len() + 65_536
    );
}

/// A world with one running task of runner 1.
fn world_with_a_task() -> World {
    let mut world = World::new(
        Settings::default(),
        Clock::Frozen { at: 0 },
        Random::seeded(1),
    );
    world.actions.tasks.insert(|id| Task {
        id,
        job: 1,
        run: 1,
        repo: 1,
        runner: 1,
        attempt: 1,
        token_sha256: String::new(),
        status: Status::Running,
        steps: Vec::new(),
        log_lines: 0,
        log_sealed: false,
        started: 0,
        stopped: 0,
        heard: 0,
        place: String::new(),
        confirmed: false,
    });
    world
}

fn stored(world: &World) -> Vec<String> {
    let lines = world.actions.logs.of(1).flat_map(|(_, chunk)| &chunk.lines);
    lines.map(|line| line.text.clone()).collect()
}

/// What becomes of one call.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    RequestLost,
    AnswerLost,
    Twice,
    StartsTooEarly(usize),
    StartsTooLate(usize),
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Arrives),
        1 => Just(Fate::RequestLost),
        2 => Just(Fate::AnswerLost),
        1 => Just(Fate::Twice),
        1 => (0_usize..20).prop_map(Fate::StartsTooEarly),
        1 => (1_usize..5).prop_map(Fate::StartsTooLate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is lost or repeated on the way, the stored log equals the emitted lines.
    #[test]
    fn the_stored_log_is_what_was_emitted_once_and_in_order(
        total in 0_usize..60,
        calls in collection::vec((fates(), 1_usize..15), 0..40),
        sealed_with_rows in any::<bool>(),
    ) {
        let mut world = world_with_a_task();
        let emitted: Vec<String> = (0..total).map(|line| format!("line {line}")).collect();
        let send = |world: &mut World, from: usize, count: usize, no_more: bool| {
            let until = (from + count).min(total);
            let rows = emitted[from.min(until)..until].iter();
            let rows = rows.map(|line| LogRow { time: None, content: line.clone() }).collect();
            let index = i64::try_from(from).expect("a small number");
            let request = UpdateLogRequest { task_id: 1, index, rows, no_more };
            append(world, 1, &request).map(|acked| usize::try_from(acked).expect("a count"))
        };
        let mut acked = 0;
        for (fate, count) in calls {
            match fate {
                Fate::Arrives => acked = send(&mut world, acked, count, false).expect("taken"),
                Fate::RequestLost => {}
                Fate::AnswerLost => drop(send(&mut world, acked, count, false).expect("taken")),
                Fate::Twice => {
                    send(&mut world, acked, count, false).expect("taken");
                    acked = send(&mut world, acked, count, false).expect("taken");
                }
                Fate::StartsTooEarly(by) => {
                    acked = send(&mut world, acked.saturating_sub(by), count, false).expect("taken");
                }
                Fate::StartsTooLate(by) => {
                    acked = send(&mut world, acked + by, count, false).expect("taken");
                }
            }
            prop_assert_eq!(&stored(&world)[..], &emitted[..stored(&world).len()]);
        }
        while acked < total {
            acked = send(&mut world, acked, 10, false).expect("taken");
        }
        let from = if sealed_with_rows { acked.saturating_sub(1) } else { acked };
        send(&mut world, from, total, true).expect("sealed");
        prop_assert_eq!(stored(&world), emitted.clone());
        prop_assert_eq!(send(&mut world, 0, total, true).ok(), Some(total));
        let request = UpdateLogRequest {
            task_id: 1,
            index: i64::try_from(total).expect("a small number"),
            rows: vec![LogRow::default()],
            no_more: false,
        };
        prop_assert_eq!(append(&mut world, 1, &request).is_err(), true);
        prop_assert_eq!(stored(&world), emitted);
    }
}
