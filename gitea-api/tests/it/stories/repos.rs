//! Repositories and what is in them, and webhooks, as typed calls.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gitea_api::api::hooks::Hooks;
use gitea_api::api::orgs::Access;
use gitea_api::api::repos::commit::FileEdit;
use gitea_api::api::repos::commits::{ListCommits, TextForm};
use gitea_api::api::repos::contents::CommitOptions;
use gitea_api::api::repos::objects::Depth;
use gitea_api::api::repos::{Repo, SearchRepos};
use gitea_api::{Client, Ensured};
use serde_json::{Value, json};

use super::call::{NONSENSE, Places, Step, Typed, called, done, page};
use super::owners::unmatched;

pub(super) async fn call(client: &Client, step: &Step, name: &str, at: &Places) -> Typed {
    if name.contains("/hooks") {
        return hooks(client, step, name, at).await;
    }
    if name == "GET /repos/search" {
        let Ok(search) = serde_json::from_value::<SearchRepos>(json!(step.query)) else {
            return Typed::Raw("searches by texts for flags");
        };
        return page(client.search_repos(&search), step).await;
    }
    if name.ends_with("/generate") {
        let template = client.repo(at.get("template_owner"), at.get("template_repo"));
        return match step.body() {
            Some(target) => called(template.generate(&target).await),
            None => NONSENSE,
        };
    }
    let repo = client.repo(at.get("owner"), at.get("repo"));
    let rest = name.split_once("/{repo}").map_or("", |(_, rest)| rest);
    let area = rest.split('/').nth(1).unwrap_or_default();
    let short = format!("{} {rest}", step.method);
    match area {
        "" | "forks" | "topics" => itself(&repo, step, &short, at).await,
        "contents" | "raw" | "archive" => contents(&repo, step, &short, at).await,
        "branches" | "tags" => references(&repo, step, &short, at).await,
        "collaborators" | "teams" => access(&repo, step, &short, at).await,
        "releases" => releases(&repo, step, &short).await,
        _ => commits(&repo, step, &short, at).await,
    }
}

async fn itself(repo: &Repo, step: &Step, short: &str, at: &Places) -> Typed {
    match short {
        "GET " => called(repo.get().await),
        "PATCH " => match step.body() {
            Some(changes) => called(repo.edit(&changes).await),
            None => NONSENSE,
        },
        "DELETE " => done(repo.delete().await),
        "GET /forks" => page(repo.forks(), step).await,
        "POST /forks" => match step.body() {
            Some(fork) => called(repo.fork(&fork).await),
            None => NONSENSE,
        },
        "GET /topics" => page(repo.topics(), step).await,
        "PUT /topics" => match step.json["topics"].as_array() {
            Some(topics) => {
                let topics: Vec<_> = topics.iter().filter_map(Value::as_str).collect();
                done(repo.set_topics(&topics).await)
            }
            None => NONSENSE,
        },
        "PUT /topics/{topic}" => done(repo.add_topic(at.get("topic")).await),
        "DELETE /topics/{topic}" => done(repo.delete_topic(at.get("topic")).await),
        _ => unmatched(step),
    }
}

async fn contents(repo: &Repo, step: &Step, short: &str, at: &Places) -> Typed {
    let reference = step.query.get("ref").map(String::as_str);
    let files = repo.contents();
    match short {
        "GET /contents/{filepath}" if step.answer.is_array() => {
            page(files.list(at.get("filepath"), reference), step).await
        }
        "GET /contents/{filepath}" => called(files.get(at.get("filepath"), reference).await),
        "GET /raw/{filepath}" => bytes(files.raw(at.get("filepath"), reference).await, step),
        "GET /archive/{archive}" => match at.get("archive").split_once('.') {
            Some((reference, format)) => bytes(repo.archive(reference, format).await, step),
            None => NONSENSE,
        },
        "POST /contents" => commit(repo, step).await,
        _ => write(repo, step, short, at.get("filepath")).await,
    }
}

