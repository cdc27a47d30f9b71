//! Conversations with a forge that has state: what is made can be found, and wishing twice
//! changes nothing.

use gitea_api::api::admin::CreateUser;
use gitea_api::api::hooks::{CreateHook, EditHook};
use gitea_api::api::orgs::{CreateOrg, EditOrg};
use gitea_api::api::repos::branches::CreateBranch;
use gitea_api::api::repos::contents::CommitOptions;
use gitea_api::api::repos::statuses::{CreateStatus, StatusState};
use gitea_api::api::repos::{CreateRepo, EditRepo};
use gitea_api::api::users::keys::AddKey;
use gitea_api::api::users::tokens::{CreateToken, TokenScope};
use gitea_api::runner::Profile;
use gitea_api::{Auth, Ensured, ErrorKind, Patch, Secret};

use crate::conversation::Conversation;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9ZTBVbvFM3FBBnVAWBjxpnFiFLLpbBbYJAxPPWVdXA";

/// Created, then left alone.
macro_rules! ensured_twice {
    ($wish:expr) => {
        assert!(matches!($wish.await.unwrap(), Ensured::Created(_)));
        assert!(matches!($wish.await.unwrap(), Ensured::Unchanged(_)));
    };
}

#[tokio::test]
async fn what_is_ensured_twice_is_written_once() {
    let talk = Conversation::begin().await;
    let client = &talk.client;
    let user = CreateUser::ready("dev", "dev@forge.internal", "a long password");
    ensured_twice!(client.admin().ensure_user(&user));
    let org = CreateOrg::new("infra").description("machines");
    ensured_twice!(client.ensure_org(&org));
    let wish = CreateRepo::new("deploy")
        .private(true)
        .description("d")
        .auto_init(true);
    ensured_twice!(client.org("infra").ensure_repo(&wish));
    let mine = CreateRepo::new("own").auto_init(true);
    ensured_twice!(client.me().ensure_repo(&mine));
    let actions = client.repo("infra", "deploy").actions();
    ensured_twice!(actions.ensure_variable("REGION", "eu-1"));
    ensured_twice!(actions.ensure_secret("KEY", &Secret::new("value")));
    let hook = CreateHook::to("http://127.0.0.1:9/hook", "key", ["push", "create"]);
    ensured_twice!(client.repo("infra", "deploy").hooks().ensure(&hook));
    ensured_twice!(client.org("infra").hooks().ensure(&hook));
    let key = AddKey::new("laptop", format!("{KEY} me@laptop"));
    ensured_twice!(client.me().keys().ensure(&key));
    talk.end().await;
}

#[tokio::test]
async fn what_differs_is_changed_and_nothing_else() {
    let talk = Conversation::begin().await;
    let client = &talk.client;
    let org = client
        .create_org(&CreateOrg::new("infra").website("https://a.internal"))
        .await;
    assert_eq!(org.unwrap().website, "https://a.internal");
    let updated = client
        .ensure_org(&CreateOrg::new("infra").description("new"))
        .await
        .unwrap();
    let Ensured::Updated(org) = updated else {
        panic!("{updated:?}")
    };
    assert_eq!(
        (&*org.description, &*org.website),
        ("new", "https://a.internal")
    );
    let wish = CreateRepo::new("r").description("one");
    client.org("infra").ensure_repo(&wish).await.unwrap();
    let changed = client
        .org("infra")
        .ensure_repo(&wish.clone().description("two"))
        .await
        .unwrap();
    let Ensured::Updated(repo) = changed else {
        panic!("{changed:?}")
    };
    assert_eq!(repo.description, "two");
    let repo = client.repo("infra", "r");
    let cleared = repo
        .edit(&EditRepo::new().description(Patch::Clear))
        .await
        .unwrap();
    assert_eq!(cleared.description, "");
    let cleared = client
        .org("infra")
        .edit(&EditOrg::new().website(Patch::Clear))
        .await
        .unwrap();
    assert_eq!((&*cleared.description, &*cleared.website), ("new", ""));
    talk.end().await;
}

#[tokio::test]
async fn files_are_put_one_by_one_and_many_at_once() {
    let talk = Conversation::begin().await;
    let repo = talk.repo().await;
    let options = CommitOptions::new().branch("main").message("write");
    let files = repo.contents();
    ensured_twice!(files.ensure("a/one.txt", b"1\n", &options));
    assert!(matches!(
        files.ensure("a/one.txt", b"2\n", &options).await.unwrap(),
        Ensured::Updated(Some(_))
    ));
    assert_eq!(
        files
            .get("a/one.txt", None)
            .await
            .unwrap()
            .decoded()
            .unwrap()
            .unwrap(),
        b"2\n"
    );
    assert_eq!(&*files.raw("a/one.txt", None).await.unwrap(), b"2\n");
    assert!(files.find("a/none.txt", None).await.unwrap().is_none());
    let commit = || {
        repo.commit(&options)
            .put("a/one.txt", b"3\n")
            .put("b.txt", b"b\n")
            .delete_if_exists("gone.txt")
    };
    let made = commit().send().await.unwrap();
    let Ensured::Updated(Some(made)) = made else {
        panic!("{made:?}")
    };
    assert_eq!(made.files.len(), 2);
    assert_eq!(commit().send().await.unwrap(), Ensured::Unchanged(None));
    let stale = repo
        .commit(&options)
        .delete("b.txt")
        .expect_head(&made.commit.parents[0].sha);
    assert_eq!(
        stale.send().await.unwrap_err().kind(),
        &ErrorKind::HeadMoved
    );
    let current = repo
        .commit(&options)
        .delete("b.txt")
        .expect_head(&made.commit.sha);
    assert!(current.send().await.unwrap().is_change());
    let error = files
        .update("a/one.txt", b"x", &"0".repeat(40), &options)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::ShaMismatch);
    let error = files.create("a/one.txt", b"x", &options).await.unwrap_err();
    assert!(error.is_already_exists());
    talk.end().await;
}

