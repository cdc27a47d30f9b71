//! The habits of 1.25 that the client makes up for.

use gitea_api::api::orgs::{CreateOrg, EditOrg};
use gitea_api::api::repos::EditRepo;
use gitea_api::{Ensured, ErrorKind};

use crate::conversation::Conversation;

#[tokio::test]
async fn an_edit_of_an_organisation_empties_nothing() {
    let talk = Conversation::begin_with("1.25").await;
    let org = CreateOrg::new("infra")
        .description("machines")
        .website("https://a.internal");
    talk.client.create_org(&org).await.unwrap();
    let changes = EditOrg::new().location("rack 1");
    let edited = talk.client.org("infra").edit(&changes).await.unwrap();
    assert_eq!(
        (&*edited.description, &*edited.website, &*edited.location),
        ("machines", "https://a.internal", "rack 1")
    );
    talk.end().await;
}

#[tokio::test]
async fn variables_and_settings_of_merging_are_written() {
    let talk = Conversation::begin_with("1.25").await;
    let repo = talk.repo().await;
    let actions = repo.actions();
    let made = actions.ensure_variable("K", "1").await.unwrap();
    assert!(matches!(made, Ensured::Created(())), "204 there, 201 later");
    let changes = EditRepo::new().allow_rebase(false);
    assert!(!repo.edit(&changes).await.unwrap().allow_rebase);
    let runner = actions.disable_runner(7.into()).await.unwrap_err();
    assert!(
        matches!(runner.kind(), ErrorKind::Unsupported { .. }),
        "{runner:?}"
    );
    talk.end().await;
}
