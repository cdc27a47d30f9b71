//! Cases as data: files in, triggers, names and payloads out.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use serde_json::{Value, json};

use super::expression::{evaluate, spoken};
use super::interpolate::interpolate;
use super::*;

fn contexts() -> Contexts {
    let github = json!({"actor": "root1", "ref_name": "main", "ref": "refs/heads/main"});
    Contexts::default().with("github", github)
}

#[track_caller]
fn planned(file: &str) -> RunPlan {
    let workflow = Workflow::parse(file).expect("a workflow");
    plan_run(&workflow, &contexts()).expect("a plan")
}

#[test]
fn a_payload_has_one_job_in_the_order_and_style_of_the_real_server() {
    let file = include_str!("tests/ci.yml");
    let plan = planned(file);
    assert_eq!(plan.jobs[0].payload, include_str!("tests/ci-build.yml"));
    assert_eq!(plan.run_name, "Run by root1 on main");
    assert_eq!(
        plan.jobs[0].steps,
        ["First", "Run echo two", "Run actions/checkout@v4"]
    );
    assert_eq!(plan.jobs[1].needs, ["build"]);
}

/// Every payload in the golden stories is made from the workflows of its story.
#[test]
fn payloads_equal_the_recorded_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden/gitea/stories");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("stories") {
        let path = entry.expect("a story").path();
        let text = std::fs::read_to_string(&path).expect("a story");
        let story: Value = serde_json::from_str(&text).expect("JSON");
        let made = payloads_made(&story);
        for recorded in payloads_recorded(&story) {
            assert!(
                made.contains(&recorded),
                "{}: {recorded}\nnot in\n{made:#?}",
                path.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} payloads were looked at");
}

fn payloads_made(story: &Value) -> Vec<String> {
    let mut files = Vec::new();
    for step in story["steps"].as_array().into_iter().flatten() {
        let json = &step["json"];
        files.push(json["content"].clone());
        let several = json["files"].as_array().into_iter().flatten();
        files.extend(several.map(|file| file["content"].clone()));
    }
    let vars = json!({"V_BOTH": "repo", "V_REPO": "first", "V_ORG": "org"});
    let contexts = contexts().with("vars", vars);
    let texts = files.iter().filter_map(|content| {
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(content.as_str()?)
            .ok()?;
        String::from_utf8(bytes).ok()
    });
    texts
        .filter_map(|text| plan_run(&Workflow::parse(&text).ok()?, &contexts).ok())
        .flat_map(|plan| plan.jobs)
        .map(|job| without_run_name(&job.payload))
        .collect()
}

fn payloads_recorded(story: &Value) -> Vec<String> {
    let steps = story["steps"].as_array().into_iter().flatten();
    steps
        .filter_map(|step| {
            let payload = &step["expect"]["1.26"]["body"]["task"]["workflowPayload"]["<base64>"];
            payload.as_str().map(without_run_name)
        })
        .collect()
}