#[tokio::test]
async fn branches_commits_and_statuses_are_found_again() {
    let talk = Conversation::begin().await;
    let repo = talk.repo().await;
    let branch = CreateBranch::new("feature/x").old_branch_name("main");
    let made = repo.branches().create(&branch).await.unwrap();
    assert_eq!(
        repo.branches().get("feature/x").await.unwrap().commit.id,
        made.commit.id
    );
    let error = repo.branches().create(&branch).await.unwrap_err();
    assert!(error.is_already_exists());
    let names: Vec<_> = repo.branches().list().collect(10).await.unwrap();
    assert_eq!(names.len(), 2);
    let status = CreateStatus::new(StatusState::Success).context("ci");
    repo.create_status(&made.commit.id, &status).await.unwrap();
    let combined = repo.combined_status("main").await.unwrap();
    assert_eq!(
        (combined.state, combined.total_count),
        (StatusState::Success, 1)
    );
    repo.branches().delete("feature/x").await.unwrap();
    assert!(repo.branches().find("feature/x").await.unwrap().is_none());
    talk.end().await;
}

#[tokio::test]
async fn a_token_is_made_with_a_password_and_kept_while_its_scopes_are_right() {
    let talk = Conversation::begin().await;
    let (ready, client) = (talk.forge.ready(), &talk.client);
    let basic = client.with_auth(Auth::basic(&*ready.root_user, &*ready.root_password));
    let tokens = basic.user(&*ready.root_user).tokens();
    let wish = CreateToken::new("ci").scopes([TokenScope::WriteRepository, TokenScope::ReadUser]);
    let Ensured::Created(made) = tokens.ensure(&wish).await.unwrap() else {
        panic!("not made")
    };
    let limited = client.with_auth(Auth::Token(made.sha1));
    assert_eq!(limited.me().get().await.unwrap().login, ready.root_user);
    let error = limited.admin().users().page(1).await.unwrap_err();
    let ErrorKind::MissingScope { required, .. } = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(required, &["read:admin"]);
    assert!(matches!(
        tokens.ensure(&wish).await.unwrap(),
        Ensured::Unchanged(_)
    ));
    let other = CreateToken::new("ci").scopes([TokenScope::All]);
    assert!(matches!(
        tokens.ensure(&other).await.unwrap(),
        Ensured::Updated(_)
    ));
    let error = client
        .user(&*ready.root_user)
        .tokens()
        .list()
        .page(1)
        .await
        .unwrap_err();
    assert_eq!(
        error.kind(),
        &ErrorKind::Unauthorized,
        "a token in the header is not enough"
    );
    talk.end().await;
}

#[tokio::test]
async fn an_edit_of_a_hook_resets_nothing() {
    let talk = Conversation::begin().await;
    let repo = talk.repo().await;
    let wish = CreateHook::to("http://127.0.0.1:9/h", "key", ["push"]).branch_filter("main");
    let made = repo.hooks().create(&wish).await.unwrap();
    let edited = repo
        .hooks()
        .edit(made.id, &EditHook::from(&made).active(false))
        .await
        .unwrap();
    assert_eq!(
        (&edited.events, &*edited.branch_filter),
        (&made.events, "main")
    );
    assert!(!edited.active);
    assert!(
        matches!(repo.hooks().ensure(&wish).await.unwrap(), Ensured::Updated(hook) if hook.active)
    );
    talk.end().await;
}

#[tokio::test]
async fn a_user_who_must_change_the_password_is_told_so() {
    let talk = Conversation::begin().await;
    let client = &talk.client;
    let user = CreateUser::new("late", "late@forge.internal").password("a long password");
    client.admin().create_user(&user).await.unwrap();
    let late = client.with_auth(Auth::basic("late", "a long password"));
    let error = late.me().get().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::MustChangePassword);
    let wrong = client.with_auth(Auth::basic("late", "another password"));
    assert_eq!(
        wrong.me().get().await.unwrap_err().kind(),
        &ErrorKind::Unauthorized
    );
    talk.end().await;
}

#[tokio::test]
async fn a_runner_is_registered_once_and_again_when_it_was_removed() {
    let talk = Conversation::begin().await;
    let client = &talk.client;
    let actions = client.admin().actions();
    let profile = Profile::new("ci-1", ["debian"]);
    let made = actions.ensure_runner(&profile, None).await.unwrap();
    let Ensured::Created(credentials) = made else {
        panic!("{made:?}")
    };
    let again = actions
        .ensure_runner(&profile, Some(credentials.clone()))
        .await
        .unwrap();
    assert_eq!(again, Ensured::Unchanged(credentials.clone()));
    let runners = actions.find_runners("ci-1").await.unwrap();
    assert_eq!(runners.len(), 1);
    actions.delete_runner(runners[0].id).await.unwrap();
    let anew = actions
        .ensure_runner(&profile, Some(credentials))
        .await
        .unwrap();
    assert!(matches!(anew, Ensured::Updated(_)), "{anew:?}");
    talk.end().await;
}