fn bytes(result: Result<bytes::Bytes, gitea_api::Error>, step: &Step) -> Typed {
    Typed::Called(result.map(|bytes| {
        assert_eq!(Some(&*bytes), step.text.as_deref().map(str::as_bytes));
        Value::Null
    }))
}

async fn write(repo: &Repo, step: &Step, short: &str, file: &str) -> Typed {
    let Some(options) = step.body::<CommitOptions>() else {
        return NONSENSE;
    };
    let content = step.member("content").map(|text| STANDARD.decode(text));
    let files = repo.contents();
    match (short, content, step.member("sha")) {
        ("POST /contents/{filepath}", Some(Ok(content)), None) => {
            called(files.create(file, &content, &options).await)
        }
        ("PUT /contents/{filepath}", Some(Ok(content)), Some(sha)) => {
            called(files.update(file, &content, sha, &options).await)
        }
        ("DELETE /contents/{filepath}", None, Some(sha)) => {
            called(files.delete(file, sha, &options).await)
        }
        (_, Some(Err(_)), _) => NONSENSE,
        _ => Typed::Raw("a file without content, or without the object it replaces"),
    }
}

async fn commit(repo: &Repo, step: &Step) -> Typed {
    let edits = serde_json::from_value::<Vec<FileEdit>>(step.json["files"].clone());
    let (Some(options), Ok(edits)) = (step.body::<CommitOptions>(), edits) else {
        return NONSENSE;
    };
    if edits.is_empty() {
        return Typed::Raw("commits without a change, which the builder does not make");
    }
    called(
        repo.commit(&options)
            .edits(edits)
            .send()
            .await
            .map(Ensured::into_inner),
    )
}

async fn references(repo: &Repo, step: &Step, short: &str, at: &Places) -> Typed {
    let (branches, tags) = (repo.branches(), repo.tags());
    match short {
        "GET /branches" => page(branches.list(), step).await,
        "POST /branches" => match step.body() {
            Some(branch) => called(branches.create(&branch).await),
            None => NONSENSE,
        },
        "GET /branches/{branch}" => called(branches.get(at.get("branch")).await),
        "DELETE /branches/{branch}" => done(branches.delete(at.get("branch")).await),
        "PATCH /branches/{branch}" => match step.member("name") {
            Some(to) => done(branches.rename(at.get("branch"), to).await),
            None => NONSENSE,
        },
        "PUT /branches/{branch}" => match step.body() {
            Some(target) => done(branches.move_to(at.get("branch"), &target).await),
            None => NONSENSE,
        },
        "GET /tags" => page(tags.list(), step).await,
        "POST /tags" => match step.body() {
            Some(tag) => called(tags.create(&tag).await),
            None => NONSENSE,
        },
        "GET /tags/{tag}" => called(tags.get(at.get("tag")).await),
        "DELETE /tags/{tag}" => done(tags.delete(at.get("tag")).await),
        _ => unmatched(step),
    }
}

async fn access(repo: &Repo, step: &Step, short: &str, at: &Places) -> Typed {
    match short {
        "PUT /collaborators/{collaborator}" => {
            let access = step.member("permission").map(Access::from);
            match access {
                Some(access) => done(repo.add_collaborator(at.get("collaborator"), &access).await),
                None => Typed::Raw("a collaborator without a permission"),
            }
        }
        "GET /collaborators/{collaborator}/permission" => {
            called(repo.permission_of(at.get("collaborator")).await)
        }
        "GET /teams" => page(repo.teams(), step).await,
        "PUT /teams/{team}" => done(repo.add_team(at.get("team")).await),
        _ => unmatched(step),
    }
}

async fn releases(repo: &Repo, step: &Step, short: &str) -> Typed {
    match short {
        "GET /releases" => page(repo.releases().list(), step).await,
        "POST /releases" => match step.body() {
            Some(release) => called(repo.releases().create(&release).await),
            None => NONSENSE,
        },
        _ => unmatched(step),
    }
}