/// Inputs and the administrator's name differ from story to story.
fn without_run_name(payload: &str) -> String {
    payload
        .lines()
        .filter(|line| !line.starts_with("run-name:"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn files_that_are_no_workflow_say_where() {
    let cases = [
        ("", "line 1, column 1: the file is empty"),
        (
            "jobs: {a: {runs-on: x}}",
            "line 1, column 1: `on` is missing",
        ),
        ("on: push\njobs:\n  a: [\n", ""),
        ("on: push\njobs:\n\ta:\n    runs-on: x\n", ""),
        (
            "on: push\njobs:\n  a:\n    steps:\n      - run: [x]\n",
            "line 5, column 14: `run` is not a text",
        ),
        (
            "on: push\njobs:\n  a:\n    steps:\n      - continue-on-error: ${{ true }}\n",
            "line 5, column 28: `continue-on-error` is not a boolean",
        ),
        (
            "on: push\non: push\n",
            "line 2, column 1: mapping key \"on\" already defined",
        ),
        (
            "on: {push: {branches: [1]}}",
            "line 1, column 24: a filter is a text or a list of texts",
        ),
        (
            "on: push\njobs: [a]",
            "line 2, column 7: `jobs` is not a mapping",
        ),
    ];
    for (file, expected) in cases {
        let error = Workflow::parse(file).expect_err(file).to_string();
        assert!(
            error.ends_with(expected) && error.starts_with("line "),
            "{file:?}: {error}"
        );
    }
}

#[test]
fn what_is_odd_but_readable_is_a_workflow() {
    for file in [
        "on: push\nnonsense: 1\njobs:\n  a:\n    nonsense: {a: 1}\n    steps: [{run: x, Run: y}]\n",
        "on: push\njobs:\n  a: {needs: b}\n  b: {needs: a}\n",
        "on: push\njobs:\n  a: {needs: nobody}\n",
        "on: push",
        "# ä\non: [push, create]\njobs: {a: {runs-on: x, steps: [{run: y}]}}",
        "on: push\nx: &x {A: b}\njobs: {a: {env: *x, steps: []}}",
    ] {
        Workflow::parse(file).expect(file);
    }
}

#[test]
fn an_alias_that_grows_without_end_is_refused() {
    let mut file = String::from("on: push\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        file.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(
        Workflow::parse(&file)
            .expect_err("a bomb")
            .to_string()
            .contains("too many nodes")
    );
}

fn pushed<'a>(name: &'a str, changed: &'a [String]) -> Event<'a> {
    Event::Push(PushedRef { name, changed })
}

/// `on:` of a push; pushed reference; changed files; whether it starts.
#[test]
fn a_push_starts_what_its_filters_let_through() {
    let cases = [
        ("push", "refs/heads/main", "a", true),
        ("[create]", "refs/heads/main", "a", false),
        ("{push: {branches: [main]}}", "refs/heads/main", "a", true),
        ("{push: {branches: [main]}}", "refs/heads/other", "a", false),
        ("{push: {branches: [main]}}", "refs/tags/main", "a", false),
        ("{push: {branches: main}}", "refs/heads/main", "a", true),
        (
            "{push: {branches: ['release/**']}}",
            "refs/heads/release/1/2",
            "a",
            true,
        ),
        (
            "{push: {branches: ['release/*']}}",
            "refs/heads/release/1/2",
            "a",
            false,
        ),
        (
            "{push: {branches: ['**', '!main']}}",
            "refs/heads/main",
            "a",
            false,
        ),
        (
            "{push: {branches: ['!main', '**']}}",
            "refs/heads/main",
            "a",
            true,
        ),
        (
            "{push: {branches-ignore: ['release/**', main]}}",
            "refs/heads/main",
            "a",
            false,
        ),
        (
            "{push: {branches-ignore: ['release/**', main]}}",
            "refs/heads/x",
            "a",
            true,
        ),
        ("{push: {branches-ignore: [x]}}", "refs/tags/v1", "a", false),
        ("{push: {tags: ['v*']}}", "refs/tags/v1", "a", true),
        ("{push: {tags: ['v*']}}", "refs/tags/x1", "a", false),
        ("{push: {tags: ['v*']}}", "refs/heads/v1", "a", false),
        ("{push: {tags-ignore: ['v*']}}", "refs/tags/x1", "a", true),
        (
            "{push: {tags: ['v*'], branches: [main]}}",
            "refs/heads/main",
            "a",
            true,
        ),
        (
            "{push: {tags: ['v*'], branches: [main]}}",
            "refs/tags/v2",
            "a",
            true,
        ),
        (
            "{push: {tags: ['v*'], branches: [main]}}",
            "refs/tags/x",
            "a",
            false,
        ),
        (
            "{push: {paths: ['docs/**']}}",
            "refs/heads/main",
            "docs/a.txt",
            true,
        ),
        (
            "{push: {paths: ['docs/**']}}",
            "refs/heads/main",
            "src.txt",
            false,
        ),
        (
            "{push: {paths: ['docs/**']}}",
            "refs/heads/main",
            "src.txt docs/x",
            true,
        ),
        (
            "{push: {paths: ['docs/**']}}",
            "refs/tags/v1",
            "src.txt",
            true,
        ),
        (
            "{push: {paths: ['**.md', '!a.md']}}",
            "refs/heads/main",
            "a.md",
            false,
        ),
        (
            "{push: {paths-ignore: ['docs/**']}}",
            "refs/heads/main",
            "docs/a docs/b",
            false,
        ),
        (
            "{push: {paths-ignore: ['docs/**']}}",
            "refs/heads/main",
            "docs/a b",
            true,
        ),
        (
            "{push: {paths: ['docs/**'], branches: [main]}}",
            "refs/heads/x",
            "docs/a",
            false,
        ),
        (
            "{push: {branches: ['v[0-9]+.x']}}",
            "refs/heads/v12.x",
            "a",
            true,
        ),
        ("{push: {branches: ['mai?n']}}", "refs/heads/man", "a", true),
        ("{push: {branches: ['[']}}", "refs/heads/main", "a", false),
        ("{push: {nonsense: [x]}}", "refs/heads/main", "a", false),
        ("{push: , create: }", "refs/heads/main", "a", true),
    ];
    for (on, name, changed, expected) in cases {
        let file = format!("on: {on}\njobs: {{a: {{runs-on: x}}}}\n");
        let workflow = Workflow::parse(&file).expect(on);
        let changed: Vec<String> = changed.split(' ').map(str::to_owned).collect();
        let started = workflow.triggers.start_on(&pushed(name, &changed));
        assert_eq!(started, expected, "{on} with {name} and {changed:?}");
    }
}

#[test]
fn a_pull_request_starts_by_type_and_base() {
    let cases = [
        ("pull_request", "opened", false, true),
        ("pull_request", "synchronize", false, true),
        ("pull_request", "closed", false, false),
        ("pull_request", "opened", true, false),
        ("pull_request_target", "opened", true, true),
        (
            "{pull_request: {types: [labeled, closed]}}",
            "closed",
            false,
            true,
        ),
        (
            "{pull_request: {types: [labeled, closed]}}",
            "opened",
            false,
            false,
        ),
        (
            "{pull_request: {branches: [other]}}",
            "opened",
            false,
            false,
        ),
        ("{pull_request: {branches: [main]}}", "opened", false, true),
    ];
    for (on, action, target, expected) in cases {
        let workflow = Workflow::parse(&format!("on: {on}")).expect(on);
        let event = PullRequestEvent {
            target,
            action,
            base: "main",
            changed: &[],
        };
        assert_eq!(
            workflow.triggers.start_on(&Event::PullRequest(event)),
            expected,
            "{on} {action}"
        );
    }
}

#[test]
fn skip_words_count_in_lower_case_anywhere() {
    for (message, skipped) in [
        ("[skip ci]", true),
        ("a\n\nb [ci skip] c", true),
        ("[no ci] x", true),
        ("x [skip actions]", true),
        ("[actions skip]", true),
        ("[CI Skip]", false),
        ("skip ci", false),
    ] {
        assert_eq!(asks_to_be_skipped(message), skipped, "{message}");
    }
}

#[test]
fn expressions_have_the_recorded_values() {
    let contexts = contexts()
        .with("vars", json!({"LIST": "[1,\"x\"]", "Name": "n"}))
        .with("matrix", json!({"o": {"a": 1}, "list": ["p", null]}));
    let cases = [
        ("1", "1"),
        ("1.50", "1.5"),
        ("1e20", "1E+20"),
        ("1e-7", "1E-07"),
        ("true == 'true'", "false"),
        ("true == 1", "true"),
        ("'' == 0", "true"),
        ("null == 0", "true"),
        ("null == ''", "true"),
        ("' ' == 0", "true"),
        ("' 12 ' == 12", "true"),
        ("'0x10' == 16", "true"),
        ("'1e2' == 100", "true"),
        ("'ä' == 'Ä'", "true"),
        ("'abc' < 1", "false"),
        ("'abc' > 1", "false"),
        ("'2' < '10'", "false"),
        ("'2' < 10", "true"),
        ("1 == 1 == true", "true"),
        ("'' || 'b'", "b"),
        ("'a' && 'b'", "b"),
        ("!'a'", "false"),
        ("github.ACTOR", "root1"),
        ("gitea.nothing", ""),
        ("vars.NAME", "n"),
        ("vars['Name']", "n"),
        ("fromJSON(vars.LIST)[1]", "x"),
        ("fromJSON(vars.LIST)[7]", ""),
        ("matrix.o", "Object"),
        ("matrix.list", "Array"),
        ("matrix.o.*", "Object"),
        ("join(matrix.list, '-')", "p-"),
        ("contains(matrix.list, null)", "true"),
        ("contains('true story', true)", "true"),
        ("startsWith('Hello', 'he')", "true"),
        ("endsWith('Hello', 'LO')", "true"),
        ("format('{{0}} {0}', 'x')", "{0} x"),
        ("toJSON(matrix.o)", "{\n  \"a\": 1\n}"),
        ("toJSON('<&>')", "\"\\u003c\\u0026\\u003e\""),
    ];
    for (expression, expected) in cases {
        let value = evaluate(expression, &contexts).expect(expression);
        assert_eq!(spoken(&value), expected, "{expression}");
    }
}

#[test]
fn a_text_with_a_bad_expression_has_no_value() {
    for text in [
        "${{ nothing }}",
        "${{ 'open }}",
        "${{ fromJSON('{') }}",
        "${{ 1 +",
        "${{ f() }}",
    ] {
        interpolate(text, &contexts()).expect_err(text);
    }
    let good = interpolate("a ${{ github.actor }} ${{ '}}' }} {0}", &contexts());
    assert_eq!(good.expect("a text"), "a root1 }} {0}");
}

/// A strategy; the names of its jobs.
#[test]
fn a_matrix_becomes_jobs() {
    let cases = [
        ("{n: [2, 1]}", vec!["m (1)", "m (2)"]),
        ("{b: [x, y], a: [1]}", vec!["m (1, x)", "m (1, y)"]),
        ("{n: [1, 2], exclude: [{n: 1}]}", vec!["m (2)"]),
        (
            "{n: [1, 2], include: [{n: 2, x: y}]}",
            vec!["m (1)", "m (2, y)"],
        ),
        ("{n: [1], include: [{n: 3}]}", vec!["m (1)", "m (3)"]),
        ("{include: [{n: 3}, {n: 4}]}", vec!["m (3)", "m (4)"]),
        ("{n: [1], include: [{x: y}]}", vec!["m (1, y)"]),
        ("{o: [{b: 2, a: 1}]}", vec!["m (map[a:1 b:2])"]),
        ("{n: \"${{ fromJSON('[5, 6]') }}\"}", vec!["m (5)", "m (6)"]),
        (
            "{n: \"${{ fromJSON(needs.x.outputs.y) }}\"}",
            vec!["m (${{ fromJSON(needs.x.outputs.y) }})"],
        ),
        ("\"${{ fromJSON('{\\\"n\\\": [7]}') }}\"", vec!["m (7)"]),
        ("\"${{ fromJSON(needs.x.outputs.y) }}\"", vec!["m"]),
    ];
    for (matrix, expected) in cases {
        let file =
            format!("on: push\njobs:\n  m:\n    strategy: {{matrix: {matrix}}}\n    steps: []\n");
        let names: Vec<String> = planned(&file)
            .jobs
            .into_iter()
            .map(|job| job.name)
            .collect();
        assert_eq!(names, expected, "{matrix}");
    }
}

#[test]
fn a_name_is_evaluated_when_it_speaks_of_the_matrix() {
    let file = "on: push\njobs:\n  a:\n    name: x ${{ matrix.n }}\n    strategy: {matrix: {n: [1]}}\n  \
                b:\n    name: y\n    strategy: {matrix: {n: [1]}}\n  c:\n    name: z ${{ github.ref }}\n";
    let names: Vec<String> = planned(file).jobs.into_iter().map(|job| job.name).collect();
    assert_eq!(names, ["x 1", "y (1)", "z ${{ github.ref }}"]);
}

#[test]
fn labels_come_from_texts_lists_and_expressions() {
    let cases = [
        ("runs-on: x", vec!["x"]),
        ("runs-on: [x, y]", vec!["x", "y"]),
        ("runs-on: ${{ vars.L || 'd' }}", vec!["d"]),
        ("runs-on: ${{ fromJSON('[\"a\",\"b\"]') }}", vec!["a", "b"]),
        ("runs-on: ${{ nothing }}", vec![""]),
        ("name: n", vec![]),
        ("runs-on: {group: g, labels: [z]}", vec!["z"]),
    ];
    for (key, expected) in cases {
        let plan = planned(&format!(
            "on: push\njobs:\n  a:\n    {key}\n    steps: []\n"
        ));
        assert_eq!(plan.jobs[0].labels, expected, "{key}");
    }
}

#[test]
fn a_group_is_evaluated_with_the_run() {
    let file = "on: push\nconcurrency:\n  group: c-${{ github.ref }}\n  cancel-in-progress: true\n\
                jobs:\n  a:\n    concurrency: own\n    strategy: {max-parallel: 2, matrix: {n: [1]}}\n";
    let plan = planned(file);
    let group = plan.concurrency.expect("a group");
    assert_eq!(
        (group.name.as_str(), group.cancel_in_progress),
        ("c-refs/heads/main", true)
    );
    let job = &plan.jobs[0];
    assert_eq!(
        job.concurrency.as_ref().map(|group| group.name.as_str()),
        Some("own")
    );
    assert_eq!((job.fail_fast, job.max_parallel), (true, Some(2)));
}

#[test]
fn inputs_are_filled_with_their_defaults_and_required_ones_are_asked_for() {
    let file = "on:\n  workflow_dispatch:\n    inputs:\n      who: {required: true}\n      \
                level: {type: choice, options: [low], default: low}\n      n: {type: number, default: 3}\n";
    let workflow = Workflow::parse(file).expect("a workflow");
    let given = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    let filled = fill_inputs(
        workflow.triggers.inputs(),
        &given(&[("who", "me"), ("other", "x")]),
    );
    assert_eq!(
        filled,
        Ok(given(&[("who", "me"), ("level", "low"), ("n", "3")]))
    );
    let missing = fill_inputs(workflow.triggers.inputs(), &given(&[]));
    assert_eq!(missing, Err(DispatchError::Required("who".to_owned())));
}

#[test]
fn a_schedule_names_its_next_time() {
    let cases = [
        ("0 0 1 1 *", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        (
            "*/5 * * * *",
            "2026-01-01T00:04:59Z",
            "2026-01-01T00:05:00Z",
        ),
        (
            "30 5 * * mon-fri",
            "2026-01-02T06:00:00Z",
            "2026-01-05T05:30:00Z",
        ),
        (
            "0 12 13 * 5",
            "2026-01-01T00:00:00Z",
            "2026-01-02T12:00:00Z",
        ),
        ("@daily", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("0 0 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
        (
            "59 23 31 12 *",
            "2026-12-31T23:59:00Z",
            "2027-12-31T23:59:00Z",
        ),
    ];
    for (cron, after, expected) in cases {
        let next = Cron::parse(cron)
            .expect(cron)
            .next_after(after.parse().expect("a time"));
        assert_eq!(
            next.map(|next| next.to_string()).as_deref(),
            Some(expected),
            "{cron}"
        );
    }
    for wrong in [
        "",
        "* * * *",
        "60 * * * *",
        "* * 0 * *",
        "a * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
    ] {
        Cron::parse(wrong).expect_err(wrong);
    }
    let never = Cron::parse("0 0 31 2 *").expect("a schedule");
    assert_eq!(never.next_after(jiff::Timestamp::UNIX_EPOCH), None);
}
