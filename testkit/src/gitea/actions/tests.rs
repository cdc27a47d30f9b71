//! Runs over a world: what starts, what waits, what is skipped, stopped, run again, forgotten.

use serde_json::json;

use super::stage::{Stage, json_of};

/// Names with status or conclusion, in a line.
fn line(stage: &Stage) -> String {
    let jobs = stage.jobs();
    jobs.iter()
        .map(|(name, end)| format!("{name}:{end}"))
        .collect::<Vec<_>>()
        .join(" ")
}

const STEPS: &str = "    runs-on: x\n    steps: [{run: echo}]\n";

fn job(id: &str, more: &str) -> String {
    let more: String = more.lines().map(|line| format!("    {line}\n")).collect();
    format!("  {id}:\n{more}{STEPS}")
}

#[test]
fn a_first_push_starts_create_before_push_and_writes_statuses() {
    let stage = Stage::new();
    let create = "on: create\njobs:\n  c:\n    runs-on: x\n";
    let push = "name: P\non: push\njobs:\n  a:\n    runs-on: x\n";
    let sha = stage.push(
        "first\n\nbody",
        &[
            (".gitea/workflows/z.yml", create),
            (".gitea/workflows/a.yml", push),
            (".gitea/workflows/broken.yml", "on: push\njobs: ["),
            (".github/workflows/b.yml", push),
        ],
    );
    let runs = stage.get("/repos/root1/r/actions/runs");
    let told: Vec<_> = runs["workflow_runs"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(told.len(), 2);
    assert_eq!(
        (&told[0]["event"], &told[1]["event"]),
        (&json!("push"), &json!("create"))
    );
    assert_eq!(told[0]["path"], "a.yml@refs/heads/main");
    assert_eq!(told[0]["display_title"], "first");
    let statuses = stage.gitea.read(|world, _| {
        world
            .statuses
            .iter()
            .map(|(_, row)| (row.sha.clone(), row.context.clone()))
            .collect::<Vec<_>>()
    });
    assert_eq!(statuses, [(sha, "P / a (push)".to_owned())]);
}

#[test]
fn needs_release_and_failures_skip_what_has_no_condition() {
    let stage = Stage::new();
    let jobs = [
        job("a", ""),
        job("b", "needs: a"),
        job("c", "needs: b"),
        job("d", "needs: [b]\nif: always()"),
    ];
    let runner = stage.workflow(&jobs.concat());
    assert_eq!(line(&stage), "a:queued b:waiting c:waiting d:waiting");
    let (task, _) = stage.fetch(&runner).expect("a");
    assert_eq!(stage.fetch(&runner), None);
    stage.end(&runner, &task, "RESULT_SUCCESS");
    assert_eq!(line(&stage), "a:success b:queued c:waiting d:waiting");
    let (task, id) = stage.fetch(&runner).expect("b");
    assert_eq!(id, "b");
    stage.end(&runner, &task, "RESULT_FAILURE");
    assert_eq!(line(&stage), "a:success b:failure c:skipped d:queued");
    let (task, _) = stage.fetch(&runner).expect("d");
    stage.end(&runner, &task, "RESULT_SUCCESS");
    let runs = stage.get("/repos/root1/r/actions/runs");
    assert_eq!(runs["workflow_runs"][0]["conclusion"], "failure");
}

#[test]
fn a_cycle_and_an_unknown_need_wait_for_ever() {
    let stage = Stage::new();
    stage.workflow(&[job("a", "needs: b"), job("b", "needs: a")].concat());
    assert_eq!(line(&stage), "a:waiting b:waiting");
    let stage = Stage::new();
    let runner = stage.workflow(&[job("a", "needs: nobody")].concat());
    assert_eq!(
        (line(&stage).as_str(), stage.fetch(&runner)),
        ("a:waiting", None)
    );
}

#[test]
fn a_failure_in_a_matrix_stops_the_others_unless_told_otherwise() {
    for (strategy, expected) in [
        (
            "strategy: {matrix: {n: [1, 2, 3]}}",
            "m (1):failure m (2):cancelled m (3):cancelled after:queued",
        ),
        (
            "strategy: {fail-fast: false, matrix: {n: [1, 2, 3]}}",
            "m (1):failure m (2):in_progress m (3):queued after:waiting",
        ),
    ] {
        let stage = Stage::new();
        let jobs = [job("m", strategy), job("after", "needs: m\nif: always()")];
        let runner = stage.workflow(&jobs.concat());
        let (first, _) = stage.fetch(&runner).expect("m (1)");
        let (second, _) = stage.fetch(&runner).expect("m (2)");
        stage.end(&runner, &first, "RESULT_FAILURE");
        assert_eq!(line(&stage), expected, "{strategy}");
        let message = json!({"state": {"id": second}});
        let told = stage
            .rpc("UpdateTask", Some(&runner), &message)
            .expect("an answer");
        let stopped = told["state"]["result"] == "RESULT_CANCELLED";
        assert_eq!(stopped, !strategy.contains("false"), "{strategy}");
    }
}

#[test]
fn no_more_jobs_of_a_matrix_are_ready_than_max_parallel_says() {
    let stage = Stage::new();
    let strategy = "strategy: {fail-fast: false, max-parallel: 2, matrix: {n: [1, 2, 3]}}";
    let runner = stage.workflow(&job("m", strategy));
    assert_eq!(line(&stage), "m (1):queued m (2):queued m (3):waiting");
    let (first, _) = stage.fetch(&runner).expect("m (1)");
    stage.fetch(&runner).expect("m (2)");
    assert_eq!(stage.fetch(&runner), None);
    stage.end(&runner, &first, "RESULT_FAILURE");
    assert_eq!(line(&stage), "m (1):failure m (2):in_progress m (3):queued");
}

/// Dispatches a workflow and answers the id of its run.
fn dispatch(stage: &Stage, file: &str) -> i64 {
    let path =
        format!("/repos/root1/r/actions/workflows/{file}/dispatches?return_run_details=true");
    let told = json_of(stage.call("POST", &path, Some(json!({"ref": "main"}))));
    told["workflow_run_id"].as_i64().expect("a run")
}

fn state(stage: &Stage, run: i64) -> String {
    let run = stage.get(&format!("/repos/root1/r/actions/runs/{run}"));
    run.get("conclusion")
        .unwrap_or(&run["status"])
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn concurrent(group: &str) -> String {
    format!(
        "on: workflow_dispatch\nconcurrency: {group}\njobs:\n{}",
        job("a", "")
    )
}

#[test]
fn in_a_group_one_runs_and_the_newest_waits() {
    let stage = Stage::new();
    stage.push("q", &[(".gitea/workflows/q.yml", &concurrent("queue"))]);
    let runner = stage.runner(&["x"]);
    let first = dispatch(&stage, "q.yml");
    let (task, _) = stage.fetch(&runner).expect("a task");
    let (second, third) = (dispatch(&stage, "q.yml"), dispatch(&stage, "q.yml"));
    let states = |runs: &[i64]| {
        runs.iter()
            .map(|run| state(&stage, *run))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        states(&[first, second, third]),
        ["in_progress", "cancelled", "waiting"]
    );
    assert_eq!(stage.fetch(&runner), None);
    stage.end(&runner, &task, "RESULT_SUCCESS");
    assert_eq!(states(&[first, third]), ["success", "queued"]);
    let fourth = dispatch(&stage, "q.yml");
    assert_eq!(states(&[third, fourth]), ["cancelled", "queued"]);
}

#[test]
fn cancel_in_progress_ends_what_runs_and_no_result_changes_it() {
    let stage = Stage::new();
    let group = "{group: g, cancel-in-progress: true}";
    stage.push("q", &[(".gitea/workflows/c.yml", &concurrent(group))]);
    let runner = stage.runner(&["x"]);
    let first = dispatch(&stage, "c.yml");
    let (task, _) = stage.fetch(&runner).expect("a task");
    dispatch(&stage, "c.yml");
    assert_eq!(state(&stage, first), "cancelled");
    stage.end(&runner, &task, "RESULT_SUCCESS");
    assert_eq!(state(&stage, first), "cancelled");
}

#[test]
fn a_group_of_jobs_is_shared_by_runs() {
    let stage = Stage::new();
    let file = format!(
        "on: workflow_dispatch\njobs:\n{}",
        job("a", "concurrency: deploy")
    );
    stage.push("q", &[(".gitea/workflows/j.yml", &file)]);
    let runner = stage.runner(&["x"]);
    let first = dispatch(&stage, "j.yml");
    let (task, _) = stage.fetch(&runner).expect("a task");
    let second = dispatch(&stage, "j.yml");
    assert_eq!(
        (state(&stage, first), state(&stage, second)),
        ("in_progress".into(), "waiting".into())
    );
    stage.end(&runner, &task, "RESULT_SUCCESS");
    assert_eq!(state(&stage, second), "queued");
}

#[test]
fn running_again_keeps_jobs_and_counts_attempts() {
    let stage = Stage::new();
    let runner = stage.workflow(&[job("a", ""), job("b", "needs: a")].concat());
    let runs = "/repos/root1/r/actions/runs/1";
    let again = format!("{runs}/rerun-failed-jobs");
    assert_eq!(
        stage.told("POST", &again, None),
        (400, "this workflow run is not done".to_owned())
    );
    let (task, _) = stage.fetch(&runner).expect("a");
    stage.end(&runner, &task, "RESULT_FAILURE");
    assert_eq!(line(&stage), "a:failure b:skipped");
    assert_eq!(stage.told("POST", &again, None).0, 201);
    assert_eq!(line(&stage), "a:queued b:waiting");
    let told = stage
        .rpc("FetchTask", Some(&runner), &json!({}))
        .expect("an answer");
    assert_eq!(told["task"]["context"]["run_attempt"], "2");
    let task = told["task"]["id"].as_str().unwrap_or_default().to_owned();
    stage.end(&runner, &task, "RESULT_SUCCESS");
    assert_eq!(line(&stage), "a:success b:queued");
    assert_eq!(stage.told("DELETE", runs, None).0, 400);
    let (task, _) = stage.fetch(&runner).expect("b");
    stage.end(&runner, &task, "RESULT_SUCCESS");
    assert_eq!(stage.told("DELETE", runs, None).0, 204);
    assert_eq!(stage.told("DELETE", runs, None).0, 404);
}

#[test]
fn a_push_is_judged_by_the_commit_that_was_pushed() {
    let stage = Stage::new();
    let file = format!("on: push\njobs:\n{}", job("a", ""));
    stage.push("first", &[(".gitea/workflows/ci.yml", &file)]);
    stage.push("second [skip ci]", &[("x", "1")]);
    stage.push("third", &[("x", "2")]);
    let runs = stage.get("/repos/root1/r/actions/runs");
    let titles = runs["workflow_runs"].as_array().into_iter().flatten();
    let titles: Vec<_> = titles.map(|run| run["display_title"].clone()).collect();
    assert_eq!(titles, ["third", "first"]);
}

#[test]
fn inputs_are_filled_in_and_required_ones_asked_for() {
    let stage = Stage::new();
    let file = "on:\n  workflow_dispatch:\n    inputs:\n      who: {required: true}\n      n: {default: 3}\n\
                run-name: for ${{ inputs.who }} ${{ inputs.n }}\njobs:\n  a:\n    runs-on: x\n";
    stage.push("m", &[(".gitea/workflows/m.yml", file)]);
    let path = "/repos/root1/r/actions/workflows/m.yml/dispatches";
    let cases = [
        (json!({"ref": "main"}), 422, "input \"who\" is required"),
        (json!({"inputs": {"who": "me"}}), 422, "[Ref]: Required"),
        (json!({"ref": "nope"}), 404, "ref \"nope\" doesn't exist"),
        (
            json!({"ref": "main", "inputs": {"who": "me", "other": "x"}}),
            204,
            "",
        ),
    ];
    for (body, status, message) in cases {
        assert_eq!(
            stage.told("POST", path, Some(body)),
            (status, message.to_owned())
        );
    }
    assert_eq!(
        stage.get("/repos/root1/r/actions/runs/1")["display_title"],
        "for me 3"
    );
}

#[test]
fn the_clock_starts_what_is_scheduled_and_gives_up_silent_runners() {
    let stage = Stage::new();
    let file = format!(
        "on: {{schedule: [{{cron: '30 * * * *'}}]}}\njobs:\n{}",
        job("a", "")
    );
    stage.push("s", &[(".gitea/workflows/s.yml", &file)]);
    stage.wait(29 * 60);
    assert_eq!(line(&stage), "");
    stage.wait(60);
    assert_eq!(line(&stage), "a:queued");
    let runner = stage.runner(&["x"]);
    let (task, _) = stage.fetch(&runner).expect("a");
    stage.wait(9 * 60);
    stage
        .rpc("UpdateTask", Some(&runner), &json!({"state": {"id": task}}))
        .expect("a heartbeat");
    stage.wait(9 * 60);
    assert_eq!(line(&stage), "a:in_progress");
    stage.wait(60);
    assert_eq!(line(&stage), "a:failure");
}

#[test]
fn a_deleted_repository_leaves_nothing_behind_and_stalls_nobody() {
    let stage = Stage::new();
    let runner = stage.workflow(&[job("a", ""), job("b", "needs: a")].concat());
    let (task, _) = stage.fetch(&runner).expect("a");
    assert_eq!(stage.told("DELETE", "/repos/root1/r", None).0, 204);
    let message = json!({"state": {"id": task, "result": "RESULT_SUCCESS"}});
    let told = stage.rpc("UpdateTask", Some(&runner), &message);
    assert_eq!(
        told,
        Err("rpc error: code = Unauthenticated desc = unregistered runner".to_owned())
    );
    stage.gitea.read(|world, _| {
        let actions = &world.actions;
        let left = [
            actions.runs.len(),
            actions.jobs.len(),
            actions.tasks.len(),
            actions.queue.len(),
        ];
        assert_eq!(left, [0; 4]);
        assert_eq!(actions.runners.runners.len(), 0);
    });
}

#[test]
fn secrets_go_to_jobs_and_to_nobody_else() {
    let stage = Stage::new();
    let secret = "/repos/root1/r/actions/secrets/pass";
    assert_eq!(
        stage
            .told("PUT", secret, Some(json!({"data": "hunter2"})))
            .0,
        201
    );
    assert_eq!(
        stage
            .told("PUT", secret, Some(json!({"data": "hunter3"})))
            .0,
        204
    );
    let cases = [
        ("CI", 400),
        ("GITEA_X", 400),
        ("1x", 400),
        ("a-b", 400),
        ("_ok", 201),
    ];
    for (name, status) in cases {
        let path = format!("/repos/root1/r/actions/secrets/{name}");
        assert_eq!(
            stage.told("PUT", &path, Some(json!({"data": "v"}))).0,
            status,
            "{name}"
        );
    }
    let list = stage.get("/repos/root1/r/actions/secrets");
    assert_eq!(
        (list[0]["name"].as_str(), list[0].get("data")),
        (Some("PASS"), None)
    );
    let stored = stage.gitea.write(|world, _, _| world.dump()).0;
    let stored: Vec<u8> = stored
        .into_iter()
        .filter_map(|row| row.value)
        .flatten()
        .collect();
    assert!(!String::from_utf8_lossy(&stored).contains("hunter3"));
    let runner = stage.workflow(&job("a", ""));
    let told = stage
        .rpc("FetchTask", Some(&runner), &json!({}))
        .expect("an answer");
    assert_eq!(told["task"]["secrets"]["PASS"], "hunter3");
}

#[test]
fn a_variable_of_the_repository_comes_before_that_of_its_owner() {
    let stage = Stage::new();
    for (path, value) in [
        ("/user/actions/variables/V", "owner"),
        ("/repos/root1/r/actions/variables/v", "repo"),
    ] {
        assert_eq!(
            stage.told("POST", path, Some(json!({"value": value}))).0,
            201
        );
        let again = stage.told("POST", path, Some(json!({"value": value})));
        assert_eq!(again.0, 409);
    }
    stage.told(
        "POST",
        "/user/actions/variables/ONLY",
        Some(json!({"value": "o"})),
    );
    let runner = stage.workflow(&job("a", ""));
    let told = stage
        .rpc("FetchTask", Some(&runner), &json!({}))
        .expect("an answer");
    assert_eq!(told["task"]["vars"], json!({"V": "repo", "ONLY": "o"}));
}

#[test]
fn a_jobs_token_lives_as_long_as_its_task() {
    let stage = Stage::new();
    let runner = stage.workflow(&job("a", "permissions: {contents: read}"));
    let told = stage
        .rpc("FetchTask", Some(&runner), &json!({}))
        .expect("an answer");
    let token = told["task"]["context"]["token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let grant = |token: &str| {
        stage
            .gitea
            .read(|world, _| super::doer_of_job_token(world, token))
            .map(|doer| {
                let grant = doer.job().cloned().expect("a job's grant");
                (
                    grant.repo,
                    grant.access.to(crate::gitea::access::Unit::Code),
                )
            })
    };
    assert_eq!(
        grant(&token),
        Some((stage.repo, crate::gitea::access::Mode::Read))
    );
    assert_eq!(grant("other"), None);
    let task = told["task"]["id"].as_str().unwrap_or_default();
    stage.end(&runner, task, "RESULT_SUCCESS");
    assert_eq!(grant(&token), None);
}

#[test]
fn a_workflow_that_is_switched_off_starts_nothing() {
    let stage = Stage::new();
    let file = format!("on: [push, workflow_dispatch]\njobs:\n{}", job("a", ""));
    stage.push("first", &[(".gitea/workflows/sub/ci.yml", &file)]);
    let path = "/repos/root1/r/actions/workflows/sub%2Fci.yml";
    assert_eq!(stage.told("PUT", &format!("{path}/disable"), None).0, 204);
    stage.push("second", &[("x", "1")]);
    let dispatched = stage.told(
        "POST",
        &format!("{path}/dispatches"),
        Some(json!({"ref": "main"})),
    );
    assert_eq!(dispatched, (403, "workflow is disabled".to_owned()));
    assert_eq!(stage.get(path)["state"], "disabled_manually");
    assert_eq!(stage.get("/repos/root1/r/actions/runs")["total_count"], 1);
}
