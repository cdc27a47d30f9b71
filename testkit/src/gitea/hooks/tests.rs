//! Hooks: filters, words, signatures, who is told.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::filter::{compile, lets_through};
use super::kinds::expanded;
use super::{Verdict, delivered, outgoing, pending};
use crate::gitea::actions::stage::{Stage, json_of};

/// Filter, branch, whether it gets through.
#[test]
fn a_branch_filter_is_a_glob() {
    for (filter, branch, expected) in [
        ("", "x", true),
        ("*", "a/b", true),
        ("main", "main", true),
        ("main", "mainly", false),
        ("{main,rel/*}", "rel/1", true),
        ("{main,rel/*}", "other", false),
        ("v?", "v1", true),
        ("v[0-9]", "v7", true),
        ("v[!0-9]", "v7", false),
        ("a\\*", "a*", true),
        ("a.b", "axb", false),
    ] {
        assert_eq!(lets_through(filter, branch), expected, "{filter} {branch}");
    }
    assert_eq!(
        compile("r[").map(drop).map_err(|error| error.to_string()),
        Err("unterminated character class".into())
    );
}

#[test]
fn some_words_stand_for_several_events_and_unknown_ones_for_none() {
    let words = |words: &[&str]| {
        expanded(
            &words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(words(&["push", "nonsense"]), ["push"]);
    assert_eq!(words(&["pull_request"]).len(), 8);
    assert_eq!(words(&["issues"]).len(), 5);
    assert_eq!(words(&["issues_only"]), ["issues"]);
    assert!(words(&["nonsense"]).is_empty());
}

const HOOKS: &str = "/repos/root1/r/hooks";

fn hook(stage: &Stage, more: &Value) -> i64 {
    let mut body = json!({
        "type": "gitea", "active": true, "events": ["push", "create", "delete"],
        "config": {"url": "http://receiver/a", "content_type": "json", "secret": "s3cret"},
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    json_of(stage.call("POST", HOOKS, Some(body)))["id"]
        .as_i64()
        .expect("a hook")
}

/// The events of what is to be sent.
fn told(stage: &Stage) -> Vec<String> {
    stage.gitea.read(|world, _| {
        let rows = pending(world)
            .into_iter()
            .filter_map(|id| world.hooks.deliveries.get(id));
        rows.map(|row| row.event.clone()).collect()
    })
}

#[test]
fn a_delivery_is_signed_in_all_the_usual_ways() {
    let stage = Stage::new();
    hook(&stage, &json!({"authorization_header": "Bearer x"}));
    stage.push("first", &[("a", "1")]);
    assert_eq!(told(&stage), ["create", "push"]);
    let request = stage
        .gitea
        .read(|world, _| outgoing(world, 2))
        .expect("a request");
    let header = |name: &str| {
        request
            .headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    };
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(b"s3cret").expect("a key");
    mac.update(&request.body);
    let expected = hex::encode(mac.finalize().into_bytes());
    assert_eq!(header("x-gitea-signature"), Some(expected.as_str()));
    assert_eq!(
        header("x-hub-signature-256"),
        Some(format!("sha256={expected}").as_str())
    );
    assert_eq!(
        (header("x-gogs-event"), header("authorization")),
        (Some("push"), Some("Bearer x"))
    );
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    assert_eq!(
        (&body["ref"], &body["total_commits"]),
        (&json!("refs/heads/main"), &json!(1))
    );
    assert_eq!(body["commits"][0]["added"], json!(["a"]));
    assert!(request.body.starts_with(b"{\n  \""));
}

#[test]
fn a_form_holds_the_payload_and_without_a_secret_signatures_are_empty() {
    let stage = Stage::new();
    let config = json!({"url": "http://receiver/a", "content_type": "form"});
    hook(&stage, &json!({"config": config, "events": ["push"]}));
    stage.push("first", &[("a", "1")]);
    let request = stage
        .gitea
        .read(|world, _| outgoing(world, 1))
        .expect("a request");
    assert!(request.body.starts_with(b"payload=%7B%0A"));
    assert!(
        request
            .headers
            .contains(&("x-gitea-signature", String::new()))
    );
    assert!(
        request
            .headers
            .contains(&("x-hub-signature", "sha1=".to_owned()))
    );
}

#[test]
fn branches_and_hooks_that_are_not_meant_are_not_told() {
    let stage = Stage::new();
    hook(
        &stage,
        &json!({"branch_filter": "main", "events": ["push"]}),
    );
    hook(&stage, &json!({"active": false}));
    stage.push_to("refs/heads/other", "x", &[("a", "1")]);
    assert!(told(&stage).is_empty());
    stage.push("x", &[("a", "2")]);
    assert_eq!(told(&stage), ["push"]);
}

#[test]
fn a_change_that_names_one_thing_resets_the_others() {
    let stage = Stage::new();
    let id = hook(
        &stage,
        &json!({"branch_filter": "main", "authorization_header": "Bearer x", "name": "n"}),
    );
    let path = format!("{HOOKS}/{id}");
    let change = json!({"config": {"secret": "other"}, "active": false});
    let view = json_of(stage.call("PATCH", &path, Some(change)));
    let left = [
        "events",
        "branch_filter",
        "authorization_header",
        "active",
        "name",
    ]
    .map(|name| view[name].clone());
    assert_eq!(
        left,
        [
            json!(["push"]),
            json!(""),
            json!(""),
            json!(false),
            json!("n")
        ]
    );
    for (body, message) in [
        (json!({"config": {"url": "nonsense"}}), "Invalid url"),
        (
            json!({"config": {"content_type": "yaml"}}),
            "Invalid content type",
        ),
        (
            json!({"branch_filter": "r["}),
            "[BranchFilter]: unterminated character class",
        ),
    ] {
        assert_eq!(
            stage.told("PATCH", &path, Some(body)),
            (422, message.to_owned())
        );
    }
}

#[test]
fn a_new_repository_has_a_copy_of_every_default_hook() {
    let stage = Stage::new();
    let body =
        json!({"type": "gitea", "config": {"url": "http://receiver/d", "content_type": "json"}});
    assert_eq!(stage.told("POST", "/admin/hooks", Some(body)).0, 201);
    stage.call("POST", "/user/repos", Some(json!({"name": "new"})));
    assert_eq!(
        stage.get("/repos/root1/new/hooks")[0]["config"]["url"],
        "http://receiver/d"
    );
    assert_eq!(stage.get("/admin/hooks"), json!([]));
}

#[test]
fn a_delivery_is_sent_once_and_a_test_sends_another() {
    let stage = Stage::new();
    let id = hook(&stage, &json!({"events": ["push"]}));
    assert_eq!(
        stage.told("POST", &format!("{HOOKS}/{id}/tests"), None).0,
        404
    );
    stage.push("first", &[("a", "1")]);
    let _ = stage.gitea.write(|world, _, _| {
        delivered(
            world,
            1,
            Verdict {
                status: 500,
                told: "no".into(),
                at: 1,
            },
        );
    });
    assert!(told(&stage).is_empty());
    assert_eq!(
        stage.told("POST", &format!("{HOOKS}/{id}/tests"), None).0,
        204
    );
    assert_eq!(told(&stage), ["push"]);
}

#[test]
fn the_life_of_a_run_is_told_in_order() {
    let stage = Stage::new();
    hook(&stage, &json!({"events": ["workflow_run", "workflow_job"]}));
    let runner = stage.workflow("  a:\n    runs-on: x\n    steps: [{run: echo}]\n");
    let (task, _) = stage.fetch(&runner).expect("a task");
    stage.end(&runner, &task, "RESULT_SUCCESS");
    let actions = stage.gitea.read(|world, _| {
        let rows = pending(world)
            .into_iter()
            .filter_map(|id| world.hooks.deliveries.get(id));
        rows.map(|row| {
            let payload: Value = serde_json::from_str(&row.payload).expect("JSON");
            format!(
                "{} {}",
                row.event,
                payload["action"].as_str().unwrap_or_default()
            )
        })
        .collect::<Vec<_>>()
    });
    let expected = [
        "workflow_run requested",
        "workflow_job queued",
        "workflow_job in_progress",
        "workflow_run in_progress",
        "workflow_job completed",
        "workflow_run completed",
    ];
    assert_eq!(actions, expected);
}
