//! The runner protocol, as typed calls.

use gitea_api::runner::{Credentials, Profile};
use gitea_api::{Client, Secret};
use serde_json::{Value, json};

use super::call::{NONSENSE, Step, Typed, called};

pub(super) async fn call(client: &Client, step: &Step) -> Typed {
    let runner = client.runner(Credentials {
        uuid: "u".to_owned(),
        token: Secret::new("t"),
    });
    match step.path.as_str() {
        "/Ping" => match step.member("data") {
            Some(data) => called(
                client
                    .ping_runner_service(data)
                    .await
                    .map(|data| json!({ "data": data })),
            ),
            None => NONSENSE,
        },
        "/Register" => match profile(step) {
            Some(profile) => {
                let token = Secret::new(step.member("token").unwrap_or_default());
                called(
                    client
                        .register_runner(&profile, &token)
                        .await
                        .map(registered),
                )
            }
            None => Typed::Raw("a runner without a name, token, version or labels"),
        },
        "/Declare" => match profile(step) {
            Some(profile) => called(runner.declare(&profile).await.map(|mut runner| {
                runner.credentials.token = Secret::default();
                runner.credentials.uuid =
                    step.answer["runner"]["uuid"].as_str().unwrap().to_owned();
                registered(runner)
            })),
            None => Typed::Raw("a runner without a name, token, version or labels"),
        },
        "/FetchTask" if step.member("tasksVersion") == Some("0") => fetch(runner, step).await,
        "/FetchTask" => Typed::Raw("a version of the queue that only a conversation gives"),
        _ => Typed::Raw("reports and logs, which have a state (told in conversations)"),
    }
}

/// What a step says of a runner. Ours always says all of it.
fn profile(step: &Step) -> Option<Profile> {
    let declares = step.path == "/Declare";
    let name = if declares {
        "declared"
    } else {
        step.member("name")?
    };
    if !declares {
        step.member("token")?;
    }
    let labels: Vec<String> = serde_json::from_value(step.json["labels"].clone()).ok()?;
    let mut profile = Profile::new(name, labels).version(step.member("version")?);
    if step.json["capabilities"].is_null() {
        profile = profile.without_cancelling();
    }
    if step.json["ephemeral"] == true {
        profile = profile.ephemeral();
    }
    Some(profile)
}

fn registered(runner: gitea_api::runner::Registered) -> Value {
    let Credentials { uuid, token } = runner.credentials;
    let mut message = json!({ "id": runner.id.to_string(), "uuid": uuid, "token": token });
    if !runner.labels.is_empty() {
        message["labels"] = json!(runner.labels);
    }
    json!({ "runner": message })
}

async fn fetch(runner: gitea_api::runner::Runner, step: &Step) -> Typed {
    let task = runner.fetcher().next().await;
    Typed::Called(task.map(|task| {
        assert_eq!(task.is_some(), !step.answer["task"].is_null());
        let Some(task) = task else {
            return json!({});
        };
        assert!(task.workflow.contains("jobs:"), "{}", task.workflow);
        json!({ "task": {
            "id": task.id.to_string(),
            "context": task.whole_context(),
            "secrets": task.secrets,
            "vars": task.vars,
        }})
    }))
}
