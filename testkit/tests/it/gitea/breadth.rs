//! What clients of many kinds ask for: releases, lists in their order, searches, patches, applications.

use serde_json::{Value, json};

use super::stage::Stage;

fn names(list: &Value) -> Vec<&str> {
    let all = list.as_array().unwrap().iter();
    all.map(|one| one["name"].as_str().unwrap()).collect()
}

fn header<'r>(reply: &'r testkit::gitea::Reply, name: &str) -> Option<&'r str> {
    let found = reply.headers.iter().find(|(have, _)| *have == name);
    found.map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn a_release_of_a_tag_that_is_there_takes_its_words_from_the_request_alone() {
    let stage = Stage::set().await;
    stage.repository("r");
    let tag = json!({ "tag_name": "V1", "message": "one" });
    assert_eq!(stage.ask("POST", "/repos/root1/r/tags", Some(&tag)).0, 201);
    let (status, made) = stage.ask(
        "POST",
        "/repos/root1/r/releases",
        Some(&json!({ "tag_name": "v1" })),
    );
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["tag_name"], "V1");
    assert_eq!(
        (&made["name"], &made["target_commitish"]),
        (&json!(""), &json!(""))
    );
    let (_, other) = stage.ask(
        "POST",
        "/repos/root1/r/releases",
        Some(&json!({ "tag_name": "v2", "name": "Two" })),
    );
    assert_eq!(other["target_commitish"], "main");
    let twice = stage.ask(
        "POST",
        "/repos/root1/r/releases",
        Some(&json!({ "tag_name": "v1" })),
    );
    assert_eq!(twice.0, 409);
}

#[tokio::test]
async fn a_release_needs_a_target_that_is_there() {
    let stage = Stage::set().await;
    stage.repository("r");
    let (status, refused) = stage.ask(
        "POST",
        "/repos/root1/r/releases",
        Some(&json!({ "tag_name": "v1", "target_commitish": "nope" })),
    );
    assert_eq!(status, 404);
    let text = "target \"nope\" not found: object does not exist [id: nope, rel_path: ]";
    assert_eq!(refused["message"], text);
    let draft = json!({ "tag_name": "v1", "target_commitish": "main", "draft": true });
    let (_, draft) = stage.ask("POST", "/repos/root1/r/releases", Some(&draft));
    assert_eq!(stage.ask("GET", "/repos/root1/r/tags/v1", None).0, 404);
    let path = format!("/repos/root1/r/releases/{}", draft["id"]);
    let (status, public) = stage.ask("PATCH", &path, Some(&json!({ "draft": false })));
    assert_eq!((status, &public["draft"]), (200, &json!(false)));
    assert_eq!(stage.ask("GET", "/repos/root1/r/tags/v1", None).0, 200);
    let (status, moved) = stage.ask("PATCH", &path, Some(&json!({ "tag_name": "v9" })));
    assert_eq!((status, &moved["tag_name"]), (200, &json!("v9")));
    assert_eq!(stage.ask("GET", "/repos/root1/r/tags/v9", None).0, 200);
}

#[tokio::test]
async fn files_of_a_release_come_by_name_and_can_be_fetched_by_it() {
    let stage = Stage::set().await;
    stage.repository("r");
    let release = json!({ "tag_name": "v1" });
    let (_, release) = stage.ask("POST", "/repos/root1/r/releases", Some(&release));
    let path = format!("/repos/root1/r/releases/{}/assets", release["id"]);
    let token = format!("token {}", stage.forge.ready().root_token);
    let send = |target: &str, text: &str| {
        let call = testkit::gitea::Call::new("POST", &format!("/api/v1{target}"));
        let mut call = call.with_header("authorization", &token);
        call.body = text.to_owned().into();
        stage.forge.gitea().handle(call).reply
    };
    assert_eq!(send(&path, "x").status, 400);
    for (name, text) in [("b.txt", "two"), ("a b.txt", "one")] {
        let name = name.replace(' ', "%20");
        assert_eq!(send(&format!("{path}?name={name}"), text).status, 201);
    }
    let (_, files) = stage.ask("GET", &path, None);
    assert_eq!(names(&files), ["a b.txt", "b.txt"]);
    let address = files[0]["browser_download_url"].as_str().unwrap();
    assert!(
        address.ends_with("/root1/r/releases/download/v1/a%20b.txt"),
        "{address}"
    );
    let at = address.split_once("/root1/").unwrap().1;
    let call = testkit::gitea::Call::new("GET", &format!("/root1/{at}"));
    let fetched = stage.forge.gitea().handle(call).reply;
    assert_eq!(fetched.status, 200);
    let (_, files) = stage.ask("GET", &path, None);
    assert_eq!(files[0]["download_count"], 1);
}