async fn commits(repo: &Repo, step: &Step, short: &str, at: &Places) -> Typed {
    match short {
        "GET /commits" => {
            let mut query = json!(step.query);
            for flag in ["stat", "files", "verification"] {
                if let Some(text) = step.query.get(flag) {
                    query[flag] = (text == "true").into();
                }
            }
            match serde_json::from_value::<ListCommits>(query) {
                Ok(which) => page(repo.commits(&which), step).await,
                Err(_) => NONSENSE,
            }
        }
        "GET /git/commits/{sha}" => called(repo.get_commit(at.get("sha")).await),
        "GET /compare/{basehead}" => match at.get("basehead").split_once("...") {
            Some((base, head)) => called(repo.compare(base, head).await),
            None => NONSENSE,
        },
        "GET /git/trees/{sha}" => tree(repo, step, at.get("sha")).await,
        "GET /git/blobs/{sha}" => called(repo.blob(at.get("sha")).await),
        "GET /git/refs" => page(repo.references(), step).await,
        "GET /git/refs/{ref}" => page(repo.references_below(at.get("ref")), step).await,
        "GET /git/tags/{sha}" => called(repo.tag_object(at.get("sha")).await),
        "GET /git/notes/{sha}" => called(repo.find_note(at.get("sha")).await),
        "POST /statuses/{sha}" => match step.body() {
            Some(status) => called(repo.create_status(at.get("sha"), &status).await),
            None => Typed::Raw("a status without a state"),
        },
        "GET /statuses/{sha}" => page(repo.statuses(at.get("sha")), step).await,
        "GET /commits/{ref}/statuses" => page(repo.statuses_of(at.get("ref")), step).await,
        "GET /commits/{ref}/status" => called(repo.combined_status(at.get("ref")).await),
        "GET /git/commits/{sha}.{diffType}" => {
            let form = if at.get("diffType") == "diff" {
                TextForm::Diff
            } else {
                TextForm::Patch
            };
            let text = repo.commit_text(at.get("sha"), form).await;
            done(text.map(|text| assert_eq!(Some(text), step.text)))
        }
        _ => unmatched(step),
    }
}

async fn tree(repo: &Repo, step: &Step, reference: &str) -> Typed {
    if step.query.contains_key("per_page") {
        return Typed::Raw("another page size of a tree");
    }
    let depth = if step.query.contains_key("recursive") {
        Depth::All
    } else {
        Depth::One
    };
    let number = step.query.get("page").map_or(Ok(1), |text| text.parse());
    match number {
        Ok(number) => called(repo.tree(reference, depth, number).await),
        Err(_) => NONSENSE,
    }
}

pub(super) async fn hooks(client: &Client, step: &Step, name: &str, at: &Places) -> Typed {
    let (hooks, rest): (Hooks, &str) = if let Some(rest) = name.split_once("/orgs/{org}") {
        (client.org(at.get("org")).hooks(), rest.1)
    } else if let Some(rest) = name.split_once("/repos/{owner}/{repo}") {
        (client.repo(at.get("owner"), at.get("repo")).hooks(), rest.1)
    } else {
        (
            client.admin().hooks(),
            name.split_once("/admin").map_or("", |(_, rest)| rest),
        )
    };
    let id = if rest.contains("{id}") {
        at.id("id")
    } else {
        Some(0.into())
    };
    let Some(id) = id else {
        return NONSENSE;
    };
    match format!("{} {rest}", step.method).as_str() {
        "GET /hooks" => page(hooks.list(), step).await,
        "POST /hooks" => match step.body() {
            Some(hook) => called(hooks.create(&hook).await),
            None => NONSENSE,
        },
        "GET /hooks/{id}" => called(hooks.get(id).await),
        "PATCH /hooks/{id}" => match step.body() {
            Some(changes) => called(hooks.edit(id, &changes).await),
            None => NONSENSE,
        },
        "DELETE /hooks/{id}" => done(hooks.delete(id).await),
        "POST /hooks/{id}/tests" => done(hooks.test(id).await),
        _ => unmatched(step),
    }
}
