//! The pages for people: signed in, escaped, and only what one may see.

use serde_json::json;
use testkit::gitea::Call;
use testkit::gitea::reply::Body;

use super::stage::Stage;

/// A name that would be a script if it were not escaped.
const HOSTILE: &str = "<script>alert('&')</script>";

/// Status, type and text of a page, asked for with this `Authorization`.
fn page(stage: &Stage, path: &str, who: &str) -> (u16, String, String) {
    let mut call = Call::new("GET", path);
    if !who.is_empty() {
        call = call.with_header("authorization", who);
    }
    let reply = stage.forge.gitea().handle(call).reply;
    let kind = reply.content_type().unwrap_or_default().to_owned();
    let text = match reply.body {
        Body::Bytes(_, bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => format!("{other:?}"),
    };
    (reply.status, kind, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_users_write_becomes_part_of_a_page() {
    let stage = Stage::set().await;
    stage.repository("r");
    let workflow = format!(
        "name: \"{HOSTILE}\"\non: push\njobs: {{a: {{name: \"{HOSTILE}\", runs-on: x, steps: [{{run: 'true'}}]}}}}\n"
    );
    let encoded = |text: &str| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    // A name of a file has no slash, so the script of the name is another.
    let name = "<img src=x onerror=alert(1)>.txt";
    let body = json!({
        "message": HOSTILE, "author": { "name": "\"<i>", "email": "i@forge.internal" },
        "files": [
            { "operation": "create", "path": name, "content": encoded(HOSTILE) },
            { "operation": "create", "path": ".gitea/workflows/w.yml", "content": encoded(&workflow) },
        ],
    });
    let (status, answer) = stage.ask("POST", "/repos/root1/r/contents", Some(&body));
    assert_eq!(status, 201, "{answer}");
    let commit = answer["commit"]["sha"].as_str().unwrap();
    let who = format!("token {}", stage.forge.ready().root_token);
    let file = "%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E.txt";
    for path in [
        "/".to_owned(),
        "/root1/r".to_owned(),
        format!("/root1/r/src/{file}"),
        "/root1/r/src/.gitea/workflows/w.yml".to_owned(),
        "/root1/r/commits".to_owned(),
        format!("/root1/r/commit/{commit}"),
        "/root1/r/actions".to_owned(),
        "/root1/r/actions/runs/1".to_owned(),
        "/root1/r/actions/runs/1/jobs/1".to_owned(),
    ] {
        let (status, kind, text) = page(&stage, &path, &who);
        assert_eq!(
            (status, &*kind),
            (200, "text/html; charset=utf-8"),
            "{path}"
        );
        for markup in ["<script", "<img", "<i>"] {
            assert!(!text.contains(markup), "{path}: {markup} in {text}");
        }
    }
    let (_, _, text) = page(&stage, &format!("/root1/r/src/{file}"), &who);
    assert!(text.contains("&lt;script&gt;"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_ask_who_is_there_and_show_what_that_person_may_see() {
    let stage = Stage::set().await;
    let made = json!({ "name": "hidden", "auto_init": true, "private": true });
    assert_eq!(stage.ask("POST", "/user/repos", Some(&made)).0, 201);
    let user = json!({ "username": "u", "email": "u@forge.internal", "password": "correct horse", "must_change_password": false });
    assert_eq!(stage.ask("POST", "/admin/users", Some(&user)).0, 201);
    assert_eq!(page(&stage, "/", "").0, 401);
    let theirs = "Basic dTpjb3JyZWN0IGhvcnNl";
    assert_eq!(page(&stage, "/root1/hidden", theirs).0, 404);
    let (status, _, front) = page(&stage, "/", theirs);
    assert!(status == 200 && !front.contains("hidden"));
    let own = format!("token {}", stage.forge.ready().root_token);
    assert!(page(&stage, "/", &own).2.contains("hidden"));
}