#[tokio::test]
async fn lists_come_in_the_order_of_the_real_ones_and_say_what_they_say() {
    let stage = Stage::set().await;
    for name in ["z", "a", "B"] {
        stage.repository(name);
    }
    let list = |target: &str| stage.ask("GET", target, None).1;
    assert_eq!(names(&list("/users/root1/repos")), ["z", "a", "B"]);
    assert_eq!(names(&list("/user/repos")), ["B", "a", "z"]);
    let found = list("/repos/search?sort=id&order=desc&q=a,z");
    assert_eq!(names(&found["data"]), ["a", "z"]);
    assert_eq!(names(&list("/repos/search?sort=")["data"]), ["B", "a", "z"]);
    let (status, refused) = stage.ask("GET", "/repos/search?sort=id&order=up", None);
    assert_eq!(
        (status, &refused["message"]),
        (422, &json!("Invalid sort order: \"up\""))
    );
    for name in ["v1", "v2"] {
        let tag = json!({ "tag_name": name });
        assert_eq!(stage.ask("POST", "/repos/root1/a/tags", Some(&tag)).0, 201);
    }
    let call = testkit::gitea::Call::new("GET", "/api/v1/repos/root1/a/tags?limit=1");
    let reply = stage.forge.gitea().handle(call).reply;
    assert_eq!(header(&reply, "x-total-count"), Some("2"));
    assert_eq!(header(&reply, "link"), None);
}

#[tokio::test]
async fn statuses_are_asked_by_whole_ids_and_by_names_with_slashes() {
    let stage = Stage::set().await;
    stage.repository("r");
    let branch = json!({ "new_branch_name": "feature/x" });
    let (status, made) = stage.ask("POST", "/repos/root1/r/branches", Some(&branch));
    assert_eq!(status, 201, "{made}");
    let sha = made["commit"]["id"].as_str().unwrap();
    let path = format!("/repos/root1/r/statuses/{sha}");
    let state = json!({ "state": "success", "context": "ci" });
    assert_eq!(stage.ask("POST", &path, Some(&state)).0, 201);
    let count = |target: &str| {
        let (status, list) = stage.ask("GET", target, None);
        assert_eq!(status, 200, "{target}");
        list.as_array().map(Vec::len)
    };
    assert_eq!(count(&path), Some(1));
    assert_eq!(count("/repos/root1/r/statuses/main"), Some(0));
    assert_eq!(count("/repos/root1/r/commits/feature/x/statuses"), Some(1));
    let (_, all) = stage.ask("GET", "/repos/root1/r/commits/feature/x/status", None);
    assert_eq!(all["state"], "success");
    assert_eq!(
        stage.ask("GET", "/repos/root1/r/commits/feature/x", None).0,
        404
    );
}

#[tokio::test]
async fn a_patch_is_a_commit_and_a_bad_one_is_nothing() {
    let stage = Stage::set().await;
    stage.repository("r");
    let content = "diff --git a/new.txt b/new.txt\nnew file mode 100644\nindex 0000000..5626abf\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+one\n";
    let patch =
        json!({ "content": content, "message": "patched", "branch": "main", "new_branch": "p" });
    let (status, made) = stage.ask("POST", "/repos/root1/r/diffpatch", Some(&patch));
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["commit"]["message"], "patched\n");
    let (_, file) = stage.ask("GET", "/repos/root1/r/contents/new.txt?ref=p", None);
    assert_eq!(file["content"], "b25lCg==");
    let (_, before) = stage.ask("GET", "/repos/root1/r/branches/main", None);
    let bad =
        json!({ "content": content.replace("/dev/null", "a/gone.txt").replace("-0,0", "-1") });
    let (status, refused) = stage.ask("POST", "/repos/root1/r/diffpatch", Some(&bad));
    assert_eq!(status, 422, "{refused}");
    let evil = json!({ "content": content.replace("new.txt", "../evil.txt") });
    assert_eq!(
        stage.ask("POST", "/repos/root1/r/diffpatch", Some(&evil)).0,
        422
    );
    let (_, after) = stage.ask("GET", "/repos/root1/r/branches/main", None);
    assert_eq!(before, after);
}

#[tokio::test]
async fn an_archive_is_of_the_paths_that_were_asked_for() {
    let stage = Stage::set().await;
    stage.repository("r");
    let ask = |target: &str| stage.ask("GET", &format!("/repos/root1/r/archive/{target}"), None);
    assert_eq!(ask("main.zip?path=README.md").0, 200);
    assert_eq!(ask("main.zip?path=").0, 200);
    let (status, refused) = ask("main.tar.gz?path=--output=x");
    assert_eq!(status, 400);
    assert_eq!(refused["message"], "path doesn't exist or is invalid");
    assert_eq!(ask("main.bundle?path=README.md").0, 400);
}

#[tokio::test]
async fn an_application_tells_its_secret_once() {
    let stage = Stage::set().await;
    let wanted = json!({ "name": "tool", "redirect_uris": ["http://localhost/"], "confidential_client": true });
    let (status, made) = stage.ask("POST", "/user/applications/oauth2", Some(&wanted));
    assert_eq!(status, 201, "{made}");
    assert!(made["client_secret"].as_str().unwrap().starts_with("gto_"));
    let one = format!("/user/applications/oauth2/{}", made["id"]);
    let (status, seen) = stage.ask("GET", &one, None);
    assert_eq!((status, &seen["client_secret"]), (200, &json!("")));
    let (_, list) = stage.ask("GET", "/user/applications/oauth2", None);
    assert_eq!(list, json!([seen]));
    let nameless = json!({ "redirect_uris": ["http://localhost/"] });
    let (status, refused) = stage.ask("PATCH", &one, Some(&nameless));
    assert_eq!(
        (status, &refused["message"]),
        (422, &json!("[Name]: Required"))
    );
    assert_eq!(stage.ask("DELETE", &one, None).0, 204);
    assert_eq!(stage.ask("GET", &one, None).0, 404);
}
